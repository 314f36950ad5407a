"""A message that broke off: what it lacks, who closed first, and how long after its last byte.

That is so whoever erred: who closes may have been ended, so that the message is short is a fact,
and a mistake only on condition.
"""

from __future__ import annotations

from pix.codec.errors import Truncated
from pix.conversation.exchange import CLIENT, SIDES
from pix_inspect.base.units import count, duration
from pix_inspect.forensics.messages import Message
from pix_inspect.forensics.turns import Turns


def broken_off(message: Message, side: int, left: int, turns: Turns, *, timed: bool) -> str:
    """Return what is certain of the message that a side said last; `left` closed first.

    `timed`: times are true. Empty where the message is whole, irregular, or not the last one.
    """
    error = message.decoded().error
    last = turns.all[-1]
    if not isinstance(error, Truncated) or not message.may_be_cut or last.side != side:
        return ""
    short = f"at least {count(error.missing, 'byte')} short of {error.expected}"
    when = f" {waited} after the last byte" if timed and (waited := _waited(left, turns)) else ""
    said = f"the {message.name} is {short}: the {SIDES[left]}"
    if left == side:
        return f"{said} closed{when}, and the {SIDES[1 - side]} was still there"
    return f"{said}, to which it is owed, closed{when}"


def unanswered(left: int, turns: Turns, *, is_whole: bool) -> str:
    """Return how long after a request that has no answer, and may lack its end, `left` closed."""
    if not turns.all or turns.all[-1].side != CLIENT or left not in turns.closed:
        return ""
    waited = _waited(left, turns)
    what = "the request" if is_whole else "its last byte"
    return f"nothing was answered: the {SIDES[left]} closed {waited} after {what}"


def _waited(left: int, turns: Turns) -> str:
    """Return how long after the last byte a side closed, empty where that was not seen."""
    time = turns.closed.get(left)
    return duration(max(time - turns.all[-1].time, 0)) if time is not None else ""
