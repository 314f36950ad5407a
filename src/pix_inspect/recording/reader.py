"""Reading a recording, finished or growing: blocks in, chunks and events out, in file order.

Nothing in a file makes it loop, allocate more than a block's worth, or raise anything but
Problem: what cannot be read is left out and said in `warnings`, and what cannot be read
past ends the reading there (`truncated`).
"""

import time as clock
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Any

from pix.problem import Problem
from pix_inspect.recording import pcapng
from pix_inspect.recording.packet import read_packet, whole_block
from pix_inspect.recording.sections import SMALLEST_SECTION, Contents, Damage, section_about
from pix_inspect.recording.source import CompressedSource, Source, open_source
from pix_inspect.recording.stream_reader import Chunk, Event, Item
from pix_inspect.recording.tcp_headers import ACK, HEADERS, SEQUENCE_MASK, SYN

__all__ = ["Chunk", "Event", "Item", "RecordingReader"]

LARGEST_BLOCK = 16 << 20
"""Bytes: a longer block of a kind that matters is damage."""

_WINDOW = 1 << 20
_NEAR = 1 << 16
_ENOUGH = 1 << 62
_HEAD = Struct(">B14xB8xI4xBB")
"""Version, last byte of the source, sequence number, TCP header words, flags."""
_PLAIN = pcapng.PACKET_BODY + pcapng.PLAIN_TAIL
_OURS = (pcapng.SECTION_HEADER, pcapng.INTERFACE_DESCRIPTION, pcapng.ENHANCED_PACKET)
_PCAP = (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d")


class RecordingReader:
    """A recording as chunks and events.

    Raises Problem when `path` cannot be opened or is not a recording of ours.
    """

    def __init__(self, path: Path, source: Source | None = None) -> None:
        self.path = path
        self.about: dict[str, Any] = {}
        """The JSON of the section header: `format`, `version`, and the recorder's `about`."""
        self._contents = Contents(str(path))
        self.connections = self._contents.connections
        """By connection: the JSON of its opening."""
        self.warnings = self._contents.warnings
        """What could not be read, one line each."""
        self.consumed = 0
        """Bytes read so far; `poll` goes on here."""
        self._damaged = False
        self._source: Source = source or open_source(path)
        try:
            self._begin()
        except BaseException:
            if source is None:
                self._source.close()
            raise

    @property
    def size(self) -> int:
        """Bytes to read, as far as is known (of a compressed file, decompressed)."""
        return self._source.expected()

    @property
    def truncated(self) -> tuple[int, int] | None:
        """Where reading ended before the file did, and the bytes after it; None if it did not."""
        left = self._source.end - self.consumed
        return (self.consumed, left) if left else None

    def close(self) -> None:
        self._source.close()

    def again(self) -> "RecordingReader":
        """Return a reader of the same file that begins anew; it ends when this one is closed."""
        return RecordingReader(self.path, self._source)

    def poll(self, limit: int | None = None) -> list[Item]:
        """Return what whole blocks hold that were appended since; [] when there is nothing new.

        Stops at the first block after which there are `limit` items or more.
        """
        items: list[Item] = []
        enough = _ENOUGH if limit is None else limit
        window = _WINDOW if limit is None else min(_WINDOW, max(_NEAR, limit * 256))
        while len(items) < enough and not self._damaged:
            buffer = self._source.read(self.consumed, window)
            done = self._read(buffer, self.consumed, items, enough) if buffer else 0
            self.consumed += done
            if not done and not self._damaged and not self._step(items):
                break
        return items

    def read_from(self, position: int) -> Iterator[Item]:
        """Yield again what stands from a block's `position` on, up to what `poll` has read.

        Lazy; `poll` may go on in between. Raises Problem if rotation deleted that part.
        """
        window = _NEAR
        while position < self.consumed:
            buffer = self._source.read(position, min(window, self.consumed - position))
            window = min(window * 2, _WINDOW)
            start = position
            while (block := whole_block(buffer, position - start)) is not None:
                kind, total = block
                if kind == pcapng.ENHANCED_PACKET:
                    packet = read_packet(buffer, position - start, total, position)
                    flow = packet and self._contents.flow(packet, position)
                    if packet and flow:
                        yield from flow.again(packet)
                position += total
            if position > start:
                continue
            total = self._length_at(position)
            if position + total > self.consumed or total < pcapng.SMALLEST_BLOCK:
                position = self._source.next_file(position) or self.consumed
            elif total <= len(buffer) or total > LARGEST_BLOCK:
                position += total
            else:
                window = total

    def _begin(self) -> None:
        patience = 20
        while self._source.end < SMALLEST_SECTION and patience:
            patience -= 1  # its writer may just have made it
            if not self._source.extend():
                clock.sleep(0.01)
        path = self.path
        head = self._source.read(0, SMALLEST_SECTION)
        if not head:
            raise Problem(f"{path} is empty: not a recording")
        if head[:4] != pcapng.SECTION_MAGIC[: len(head)]:
            what = "an old-style pcap file" if head[:4] in _PCAP else "not a pcapng file"
            raise Problem(
                f"{path} is {what}: a recording by pix-inspect begins with 0a 0d 0d 0a (offset 0); "
                "raw streams are read with `pix-inspect import`"
            )
        if head[8:12] == pcapng.BYTE_ORDER_MAGIC[::-1]:
            raise Problem(
                f"{path} is a big-endian pcapng file (offset 8): recordings by pix-inspect are "
                "little-endian; `editcap` on a little-endian computer rewrites it"
            )
        if len(head) >= 12 and head[8:12] != pcapng.BYTE_ORDER_MAGIC:
            raise Problem(f"{path} is not a pcapng file: no byte-order mark at offset 8")
        total = self._length_at(0)
        while self._source.end < min(total, LARGEST_BLOCK) and self._source.extend():
            pass
        block = self._source.read(0, total) if total <= LARGEST_BLOCK else b""
        if total < SMALLEST_SECTION or whole_block(block, 0) is None:
            raise Problem(
                f"{path} is cut off or damaged within its first block (offset 0, "
                f"{self._source.end} bytes): nothing of it can be read"
            )
        about = section_about(block, 0, total)
        if about is None:
            raise Problem(
                f"{path} is a pcapng file but not a recording by pix-inspect: the section header "
                "at offset 0 has no comment that says so; `pix-inspect import` reads raw streams"
            )
        self.about = about

    def _length_at(self, position: int) -> int:
        head = self._source.read(position, 8)
        return int(pcapng.BLOCK.unpack(head)[1]) if len(head) == 8 else 0

    def _damage(self, position: int, what: str) -> None:
        self._damaged = True
        left = self._source.end - position
        self._contents.warn(f" is damaged at offset {position} ({what}): {left} bytes are not read")

    def _step(self, items: list[Item]) -> bool:
        """Get over what `poll` stopped at: a large block, a file's end. Return False to wait."""
        position = self.consumed
        following = self._source.next_file(position)
        limit = self._source.end if following is None else following
        head = self._source.read(position, 8)
        if len(head) == 8:
            kind, total = pcapng.BLOCK.unpack(head)
            if total < pcapng.SMALLEST_BLOCK or total & 3:
                self._damage(position, f"a block of {total} bytes")
                return False
            if kind in _OURS and total > LARGEST_BLOCK:
                self._damage(position, f"a block of {total} bytes")
                return False
            if position + total <= limit:
                if self._source.read(position + total - 4, 4) != head[4:]:
                    self._damage(position, "a block's two lengths differ")
                    return False
                if kind in _OURS:
                    buffer = self._source.read(position, total)
                    if not self._slow(buffer, 0, position, items):
                        return False
                self.consumed += total
                return True
        if following is not None:
            if position < following:
                self._contents.warn(f": the file before a rotation was cut off at {position}")
            self.consumed = following
            return True
        if self._source.extend():
            return True
        if isinstance(self._source, CompressedSource) and self._source.fault:
            self._contents.warn(self._source.fault)
        return False

    def _read(self, buffer: bytes, base: int, items: list[Item], enough: int) -> int:
        """Read whole blocks of `buffer`, which stands at `base`; return the bytes read."""
        flows = self._contents.flows
        size = len(buffer)
        p = 0
        packet_head, tcp_head = pcapng.PACKET.unpack_from, _HEAD.unpack_from
        length_of, append = pcapng.U32.unpack_from, items.append
        new = tuple.__new__  # what Chunk() comes down to, at half its price
        # The usual packet (data in order, no comment) is read here; all else by _slow.
        while p + pcapng.SMALLEST_BLOCK <= size and len(items) < enough:
            if p + _PLAIN + HEADERS <= size:
                kind, total, interface, high, low, captured, original = packet_head(buffer, p)
                end = p + total
                if (
                    kind == 6
                    and captured >= 40
                    and total == _PLAIN + captured + (-captured & 3)
                    and end <= size
                    and interface < len(flows)
                    and length_of(buffer, end - 4)[0] == total
                    and (flow := flows[interface]) is not None
                ):
                    version, source, seq, words, flags = tcp_head(buffer, p + 28)
                    length = original - 40
                    if (
                        0 < source <= 2
                        and flow.next[source - 1] == seq
                        and flags & 0xF7 == ACK
                        and words == 0x50
                        and version == 0x45
                        and 0 < length >= captured - 40
                        and seq + length <= SEQUENCE_MASK
                        and flow.opened
                    ):
                        side = source - 1
                        offset = flow.offsets[side]
                        data = buffer[p + 68 : p + 28 + captured]
                        time = high << 32 | low
                        append(
                            new(Chunk, (flow.number, side, time, offset, data, length, base + p))
                        )
                        flow.next[side] = seq + length
                        flow.offsets[side] = offset + length
                        p = end
                        continue
            kind, total = pcapng.BLOCK.unpack_from(buffer, p)
            if p + total > size or not self._slow(buffer, p, base + p, items):
                break
            p += total
            flows = self._contents.flows
        return p

    def _slow(self, buffer: bytes, p: int, position: int, items: list[Item]) -> bool:
        """Read any block that is whole in `buffer`; return False at damage."""
        kind, total = pcapng.BLOCK.unpack_from(buffer, p)
        if total < pcapng.SMALLEST_BLOCK or total & 3:
            self._damage(position, f"a block of {total} bytes")
            return False
        if whole_block(buffer, p) is None:
            self._damage(position, "a block's two lengths differ")
            return False
        contents = self._contents
        try:
            if kind == pcapng.ENHANCED_PACKET:
                packet = read_packet(buffer, p, total, position)
                flow = packet and contents.flow(packet)
                if not packet or not flow:
                    contents.warn(": packets that no recorder wrote are left out")
                elif packet.flags & SYN:
                    items += contents.open(flow, packet)
                else:
                    if not flow.opened:
                        items += contents.open_unseen(flow, packet)
                    items += flow.take(packet)
            elif kind == pcapng.INTERFACE_DESCRIPTION:
                items += contents.interface(buffer, p, total, position)
            elif kind == pcapng.SECTION_HEADER:
                contents.section(buffer, p, total, position)
        except Damage as damage:
            self._damage(position, str(damage))
            return False
        return True
