"""The palette: all commands by name, as Textual has it, made to stand keys in any order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from textual.app import ComposeResult, SystemCommand
from textual.command import (
    CommandInput,
    CommandList,
    CommandPalette,
    DiscoveryHit,
    Hits,
    SearchIcon,
)
from textual.containers import Horizontal, Vertical
from textual.dom import DOMNode
from textual.screen import Screen
from textual.system_commands import SystemCommandsProvider
from textual.widget import Widget
from textual.widgets import LoadingIndicator

from pix_inspect.ui.app.keys import action_of, keys_of, panes_of
from pix_inspect.ui.widgets.choices import Steady
from pix_inspect.ui.widgets.guarded import Guarded
from pix_inspect.ui.widgets.lines import Lines

OTHERS = ("Statistics", "Findings", "Waits: who waits for whom", "Round trips",
          "REPL: ask the daemon")  # fmt: skip
"""What stands first in the palette."""


class AllCommands(SystemCommandsProvider):
    """The commands of the application, in its order."""

    async def discover(self) -> Hits:
        for title, said, callback, _ in self.app.get_system_commands(self.screen):
            yield DiscoveryHit(title, callback, help=said)


class Commands(Steady, CommandList, can_focus=False):
    """The commands that match what is written."""


class Palette(Guarded, CommandPalette):
    """All commands, or what its providers have."""

    def compose(self) -> ComposeResult:
        """Lay it out as Textual does, with a list of our own."""
        with Vertical(id="--container"):
            with Horizontal(id="--input"):
                yield SearchIcon()
                yield CommandInput(placeholder=self._placeholder, select_on_focus=False)
            with Vertical(id="--results"):
                yield Commands()
                yield LoadingIndicator()


def commands(screen: Screen[object]) -> list[SystemCommand]:
    """Return every named action of a screen and its panes, the other screens first."""
    return sorted(_commands(screen), key=lambda each: (each.title not in OTHERS, each.title))


def _commands(screen: Screen[object]) -> Iterator[SystemCommand]:
    app = screen.app
    yield SystemCommand("Theme", "Choose colours", app.action_change_theme)
    for place in [screen, *panes_of(screen), app]:
        title = getattr(place, "TITLE", None)
        pane = isinstance(place, Widget) and not isinstance(place, Screen)
        where = f"{title}: " if pane and title else ""
        for pressed, said, name in keys_of(type(place), app):
            if name != "app.palette":
                yield SystemCommand(f"{where}{said}", pressed, _runner(place, name))
    if isinstance(screen.focused, Lines):
        for pressed, said, name in keys_of(Lines, app):
            run = _runner(screen.focused, name, Lines)
            yield SystemCommand(f"Move: {said}", pressed, run)
    yield SystemCommand("Save a picture of the screen", "SVG", app.deliver_screenshot)


def _runner(
    place: DOMNode, name: str, declared: type[DOMNode] | None = None
) -> Callable[[], object]:
    action = action_of(declared or type(place), name)
    return lambda: place.app.run_action(action, place)
