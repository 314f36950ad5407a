"""What is to be done later is done, also where the process stands still as it begins to wait."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from textual.app import App
from textual.widget import Widget

from pix_inspect import ui as screen
from pix_inspect.ui.widgets.later import later


class Alone(App[None]):
    def compose(self) -> list[Widget]:
        return [Widget()]


async def test_it_is_done_once_however_late_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    async with Alone().run_test() as pilot:
        widget = pilot.app.query_one(Widget)
        seconds = count()
        monkeypatch.setattr("textual._time.get_time", lambda: float(next(seconds)))
        widget.set_timer(0.001, lambda: done.append("Textual's"))
        later(widget, 0.001, lambda: done.append("ours"))
        while "ours" not in done:
            await pilot.pause(0.01)
        for _ in range(5):
            await pilot.pause(0.01)
    assert done == ["ours"], "or Textual has mended its own, and this module may go"


def test_nothing_that_has_to_happen_is_left_to_the_other_timer() -> None:
    modules = Path(screen.__file__).parent.rglob("*.py")
    assert [each.name for each in modules if "set_timer(" in each.read_text()] == ["later.py"]
