"""The palette: all commands by name, as Textual has it, made to stand keys in any order."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.command import (
    CommandInput,
    CommandList,
    CommandPalette,
    DiscoveryHit,
    Hits,
    SearchIcon,
)
from textual.containers import Horizontal, Vertical
from textual.system_commands import SystemCommandsProvider
from textual.widgets import LoadingIndicator

from pix_inspect.ui.widgets.choices import Steady
from pix_inspect.ui.widgets.guarded import Guarded


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
