"""The bytes of many exchanges, in one pass over the recording.

A view reads its exchange alone; where all of a recording is wanted, this is a hundred times as
fast. What does not come in one piece (payload that was elided, a gap) is given without bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from pix.conversation.exchange import CLIENT, DAEMON
from pix.conversation.round_trips import Passed
from pix_inspect.recording.stream_reader import ChunksSeen, Event
from pix_inspect.session.row import packed
from pix_inspect.session.session import Row, Session

MOST = 8 << 20
"""Bytes of one side of an exchange that are put together."""
BATCH = 500

_POSITION, _TOOK = Row.position.at, Row.took.at
_WHOLE = packed("connection", "client_start", "up", "position", "daemon_start", "down")
_EXPECTED = packed("took", "connection", "client_start", "daemon_start", "up", "down")


class Spoken(NamedTuple):
    """An exchange and what both sides said; None where it has to be looked at alone."""

    row: Row
    request: bytes | None
    reply: bytes | None


class _Piece:
    """What has come of one side of an exchange, which stands at `[start, end)` in its stream."""

    __slots__ = ("end", "number", "parts", "seen", "start")

    def __init__(self, number: int, start: int, size: int) -> None:
        self.number = number
        self.start = self.seen = start
        self.end = start + size
        self.parts: list[bytes] = []


def spoken(
    session: Session,
    wanted: Callable[[int], bool] = lambda number: True,
    apart: Callable[[Row], bool] = lambda row: False,
) -> Iterator[Spoken]:
    """Yield each wanted exchange once, in about the order of the file.

    Those that are `apart` come without bytes, and so do those that are not over. Memory does not
    grow with the recording.
    """
    return _Pass(session, wanted, apart).run()


class _Pass:
    """One pass: what each side of each connection is to say next, and what has been said.

    It listens to the reader of the recording.
    """

    def __init__(
        self,
        session: Session,
        wanted: Callable[[int], bool],
        apart: Callable[[Row], bool],
    ) -> None:
        self._session = session
        self._wanted = wanted
        self._apart = apart
        self._coming = session.rows(0, len(session))
        self._ahead = next(self._coming, None)
        """The exchange that begins next."""
        self._found: list[Spoken] = []
        self._lanes: dict[int, tuple[deque[_Piece], deque[_Piece]]] = {}
        """By connection and side, what is put together."""
        self._rows: dict[int, Row] = {}
        self._requests: dict[int, bytes] = {}
        self._replies: dict[int, bytes] = {}

    def run(self) -> Iterator[Spoken]:
        until = self._session.consumed
        reader = self._session.reader.again()
        while reader.consumed < until and reader.follow(self, BATCH):
            found, self._found = self._found, []
            yield from found
        while (ahead := self._ahead) is not None:
            if self._wanted(ahead[0] - 1):
                yield Spoken(ahead, None, None)
            self._ahead = next(self._coming, None)
        for row in self._rows.values():
            yield Spoken(row, None, None)

    def event(self, event: Event) -> None:
        """What happens besides says nothing."""

    def connection(self, number: int, time: int, position: int) -> ChunksSeen:
        """Return what takes the chunks of a connection."""
        return partial(self._chunks, number, *self._lanes_of(number))

    def _lanes_of(self, connection: int) -> tuple[deque[_Piece], deque[_Piece]]:
        return self._lanes.setdefault(connection, (deque(), deque()))

    def _chunks(
        self, number: int, client: deque[_Piece], daemon: deque[_Piece], passed: list[Passed]
    ) -> None:
        found, wanted, coming = self._found, self._wanted, self._coming
        chunks = iter(enumerate(passed, 1))
        for following, (side, _, offset, data, length, position) in chunks:
            ahead = self._ahead
            if ahead is not None and side == CLIENT and following < len(passed):
                other, _, start, answer, size, _ = passed[following]
                if (  # two packets that are one exchange whole, and nothing else is waited for
                    _WHOLE(ahead[1]) == (number, offset, length, position, start, size)
                    and other == DAEMON
                    and len(data) == length
                    and len(answer) == size
                    and not (client or daemon)
                    and ahead[1][_TOOK] >= 0
                    and not self._apart(ahead)
                ):
                    if wanted(ahead[0] - 1):
                        found.append(Spoken(ahead, data, answer))
                    self._ahead = next(coming, None)
                    next(chunks)
                    continue
            while (ahead := self._ahead) is not None and ahead[1][_POSITION] <= position:
                if wanted(ahead[0] - 1) and not self._expect(ahead):
                    found.append(Spoken(ahead, None, None))
                self._ahead = next(coming, None)
            if lane := daemon if side else client:
                found += self._take(side, offset, data, length, lane)

    def _expect(self, row: Row) -> bool:
        """Return whether the bytes of an exchange will be put together."""
        number, record = row
        took, connection, client, daemon, up, down = _EXPECTED(record)
        if min(took, client, daemon) < 0 or not (up and down) or max(up, down) > MOST:
            return False
        if self._apart(row):
            return False
        self._rows[number] = row
        asking, answering = self._lanes_of(connection)
        asking.append(_Piece(number, client, up))
        answering.append(_Piece(number, daemon, down))
        return True

    def _take(
        self, side: int, offset: int, data: bytes, length: int, lane: deque[_Piece]
    ) -> Iterator[Spoken]:
        last, kept = offset + length, offset + len(data)
        while lane and (piece := lane[0]).start < last:
            begin, end = max(offset, piece.seen), min(last, piece.end)
            if begin != piece.seen or end > kept or begin >= end:
                lane.popleft()  # a gap, or bytes that were not kept
                if (row := self._rows.pop(piece.number, None)) is not None:
                    yield Spoken(row, None, None)
                self._requests.pop(piece.number, None)
                self._replies.pop(piece.number, None)
                continue
            part = data[begin - offset : end - offset]
            if end < piece.end:
                piece.parts.append(part)
                piece.seen = end
                return
            lane.popleft()
            if piece.number not in self._rows:
                continue
            if piece.parts:
                piece.parts.append(part)
                part = b"".join(piece.parts)
            mine, other = self._requests, self._replies
            if side == DAEMON:
                mine, other = other, mine
            found = other.pop(piece.number, None)
            if found is None:
                mine[piece.number] = part
            else:
                request, reply = (found, part) if side == DAEMON else (part, found)
                yield Spoken(self._rows.pop(piece.number), request, reply)
