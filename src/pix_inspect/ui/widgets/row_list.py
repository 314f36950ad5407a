"""Rows of any kind, one line each: whoever has the list says what stands on the line of a row."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import ClassVar, Generic, TypeVar

from rich.segment import Segment
from textual.binding import Binding, BindingType

from pix_inspect.ui.widgets.lines import Lines
from pix_inspect.ui.widgets.prose import Paragraph

T = TypeVar("T")


class RowList(Lines, Generic[T]):
    """The rows; `cells` gives tone and safe text of each cell of one, for a width.

    When other rows come the cursor stays with its row, which has the same `key`, or on the
    line where that stood; on the first line it stays there.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l", "enter", "Go in", show=False, id="list.enter"),
    ]

    def __init__(
        self,
        title: str,
        cells: Callable[[T, int], Iterable[Paragraph]],
        key: Callable[[T], Hashable] = id,
        id: str = "list",
    ) -> None:
        super().__init__(id=id)
        self.TITLE = title
        self.rows: Sequence[T] = ()
        self.empty = "looking …"
        """What it means that there are no rows, safe text."""
        self._cells = cells
        self._key = key

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def chosen(self) -> T | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    def say(self, rows: Sequence[T], empty: str) -> None:
        """Show other rows, or where there are none, what that means."""
        before = self.chosen if self.cursor else None
        key = None if before is None else self._key(before)
        at = (i for i, row in enumerate(rows) if key is not None and self._key(row) == key)
        self.cursor = next(at, min(self.cursor, max(len(rows) - 1, 0)))
        had, self.rows, self.empty = bool(self.rows), rows, empty
        if had != bool(rows) and self.is_attached:
            self.screen.refresh_bindings()
        self.resize_lines()
        self.show_cursor()
        self.redraw()

    def nothing(self) -> list[str]:
        return ["", f"  {self.empty}"]

    def segments(self, line: int, width: int) -> Iterable[Segment]:
        yield Segment("▸" if line == self.cursor else " ", self.tone("mark"))
        for tone, text in self._cells(self.rows[line], width - 1):
            yield Segment(text, self.tone(tone))

    def action_enter(self) -> None:
        """Say that the user wants more of the row."""
        self.post_message(self.Entered(self))
