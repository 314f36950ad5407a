"""The screen of differences: two exchanges, field by field.

Fields whose values differ from run to run (times, ids) are left out until they are wanted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType

from pix_inspect.base.units import count, duration
from pix_inspect.compare.changes import VOLATILE, Change
from pix_inspect.compare.changes_text import parted, shown
from pix_inspect.compare.exchanges import compare_exchanges
from pix_inspect.describe.about import about
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.ui.exchange.copying import Copied
from pix_inspect.ui.screens.detail_screen import KEYS, DetailScreen, Head
from pix_inspect.ui.widgets.prose import Paragraph
from pix_inspect.ui.widgets.text import fit, safe

LEAST_CELLS = 12
MOST_CHARACTERS = 2000
"""Characters of each value that are shown in full."""


class DifferencesScreen(DetailScreen[Change, None]):
    """Two exchanges compared: those in which they differ, field by field."""

    TITLE = "Differences"
    DETAIL = "Both values"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "everything", "Also what differs from run to run", id="differences.all"),
        Binding("s", "swap", "Swap", id="differences.swap"),
        Binding("y", "copy", "Copy", show=False, id="differences.copy"),
        *KEYS,
    ]

    def __init__(self, first: ExchangeView, second: ExchangeView) -> None:
        super().__init__("", self.TITLE)
        self.views = (first, second)
        self.everything = False
        self.head = [Head("A", ""), Head("B", "")]
        self._longest = 0

    def on_mount(self) -> None:
        self._compare()

    def _compare(self) -> None:
        for head, view in zip(self.head, self.views, strict=True):
            row = view.row
            name = f"#{row.number} {safe(row.name)}"
            of = f"  {safe(view.session.path.name, 100)}" if view.session is not None else ""
            head.say(f"{safe(about(view), 200)}  took {duration(row.took)}{of}", name)
        mask = frozenset[str]() if self.everything else VOLATILE
        rows = compare_exchanges(*self.views, mask)
        self._longest = max((len(row.path) for row in rows), default=0)
        self.list.say(rows, "No difference but in what differs from run to run.")
        self.list.entitle(count(len(rows), "field") if rows else "")
        self.explain()

    def cells(self, row: Change, width: int) -> Iterable[Paragraph]:
        path = min(max(self._longest, LEAST_CELLS), max(width // 3, LEAST_CELLS))
        value = max((width - path - 4) // 2, LEAST_CELLS)
        yield "label", fit(safe(row.path or "all", 300), path) + " "
        if row.first is None or row.second is None:
            put = row.first is None
            said = shown(row.second if put else row.first, 2 * value)
            yield ("good" if put else "bad"), f"{'+' if put else '-'} {said}"
            return
        first, second = parted(row.first, row.second, value)
        yield "text", fit(first, value) + " "
        yield "dim", "→ "
        yield "accent", second

    def paragraphs(self, row: Change) -> list[Paragraph]:
        first, second = parted(row.first, row.second, MOST_CHARACTERS)
        return [("label", safe(row.path or "all", 300)), ("text", f"A  {first}"),
                ("accent", f"B  {second}")]  # fmt: skip

    def action_copy(self) -> None:
        """Copy all differences as text."""
        text = "\n".join(
            f"{row.path or 'all'}: {shown(row.first)} → {shown(row.second)}"
            for row in self.list.rows
        )
        self.post_message(Copied("the differences", text))

    def action_everything(self) -> None:
        """Compare also what differs from run to run, or not."""
        self.everything = not self.everything
        self._compare()

    def action_swap(self) -> None:
        """Compare the other way round."""
        self.views = (self.views[1], self.views[0])
        self._compare()
