"""What the daemon said during an exchange, as a tree: activities, and in them their log.

An activity stands where it began, with what came of it: how long it took, its last phase and
progress. Build log lines stand under their build, in order. The error comes first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pix.codec.wire import Named, Node
from pix.protocol.logging import (
    STDERR_NEXT,
    STDERR_RESULT,
    STDERR_START_ACTIVITY,
    STDERR_STOP_ACTIVITY,
    ActivityType,
    ResultType,
)
from pix_inspect.base.safe_text import plain
from pix_inspect.base.units import count, duration
from pix_inspect.describe.about import short
from pix_inspect.session.exchange_view import ExchangeView, Part
from pix_inspect.session.log_text import fields_text, frame_text
from pix_inspect.ui.widgets.text import safe

LONGEST = 2000
MOST_TOLD = 10_000
"""Log frames of an exchange that are told, its last ones."""
LINES = (ResultType.BUILD_LOG_LINE, ResultType.POST_BUILD_LOG_LINE)


@dataclass(frozen=True, slots=True)
class Said:
    """One line: how deep it stands, its tone, safe text, and the part that said it."""

    depth: int
    tone: str
    text: str
    part: Part | None


@dataclass(slots=True)
class _Activity:
    """An activity, or (without a part) the exchange itself."""

    part: Part | None
    kind: Any = None
    ended: int | None = None
    phase: str = ""
    progress: str = ""
    inside: list[_Activity | Part] = field(default_factory=list)


def narration(view: ExchangeView) -> list[Said]:
    """Return the lines of an exchange's log, its error first; of a long log, its last frames."""
    lines = list(_error(view))
    log = view.log
    untold = max(len(log) - MOST_TOLD, 0)
    if untold:
        said = f"{count(untold, 'earlier frame')} not told here; the fields list them all"
        lines.append(Said(0, "dim", said, None))
    root = _Activity(None)
    known: dict[int, _Activity] = {}
    for part in log[untold:]:
        _take(part, root, known)
    lines += _lines(root)
    return lines


def _error(view: ExchangeView) -> Iterator[Said]:
    error = view.part("error")
    if error is None or error.node is None:
        return
    message = error.node.find("message")
    first = True
    for text in _split(message.value if message is not None else ""):
        yield Said(0, "bad", ("✗ " if first else "  ") + text, error)
        first = False
    traces = error.node.find("traces")
    for trace in (traces.children if traces is not None else None) or ():
        hint = trace.find("hint") or trace.find("message")
        for text in _split(hint.value if hint is not None else ""):
            yield Said(1, "warn", f"… {text}", error)


def _split(text: object) -> list[str]:
    if not isinstance(text, str):
        return []
    return [safe(line, LONGEST) for line in plain(text).rstrip("\n").split("\n")]


def _take(part: Part, root: _Activity, known: dict[int, _Activity]) -> None:
    code = part.frame.frame.code if part.frame is not None else None
    node = part.node
    number = _value(node, "id")
    if code == STDERR_START_ACTIVITY and isinstance(number, int):
        begun = known[number] = _Activity(part, _value(node, "type"))
        parent = _value(node, "parent")
        above = known.get(parent, root) if isinstance(parent, int) else root
        above.inside.append(begun)
        return
    activity = known.get(number) if isinstance(number, int) else None
    if activity is not None and code == STDERR_STOP_ACTIVITY:
        activity.ended = part.time
        return
    if activity is not None and code == STDERR_RESULT:
        kind = _value(node, "type")
        if kind == ResultType.SET_PHASE:
            activity.phase = safe(_first_field(node), 60)
        elif kind == ResultType.PROGRESS:
            fields = node.find("fields") if node is not None else None
            activity.progress = safe(fields_text(kind, fields), 80) if fields is not None else ""
        elif kind != ResultType.SET_EXPECTED:
            activity.inside.append(part)
        return
    root.inside.append(part)


def _value(node: Node | None, name: str) -> Any:
    found = node.find(name) if node is not None else None
    return found.value if found is not None else None


def _fields(node: Node | None) -> list[Any]:
    found = node.find("fields") if node is not None else None
    children = (found.children if found is not None else None) or ()
    return [child.children[-1].value if child.children else child.value for child in children]


def _first_field(node: Node | None) -> str:
    return next((plain(value) for value in _fields(node) if isinstance(value, str)), "")


def _lines(root: _Activity) -> Iterator[Said]:
    # activities may be nested as deep as the daemon likes: no recursion
    stack = [(0, iter(root.inside))]
    while stack:
        depth, inside = stack[-1]
        each = next(inside, None)
        if each is None:
            stack.pop()
        elif isinstance(each, Part):
            yield from _part_lines(each, depth)
        else:
            yield _head(each, depth)
            stack.append((depth + 1, iter(each.inside)))


def _part_lines(part: Part, depth: int) -> Iterator[Said]:
    node = part.node
    code = part.frame.frame.code if part.frame is not None else None
    if code == STDERR_NEXT:
        for text in _split(_value(node, "text")):
            yield Said(depth, "text", text, part)
    elif code == STDERR_RESULT and _value(node, "type") in LINES:
        for text in _split(_first_field(node)):
            yield Said(depth, "text", f"│ {text}", part)
    else:
        yield Said(depth, "dim", safe(f"{part.name}  {frame_text(part)}", LONGEST), part)


def _head(activity: _Activity, depth: int) -> Said:
    part = activity.part
    assert part is not None
    kind = activity.kind
    known = isinstance(kind, Named) and kind != ActivityType.UNKNOWN
    what = kind.label if known else ""
    words = [what] if what else []
    about = _first_field(part.node)
    text = _value(part.node, "text")
    if about and known:
        words.append(short(about))
    elif isinstance(text, str) and text:
        words.append(" ".join(plain(text).split()))
    elif not words:
        words.append("activity")
    end = activity.ended
    if part.time is not None:
        words.append(" " + (duration(end - part.time) if end is not None else "goes on"))
    words += [f" {activity.phase}"] if activity.phase else []
    words += [f" {activity.progress}"] if activity.progress else []
    sign = "◐" if end is None else "•"  # that it ended says nothing of how
    return Said(depth, "label", safe(f"{sign} {' '.join(words)}", LONGEST), part)
