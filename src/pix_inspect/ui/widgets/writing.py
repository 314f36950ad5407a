"""Files written while the screen stays alive: how far it has come, and a key to stop it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from pix_inspect.base.new_files import Stopped
from pix_inspect.ui.widgets.background import in_background
from pix_inspect.ui.widgets.guarded import Guarded
from pix_inspect.ui.widgets.pressed import pressed
from pix_inspect.ui.widgets.text import safe


class Pace:
    """How far some writing has come; may be told from any thread. Raises Stopped when told to."""

    def __init__(self) -> None:
        self.said = ""
        self._stop = threading.Event()

    def stop(self) -> None:
        """Have the writer end at its next word."""
        self._stop.set()

    def say(self, text: str) -> None:
        """Take note of how far it is. Raises Stopped."""
        self.said = text
        if self._stop.is_set():
            raise Stopped


class Writing(Guarded, ModalScreen[str]):
    """Runs `write` in a thread; returns what became of it, one line.

    `write` is given a Pace and returns what to say at the end; it may raise Problem.
    """

    TITLE = "Writing a file"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop", "Stop", id="writing.stop"),
        Binding("question_mark,f1", "app.help", "Keys", key_display="?", id="writing.help"),
    ]

    def __init__(self, title: str, write: Callable[[Pace], str]) -> None:
        super().__init__()
        self._title = title
        self._write = write
        self.pace = Pace()
        self.failed = False

    def compose(self) -> ComposeResult:
        """Say what is being written and how far it is."""
        with Vertical(id="writing"):
            yield Static(Content(safe(self._title, 300)))
            yield Static(id="pace")
            stop = pressed(self.app, "writing.stop", "esc")
            yield Static(Content(f"{stop} stop"), id="path-keys")

    def on_mount(self) -> None:
        self.set_interval(0.1, self._show)
        in_background(self, self._run, self.dismiss, what="cannot be written", failed=self._failed)

    def on_unmount(self) -> None:
        """Stop writing when the screen ends."""
        self.pace.stop()

    def _show(self) -> None:
        self.query_one("#pace", Static).update(Content(safe(self.pace.said, 200)))

    def _run(self) -> str:
        try:
            return self._write(self.pace)
        except Stopped:
            return "stopped; nothing was left behind"

    def _failed(self, line: str) -> None:
        self.failed = True
        self.dismiss(line)

    def action_stop(self) -> None:
        self.pace.stop()
