"""The application: recordings in tabs, commands, clipboard, saving, and how it ends."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.screen import Screen
from textual.theme import ThemeProvider
from textual.widget import Widget

from pix.problem import Problem
from pix_inspect.base.settings import Settings
from pix_inspect.base.units import count, size
from pix_inspect.export.excerpt import excerpt
from pix_inspect.session.session import Session
from pix_inspect.ui.app.export import Export
from pix_inspect.ui.app.help import Help
from pix_inspect.ui.app.input_order import InputOrder
from pix_inspect.ui.app.keys import action_of, keys_of, panes_of, sections
from pix_inspect.ui.app.leaving import Answer, Leaving
from pix_inspect.ui.app.other_screens import OtherScreens, marked_and_chosen, shown_of
from pix_inspect.ui.app.palette import AllCommands, Palette
from pix_inspect.ui.app.remembering import recall, remembered, theme_of
from pix_inspect.ui.exchange.copying import Copied
from pix_inspect.ui.exchange.payload_pane import PayloadPane
from pix_inspect.ui.exchange.payload_saving import Wish
from pix_inspect.ui.main.main_screen import MainScreen
from pix_inspect.ui.main.tabs import RunningRelay
from pix_inspect.ui.widgets.lines import Lines
from pix_inspect.ui.widgets.path_dialog import Chosen, PathDialog
from pix_inspect.ui.widgets.text import safe
from pix_inspect.ui.widgets.writing import Pace, Writing

MOST_COPIED = 72_000
"""Bytes that terminals take through OSC 52; more go to a file."""

SILENCE = 10_000_000_000
"""Nanoseconds that a daemon may owe an answer before the banner says so."""

DEFAULT_THEME = "textual-dark"
SIXTEEN = "ansi-dark"
"""The theme of terminals with 16 colours: of others, all tones would become white."""

OTHERS = ("Statistics", "Findings", "Waits: who waits for whom", "Round trips",
          "REPL: ask the daemon")  # fmt: skip
"""What stands first in the palette."""

WIDTHS = [(0, "-narrow"), (100, "-wide")]
"""From which width on the panes stand side by side."""

HEIGHTS = [(0, "-short"), (30, "-tall")]
"""From which height on the explanation has room beside the bytes."""


class Inspector(OtherScreens):
    """The inspector of one recording or several, each with a main screen that keeps its state.

    Returns what to do with the relay, if there is one and clients are connected: `leave` it
    running, or `stop` it when the last client is done.
    """

    COMMANDS: ClassVar = {AllCommands}
    CSS_PATH = Path(__file__).with_name("app.tcss")
    TITLE = "pix-inspect"
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "leave", "Quit", show=False, priority=True, id="app.quit"),
        Binding("ctrl+p", "command_palette", "All commands", show=False, id="app.palette"),
        *OtherScreens.RECORDING_KEYS,
        *OtherScreens.ENDING_KEYS,
    ]  # fmt: skip

    def __init__(
        self,
        session: Session,
        relay: RunningRelay | None = None,
        now: Callable[[], int] = time.time_ns,
        *,
        others: Sequence[Session] = (),
        settings: Settings | None = None,
    ) -> None:
        super().__init__(session, relay, others)
        self.now = now
        self.relay = relay
        self.silence = SILENCE
        """Nanoseconds without a word after which the banner says who owes one; 0: never."""
        self.upstream: Path | None = None
        """A daemon that the REPL talks to, where another was named than the relay's."""
        self.complaint: str | None = None
        """What is to be said when the screen is gone."""
        self._settings = settings
        self.inputs = InputOrder(self, super().on_event)
        if settings is not None and (theme := theme_of(settings.known, self)) is not None:
            self.theme = theme
        if self.no_color and self.theme.startswith("ansi"):
            self.theme = DEFAULT_THEME  # without colour the others would be black on black
        self.usual_theme: str | None = None
        """The theme where there are more colours, None where there are."""

    async def on_event(self, event: events.Event) -> None:
        if self.inputs.concerns(event):
            await self.inputs.take(event)
        else:
            await super().on_event(event)

    def on_mount(self) -> None:
        """Open what else was asked for."""
        few = self.console.color_system == "standard" and not self.is_headless
        if few and not self.theme.startswith("ansi"):
            self.usual_theme, self.theme = self.theme, SIXTEEN
        self.open_others()
        if self._settings is not None and self._settings.complaint is not None:
            self.warn(self._settings.complaint)

    # Settings ---------------------------------------------------------------------------

    def recall(self, browse: MainScreen) -> None:
        """Have a main screen look as it was left the last time."""
        if self._settings is not None:
            left = recall(browse, self._settings.known)
            if left and browse.session is self.tabs[0].session:
                self.warn(f"settings that make no sense are left out: {', '.join(left)}")

    def exit(
        self, result: Answer | None = None, return_code: int = 0, message: object = None
    ) -> None:
        """Remember how the screen looks, and end."""
        found = [screen for screen in self.screen_stack if isinstance(screen, MainScreen)]
        if self._settings is not None and found and found[0].is_mounted:
            trouble = self._settings.keep(remembered(self, found[0]))
            if trouble is not None:
                self.complaint = trouble
        super().exit(result, return_code, message)  # type: ignore[arg-type]

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

    def on_copied(self, message: Copied) -> None:
        """Copy what a pane or a screen asks for."""
        self.put(message)

    # Saving -----------------------------------------------------------------------------

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
        switch: str = "",
    ) -> None:
        """Ask where to, then write there in the background, and say what became of it."""

        def begin(chosen: Chosen | None) -> None:
            if chosen is not None:
                work = Writing(f"writing {chosen.path}", lambda pace: write(chosen, pace))
                self.push_screen(work, lambda said: self._wrote(said or "", failed=work.failed))

        dialog = PathDialog(title, name, check, new=True, switch=switch, switched=bool(switch))
        self.push_screen(dialog, begin)

    def action_export(self) -> None:
        """Write the exchanges that are shown into a file."""
        browse = self.screen
        if isinstance(browse, MainScreen):
            wish = Export(browse.session, *shown_of(browse))
            self.save_to(wish.title, wish.name, wish.check, wish.write, "blank secrets")

    def _wrote(self, said: str, *, failed: bool) -> None:
        if failed:
            self.warn(said)
        else:
            self.notify(safe(said, 400), markup=False)

    # Commands ---------------------------------------------------------------------------

    def action_command_palette(self) -> None:
        """Show all commands."""
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette())

    def search_themes(self) -> None:
        """Have a theme chosen."""
        self.push_screen(Palette(providers=[ThemeProvider], placeholder="Search for themes…"))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer every named action of the screen and its panes, the other screens first."""
        return sorted(
            self._commands(screen), key=lambda each: (each.title not in OTHERS, each.title)
        )

    def _commands(self, screen: Screen[object]) -> Iterator[SystemCommand]:
        yield SystemCommand("Theme", "Choose colours", self.action_change_theme)
        for place in [screen, *panes_of(screen), self]:
            title = getattr(place, "TITLE", None)
            where = f"{title}: " if isinstance(place, Widget) and title else ""
            if isinstance(place, Screen):
                where = ""
            for pressed, said, name in keys_of(type(place), self):
                if name != "app.palette":
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

    def action_help(self) -> None:
        """Show the keys of this screen."""
        if not isinstance(self.screen, Help):
            borders = isinstance(self.screen, MainScreen)
            self.push_screen(Help(sections(self.screen), borders=borders))

    def action_excerpt(self) -> None:
        """Copy an excerpt, redacted, for an issue tracker."""
        browse = self.screen
        if isinstance(browse, MainScreen):
            self.put_excerpt(browse)

    def put_excerpt(self, browse: MainScreen) -> None:
        """Copy the exchanges from the last mark to the cursor as Markdown."""
        pair = marked_and_chosen(browse)
        if pair is None:
            return
        first, last = sorted(pair)
        try:
            text = excerpt(browse.session, first + 1, last + 1)
        except Problem as problem:
            self.warn(str(problem))
            return
        self.put(Copied(f"an excerpt of {count(last - first + 1, 'exchange')}", text))

    # Leaving ----------------------------------------------------------------------------

    def action_leave(self) -> None:
        self.leave()

    def leave(self) -> None:
        """Quit, after asking what happens to clients that are connected."""
        session = self.tabs[0].session
        own = sum(
            row.closed is None and row.peer.pid == os.getpid()
            for row in session.connections.values()
        )  # the REPL's, which hangs up when we leave
        clients = session.open_connections - own
        if self.relay is None or not self.relay.alive() or not clients:
            self.exit("stop")
        elif not isinstance(self.screen, Leaving):
            self.push_screen(Leaving(clients), self._answered)

    def _answered(self, answer: Answer | None) -> None:
        if answer is not None:
            self.exit(answer)
