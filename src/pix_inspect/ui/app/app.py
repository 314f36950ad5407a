"""The application: recordings in tabs, commands, clipboard, saving, and how it ends.

What the first screen does not need is imported where a key asks for it.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.theme import BUILTIN_THEMES, Theme, ThemeProvider

from pix.problem import Problem
from pix_inspect.base.settings import Settings
from pix_inspect.base.settings_file import SettingsFile
from pix_inspect.session.session import Session
from pix_inspect.ui.app.ending import Ending
from pix_inspect.ui.app.input_order import InputOrder
from pix_inspect.ui.app.open_recordings import OpenRecordings
from pix_inspect.ui.app.other_screens import Beside, show, shown_of
from pix_inspect.ui.app.remembering import recall, remembered, theme_of
from pix_inspect.ui.exchange.copying import Copied
from pix_inspect.ui.exchange.payload_pane import PayloadPane
from pix_inspect.ui.main.main_screen import MainScreen
from pix_inspect.ui.main.tabs import RunningRelay, TabBar
from pix_inspect.ui.widgets.lines import COMPONENTS
from pix_inspect.ui.widgets.text import safe

if TYPE_CHECKING:
    from pix_inspect.ui.app.leaving import Answer

SILENCE = 10_000_000_000
"""Nanoseconds that a daemon may owe an answer before the banner says so."""

DEFAULT_THEME = "textual-dark"
_ANSI = BUILTIN_THEMES["ansi-dark"]
SIXTEEN = dataclasses.replace(
    _ANSI,
    name="ansi-sixteen",
    variables={**_ANSI.variables, "text-primary": "ansi_bright_blue"},
)
"""The theme of terminals with 16 colours: of others, all tones would become white.

