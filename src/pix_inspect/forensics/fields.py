"""One field too many or too few: the one place where a word put in or left out mends all.

A word of zeros stands for whatever is missing: a number, a boolean, an empty string or list.
Taken out is a word, a string or a list of strings. What is believed must make all of it fit, and
every text look like what it is declared to be; two explanations of different kinds are none.
"""

from __future__ import annotations

from collections.abc import Iterator

from pix.codec.gates import NEWEST, RELEASES
from pix.codec.lists import ListOf
from pix.codec.records import Field, Record
from pix.codec.values import Tree, tree
from pix.codec.wire import String
from pix.dataclass import dataclass
from pix_inspect.base.safe_text import inert
from pix_inspect.forensics.messages import Message, all_nodes, is_likely, is_regular

MOST_READ = 2 << 20
"""Bytes that are read again, in all tries together."""
MOST_TRIES = 600
MOST_PLACES = 400
"""Values before the place that cannot be read at which something is tried."""
MOST_TRAILING = 4
"""Words at the end of a message that may be missing together."""
MOST_NAMED = 4

_TEXT = String("String", "")
_TEXTS = ListOf(_TEXT)


@dataclass(frozen=True, slots=True)
class Edit:
    """What was tried and fits: at which field, at which byte, and whether a value was put in."""

    data: bytes
    at: int
    path: str
    is_missing: bool
    is_last: bool
    field: Field | None = None


@dataclass(frozen=True, slots=True)
class OneField:
    """A field too many or too few; `is_last`: it may as well be the end of the message.

    `is_missing` is None where either would explain it; `is_sure`: no other field would.
    """

    is_missing: bool | None
    is_last: bool
    is_sure: bool
    where: str


def one_field(message: Message) -> OneField | None:
    """Return which field is missing or too many, None when that does not explain the bytes.

    Bytes that end where they should lack nothing, whatever values are in them.
    """
    if message.is_whole:
        return None
    found = list(_fitting(message, message.decoded()))
    if not found:
        return None
    if len({edit.is_missing for edit in found}) > 1:
        return OneField(None, False, False, "")
    paths = list(dict.fromkeys(edit.path for edit in found))
    first, last = found[0], found[-1]
    shown = [inert(path, 80) for path in paths]
    if len(paths) == 1:
        gate = gate_text(first.field) if first.field is not None and first.is_missing else ""
        since = f" ({gate})" if gate else ""
        where = f"{shown[0]}{since} at byte {message.base + first.at:,}"
    else:
        some = f"{', '.join(shown[:-1])} or {shown[-1]}"
        many = f"one of {len(paths)} fields from {shown[0]} to {shown[-1]}"
        where = some if len(paths) <= MOST_NAMED else many
        where += f", between bytes {message.base + first.at:,} and {message.base + last.at:,}"
    is_last = any(edit.is_last for edit in found)
    return OneField(first.is_missing, is_last, len(paths) == 1, where)


def gate_text(field: Field) -> str:
    """Return since or until when a field is there, with the releases; empty for always."""
    text = field.gate.text
    since = field.gate.since
    release = RELEASES[field.gate.family].get(since) if since is not None else None
    return f"{text}, {release}" if release else text


def _fitting(message: Message, read: Tree) -> Iterator[Edit]:
    """Yield the edits after which all fits."""
    tries = min(MOST_TRIES, MOST_READ // (len(message.data) + 1))
    known: dict[tuple[bytes, int], bool] = {}
    for edit in _edits(message, read):
        put = edit.at if edit.is_missing else -1
        fits = known.get((edit.data, put))
        if fits is None:
            tries -= 1
            if tries < 0:
                return
            found = message.decoded(edit.data)
            whole = found.end == len(edit.data) and is_regular(found)
            enough = message.stops or len(found.nodes) > 1
            exempt = put if found.nodes and put < (found.nodes[0].end or 0) else -1
            fits = known[edit.data, put] = whole and enough and is_likely(found, exempt)
        if fits:
            yield edit


def _edits(message: Message, read: Tree) -> Iterator[Edit]:
    data = message.data
    for at, path, field in list(_places(message, read))[-MOST_PLACES:]:
        yield Edit(data[:at] + bytes(8) + data[at:], at, path, True, at >= len(data), field)
        for size in _sizes(data, at):
            is_last = at + size == len(data)
            yield Edit(data[:at] + data[at + size :], at, path, False, is_last)
    for at, path, words in _trailing(message, read):
        yield Edit(data[:at] + bytes(8 * words) + data[at:], at, path, True, True)


def _places(message: Message, read: Tree) -> Iterator[tuple[int, str, Field | None]]:
    """Yield where a value begins, up to where the bytes cannot be read, and the end."""
    seen = set()
    for node, path in all_nodes(read):
        if node.start not in seen:
            seen.add(node.start)
            yield node.start, path, node.field
    error = read.error
    at = error.offset if error is not None else read.end
    if message.has_payload and at >= message.first().end:
        return  # the payload is not made of fields
    if at not in seen and at <= len(message.data):
        yield at, error.expected if error is not None else f"the end of {message.name}", None


def _trailing(message: Message, read: Tree) -> Iterator[tuple[int, str, int]]:
    """Yield where the last fields of the first message begin, their names, and how many."""
    if not isinstance(message.wire, Record) or not read.nodes:
        return
    layout = message.wire.layout(message.protocol)
    there = list(read.nodes[0].children or ())
    for words in range(2, min(MOST_TRAILING, len(layout)) + 1):
        first = len(layout) - words
        if first <= len(there):
            at = there[first].start if first < len(there) else read.end
            yield at, " and ".join(f"{message.name}.{part.name}" for part in layout[first:]), words


def _sizes(data: bytes, at: int) -> Iterator[int]:
    """Yield how long the value may be that begins at a byte and is to be taken out."""
    if at + 8 > len(data):
        return
    yield 8
    for wire in (_TEXT, _TEXTS):
        found = tree(wire, data[at:], NEWEST)
        if found.error is None and found.end > 8 and is_regular(found) and not _has_zeros(found):
            yield found.end


def _has_zeros(found: Tree) -> bool:
    """Whether what may be a text holds what no text does: then it is other fields."""
    return any(isinstance(node.value, str) and "\0" in node.value for node, _ in all_nodes(found))
