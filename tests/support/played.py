"""The screen over a recording, and when it has come to rest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from pix_inspect.session.session import Session
from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.main.main_screen import MainScreen
from tests.support.places import RECORDINGS
from tests.support.recording import START, Recording


def opened(path: Path) -> Inspector:
    return Inspector(Session(path))


def recorded(name: str) -> Inspector:
    return opened(RECORDINGS / f"{name}.pcapng")


class Relay:
    """A relay that runs, for screens that watch one."""

    def __init__(self, socket: str = "/run/pix.sock") -> None:
        self.socket = Path(socket)
        self.words: list[str] = []
        self.running = True

    def alive(self) -> bool:
        return self.running

    def said(self) -> list[str]:
        return self.words


def live(made: Recording, relay: Relay | None = None) -> Inspector:
    """The screen over a recording that is being written."""
    return Inspector(Session(made.path), relay or Relay(), lambda: START + 72_000_000_000)


def focus(pilot: Pilot[Any]) -> str | None:
    """The name of the pane that has the focus."""
    focused = pilot.app.focused
    return focused.id if focused is not None else None


def browse(pilot: Pilot[Any]) -> MainScreen:
    screen = pilot.app.screen_stack[0]
    assert isinstance(screen, MainScreen)
    return screen


async def settled(pilot: Pilot[Any]) -> None:
    """Wait until all is read, known and drawn."""
    for _ in range(400):
        await pilot.pause(0.01)
        screen = browse(pilot)
        session = screen.session
        read = session.consumed >= session.size or session.truncated is not None
        if read and screen.settled and screen.timeline.painter.glances.settled:
            await pilot.pause()
            await pilot.pause()
            return
    raise AssertionError("the screen did not come to rest")


def after(*keys: str) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """For snapshots: come to rest, press keys, come to rest."""

    async def run(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        await settled(pilot)

    return run


def lines_of(pane: Any) -> list[str]:
    """What a pane shows, as text."""
    return [pane.render_line(y).text for y in range(pane.inner.height)]