Their dark blue is hardly to be read on black.
"""

WIDTHS = [(0, "-narrow"), (100, "-wide")]
"""From which width on the panes stand side by side."""

HEIGHTS = [(0, "-tiny"), (12, "-short"), (30, "-tall")]
"""From which height on panes have room beside the REPL, and the explanation beside the bytes."""


class Inspector(Ending):
    """The inspector of one recording or several, each with a main screen that keeps its state.

    Returns what to do with the relay, if there is one and clients are connected: `leave` it
    running, or `stop` it when the last client is done.
    """

    CSS_PATH = Path(__file__).with_name("app.tcss")
    TITLE = "pix-inspect"
    COMPONENT_CLASSES: ClassVar[set[str]] = COMPONENTS
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "leave", "Quit", show=False, priority=True, id="app.quit"),
        Binding("ctrl+p", "command_palette", "All commands", show=False, id="app.palette"),
        Binding("ctrl+o", "open", "Open a recording", show=False, id="app.open"),
        Binding("ctrl+w", "close_tab", "Close the recording", show=False, id="app.close"),
        Binding("right_curly_bracket,ctrl+pagedown", "next_tab(1)", "Next recording",
                key_display="}", show=False, id="app.next_tab"),
        Binding("left_curly_bracket,ctrl+pageup", "next_tab(-1)", "Previous recording",
                key_display="{", show=False, id="app.previous_tab"),
        *Ending.ENDING_KEYS,
    ]  # fmt: skip
    DEFAULT_MODE = "recording-1"

    def __init__(
        self,
        session: Session,
        relay: RunningRelay | None = None,
        now: Callable[[], int] = time.time_ns,
        *,
        others: Sequence[Session] = (),
        settings: Settings | None = None,
    ) -> None:
        super().__init__()
        self.now = now
        self.recordings = OpenRecordings(self, session, relay)
        self.tabs = self.recordings.tabs
        self._others = others
        self.silence = SILENCE
        """Nanoseconds without a word after which the banner says who owes one; 0: never."""
        self.upstream: Path | None = None
        """A daemon that the REPL talks to, where another was named than the relay's."""
        self.complaint: str | None = None
        """What is to be said when the screen is gone."""
        self._settings = settings
        self.inputs = InputOrder(self, super().on_event)
        self._wear((settings and theme_of(settings.known, self)) or self.theme)
        self.usual_theme: str | None = None
        """The theme where there are more colours, None where there are."""
        self._looks: dict[str, Any] = {}
        """How the screen begins by the user's choice, whatever is remembered."""
        self._mistakes: list[str] = []

    def configure(self, file: SettingsFile | None, theme: str | None = None) -> None:
        """Begin with what the user has chosen. Raises Problem where there is no such theme."""
        own: list[Theme] = []
        if file is not None and (file.values or file.mistakes):
            from pix_inspect.ui.app.user_settings import UserSettings

            keymap, own, self._looks = UserSettings.of(file)
            self._mistakes = file.mistakes
            for each in own:
                self.register_theme(each)
            self.set_keymap(keymap)
        if theme is not None:
            from pix_inspect.ui.app.user_settings import theme_called

            self._looks["theme"] = theme_called(theme, own)
        if "theme" in self._looks:
            self._wear(self._looks["theme"])

    def _wear(self, theme: str) -> None:
        self.theme = theme
        if self.no_color and self.current_theme.ansi:
            self.theme = DEFAULT_THEME  # without colour the others would be black on black

    def get_default_screen(self) -> Screen[object]:
        """Return the main screen of the first recording."""
        return self.recordings.first_screen()  # type: ignore[return-value]  # as any screen

    @property
    def behind(self) -> bool:
        """Whether keys and clicks come faster than they are taken."""
        return self.inputs.behind

    async def on_event(self, event: events.Event) -> None:
        if self.inputs.concerns(event):
            await self.inputs.take(event)
        else:
            await super().on_event(event)

    def on_mount(self) -> None:
        """Open what else was asked for."""
        few = self.console.color_system == "standard" and not self.is_headless
        if few and not self.current_theme.ansi:
            sixteen = SIXTEEN if self.current_theme.dark else BUILTIN_THEMES["ansi-light"]
            self.register_theme(sixteen)
            self.usual_theme, self.theme = self.theme, sixteen.name
        for session in self._others:
            self.recordings.add(session)
        if self._settings is not None and self._settings.complaint is not None:
            self.warn(self._settings.complaint)
        if self._mistakes:
            more = len(self._mistakes) - 1
            rest = f" (and {more} more: `pix-inspect settings` says all)" if more else ""
            self.warn(self._mistakes[0] + rest)

    def on_unmount(self) -> None:
        """Close what was opened here."""
        self.recordings.close_all()

    def warn(self, text: str) -> None:
        """Say in one line what cannot be done."""
        self.notify(safe(text, 400), severity="warning", markup=False)

    # Settings ---------------------------------------------------------------------------

    def recall(self, browse: MainScreen) -> None:
        """Have a main screen look as it was left the last time."""
        known = self._settings.known if self._settings is not None else {}
        if known or self._looks:
            left = recall(browse, {**known, **self._looks})
            if left and browse.session is self.tabs[0].session:
                self.warn(f"settings that make no sense are left out: {', '.join(left)}")

    def exit(
        self, result: Answer | None = None, return_code: int = 0, message: object = None
    ) -> None:
        """Remember how the screen looks, and end."""
        found = [screen for screen in self.screen_stack if isinstance(screen, MainScreen)]
        if self._settings is not None and found and found[0].is_mounted:
            now, before = remembered(self, found[0]), self._settings.known
            for name in self._looks:  # chosen for every start, or for this one
                del now[name]
            trouble = self._settings.keep(
                {**now, **{name: before[name] for name in self._looks if name in before}}
            )
            if trouble is not None:
                self.complaint = trouble
        super().exit(result, return_code, message)  # type: ignore[arg-type]

    # Recordings and other screens -------------------------------------------------------

    def action_open(self) -> None:
        self.recordings.ask()

    async def action_close_tab(self) -> None:
        """Close the recording on the screen; with the last one, quit."""
        await self.recordings.close(self.recordings.tab)

    def action_next_tab(self, step: int) -> None:
        self.recordings.step(step)

    def on_tab_bar_chosen(self, message: TabBar.Chosen) -> None:
        """Go to the recording that was clicked."""
        self.recordings.go_to(message.tab)

    async def on_tab_bar_closed(self, message: TabBar.Closed) -> None:
        """Close the recording whose cross was clicked."""
        await self.recordings.close(message.tab)

    def action_show(self, what: Beside) -> None:
        """Show a screen beside the main one."""
        if isinstance(self.screen, MainScreen):
            show(what, self.screen, self.recordings)

    # What leaves the screen -------------------------------------------------------------

    def on_copied(self, message: Copied) -> None:
        """Copy what a pane or a screen asks for."""
        from pix_inspect.ui.app.saving import put

        put(self, message)

    def action_excerpt(self) -> None:
        """Copy an excerpt, redacted, for an issue tracker."""
        from pix_inspect.ui.app.saving import excerpt_of, put

        try:
            if isinstance(self.screen, MainScreen) and (copied := excerpt_of(self.screen)):
                put(self, copied)
        except Problem as problem:
            self.warn(str(problem))

    def on_payload_pane_save(self, message: PayloadPane.Save) -> None:
        """Save a file of a payload, an archive, or a directory."""
        from pix_inspect.ui.app.saving import save
        from pix_inspect.ui.exchange.payload_saving import Wish

        try:
            save(self, Wish.of(message.contents, message.number, message.how))
        except Problem as problem:
            self.warn(str(problem))

    def action_export(self) -> None:
        """Write the exchanges that are shown into a file."""
        from pix_inspect.ui.app.export import Export
        from pix_inspect.ui.app.saving import save

        if isinstance(self.screen, MainScreen):
            export = Export(self.screen.session, *shown_of(self.screen))
            save(self, export, "blank secrets")

    # Commands ---------------------------------------------------------------------------

    def action_command_palette(self) -> None:
        """Show all commands."""
        from pix_inspect.ui.app.palette import AllCommands, Palette

        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(providers=[AllCommands]))

    def search_themes(self) -> None:
        """Have a theme chosen."""
        from pix_inspect.ui.app.palette import Palette

        self.push_screen(Palette(providers=[ThemeProvider], placeholder="Search for themes…"))

    def get_system_commands(self, screen: Screen[object]) -> list[SystemCommand]:
        """Offer every named action of the screen and its panes, the other screens first."""
        from pix_inspect.ui.app.palette import commands

        return commands(screen)

    def action_help(self) -> None:
        """Show the keys of this screen."""
        from pix_inspect.ui.app.help import Help
        from pix_inspect.ui.app.keys import sections

        if not isinstance(self.screen, Help):
            timeline = isinstance(self.screen, MainScreen)
            self.push_screen(Help(sections(self.screen), timeline=timeline))

    # Leaving ----------------------------------------------------------------------------

    def action_leave(self) -> None:
        self.leave()

    def leave(self) -> None:
        """Quit, after asking what happens to clients that are connected."""
        from pix_inspect.ui.app.leaving import Leaving

        session, relay = self.tabs[0].session, self.tabs[0].relay
        own = sum(
            row.closed is None and row.peer.pid == os.getpid()
            for row in session.connections.values()
        )  # the REPL's, which hangs up when we leave
        clients = session.open_connections - own
        if relay is None or not relay.alive() or not clients:
            self.exit("stop")
        elif not isinstance(self.screen, Leaving):
            self.push_screen(Leaving(clients), self._answered)

    def _answered(self, answer: Answer | None) -> None:
        if answer is not None:
            self.exit(answer)
