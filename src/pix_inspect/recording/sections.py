"""What a recording has said so far: its sections, their interfaces, the connections.

What is not ours is left out and said in `warnings`; `Damage` is raised where reading cannot
go on.
"""

from bisect import bisect_right
from typing import Any

from pix_inspect.recording import pcapng
from pix_inspect.recording.notes import EVENT, FORMAT, OURS, Opening, Section
from pix_inspect.recording.packet import Packet
from pix_inspect.recording.stream_reader import Chunk, Event, Flow, Item
from pix_inspect.recording.tcp_headers import ACK

SMALLEST_SECTION = 28
_IDLE_INTERFACES = 100_000
"""Interfaces without a packet: more of them are an attack on memory."""
_MOST_WARNINGS = 50
UNSEEN = "the opening"


class Damage(Exception):
    """Reading cannot go on; the text says why."""


def section_about(block: bytes, start: int, total: int) -> dict[str, Any] | None:
    """Return the JSON that a section header of ours carries, or None."""
    for found in pcapng.read_comments(block, start + 24, start + total - 4):
        if found.get("recording") == OURS:
            return found
    return None


class Contents:
    """The connections by interface and by number; `flows` is indexed by interface."""

    def __init__(self, name: str) -> None:
        self.flows: list[Flow | None] = []
        """The interfaces of the present section; None for what is not ours."""
        self.connections: dict[int, dict[str, Any]] = {}
        """By connection: the JSON of its opening."""
        self.warnings: list[str] = []
        self.last: Section | None = None
        """What the newest section of ours says of itself."""
        self._name = name
        self._sections: list[tuple[int, list[Flow | None]]] = []
        self._known: dict[int, Flow] = {}
        self._present: set[Flow] = set()
        """The connections that have been opened in the present section."""
        self._foreign = False
        self._idle = 0

    def warn(self, text: str) -> None:
        """Keep one line about what could not be read, once."""
        line = self._name + text
        if line not in self.warnings and len(self.warnings) < _MOST_WARNINGS:
            self.warnings.append(line)

    def flow(self, packet: Packet) -> Flow | None:
        """Return the connection of a packet of the present section."""
        return self.flows[packet.interface] if packet.interface < len(self.flows) else None

    def flows_at(self, position: int) -> list[Flow | None]:
        """Return the connections of the section in which a block stands, by interface."""
        index = bisect_right(self._sections, position, key=lambda section: section[0])
        return self._sections[index - 1][1] if index else []

    def section(self, block: bytes, start: int, total: int, position: int) -> None:
        if total < SMALLEST_SECTION or block[start + 8 : start + 12] != pcapng.BYTE_ORDER_MAGIC:
            raise Damage("a section that is not little-endian")
        said = Section.read(section_about(block, start, total))
        self._foreign = said is None
        if said is None:
            self.warn(f": the section at offset {position} is not by pix-inspect and is left out")
        else:
            self.last = said
            if said.needs is not None and said.needs > FORMAT:
                self.warn(
                    f" was written by pix-inspect {str(said.version)[:40]} and needs one that reads"
                    f" recording format {said.needs}; this one reads {FORMAT} and shows what it can"
                )
        self.flows = []
        self._present = set()
        self._idle = 0
        self._sections.append((position, self.flows))

    def interface(self, block: bytes, start: int, total: int, position: int) -> list[Item]:
        """Add an interface; return the notes on it."""
        end = start + total - 4
        options = dict(pcapng.read_options(block, start + 16, end))
        name = options.get(pcapng.IF_NAME, b"")
        number = name[5:] if name[:5] == b"conn-" and len(name) < 15 else b""
        ours = number.isdigit() and options.get(pcapng.IF_TSRESOL) == b"\x09"
        self.flows.append(Flow(int(number)) if ours and not self._foreign else None)
        self._idle += 1
        if self._idle > _IDLE_INTERFACES:
            raise Damage("interfaces without end")
        notes = pcapng.read_comments(block, start + 16, end)
        return [Event(0, "note", None, 0, note, position) for note in notes]

    def open(self, flow: Flow, packet: Packet) -> list[Item]:
        """Open a connection at its SYN or SYN/ACK."""
        if packet.flags & ACK:
            if packet.side == 1 and flow.opened:
                self._begin(flow, packet)
            return []
        if flow.opened or packet.side != 0:
            self.warn(
                f": connection {flow.number} is opened twice; the second time is left out"
                " (recordings are joined with `cat A B`, or `mergecap -I none`)"
            )
            return []
        note = next((note for note in packet.comments if note.get(EVENT) == "open"), {})
        opening = Opening.read(note) or Opening("open")
        if opening.connection and opening.connection < 1 << 31:
            flow.number = opening.connection
        offsets = opening.continues.offsets if opening.continues is not None else None
        flow.starts = list(offsets or (0, 0))
        flow.offsets = list(flow.starts)
        earlier = self._known.get(flow.number)
        items: list[Item] = []
        if earlier is not None and offsets is not None and earlier not in self._present:
            self._register(flow)
            flow.offsets = [max(pair) for pair in zip(offsets, earlier.offsets, strict=True)]
            flow.continued = True
            flow.ended, flow.closed = list(earlier.ended), earlier.closed
            at = (packet.time, note, packet.position)
            items.append(Event(flow.number, "continue", None, *at))
            for side in (0, 1):
                missing = offsets[side] - earlier.offsets[side]
                if missing > 0:
                    where = (packet.time, earlier.offsets[side], b"", missing, packet.position)
                    items.append(Chunk(flow.number, side, *where))
        else:
            if earlier is not None:
                flow.number = max(self._known) + 1
            self._register(flow)
            self.connections[flow.number] = note
            items.append(Event(flow.number, "open", None, packet.time, note, packet.position))
        self._begin(flow, packet)
        items += flow.notes(packet)
        return items

    @staticmethod
    def _begin(flow: Flow, packet: Packet) -> None:
        side = packet.side
        seen = flow.offsets[side] - flow.starts[side]
        flow.begin(side, packet.seq + 1 + seen, flow.offsets[side])

    def open_unseen(self, flow: Flow, packet: Packet) -> list[Item]:
        """Open a connection whose beginning somebody took out of the file, or cut off.

        A part of a file that was cut goes on with the next byte of what stands before it.
        """
        earlier = self._known.get(flow.number)
        cut = earlier if earlier not in self._present else None
        if cut and not cut.closed and packet.seq == cut.next[packet.side]:
            self._register(flow)
            flow.next, flow.offsets, flow.starts = cut.next.copy(), cut.offsets.copy(), cut.offsets
            flow.origin, flow.ended, flow.continued = cut.origin.copy(), cut.ended.copy(), True
            return [Event(flow.number, "continue", None, packet.time, {}, packet.position)]
        if earlier is not None:
            flow.number = max(self._known) + 1
        self._register(flow)
        note = Opening.of(event="open", connection=flow.number, missing=UNSEEN)
        self.connections[flow.number] = note
        return [Event(flow.number, "open", None, packet.time, note, packet.position)]

    def _register(self, flow: Flow) -> None:
        flow.opened = True
        self._present.add(flow)
        self._known[flow.number] = flow
        self._idle -= 1
