"""The application: themes, commands, clipboard, and how it ends.

Knows screens and the terminal; what is on the main screen is `browse`'s.
"""

from __future__ import annotations

import os
import shlex
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar, Protocol

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.screen import Screen

from pix_inspect.session import Session
from pix_inspect.ui.browse import Browse
from pix_inspect.ui.copying import Copied
from pix_inspect.ui.fields import Fields
from pix_inspect.ui.help import Help, keys_of, sections
from pix_inspect.ui.hexview import Bytes
from pix_inspect.ui.leaving import Answer, Leaving
from pix_inspect.ui.lines import Lines
from pix_inspect.ui.log import Log
from pix_inspect.ui.status import being_written
from pix_inspect.ui.text import safe
from pix_inspect.ui.timeline import Timeline
from pix_inspect.units import size

MOST_COPIED = 72_000
"""Bytes that terminals take through OSC 52; more go to a file."""

DEFAULT_THEME = "textual-dark"

WIDTHS = [(0, "-narrow"), (100, "-wide")]
"""From which width on the panes stand side by side."""

HEIGHTS = [(0, "-short"), (30, "-tall")]
"""From which height on the explanation has room beside the bytes."""


class RunningRelay(Protocol):
    """The relay that this screen was started with, a process of its own."""

    socket: Path

    def alive(self) -> bool:
        """Return whether it is running."""

    def said(self) -> list[str]:
        """Return what it had to say since it began, one line each."""


class Inspector(App[Answer]):
    """The inspector of one recording.

    Returns what to do with the relay, if there is one and clients are connected: `leave` it
    running, or `stop` it when the last client is done.
    """

    CSS_PATH = Path(__file__).with_name("app.tcss")
    TITLE = "pix-inspect"
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "leave", "Quit", show=False, priority=True, id="app.quit"),
        Binding("ctrl+p", "command_palette", "All commands", show=False, id="app.palette"),
    ]
    PANES: ClassVar[tuple[type[Lines], ...]] = (Timeline, Fields, Log, Bytes)

    def __init__(
        self,
        session: Session,
        relay: RunningRelay | None = None,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        super().__init__()
        self.now = now
        """The time, in nanoseconds since 1970."""
        self.session = session
        self.relay = relay
        if self.no_color and self.theme.startswith("ansi"):
            self.theme = DEFAULT_THEME  # without colour the others would be black on black

    def get_default_screen(self) -> Screen[object]:
        """Return the main screen."""
        return Browse(self.session)  # type: ignore[return-value]

    # What the screen asks ---------------------------------------------------------------

    def is_live(self) -> bool:
        """Return whether the recording is still being written."""
        if self.relay is not None:
            return self.relay.alive()
        about = self.session.about.get("about")
        pid = about.get("pid") if isinstance(about, dict) else None
        return being_written(self.session.path, pid)

    def trouble(self) -> list[str]:
        """Return what the relay complained of."""
        if self.relay is None:
            return []
        said = [safe(line, 300) for line in self.relay.said()[-3:]]
        return said if self.relay.alive() else ["the relay has ended", *said]

    def lesson(self) -> list[str]:
        """Return what to say while there is nothing to see."""
        about = self.session.about.get("about")
        listen = about.get("listen") if isinstance(about, dict) else None
        if not listen or not self.is_live():
            return ["", "  No client connected while this was recorded."]
        where = safe(shlex.quote(str(listen)))
        return [
            "",
            "  No client has connected yet. In another terminal:",
            "",
            f"    NIX_REMOTE=unix://{where} nix-build …",
            "",
            "  or, with Nix 2.4 and later:",
            "",
            "    NIX_REMOTE=daemon \\",
            f"    NIX_DAEMON_SOCKET_PATH={where} nix build …",
        ]

    # Clipboard --------------------------------------------------------------------------

    def put(self, copied: Copied) -> None:
        """Copy a text; what is more than terminals take goes to a file."""
        raw = copied.text.encode("utf-8", "surrogateescape")
        if len(raw) <= MOST_COPIED:
            self.copy_to_clipboard(raw.decode("utf-8", "replace"))  # terminals take UTF-8 only
            self.notify(f"copied {safe(copied.what)} ({size(len(raw))})", markup=False, timeout=2)
            return
        descriptor, name = tempfile.mkstemp(prefix="pix-inspect-", suffix=".txt")
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
        self.notify(
            f"{safe(copied.what)} is too long for a terminal's clipboard: it is in {name}",
            markup=False,
        )

    # Commands ---------------------------------------------------------------------------

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer every named action of the screen and its panes, and the theme."""
        yield SystemCommand("Theme", "Choose colours", self.action_change_theme)
        places: list[DOMNode] = (
            [screen, *(screen.query(pane).first() for pane in self.PANES)]
            if (isinstance(screen, Browse))
            else [screen]
        )
        for place in places:
            title = getattr(place, "TITLE", None)
            for pressed, said, name in keys_of(type(place), self):
                where = f"{title}: " if title and title != self.TITLE else ""
                yield SystemCommand(f"{where}{said}", pressed, self._runner(place, name))
        yield SystemCommand("Save a picture of the screen", "SVG", self.deliver_screenshot)

    def _runner(self, place: DOMNode, name: str) -> Callable[[], object]:
        for binding in Binding.make_bindings(type(place).BINDINGS):
            if name in (binding.id, binding.action):
                return lambda: self.run_action(binding.action, place)
        raise KeyError(name)

    def action_help(self) -> None:
        """Show all keys, those of the panes first."""
        panes: list[type[DOMNode]] = [Browse, Lines, *self.PANES]
        if isinstance(self.screen, Browse):
            self.push_screen(Help(sections(self, panes)))

    # Leaving ----------------------------------------------------------------------------

    def action_leave(self) -> None:
        """Quit from anywhere."""
        self.leave()

    def leave(self) -> None:
        """Quit, after asking what happens to clients that are connected."""
        clients = self.session.open_connections
        if self.relay is None or not self.relay.alive() or not clients:
            self.exit("stop")
        elif not isinstance(self.screen, Leaving):
            self.push_screen(Leaving(clients), self._answered)

    def _answered(self, answer: Answer | None) -> None:
        if answer is not None:
            self.exit(answer)
