"""A pane below the others that says what is to be seen, and the demo's screen that has one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.widgets import Static

from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.main.main_screen import MainScreen
from pix_inspect.ui.widgets.keys_footer import KeysFooter


class Words(Static):
    """What there is to say."""

    DEFAULT_CSS = """
    Words {
        dock: bottom; height: auto; max-height: 40%; padding: 0 1; margin: 0 0 1 0;
        border: round $accent; border-title-color: $accent; background: $panel;
    }
    """


def guide(main: MainScreen, title: str, keys: str, text: str) -> None:
    """Say something on a main screen, under a title, with keys that lead on; plain texts."""
    pane = next(iter(main.query(Words)), None)
    if pane is None:
        pane = Words(id="words", markup=False)
        main.mount(pane, before=main.query_one(KeysFooter))
    pane.border_title = title
    pane.border_subtitle = keys
    pane.update(text)


class Demonstration(Inspector):
    """Says what the demo's clients do; quits without a question, as everything is the demo's own.

    `begin` is called as soon as there is somebody to tell.
    """

    def __init__(self, *sessions: Any, begin: Callable[[], object]) -> None:
        super().__init__(*sessions)
        self._begin = begin

    def on_ready(self) -> None:
        self._begin()

    def leave(self) -> None:
        self.exit("stop")

    def tell(self, text: str) -> None:
        """Say what happens now; may be called from any thread while the screen is there."""
        main = self.screen_stack[0]
        if isinstance(main, MainScreen):
            self.call_from_thread(guide, main, "Demo", "", text)
