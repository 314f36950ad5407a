"""A message that broke off: what it lacks, who closed first, and how long after its last byte.

That is so whoever erred: who closes may have been ended, so that the message is short is a fact,
and a mistake only on condition.
"""

from __future__ import annotations

from pix.codec.errors import Truncated
from pix.codec.payload import FRAMES
from pix.conversation.exchange import CLIENT, SIDES
from pix.protocol.payload_items import ContentReader, content_kind
from pix_inspect.base.units import count, duration
from pix_inspect.forensics.messages import Message
from pix_inspect.forensics.turns import Turns
from pix_inspect.session.exchange_view import ExchangeView


def broken_off(message: Message, side: int, left: int, turns: Turns, *, timed: bool) -> str:
    """Return what is certain of the message that a side said last; `left` closed first.

    `timed`: times are true. Empty where the message is whole, irregular, or not the last one.
    """
    error = message.decoded().error
    last = turns.all[-1]
    if not isinstance(error, Truncated) or not message.may_be_cut or last.side != side:
        return ""
    if message.is_first_whole:
        return ""  # one behind it breaks off
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


def given_up(view: ExchangeView, turns: Turns) -> str:
    """Return that the frames of a request are ended amid what they carry, as by a client that can
    read on no further; empty where they are not, or not all of them are there.
    """
    exchange, protocol = view.exchange, view.protocol
    payload = exchange.operation.request.payload if exchange and exchange.operation else None
    if exchange is None or payload is None or protocol is None or exchange.request_done is None:
        return ""
    start, end = exchange.payload_start, exchange.request_end
    if payload.carriage(protocol) is not FRAMES or start is None or end is None:
        return ""
    data, method = turns.read(CLIENT, start, end), view.field("request", "method")
    if len(data) < end - start:
        return ""
    how = str(method.value) if method is not None else None
    content = ContentReader(content_kind(payload, protocol, how), protocol)
    at = 0
    while length := int.from_bytes(data[at : at + 8], "little"):
        content.feed(data[at + 8 : at + 8 + length])
        at += 8 + length
    if content.complete or content.error is not None:
        return ""
    return (
        f"its frames are ended, and what they carry breaks off behind {count(content.size, 'byte')}"
    )


def _waited(left: int, turns: Turns) -> str:
    """Return how long after the last byte a side closed, empty where that was not seen."""
    time = turns.closed.get(left)
    return duration(max(time - turns.all[-1].time, 0)) if time is not None else ""
