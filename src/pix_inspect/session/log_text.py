"""Log frames in a few words: what an activity is, how far it is, what it says."""

from __future__ import annotations

from typing import Any

from pix.codec.wire import Named, Node
from pix.protocol.logging import ActivityType, ResultType
from pix_inspect.base.safe_text import plain
from pix_inspect.base.units import size
from pix_inspect.session.exchange_view import Part


def activity(number: int) -> str:
    """Return an activity's number as the daemon's process and its counter: `8226:1`."""
    return f"{number >> 32}:{number & 0xFFFFFFFF}" if number >> 32 else str(number)


def frame_text(part: Part) -> str:
    """Return what a log frame says in a few words, colours removed; not yet inert."""
    words = []
    kind: Any = None
    for child in (part.node.children if part.node is not None else None) or ():
        value = child.value
        if child.name in ("text", "data", "message"):
            words.append(plain(value) if isinstance(value, str) else "")
        elif child.name == "type":
            kind = value
            if value != ActivityType.UNKNOWN:
                words.append(value.label if isinstance(value, Named) else str(value))
        elif child.name == "fields":
            words.append(fields_text(kind, child))
        elif child.name == "id":
            words.append(activity(value) if isinstance(value, int) else "")
        elif child.name == "length":
            words.append(size(value) if isinstance(value, int) else "")
    return " ".join(word for word in words if word)


def fields_text(kind: Any, fields: Node) -> str:
    """Return the fields of an activity or a result, as its type means them."""
    nodes = list((fields.children or ())[:8])
    values = [node.children[-1].value if node.children else node.value for node in nodes]
    numbers = [value for value in values if isinstance(value, int)]
    if kind == ResultType.PROGRESS and isinstance(kind, ResultType) and len(numbers) == 4:
        done, expected, running, failed = numbers
        return f"{done:,} of {expected:,} done, {running:,} running, {failed:,} failed"
    if kind == ResultType.SET_EXPECTED and isinstance(kind, ResultType) and len(numbers) == 2:
        what = ActivityType.of(numbers[0])
        return f"{what.label if isinstance(what, Named) else what} {numbers[1]:,}"
    return " ".join(plain(value) if isinstance(value, str) else f"{value:,}" for value in values)
