"""A STDERR frame with a field too many or too few, tried as at the fields of a message.

What must fit is the rest of the answer: the frame once mended, the others, and the reply.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from pix.codec.declare import STDERR_FRAMES, Frame
from pix.conversation.exchange import CLIENT, DAEMON, Exchange
from pix.protocol.logging import STDERR_ERROR, STDERR_LAST
from pix_inspect.forensics.fields import one_field
from pix_inspect.forensics.messages import Answers, Message
from pix_inspect.forensics.mistakes import Diagnosis, Mistake
from pix_inspect.forensics.repairs import MOST_BYTES
from pix_inspect.forensics.rules import Case, operation_of, title_of

MOST_FRAMES = 3
"""Frames before the impossible word that are looked at."""


def broken_frame(case: Case) -> Diagnosis | None:
    """The last frame of the daemon's log, or its error, that is not what it is declared to be."""
    for view in case.suspects:
        exchange, operation = view.exchange, operation_of(view)
        if exchange is None or operation is None or exchange.daemon_start is None:
            continue
        if exchange.reply is not None or operation.reply.payload is not None:
            return None
        later = [each for each in reversed(case.suspects) if each.row.number > view.row.number]
        asked = [operation, *filter(None, map(operation_of, later))]
        for frame, start in islice(_frames(exchange, case), MOST_FRAMES):
            turn = case.turns.at(DAEMON, start)
            if turn is None or not turn.whole or turn.end - start > MOST_BYTES:
                return None
            begun = (each.row.starts[CLIENT] + 8 for each in later)
            message = Message(
                frame.fields,
                bytes(turn.data[start + 8 - turn.start :]),
                case.protocol,
                start + 8,
                frame.name,
                following=Answers(asked[1:] if frame.code == STDERR_ERROR else asked),
                stops=not any(case.turns.is_before(CLIENT, at, turn) for at in begun),
                is_last=turn is case.turns.all[-1],
            )
            found = None if message.may_be_cut else one_field(message)
            if found is not None and found.is_missing is not None:
                mistake = Mistake.MISSING_FIELD if found.is_missing else Mistake.EXTRA_FIELD
                return Diagnosis(mistake, f"in the log of {title_of(view)}, {found.where}")
        return None
    return None


def _frames(exchange: Exchange, case: Case) -> Iterator[tuple[Frame, int]]:
    """Yield the frames of an answer and where they begin, the last first, be it whole or not."""
    log = exchange.log or []
    begun = log[-1].end if log else exchange.daemon_start
    if exchange.error is not None:
        begun = exchange.error[0]
    if begun is not None and begun < case.offset + 8:
        word = int.from_bytes(case.turns.read(DAEMON, begun, begun + 8), "little")
        frame = STDERR_FRAMES.get(word)
        if frame is not None and word != STDERR_LAST:
            yield frame, begun
    for each in reversed(log):
        yield each.frame, each.start
