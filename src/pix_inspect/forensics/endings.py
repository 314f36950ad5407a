"""A message that broke off: what it lacks, who closed first, and how long after its last byte.

That is so whoever erred: who closes may have been ended, so that the message is short is a fact,
and a mistake only on condition.
"""

from __future__ import annotations

from pix.codec.errors import Truncated
from pix.conversation.exchange import SIDES
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
    when = ""
    if timed and (time := turns.closed.get(left)) is not None:
        when = f" {duration(max(time - last.time, 0))} after the last byte"
    said = f"the {message.name} is {short}: the {SIDES[left]}"
    if left == side:
        return f"{said} closed{when}, and the {SIDES[1 - side]} was still there"
    return f"{said}, to which it is owed, closed{when}"
