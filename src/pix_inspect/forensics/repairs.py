"""What a message's bytes lack to be what they should be: the mistake that, undone, mends them.

A mistake is believed when the bytes without it are exactly one value of the declared layout,
or of another version's, up to the byte where their speaker stopped. Each repair is made again
until nothing is left to mend, so that a writer that always errs is known like one that errs once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

from pix.codec.errors import Truncated
from pix.codec.lists import ListOf
from pix.codec.wire import Node, String, Wire, pack_u64
from pix.dataclass import dataclass
from pix.protocol import operations_of
from pix.protocol.logging import STDERR_LAST
from pix_inspect.base.safe_text import inert
from pix_inspect.base.units import count
from pix_inspect.forensics.fields import one_field
from pix_inspect.forensics.messages import (
    Message,
    all_nodes,
    fits,
    is_likely,
    is_regular,
    other_feature,
    other_minor,
)
from pix_inspect.forensics.mistakes import Mistake

MOST_REPAIRS = 64
MOST_WORK = 1 << 20
"""Times that one mistake is mended in one message, and bytes that are read again for it."""
MOST_BYTES = 64 << 10
"""Bytes of a message in which mistakes are looked for."""
LONGEST_LENGTH = 1 << 20
"""A length that can be believed."""
LONGEST_SHOWN = 60
WORD = 8
LARGEST_OPERATION = 0xFFFF
"""A number of an operation that can be believed."""


@dataclass(frozen=True, slots=True)
class Repair:
    """A mistake, and what it is here; `minor`: of which version; `feature`: of which feature;
    `is_cut`: a value is there in part.
    """

    mistake: Mistake
    where: str
    minor: int | None = None
    feature: str | None = None
    is_cut: bool = False


def explained(message: Message) -> Repair | None:
    """Return what is wrong with a message, None when nothing is or no mistake explains it."""
    if len(message.data) > MOST_BYTES or fits(message) or message.goes_on:
        return None
    minor = other_minor(message)
    if minor is not None:
        return Repair(Mistake.OTHER_VERSION, "", minor)
    feature = other_feature(message)
    if feature is not None:
        return Repair(Mistake.OTHER_FEATURE, "", feature=feature)
    for mistake, repair in _REPAIRS:
        where = _mended(message, repair)
        if where is not None:
            return None if _is_ambiguous(message, mistake) else Repair(mistake, where)
    too_long, field = _too_long(message), one_field(message)
    is_sure = too_long is not None and is_likely(message.first())
    if is_sure and (field is None or field.is_missing is False):
        return too_long
    end = too_long or _too_short(message)
    if field is None or (field.is_last and field.is_sure and end is not None):
        return end
    if field.is_missing is None:
        return None
    if end is not None and (end.is_cut or (too_long is None and not field.is_missing)):
        return end if field.is_missing else None
    if message.may_be_cut and _is_cut_short(message):
        return None
    is_reply = message.name == "reply"
    if not field.is_last:
        mistake = Mistake.MISSING_FIELD if field.is_missing else Mistake.EXTRA_FIELD
    elif field.is_missing:
        mistake = Mistake.SHORT_REPLY if is_reply else Mistake.SHORT_REQUEST
    elif not is_reply and _is_unknown_operation(message, message.data[message.first().end :]):
        return None
    else:
        mistake = Mistake.LONG_REPLY if is_reply else Mistake.LONG_REQUEST
    return Repair(mistake, field.where)


# Repairs ------------------------------------------------------------------------------------


def _is_ambiguous(message: Message, mistake: Mistake) -> bool:
    """Whether bytes that one mistake explains are as well those of another.

    Four zeros too few are those of a number in four bytes, where it is 0; and a word too few before
    a list of one text makes that text stand for the list.
    """
    if mistake in (Mistake.MISSING_PADDING, Mistake.FOUR_PADDED):
        return _first_wide(message, message.data) is not None
    return mistake is Mistake.TEXT_FOR_LIST and one_field(message) is not None


_Mend = Callable[[Message, bytes], "tuple[bytes, str] | None"]
"""From a message and its bytes so far to bytes mended in one more place, and what that was."""


def _mended(message: Message, mend: _Mend) -> str | None:
    """Return what was mended first when the bytes are right once all of it is mended."""
    data, first = message.data, None
    for _ in range(_tries(data)):
        step = mend(message, data)
        if step is None:
            return None
        data, where = step
        first = where if first is None else first
        if fits(message, data):
            is_cut = message.is_last and data.startswith(message.data)
            return None if is_cut else first
    return None


def _tries(data: bytes) -> int:
    return max(min(MOST_REPAIRS, MOST_WORK // (len(data) + 1)), 2)


def _turned_round(message: Message, data: bytes) -> tuple[bytes, str] | None:
    """Words with their bytes turned round: no text and no length has four zeros in front."""
    out, where = bytearray(data), ""
    for at in range(0, len(data) - 7, 8):
        word = data[at : at + 8]
        if is_turned_round(word):
            out[at : at + 8] = word[::-1]
            number = int.from_bytes(word, "big")
            where = where or f"{number} at byte {message.base + at:,}"
    return (bytes(out), where) if where else None


def is_turned_round(word: bytes) -> bool:
    """Whether eight bytes are a small number, the highest byte first."""
    return len(word) == 8 and not any(word[:4]) and any(word[4:])


def _second_last(message: Message, data: bytes) -> tuple[bytes, str] | None:
    if data[:8] != pack_u64(STDERR_LAST):
        return None
    return data[8:], f"again at byte {message.base:,}"


def _padded(message: Message, data: bytes) -> tuple[bytes, str] | None:
    """The first string whose padding is something else, or is cut off by the end."""
    for node, path in _nodes(message, data):
        body = _body(node, data)
        if body is None:
            continue
        end = body[1]
        wanted = -end & 7
        if wanted and data[end : end + wanted] != bytes(wanted):
            where = f"{inert(path, 80)} ends at byte {message.base + end:,}"
            return data[:end] + bytes(wanted) + data[end:], where
    return None


_Fill = Callable[[int], int]
"""How many bytes of padding a string lacks that ends at a byte."""


def _once_unfilled(message: Message, data: bytes, lacks: _Fill) -> tuple[bytes, str] | None:
    """One string filled up, also where zeros follow that would do as padding."""
    bodies = ((body, path) for node, path in _nodes(message, data) if (body := _body(node, data)))
    for (_, end), path in islice(bodies, _tries(data)):
        mended = data[:end] + bytes(lacks(end)) + data[end:]
        if lacks(end) and fits(message, mended):
            return mended, f"{inert(path, 80)} ends at byte {message.base + end:,}"
    return None


def _never_filled(message: Message, data: bytes, lacks: _Fill) -> tuple[bytes, str] | None:
    """All strings filled up, also where zeros follow that would do as padding."""
    first = ""
    if data is not message.data:
        return None  # all were filled up at once
    for filled in range(_tries(data)):
        strings = [
            (body[1], path)
            for node, path in _nodes(message, data)
            if (body := _body(node, data)) is not None
        ]
        if len(strings) <= filled:
            break
        end, path = strings[filled]
        if lacks(end):
            first = first or f"{inert(path, 80)} ends at byte {message.base + end:,}"
        data = data[:end] + bytes(lacks(end)) + data[end:]
    return (data, first) if first else None


def _wide(message: Message, data: bytes) -> tuple[bytes, str] | None:
    """The first number whose upper half is something else, with four zeros put behind it."""
    for node, path in _nodes(message, data):
        if isinstance(node.wire, String) or (node.children is not None and node.start >= len(data)):
            continue
        start = node.start
        low, high = data[start : start + 4], data[start + 4 : start + 8]
        if low and (len(high) < 4 or any(high)):
            where = f"{inert(path, 80)} at byte {message.base + start:,}"
            return data[: start + 4] + bytes(4) + data[start + 4 :], where
    return None


def _first_wide(message: Message, data: bytes) -> tuple[bytes, str] | None:
    """One number in four bytes, whatever follows it."""
    numbers = (pair for pair in _nodes(message, data) if not isinstance(pair[0].wire, String))
    for node, path in islice(numbers, _tries(data)):
        start = node.start
        mended = data[: start + 4] + bytes(4) + data[start + 4 :]
        if fits(message, mended):
            return mended, f"{inert(path, 80)} at byte {message.base + start:,}"
    return None


def _long_length(
    message: Message, data: bytes, padding: Callable[[int], int]
) -> tuple[bytes, str] | None:
    """The first string with a length of four bytes before it, filled up as it should be.

    `padding` is how many bytes its writer puts behind a text of so many.
    """
    for node, _ in _nodes(message, data):
        if not isinstance(node.wire, String):
            continue
        start = node.start
        length = int.from_bytes(data[start : start + 4], "little")
        body = data[start + 4 : start + 4 + length]
        high = data[start + 4 : start + 8]
        if not (any(high) and len(high) == 4 and len(body) == length <= LONGEST_LENGTH and length):
            continue
        rest = data[start + 4 + length :]
        filled = padding(length)
        if any(rest[:filled]):
            continue
        whole = pack_u64(length) + body + bytes(-length & 7)
        shown = inert(body[:LONGEST_SHOWN].decode("utf-8", "replace"))
        where = f"{length} stands before '{shown}', at byte {message.base + start:,}"
        return data[:start] + whole + rest[filled:], where
    return None


def narrow_throughout(message: Message) -> bool:
    """Whether every word of a message is written in four bytes, however its texts are filled up."""
    if len(message.data) > MOST_BYTES or fits(message):
        return False
    return any(fits(message, _all_wide(message, padding)) for padding in _NARROW_PADDINGS)


def _all_wide(message: Message, padding: _Fill) -> bytes:
    """The bytes with four zeros behind each word, and texts filled up, as far as they are read."""
    data, at = message.data, 0
    for _ in range(_tries(data)):
        start = min((n.start for n, _ in _nodes(message, data) if n.start >= at), default=len(data))
        if start + 4 > len(data):
            break
        number = int.from_bytes(data[start : start + 4], "little")
        body, rest = data[start + 4 :], b""
        at = start + 8
        if any(
            n.start == start and isinstance(n.wire, String) and n.wire is not _TEXT
            for n, _ in _nodes(message, data)
        ) or (number <= len(body) and is_text(body[:number])):
            body, rest = body[:number], body[number + padding(number) :]
            body += bytes(-number & 7)
            at += len(body)
        data = data[:start] + pack_u64(number) + body + rest
    return data


def _list_of_one(message: Message, data: bytes) -> tuple[bytes, str] | None:
    """The first list whose count is the length of a text, made a list of that text."""
    for node, path in _nodes(message, data):
        wire = node.wire
        if not (isinstance(wire, ListOf) and isinstance(wire.element, String)):
            continue
        start = node.start
        length = int.from_bytes(data[start : start + 8], "little")
        text = data[start + 8 : start + 8 + min(length, LONGEST_SHOWN)]
        if length >= 4 and len(text) >= 4 and is_text(text):
            shown = inert(text.decode("ascii"))
            where = f"'{shown}' stands for {inert(path, 80)}, at byte {message.base + start:,}"
            return data[:start] + pack_u64(1) + data[start:], where
    return None


_NARROW_PADDINGS: tuple[_Fill, ...] = (
    lambda n: -(n + 4) & 7,
    lambda n: -n & 7,
    lambda n: -n & 3,
    lambda n: 0,
)
"""How many bytes a writer of four-byte lengths puts behind a text of so many."""
_REPAIRS: tuple[tuple[Mistake, _Mend], ...] = (
    (Mistake.DOUBLED_LAST, _second_last),
    (Mistake.BIG_ENDIAN, _turned_round),
    (Mistake.MISSING_PADDING, _padded),
    *(
        (mistake, partial(mend, lacks=lacks))
        for mistake, lacks in (
            (Mistake.MISSING_PADDING, lambda end: -end & 7),
            (Mistake.FOUR_PADDED, lambda end: -end & 4),
        )
        for mend in (_once_unfilled, _never_filled)
    ),
    *(
        (Mistake.NARROW_LENGTH, partial(_long_length, padding=padding))
        for padding in _NARROW_PADDINGS
    ),
    (Mistake.NARROW_NUMBER, _first_wide),
    (Mistake.NARROW_NUMBER, _wide),
    (Mistake.TEXT_FOR_LIST, _list_of_one),
)


def _too_long(message: Message) -> Repair | None:
    """A whole message, and something behind it."""
    data, decoded = message.data, message.first()
    rest = data[decoded.end :]
    if message.has_payload or not message.stops or not rest or not is_regular(decoded):
        return None
    if message.is_last and message.is_followed:
        return None
    follows = "1 byte follows" if len(rest) == 1 else f"{len(rest):,} bytes follow"
    where = f"{follows}, from byte {message.base + decoded.end:,} on"
    if is_text(rest) and not is_in_string(data, decoded.end):
        shown = inert(rest[:LONGEST_SHOWN].decode("ascii").rstrip())
        return Repair(Mistake.TEXT_IN_STREAM, f"{where}: '{shown}'")
    if message.name == "reply":
        return Repair(Mistake.LONG_REPLY, where)
    return None if _is_unknown_operation(message, rest) else Repair(Mistake.LONG_REQUEST, where)


def _is_unknown_operation(message: Message, rest: bytes) -> bool:
    """Whether what stands behind a request may be the number of an operation that is not known."""
    number = int.from_bytes(rest, "little")
    known = operations_of(message.protocol.family)
    return len(rest) == WORD and 0 < number <= LARGEST_OPERATION and number not in known


def _is_cut_short(message: Message) -> bool:
    """Whether a value is there in part."""
    error = message.first().error
    return isinstance(error, Truncated) and error.offset < len(message.data)


def _too_short(message: Message) -> Repair | None:
    """A message that ends where more of it should follow, and is likely as far as it goes."""
    data, decoded = message.data, message.first()
    error = decoded.error
    if not message.stops or not isinstance(error, Truncated) or error.missing > LONGEST_LENGTH:
        return None
    is_cut = error.offset < len(data)
    if is_cut and message.is_last:
        return None
    whole = message.first(data + b"x" * (error.missing + 8)) if is_cut else decoded
    if not is_likely(whole):
        return None
    said = "nothing is said" if not data else f"it ends after {count(len(data), 'byte')}"
    lacking = "is cut short" if is_cut else "is missing"
    mistake = Mistake.SHORT_REPLY if message.name == "reply" else Mistake.SHORT_REQUEST
    return Repair(mistake, f"{said}, {error.expected} {lacking}", is_cut=is_cut)


# Trees --------------------------------------------------------------------------------------


def _nodes(message: Message, data: bytes) -> Iterator[tuple[Node, str]]:
    """The nodes of a message up to where it cannot be read, with their paths; that place too."""
    decoded = message.decoded(data)
    yield from all_nodes(decoded)
    if decoded.error is not None:
        at = decoded.error.offset
        for wire in (_TEXT, _NO_WIRE):
            yield Node("", wire, at, None), decoded.error.expected


_NO_WIRE = Wire()
_TEXT = String("String", "")
"""What may stand where a message cannot be read."""


def _body(node: Node, data: bytes) -> tuple[int, int] | None:
    """Where the text of a string begins and ends, None for another node or one cut off."""
    if not isinstance(node.wire, String):
        return None
    length = int.from_bytes(data[node.start : node.start + 8], "little")
    start = node.start + 8
    if length > len(data) - start:
        return None
    return start, start + length


def is_text(data: bytes) -> bool:
    """Whether these are at least four bytes of printable text."""
    return len(data) >= 4 and all(map(is_text_byte, data))


def is_text_byte(byte: int) -> bool:
    """Whether a byte is one of printable text."""
    return 32 <= byte < 127 or byte in b"\r\n\t\x1b"


def is_in_string(data: bytes, at: int) -> bool:
    """Whether what stands before a text is the length of a string that reaches into it."""
    begin = next((i + 1 for i in range(at - 1, -1, -1) if not is_text_byte(data[i])), 0)
    length = int.from_bytes(data[max(begin - 8, 0) : begin], "little")
    return begin >= 8 and at + 8 <= begin + length <= len(data)
