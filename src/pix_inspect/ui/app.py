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
from textual.widget import Widget

from pix_inspect.problem import Problem
from pix_inspect.session import Session
from pix_inspect.ui.browse import Browse
from pix_inspect.ui.copying import Copied
from pix_inspect.ui.help import Help, action_of, keys_of, panes_of, sections
from pix_inspect.ui.leaving import Answer, Leaving
from pix_inspect.ui.lines import Lines
from pix_inspect.ui.path_dialog import Chosen, PathDialog
from pix_inspect.ui.payload_pane import PayloadPane
from pix_inspect.ui.payload_saving import Wish
from pix_inspect.ui.statistics_screen import StatisticsScreen
from pix_inspect.ui.status import being_written
from pix_inspect.ui.text import safe
from pix_inspect.ui.writing import Pace, Writing
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
        Binding("S", "statistics", "Statistics", show=False, id="app.statistics"),
    ]
    BROWSING = frozenset(["statistics"])
    """Actions that need the main screen."""

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

    # Saving -----------------------------------------------------------------------------

    def on_payload_pane_copy(self, message: PayloadPane.Copy) -> None:
        """Copy the path of a file in a payload."""
        self.put(Copied("the path", message.text))

    def on_payload_pane_save(self, message: PayloadPane.Save) -> None:
        """Save a file of a payload, an archive, or a directory."""
        try:
            wish = Wish.of(message.contents, message.number, message.how)
        except Problem as problem:
            self.warn(str(problem))
            return
        self.save_to(wish.title, wish.name, wish.check, wish.write)

    def save_to(
        self,
        title: str,
        name: str,
        check: Callable[[Path, bool], None],
        write: Callable[[Chosen, Pace], str],
    ) -> None:
        """Ask where to, then write there in the background, and say what became of it."""

        def begin(chosen: Chosen | None) -> None:
            if chosen is not None:
                work = Writing(f"writing {chosen.path}", lambda pace: write(chosen, pace))
                self.push_screen(work, lambda said: self._wrote(said or "", failed=work.failed))

        self.push_screen(PathDialog(title, name, check, new=True), begin)

    def _wrote(self, said: str, *, failed: bool) -> None:
        if failed:
            self.warn(said)
        else:
            self.notify(safe(said, 400), markup=False)

    def warn(self, text: str) -> None:
        """Say in one line what cannot be done."""
        self.notify(safe(text, 400), severity="warning", markup=False)

    # Commands ---------------------------------------------------------------------------

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer every named action of the screen and its panes, and the theme."""
        yield SystemCommand("Theme", "Choose colours", self.action_change_theme)
        for place in [screen, *panes_of(screen), self]:
            title = getattr(place, "TITLE", None)
            where = f"{title}: " if isinstance(place, Widget) and title else ""
            if isinstance(place, Screen):
                where = ""
            for pressed, said, name in keys_of(type(place), self):
                if place is not self or self.check_action(action_of(type(place), name), ()):
                    yield SystemCommand(f"{where}{said}", pressed, self._runner(place, name))
        if isinstance(screen.focused, Lines):
            for pressed, said, name in keys_of(Lines, self):
                run = self._runner(screen.focused, name, Lines)
                yield SystemCommand(f"Move: {said}", pressed, run)
        yield SystemCommand("Save a picture of the screen", "SVG", self.deliver_screenshot)

    def _runner(
        self, place: DOMNode, name: str, declared: type[DOMNode] | None = None
    ) -> Callable[[], object]:
        action = action_of(declared or type(place), name)
        return lambda: self.run_action(action, place)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Have what is about the main screen work there alone."""
        return action.partition("(")[0] not in self.BROWSING or isinstance(self.screen, Browse)

    def action_help(self) -> None:
        """Show all keys, those of the panes first."""
        screen = self.screen
        if not isinstance(screen, Help):
            panes = list(dict.fromkeys(type(pane) for pane in panes_of(screen)))
            places: list[type[DOMNode]] = [type(screen), type(self), Lines, *panes]
            self.push_screen(Help(sections(self, places)))

    def action_statistics(self) -> None:
        """Show where the time went."""
        browse = self.screen
        if isinstance(browse, Browse):
            filtered = getattr(browse, "filter_text", "")
            shown = getattr(browse, "shown", None) if filtered else None
            screen = StatisticsScreen(browse.session, shown, filtered)
            self.push_screen(screen, lambda wanted: self._apply(browse, wanted))

    def _apply(self, browse: Browse, wanted: str | None) -> None:
        if wanted is not None:
            getattr(browse, "apply_filter", self._no_filter)(wanted)

    def _no_filter(self, wanted: str) -> None:
        self.notify(wanted, markup=False)

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
