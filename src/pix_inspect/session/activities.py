"""What the daemon said during an exchange, as the work it is about: activities within activities.

An activity begins and stops with frames of its own and is told about by results; any of these may
be missing. What belongs to no activity stands in the exchange itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pix.codec.wire import Named, Node
from pix.dataclass import dataclass, field
from pix.protocol.logging import (
    STDERR_NEXT,
    STDERR_RESULT,
    STDERR_START_ACTIVITY,
    STDERR_STOP_ACTIVITY,
    ActivityType,
    ResultType,
)
from pix_inspect.session.exchange_view import Part

LOG_LINES = (ResultType.BUILD_LOG_LINE, ResultType.POST_BUILD_LOG_LINE)
"""Results that are lines of a log."""


@dataclass(slots=True)
class Activity:
    """An activity, or (without a part) the exchange itself, with what was said within, in order."""

    part: Part | None
    """The frame that began it."""
    kind: Any = None
    number: int = 0
    ended: int | None = None
    """When it stopped, nanoseconds since 1970."""
    inside: list[Activity | Part] = field(default_factory=list)

    @property
    def known(self) -> bool:
        """Whether it is work of a kind that has a name."""
        return isinstance(self.kind, Named) and self.kind != ActivityType.UNKNOWN

    @property
    def text(self) -> str:
        """What is to be shown of it, as the daemon said it."""
        said = value(self.part.node if self.part is not None else None, "text")
        return said if isinstance(said, str) else ""

    @property
    def fields(self) -> list[Any]:
        """What it works on."""
        return field_values(self.part.node if self.part is not None else None)

    def results(self, kind: ResultType) -> Iterator[Part]:
        """Yield what was told of it that is of this kind."""
        for each in self.inside:
            if isinstance(each, Part) and result_kind(each) == kind:
                yield each


def activities(parts: Iterable[Part]) -> Activity:
    """Return the exchange whose log frames these are."""
    root = Activity(None)
    known: dict[int, Activity] = {}
    for part in parts:
        code, node = frame_code(part), part.node
        number = value(node, "id")
        if code == STDERR_START_ACTIVITY and isinstance(number, int):
            begun = known[number] = Activity(part, value(node, "type"), number)
            parent = value(node, "parent")
            above = known.get(parent, root) if isinstance(parent, int) else root
            above.inside.append(begun)
            continue
        about = known.get(number) if isinstance(number, int) else None
        if about is not None and code == STDERR_STOP_ACTIVITY:
            about.ended = part.time
        elif about is not None and code == STDERR_RESULT:
            about.inside.append(part)
        else:
            root.inside.append(part)
    return root


def frame_code(part: Part) -> int | None:
    """Return the word that a log frame begins with."""
    return part.frame.frame.code if part.frame is not None else None


def result_kind(part: Part) -> Any:
    """Return what kind of result a frame is, None where it is none."""
    return value(part.node, "type") if frame_code(part) == STDERR_RESULT else None


def log_line(part: Part) -> str | None:
    """Return the text of a frame that is a message or a line of a log."""
    if frame_code(part) == STDERR_NEXT:
        said = value(part.node, "text")
        return said if isinstance(said, str) else ""
    if result_kind(part) in LOG_LINES:
        return next((each for each in field_values(part.node) if isinstance(each, str)), "")
    return None


def value(node: Node | None, name: str) -> Any:
    """Return the value of a field, None where it is not there."""
    found = node.find(name) if node is not None else None
    return found.value if found is not None else None


def field_values(node: Node | None) -> list[Any]:
    """Return the values in `fields`: text and numbers."""
    found = node.find("fields") if node is not None else None
    children = (found.children if found is not None else None) or ()
    return [child.children[-1].value if child.children else child.value for child in children]
