"""Answers that stand before their questions, as where two clocks recorded the two directions.

Neither side errs then: it is tried whether both streams fit from beginning to end when the order
between them is left open. An answer of which a part only stands too early, or that only says the
one before it again, may as well be the daemon's mistake, and explains nothing.
"""

from __future__ import annotations

from bisect import bisect_right

from pix.codec.cursor import Limits
from pix.conversation import Conversation
from pix.conversation.exchange import CLIENT, DAEMON, Exchange
from pix_inspect.base.units import count
from pix_inspect.forensics.mistakes import Diagnosis, Mistake
from pix_inspect.recording.reader import Chunk, RecordingReader

MOST_READ = 16 << 20
"""Bytes of a connection that are read again."""
_NO_LIMIT = 1 << 62


def early_answers(reader: RecordingReader, connection: int, position: int) -> Diagnosis | None:
    """Return that answers stand before their questions, on a connection that is whole from the
    packet at `position` on.
    """
    said = _Said()
    for item in reader.read_from(position):
        if item.connection == connection and isinstance(item, Chunk) and not said.take(item):
            return None
    talk = Conversation(lockstep=True, limits=Limits(waiting=_NO_LIMIT))
    for side in (CLIENT, DAEMON):
        talk.feed(side, bytes(said.streams[side]))
    for side in (CLIENT, DAEMON):
        talk.eof(side)
    exchanges = talk.exchanges
    if not exchanges or not all(each.complete for each in exchanges):
        return None
    if exchanges[-1].daemon_end != len(said.streams[DAEMON]):
        return None
    early = next(filter(said.is_early, exchanges), None)
    if early is None:
        return None
    where = f"from #{early.number} of the connection on, {early.name}"
    whole = f"in another order all its {count(len(exchanges), 'exchange')} are whole"
    return Diagnosis(Mistake.EARLY_ANSWERS, where, evidence=(whole,))


class _Said:
    """What both sides of a connection said, and how much the daemon had when its client spoke."""

    def __init__(self) -> None:
        self.streams = (bytearray(), bytearray())
        self._asked: list[int] = []
        self._heard: list[int] = []
        """Where each of the client's packets begins, and the length of the daemon's stream then."""

    def take(self, chunk: Chunk) -> bool:
        """Add what passed. False when that is not all that was said, or too much."""
        stream = self.streams[chunk.side]
        if chunk.offset != len(stream) or len(chunk.data) != chunk.length:
            return False
        if chunk.side == CLIENT:
            self._asked.append(chunk.offset)
            self._heard.append(len(self.streams[DAEMON]))
        stream += chunk.data
        return len(stream) <= MOST_READ

    def is_early(self, exchange: Exchange) -> bool:
        """Whether a whole answer, no copy of what precedes it, precedes its question."""
        start, end = exchange.daemon_start, exchange.daemon_end
        if exchange.operation is None or start is None or end is None:
            return False
        if end > self._heard[bisect_right(self._asked, exchange.start) - 1]:
            return False
        answers = self.streams[DAEMON]
        return not answers[:start].endswith(answers[start:end])
