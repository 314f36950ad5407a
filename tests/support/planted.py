"""Real sessions with a mistake planted: bytes put in or taken out, the rest as recorded."""

from __future__ import annotations

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
from tests.support.playbook import Playbook, Turn
from tests.support.recording import V38
from tests.support.words import text, word


class Planted(Playbook):
    """One connection of a recording, to be changed.

    `spans` are the offsets of its turns in the recording, whatever is done to their bytes.
    """

    def __init__(self, name: str, connection: int = 1) -> None:
        path = RECORDINGS / f"{name}.pcapng"
        self.session = Session(path).read_all()
        self.connection = connection
        self.spans: list[tuple[int, int]] = []
        super().__init__(self.session.connections[connection].protocol or V38)
        for item in RecordingReader(path).poll():
            if isinstance(item, Chunk) and item.connection == connection:
                assert len(item.data) == item.length
                self.turns.append((item.side, item.data))
                self.spans.append((item.offset, item.offset + item.length))

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
        for i, (speaker, said) in enumerate(self.turns):
            begin, finish = self.spans[i]
            if speaker != side or finish < start or begin > end or said is None:
                continue
            first, last = max(start, begin), min(end, finish)
            inside = begin <= start < finish
            mine = not put and (inside if start < end else begin < start <= finish)
            at = len(said) - (finish - first)
            self.turns[i] = (side, said[:at] + (data if mine else b"") + said[at + last - first :])
            put = put or mine
        assert put, "nothing was changed"

    def after(self, side: int, offset: int, *said: Turn, rest: bool = False) -> None:
        """Have this said behind `offset`; what was recorded after it is left out unless `rest`."""
        spans = enumerate(self.spans)
        i = next(i for i, (_, end) in spans if self.turns[i][0] == side and end >= offset)
        data = self.turns[i][1] or b""
        self.turns[i] = (side, data[: len(data) - (self.spans[i][1] - offset)])
        behind = slice(i + 1, i + 1 if rest else None)
        self.turns[behind] = said
        self.spans[behind] = [(-1, -1)] * len(said)


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
