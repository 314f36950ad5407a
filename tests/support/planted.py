"""Real sessions with a mistake planted: bytes put in or taken out, the rest as recorded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pix.codec.gates import Protocol
from pix.codec.values import encode
from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol import OPERATIONS_BY_NAME
from pix_inspect.findings.collector import Findings
from pix_inspect.findings.finding import Finding
from pix_inspect.recording.reader import Chunk, RecordingReader
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS
from tests.support.words import text, word
from tests.support.written import Written


@dataclass
class Said:
    """A packet: offsets are those of the recording, whatever is done to the data."""

    side: int
    start: int
    end: int
    data: bytearray


class Planted:
    """One connection of a recording, to be changed."""

    def __init__(self, name: str, connection: int = 1) -> None:
        path = RECORDINGS / f"{name}.pcapng"
        self.session = Session(path).read_all()
        self.connection = connection
        self.packets: list[Said] = []
        for item in RecordingReader(path).poll():
            if isinstance(item, Chunk) and item.connection == connection:
                assert len(item.data) == item.length
                end = item.offset + item.length
                self.packets.append(Said(item.side, item.offset, end, bytearray(item.data)))

    def view(self, operation: str, nth: int = 0) -> ExchangeView:
        """The nth exchange of that name, as recorded."""
        found = [
            i
            for i in range(len(self.session))
            if self.session.row(i).connection == self.connection
            and operation in (self.session.row(i).operation, self.session.row(i).kind)
        ]
        return self.session.exchange(found[nth])

    def reply(self, operation: str, nth: int = 0) -> tuple[int, int]:
        exchange = self.view(operation, nth).exchange
        assert exchange is not None
        assert exchange.reply is not None
        start, end = exchange.reply
        assert end is not None
        return start, end

    def request(self, operation: str, nth: int = 0) -> tuple[int, int]:
        return self.view(operation, nth).span(CLIENT)

    def change(self, side: int, start: int, end: int, data: bytes) -> None:
        """Replace `[start, end)` of what was recorded of a side; `data` joins what stood before."""
        put = False
        for packet in self.packets:
            if packet.side != side or packet.end < start or packet.start > end:
                continue
            first, last = max(start, packet.start), min(end, packet.end)
            inside = packet.start <= start < packet.end
            mine = not put and (inside if start < end else packet.start < start <= packet.end)
            at = len(packet.data) - (packet.end - first)
            packet.data[at : at + last - first] = data if mine else b""
            put = put or mine
        assert put, "nothing was changed"

    def after(self, side: int, offset: int, *said: tuple[int, bytes], rest: bool = False) -> None:
        """Have this said behind `offset`; what was recorded after it is left out unless `rest`."""
        i = next(i for i, p in enumerate(self.packets) if p.side == side and p.end >= offset)
        packet = self.packets[i]
        packet.data = packet.data[: len(packet.data) - (packet.end - offset)]
        behind = self.packets[i + 1 :] if rest else []
        self.packets[i + 1 :] = [*(Said(s, -1, -1, bytearray(d)) for s, d in said), *behind]

    def save(self, folder: Path, *, left: int | None = None) -> Session:
        """Write it; `left` is the side that closes first."""
        written = Written()
        track = written.open(peer={"pid": 1})
        for packet in self.packets:
            if packet.data:
                written.chunk(track, packet.side, bytes(packet.data))
        if left is not None:
            track.half_close(left, written.now(), written.blocks)
        track.close(written.now(), written.blocks)
        return Session(written.save(folder / "planted.pcapng")).read_all()


def request_of(name: str, protocol: Protocol, **fields: Any) -> bytes:
    operation = OPERATIONS_BY_NAME[name]
    return word(operation.code) + encode(
        operation.request, operation.request.value_of(fields), protocol
    )


def found_in(session: Session) -> list[Finding]:
    return Findings(session).finish().kept


def diagnosis_of(session: Session) -> str:
    """Everything that the findings of a session diagnose, as one text."""
    return "\n".join(line for finding in found_in(session) for line in finding.explanation)


__all__ = ["CLIENT", "DAEMON", "Planted", "diagnosis_of", "found_in", "request_of", "text", "word"]
