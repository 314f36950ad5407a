"""Answers that stand before their questions, as where two clocks recorded the two directions.

Neither side errs then: it is tried whether both streams fit from beginning to end when the order
between them is left open. An answer of which a part only stands too early, or that only says the
one before it again, may as well be the daemon's mistake, and explains nothing. Nor does an error,
which fits any question, or one word too many that fits the next by chance.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

from pix.codec.cursor import Limits
from pix.conversation import Conversation
from pix.conversation.exchange import CLIENT, DAEMON, Exchange
from pix_inspect.base.units import count
from pix_inspect.forensics.mistakes import Diagnosis, Mistake
from pix_inspect.recording.reader import Chunk, RecordingReader

MOST_READ = 16 << 20
"""Bytes of a connection that are read again."""
_NO_LIMIT = 1 << 62
ONE_WORD = 16
"""Bytes of an answer that may be any operation's: STDERR_LAST, and a word behind it."""


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
    early = list(filter(said.is_early, exchanges))
    if not early or not (said.is_early_hello(exchanges[0]) or said.are_telling(early)):
        return None
    where = f"from #{early[0].number} of the connection on, {early[0].name}"
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
        """Whether a whole answer precedes its question, and is neither an error nor a copy of the
        one before.
        """
        start, end = exchange.daemon_start, exchange.daemon_end
        if exchange.operation is None or exchange.error is not None or start is None or end is None:
            return False
        if end > self._had(exchange.start):
            return False
        answers = self.streams[DAEMON]
        return not answers[:start].endswith(answers[start:end])

    def are_telling(self, early: list[Exchange]) -> bool:
        """Whether early answers would not fit as well if there was one too many before them."""
        lengths = {(each.daemon_end or 0) - (each.daemon_start or 0) for each in early}
        two_ahead = any(
            (other.daemon_end or 0) <= self._had(one.start) for one, other in pairwise(early)
        )
        return two_ahead or len(lengths) > 1 or max(lengths) > ONE_WORD

    def is_early_hello(self, exchange: Exchange) -> bool:
        """Whether the daemon's part of a handshake, its last word too, precedes the client's."""
        end = exchange.daemon_end
        if exchange.kind != "handshake" or exchange.request_end is None or end is None:
            return False
        return end <= self._had(exchange.request_end - 1)

    def _had(self, offset: int) -> int:
        """Return how much the daemon had said when its client said the byte at `offset`."""
        return self._heard[bisect_right(self._asked, offset) - 1]
