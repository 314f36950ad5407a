"""The bytes of many exchanges, in one pass over the recording.

A view reads its exchange alone; where all of a recording is wanted, this is a hundred times as
fast. What does not come in one piece (payload that was elided, a gap) is given without bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pix.conversation.exchange import CLIENT, DAEMON
from pix_inspect.recording.reader import Chunk
from pix_inspect.session.row import packed
from pix_inspect.session.session import Row, Session

MOST = 8 << 20
"""Bytes of one side of an exchange that are put together."""
BATCH = 500

_POSITION = Row.position.at
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
    """One pass: what each side of each connection is to say next, and what has been said."""

    def __init__(
        self,
        session: Session,
        wanted: Callable[[int], bool],
        apart: Callable[[Row], bool],
    ) -> None:
        self._session = session
        self._wanted = wanted
        self._apart = apart
        self._lanes: dict[tuple[int, int], deque[_Piece]] = {}
        self._rows: dict[int, Row] = {}
        self._requests: dict[int, bytes] = {}
        self._replies: dict[int, bytes] = {}

    def run(self) -> Iterator[Spoken]:
        session = self._session
        rows = session.rows(0, len(session))
        until = session.consumed
        reader = session.reader.again()
        ahead = next(rows, None)
        while reader.consumed < until and (items := reader.poll(BATCH)):
            following = iter([*items[1:], None])
            for item in items:
                after = next(following)
                if type(item) is not Chunk:
                    continue
                if ahead is not None and type(after) is Chunk and self._is_pair(ahead, item, after):
                    if self._wanted(ahead[0] - 1):
                        yield Spoken(ahead, item[4], after[4])
                    ahead = next(rows, None)
                    continue
                while ahead is not None and ahead[1][_POSITION] <= item[6]:
                    if self._wanted(ahead[0] - 1) and not self._expect(ahead):
                        yield Spoken(ahead, None, None)
                    ahead = next(rows, None)
                lane = self._lanes.get(item[:2])
                if lane:
                    yield from self._take(item, lane)
        while ahead is not None:
            if self._wanted(ahead[0] - 1):
                yield Spoken(ahead, None, None)
            ahead = next(rows, None)
        for row in self._rows.values():
            yield Spoken(row, None, None)

    def _is_pair(self, row: Row, asked: Chunk, answer: Chunk) -> bool:
        """Return whether two packets are one exchange whole, and nothing else is waited for."""
        took, connection, client, daemon, up, down = _EXPECTED(row[1])
        return (
            asked == (connection, CLIENT, asked[2], client, asked[4], up, row[1][_POSITION])
            and answer[:2] == (connection, DAEMON)
            and answer[3] == daemon
            and answer[5] == down == len(answer[4])
            and up == len(asked[4])
            and took >= 0
            and not self._lanes.get((connection, CLIENT))
            and not self._lanes.get((connection, DAEMON))
            and not self._apart(row)
        )

    def _expect(self, row: Row) -> bool:
        """Return whether the bytes of an exchange will be put together."""
        number, record = row
        took, connection, client, daemon, up, down = _EXPECTED(record)
        if min(took, client, daemon) < 0 or not (up and down) or max(up, down) > MOST:
            return False
        if self._apart(row):
            return False
        self._rows[number] = row
        for side, start, size in ((CLIENT, client, up), (DAEMON, daemon, down)):
            lane = self._lanes.get((connection, side))
            if lane is None:
                lane = self._lanes[connection, side] = deque()
            lane.append(_Piece(number, start, size))
        return True

    def _take(self, item: Chunk, lane: deque[_Piece]) -> Iterator[Spoken]:
        _, side, _, offset, data, length, _ = item
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
