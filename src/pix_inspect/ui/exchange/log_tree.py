"""What the daemon said during an exchange, as a tree: activities, and in them their log.

An activity stands where it began, with what came of it: how long it took, its last phase and
progress. Build log lines stand under their build, in order. The error comes first.
"""

from __future__ import annotations

from collections.abc import Iterator

from pix.dataclass import dataclass
from pix.protocol.logging import STDERR_NEXT, ResultType
from pix_inspect.base.safe_text import plain
from pix_inspect.base.units import count, duration
from pix_inspect.describe.about import short
from pix_inspect.session.activities import (
    Activity,
    activities,
    field_values,
    frame_code,
    log_line,
    result_kind,
)
from pix_inspect.session.exchange_view import ExchangeView, Part
from pix_inspect.session.log_text import fields_text, frame_text
from pix_inspect.ui.widgets.text import safe

LONGEST = 2000
MOST_TOLD = 10_000
"""Log frames of an exchange that are told, its last ones."""
NEWS = (ResultType.SET_PHASE, ResultType.PROGRESS, ResultType.SET_EXPECTED)
"""Results that stand in the head of their activity, the last of each, or nowhere."""


@dataclass(frozen=True, slots=True)
class Said:
    """One line: how deep it stands, its tone, safe text, and the part that said it."""

    depth: int
    tone: str
    text: str
    part: Part | None


def narration(view: ExchangeView) -> list[Said]:
    """Return the lines of an exchange's log, its error first; of a long log, its last frames."""
    lines = list(_error(view))
    log = view.log
    untold = max(len(log) - MOST_TOLD, 0)
    if untold:
        said = f"{count(untold, 'earlier frame')} not told here; the fields list them all"
        lines.append(Said(0, "dim", said, None))
    lines += _lines(activities(log[untold:]))
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


def _lines(root: Activity) -> Iterator[Said]:
    # activities may be nested as deep as the daemon likes: no recursion
    stack = [(0, iter(root.inside))]
    while stack:
        depth, inside = stack[-1]
        each = next(inside, None)
        if each is None:
            stack.pop()
        elif isinstance(each, Activity):
            yield _head(each, depth)
            stack.append((depth + 1, iter(each.inside)))
        elif depth == 0 or result_kind(each) not in NEWS:
            yield from _part_lines(each, depth)


def _part_lines(part: Part, depth: int) -> Iterator[Said]:
    line = log_line(part)
    if line is None:
        yield Said(depth, "dim", safe(f"{part.name}  {frame_text(part)}", LONGEST), part)
        return
    mark = "" if frame_code(part) == STDERR_NEXT else "│ "
    for text in _split(line):
        yield Said(depth, "text", f"{mark}{text}", part)


def _first(values: list[object]) -> str:
    return next((plain(value) for value in values if isinstance(value, str)), "")


def _news(activity: Activity) -> Iterator[str]:
    """Yield its last phase and how far it is."""
    for part in [*activity.results(ResultType.SET_PHASE)][-1:]:
        yield safe(_first(field_values(part.node)), 60)
    for part in [*activity.results(ResultType.PROGRESS)][-1:]:
        fields = part.node.find("fields") if part.node is not None else None
        yield safe(fields_text(ResultType.PROGRESS, fields), 80) if fields is not None else ""


def _head(activity: Activity, depth: int) -> Said:
    part, known, end = activity.part, activity.known, activity.ended
    assert part is not None
    words = [activity.kind.label] if known else []
    about = _first(activity.fields)
    if about and known:
        words.append(short(about))
    elif activity.text:
        words.append(" ".join(plain(activity.text).split()))
    elif not words:
        words.append("activity")
    if part.time is not None:
        words.append(" " + (duration(end - part.time) if end is not None else "goes on"))
    words += [f" {text}" for text in _news(activity) if text]
    sign = "◐" if end is None else "•"  # that it ended says nothing of how
    return Said(depth, "label", safe(f"{sign} {' '.join(words)}", LONGEST), part)
