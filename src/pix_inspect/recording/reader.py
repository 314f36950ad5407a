"""Reading a recording, finished or growing: blocks in, chunks and events out, in file order.

Nothing in a file makes it loop, allocate more than a block's worth, or raise anything but
Problem: what cannot be read is left out and said in `warnings`, and what cannot be read
past ends the reading there (`truncated`).
"""

import os
import time as clock
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Any

from pix.conversation.round_trips import Passed
from pix.problem import Problem
from pix_inspect.base.units import duration
from pix_inspect.recording import pcapng
from pix_inspect.recording.notes import Section
from pix_inspect.recording.packet import read_packet, whole_block
from pix_inspect.recording.sections import SMALLEST_SECTION, Contents, Damage, section_about
from pix_inspect.recording.source import DeletedError, Source, open_source
from pix_inspect.recording.stream_reader import Chunk, ChunksSeen, Event, Flow, Item, Listener
from pix_inspect.recording.tcp_headers import ACK, HEADERS, PSH, SEQUENCE_MASK, SYN

__all__ = ["Chunk", "Event", "Item", "RecordingReader"]

LARGEST_BLOCK = 16 << 20
"""Bytes: a longer block of a kind that matters is damage."""

SET_BACK = 10**9
"""Nanoseconds: threads and processors tell times that differ by less."""
_WINDOW = 1 << 20
_NEAR = 1 << 16
_ENOUGH = 1 << 62
_HEAD = Struct(">B14xB8xI4xH")
"""Version, last byte of the source, sequence number, TCP header words and flags."""
_DATA = 0x5000 | ACK | PSH
"""These words and flags of a packet with data, PSH or not."""
_SMALLEST = pcapng.PACKET_BODY + HEADERS + 4
_PLAIN = pcapng.PACKET_BODY + pcapng.PLAIN_TAIL
_OURS = (pcapng.SECTION_HEADER, pcapng.INTERFACE_DESCRIPTION, pcapng.ENHANCED_PACKET)
_PCAP = (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d")

FOREIGN = (
    "`pix-inspect import FILE --port N -o NEW.pcapng` makes a recording of its connections to TCP"
    " port N, or without --port of what sockdump wrote"
)
"""What to do with a capture that is not a recording."""


def is_pcap(head: bytes) -> bool:
    """Whether a file that begins like this is a capture in the format before pcapng."""
    return head[:4] in _PCAP


def is_recording(head: bytes) -> bool:
    """Whether a file that begins like this is a recording of ours."""
    block = whole_block(head, 0) if head.startswith(pcapng.SECTION_MAGIC) else None
    return block is not None and section_about(head, 0, block[1]) is not None


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
        self.latest = 0
        """When the newest of what was read passed."""
        self._within = 0
        """What a listener was told of lies before here: `consumed`, and while it is told more."""
        self._told = 0
        self._listed = _Listed()
        self._latest_piece = (0, b"")
        """What `read_from` read last, and where: who wants an exchange mostly wants the next."""
        self._damaged = False
        self._tail = (0, b"")
        """What was read last, and where: while it stands there, the file is what was read."""
        self._spoilt = False
        self._set_back = False
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

    @property
    def deleted(self) -> bool:
        """Whether the file has no name any more: it is gone when this is closed."""
        return self._source.deleted()

    def close(self) -> None:
        self._source.close()

    def again(self) -> "RecordingReader":
        """Return a reader of the same file that begins anew; it ends when this one is closed."""
        return RecordingReader(self.path, self._source)

    def poll(self, limit: int | None = None) -> list[Item]:
        """Return what whole blocks hold that were appended since; [] when there is nothing new.

        Stops at the first block after which there are `limit` items or more.
        """
        self.follow(self._listed, limit)
        items = self._listed.copy()
        self._listed.clear()
        return items

    def follow(self, listener: Listener, limit: int | None = None) -> int:
        """Tell the listener, always the same, what `poll` returns; return how many items it was."""
        before = self._told
        until = _ENOUGH if limit is None else before + limit
        window = _WINDOW if limit is None else min(_WINDOW, max(_NEAR, limit * 256))
        try:
            while self._told < until and not self._damaged:
                position = self.consumed
                if not self._spoilt and (buffer := self._source.read(position, window)):
                    self._read(buffer, listener, until - self._told)
                if self.consumed == position and not self._step(listener):
                    break
        except Damage as damage:
            self._damaged = True
            left = self._source.end - self.consumed
            self._contents.warn(
                f" is damaged at offset {self.consumed} ({damage}): {left} bytes are not read"
            )
        return self._told - before

    def read_from(self, position: int) -> Iterator[Item]:
        """Yield again what stands from a block's `position` on, up to what has been read.

        Lazy; `poll` may go on in between. What somebody cut off since, or rotation deleted, is left
        out and warned of.
        """
        window, asked = _NEAR, 0
        flows = self._contents.flows_at(position)
        packet_head, tcp_head, new = pcapng.PACKET.unpack_from, _HEAD.unpack_from, tuple.__new__
        start, buffer = self._latest_piece
        if start > position or start + len(buffer) > self._within:
            start, buffer = position, b""
        while position < self._within:
            if whole_block(buffer, position - start) is None:
                start, asked = position, min(window, self._within - position)
                try:
                    buffer = self._source.read(position, asked)
                except DeletedError:
                    self._contents.warn(": a part was deleted by rotation: keep more files")
                    position = self._source.next_file(position) or self._within
                    continue
                if window == _NEAR:
                    self._latest_piece = (start, buffer)
                window = min(window * 2, _WINDOW)
            begun = position
            while (block := whole_block(buffer, p := position - start)) is not None:
                kind, total = block
                if kind == pcapng.ENHANCED_PACKET and total >= _SMALLEST:
                    _, _, interface, high, low, captured, original = packet_head(buffer, p)
                    version, source, seq, flags = tcp_head(buffer, p + pcapng.PACKET_BODY)
                    flow = flows[interface] if interface < len(flows) else None
                    if flow is None:
                        pass
                    elif (
                        total == _PLAIN + (captured + 3 & -4)
                        and captured >= HEADERS
                        and version == 0x45
                        and flags | PSH == _DATA
                        and original > HEADERS
                        and 1 <= source <= 2
                        and position not in flow.odd
                    ):  # the usual packet, as `_read` has it
                        offset, time = flow.offset(source - 1, seq, position), high << 32 | low
                        body = p + pcapng.PACKET_BODY
                        data, length = buffer[body + HEADERS : body + captured], original - HEADERS
                        about = (flow.number, source - 1, time, offset, data, length, position)
                        yield new(Chunk, about)
                    elif packet := read_packet(buffer, p, total, position):
                        yield from flow.again(packet)
                elif kind == pcapng.SECTION_HEADER:
                    flows = self._contents.flows_at(position)
                position += total
            if position > begun:
                continue
            total = self._length_at(position)
            is_cut = position + total > self._within or asked >= total > len(buffer)
            if is_cut or total < pcapng.SMALLEST_BLOCK:
                following = self._source.next_file(position)
                if following is None:
                    self._contents.warn(": somebody cut off a part that had been read")
                position = following or self._within
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
            raise Problem(f"{path}{self._source.fault or ' is empty: not a recording'}")
        if head[:4] != pcapng.SECTION_MAGIC[: len(head)]:
            if is_pcap(head):
                raise Problem(f"{path} is a capture in the pcap format, not a recording: {FOREIGN}")
            raise Problem(
                f"{path} is not a pcapng file: a recording by pix-inspect begins with 0a 0d 0d 0a "
                "(offset 0); `pix-inspect import` makes one of a capture of TCP, a log of strace or"
                " of `socat -x`, a .nixwire file or two raw streams"
            )
        if head[8:12] == pcapng.BYTE_ORDER_MAGIC[::-1]:
            raise Problem(
                f"{path} is a big-endian pcapng file (offset 8): recordings by pix-inspect are "
                f"little-endian, and `editcap` on such a computer rewrites one; {FOREIGN}"
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
                f"at offset 0 has no comment that says so; {FOREIGN}; merged recordings of"
                " pix-inspect are read when one of them came first"
            )
        self.about = about

    def _length_at(self, position: int) -> int:
        head = self._source.read(position, 8)
        return int(pcapng.BLOCK.unpack(head)[1]) if len(head) == 8 else 0

    def _step(self, listener: Listener) -> bool:
        """Get over what `poll` stopped at: a large block, a file's end. Return False to wait."""
        position = self.consumed
        following = self._source.next_file(position)
        if following is None and self._is_spoilt():
            self._contents.warn(
                ": what was read of it was cut off or written over since, so no more is read"
            )
            return self._extend(spoilt=True)
        limit = self._source.end if following is None else following
        head = self._source.read(position, 8)
        if len(head) == 8:
            kind, total = pcapng.BLOCK.unpack(head)
            too_long = kind in _OURS and total > LARGEST_BLOCK
            if total < pcapng.SMALLEST_BLOCK or total & 3 or too_long:
                raise Damage(f"a block of {total} bytes")
            if position + total <= limit:
                if self._source.read(position + total - 4, 4) != head[4:]:
                    raise Damage("a block's two lengths differ")
                self._within = position + total
                if kind in _OURS:
                    buffer = self._source.read(position, total)
                    self._told += self._slow(buffer, 0, position, listener)
                self.consumed += total
                return True
        if following is not None:
            if position < following:
                self._contents.warn(f": the file before a rotation was cut off at {position}")
            self.consumed = following
            return True
        if self._extend():
            return True
        if self._source.fault:
            self._contents.warn(self._source.fault)
        return False

    def _extend(self, spoilt: bool = False) -> bool:
        more = self._source.extend(self._belongs, spoilt)
        if more:
            self._tail, self._spoilt = (self.consumed, b""), False
        return more

    def _is_spoilt(self) -> bool:
        """Find out whether what was read last no longer stands in the file."""
        position, known = self._tail
        start = max(self.consumed - SMALLEST_SECTION, 0)
        try:
            self._spoilt |= self._source.read(position, len(known)) != known
            known = self._source.read(start, self.consumed - start)
            self._spoilt |= start + len(known) != self.consumed
            self._tail = start, known
        except DeletedError:
            self._tail = self.consumed, b""
        return self._spoilt

    def _belongs(self, descriptor: int) -> bool | None:
        """Return whether an open file is a later one of this recording; None if it is too short."""
        head = os.pread(descriptor, _NEAR, 0)
        block = whole_block(head, 0)
        if block is None:
            return None
        said, last = Section.read(section_about(head, 0, block[1])), self._contents.last
        if said is None or last is None or said.about != last.about:
            return False
        return said.file > (last.file or 0) if said.file is not None else not self._spoilt

    def _read(self, buffer: bytes, listener: Listener, enough: int) -> None:
        """Read whole blocks of `buffer`, which goes on at `consumed`. Raises Damage."""
        flows = self._contents.flows
        base, size, left = self.consumed, len(buffer), enough
        self._within = base + size
        usual = size - _PLAIN - HEADERS
        p, time = 0, self.latest
        before = time
        packet_head, tcp_head = pcapng.PACKET.unpack_from, _HEAD.unpack_from
        length_of = pcapng.U32.unpack_from
        run: list[Passed] = []
        """What is told next: chunks of the connection of `interface`, and nothing between them."""
        add, current = run.append, -1
        flow: Flow | None = None
        expected: list[int] = []
        offsets: list[int] = []
        # The usual packet (data in order, no comment) is read here; all else by _slow.
        try:
            while p + pcapng.SMALLEST_BLOCK <= size and left > 0:
                if p <= usual:
                    kind, total, interface, high, low, captured, original = packet_head(buffer, p)
                    end = p + total
                    if (
                        kind == 6
                        and captured >= 40
                        and total == _PLAIN + (captured + 3 & -4)
                        and end <= size
                        and length_of(buffer, end - 4)[0] == total
                    ):
                        if interface != current:
                            if run and flow:
                                self._tell(listener, flow, run)
                            flow = flows[interface] if interface < len(flows) else None
                            current = -1
                            if flow is not None and flow.opened:
                                current, expected, offsets = interface, flow.next, flow.offsets
                        version, source, seq, flags = tcp_head(buffer, p + 28)
                        side = source - 1
                        length = original - 40
                        if (
                            interface == current
                            and 0 <= side <= 1
                            and expected[side] == seq
                            and flags | PSH == _DATA
                            and version == 0x45
                            and 0 < length >= captured - 40
                            and (following := seq + length) <= SEQUENCE_MASK
                        ):
                            offset = offsets[side]
                            time = high << 32 | low
                            data = buffer[p + 68 : p + 28 + captured]
                            add((side, time, offset, data, length, base + p))
                            expected[side] = following
                            offsets[side] = offset + length
                            left -= 1
                            p = end
                            continue
                kind, total = pcapng.BLOCK.unpack_from(buffer, p)
                if p + total > size:
                    break
                if run and flow:
                    self._tell(listener, flow, run)
                latest = self.latest
                left -= self._slow(buffer, p, base + p, listener)
                if self.latest > latest:  # a remark that came later than the data before it
                    time = self.latest
                p += total
                flows, current = self._contents.flows, -1
            if run and flow:
                self._tell(listener, flow, run)
        finally:
            self.consumed = self._within = base + p
            self._told += enough - left
            if time != before:
                self._look_back(before, time, base + p)
            self.latest = max(self.latest, time)

    def _tell(self, listener: Listener, flow: Flow, run: list[Passed]) -> None:
        """Tell the listener of a connection's chunks, and begin anew."""
        if (seen := flow.seen) is None:
            _, time, _, _, _, position = run[0]
            seen = flow.seen = listener.connection(flow.number, time, position)
        seen(run)
        run.clear()

    def _look_back(self, before: int, time: int, position: int) -> None:
        """Say, once, that what stands behind `before` in the file is earlier."""
        if time and before - time >= SET_BACK and not self._set_back:
            self._set_back = True
            self._contents.warn(
                f": its times go back by {duration(before - time)} before offset {position}:"
                " a clock was set, or files were joined in another order; how long things took"
                " across that is not known"
            )

    def _slow(self, buffer: bytes, p: int, position: int, listener: Listener) -> int:
        """Read any block that is whole in `buffer`; return the items told. Raises Damage."""
        kind, total = pcapng.BLOCK.unpack_from(buffer, p)
        if total < pcapng.SMALLEST_BLOCK or total & 3:
            raise Damage(f"a block of {total} bytes")
        if whole_block(buffer, p) is None:
            raise Damage("a block's two lengths differ")
        contents = self._contents
        items: list[Item] = []
        if kind == pcapng.ENHANCED_PACKET:
            packet = read_packet(buffer, p, total, position)
            flow = packet and contents.flow(packet)
            if not packet or not flow:
                contents.warn(": packets that no recorder wrote are left out")
            elif packet.flags & SYN:
                items = contents.open(flow, packet)
            else:
                flow.seen = None
                if not flow.opened:
                    items = contents.open_unseen(flow, packet)
                items += flow.take(packet)
        elif kind == pcapng.INTERFACE_DESCRIPTION:
            items = contents.interface(buffer, p, total, position)
        elif kind == pcapng.SECTION_HEADER:
            contents.section(buffer, p, total, position)
        for item in items:
            self._look_back(self.latest, item.time, position)
            self.latest = max(self.latest, item.time)
            if isinstance(item, Chunk):
                listener.connection(item.connection, item.time, position)([item[1:]])
            else:
                listener.event(item)
        return len(items)


class _Listed(list[Item]):
    """A listener that is a list of what it was told."""

    def connection(self, number: int, time: int, position: int) -> ChunksSeen:
        """Return what adds the connection's chunks to the list."""

        def seen(chunks: list[Passed]) -> None:
            new = tuple.__new__  # what Chunk() comes down to, at half its price
            self.extend([new(Chunk, (number, *chunk)) for chunk in chunks])

        return seen

    def event(self, event: Event) -> None:
        """Add an event to the list."""
        self.append(event)
