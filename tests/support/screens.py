"""The screen over a recording, and when it has come to rest; every screen and pane as a scene."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.screen import Screen

from pix_inspect.session.session import Session
from pix_inspect.teach import tours
from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.app.leaving import Leaving
from pix_inspect.ui.app.touring import Touring
from pix_inspect.ui.main.main_screen import MainScreen
from pix_inspect.ui.screens.differences import DifferencesScreen
from pix_inspect.ui.screens.findings import FindingsScreen
from pix_inspect.ui.screens.recordings import RecordingsScreen
from pix_inspect.ui.screens.round_trips import AnalysisScreen
from pix_inspect.ui.screens.statistics import StatisticsScreen
from pix_inspect.ui.screens.waits import WaitingScreen
from pix_inspect.ui.timeline.column_dialog import ColumnDialog
from pix_inspect.ui.widgets.path_dialog import PathDialog
from pix_inspect.ui.widgets.writing import Pace, Writing
from tests.support.places import RECORDINGS
from tests.support.recording import START, Recording, growing

SIZE = (120, 40)
PATIENCE = 120.0
"""Seconds that a screen may take to come."""


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
    end, missing = time.monotonic() + PATIENCE, ["a first look"]
    while time.monotonic() < end:
        await pilot.pause(0.01)
        screen = browse(pilot)
        session = screen.session
        known = {
            "reading": session.consumed >= session.size or session.truncated is not None,
            "the timeline": screen.following.taken_in,
            "the panes": screen.side.shows(screen.timeline.chosen),
            "glances": screen.timeline.painter.glances.settled,
            "all else": screen.settled,
        }
        missing = [name for name, holds in known.items() if not holds]
        if not missing:
            await pilot.pause()
            await pilot.pause()
            return
    raise AssertionError(f"the screen did not come to rest: {', '.join(missing)}")


def after(*keys: str) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """For snapshots: come to rest, press keys, come to rest."""

    async def run(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        await settled(pilot)

    return run


def region(pilot: Pilot[Any], name: str) -> Any:
    """Where a part of the main screen stands."""
    return browse(pilot).query_one(f"#{name}").region


async def drag(pilot: Pilot[Any], start: tuple[int, int], end: tuple[int, int]) -> None:
    await pilot.mouse_down(offset=start)
    await pilot.hover(offset=end)
    await pilot.mouse_up(offset=end)
    await pilot.pause()


async def to_repl(pilot: Pilot[Any]) -> None:
    """Open the REPL and wait until it is there."""
    await pilot.press("colon")
    for _ in range(1500):
        await pilot.pause(0.02)
        if browse(pilot).query("#repl") and region(pilot, "repl").height:
            return
    raise AssertionError("the REPL did not come")


def lines_of(pane: Any) -> list[str]:
    """What a pane shows, as text."""
    return [pane.render_line(y).text for y in range(pane.inner.height)]


@dataclass(frozen=True)
class Scene:
    """A screen, and the keys that lead there; `pane` has the focus then, if one is named."""

    name: str
    screen: type[Screen[Any]]
    app: Callable[[Path], Inspector]
    keys: tuple[str, ...] = ()
    pane: str | None = None
    push: Callable[[], Screen[Any]] | None = None

    async def reach(self, pilot: Pilot[Any]) -> Screen[Any]:
        """Go there, and return the screen."""
        app = pilot.app
        await until(pilot, self, lambda: isinstance(app.screen, MainScreen) and app.screen.settled)
        for key in self.keys:
            await pilot.press(key)
            await pilot.pause()
        if self.push is not None:
            app.push_screen(self.push())
        await until(pilot, self, lambda: type(app.screen) is self.screen and app.screen.is_mounted)
        if self.pane is not None:
            await until(pilot, self, lambda: focus(pilot) == self.pane)
        await until(pilot, self, lambda: at_rest(app.screen))
        return app.screen


async def until(pilot: Pilot[Any], scene: Scene, holds: Callable[[], bool]) -> None:
    """Wait for something to come true."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, (scene.name, pilot.app.screen, focus(pilot))
        await pilot.pause(0.01)


def at_rest(screen: Screen[Any]) -> bool:
    """Whether a screen has done what it does by itself."""
    touring = screen.app
    arrived = not isinstance(touring, Touring) or touring.arrived
    return arrived and bool(getattr(screen, "settled", True))


def of(name: str) -> Callable[[Path], Inspector]:
    return lambda folder: recorded(name)


def two(folder: Path) -> Inspector:
    first, second = (Session(RECORDINGS / f"{name}.pcapng") for name in ("queries", "lookups"))
    return Inspector(first, others=[second])


def with_a_client(folder: Path) -> Inspector:
    made = growing(folder / "r.pcapng")
    made.connect().save()
    return live(made)


def touring(folder: Path) -> Inspector:
    return Touring(tours.tour("handshake"))


def slow_writing() -> Screen[Any]:
    def write(pace: Pace) -> str:
        while True:
            pace.say("12 of 1,000")
            time.sleep(0.01)

    return Writing("writing out.jsonl", write)


MAIN = of("add-tree")

SCENES = [
    Scene("timeline", MainScreen, MAIN, pane="timeline"),
    Scene("grouped", MainScreen, MAIN, ("b",), "timeline"),
    Scene("fields", MainScreen, MAIN, ("tab",), "fields"),
    Scene("log", MainScreen, of("build-with-log"), ("G", "L", "tab"), "log"),
    Scene("payload", MainScreen, MAIN, ("P", "tab"), "payload"),
    Scene("bytes", MainScreen, MAIN, ("tab", "tab"), "bytes"),
    Scene("explanation", MainScreen, MAIN, ("e", "tab", "tab", "tab"), "explanation"),
    Scene("filter", MainScreen, MAIN, ("slash",), "writing-input"),
    Scene("search", MainScreen, MAIN, ("ctrl+f",), "writing-input"),
    Scene("note", MainScreen, MAIN, ("M",), "writing-input"),
    Scene("repl", MainScreen, MAIN, ("colon",), "repl-line"),
    Scene("live", MainScreen, with_a_client, pane="timeline"),
    Scene("operations", StatisticsScreen, MAIN, ("S",), "operations"),
    Scene("connections", StatisticsScreen, MAIN, ("S", "tab"), "connections"),
    Scene("durations", StatisticsScreen, MAIN, ("S", "tab", "tab"), "durations"),
    Scene("rate", StatisticsScreen, MAIN, ("S", "shift+tab"), "rate"),
    Scene("findings", FindingsScreen, of("build-failure"), ("F",), "list"),
    Scene("advice", FindingsScreen, of("build-failure"), ("F", "tab"), "detail"),
    Scene("waits", WaitingScreen, of("two-clients"), ("H",), "list"),
    Scene("round trips", AnalysisScreen, of("lookups"), ("T",)),
    Scene("differences", DifferencesScreen, of("queries"), ("m", "j", "D")),
    Scene("recordings", RecordingsScreen, two, ("C",)),
    Scene("columns", ColumnDialog, MAIN, ("c",)),
    Scene("opening", PathDialog, MAIN, ("ctrl+o",)),
    Scene("export", PathDialog, MAIN, ("X",)),
    Scene("writing", Writing, MAIN, push=slow_writing),
    Scene("leaving", Leaving, with_a_client, ("q",)),
    Scene("tour", MainScreen, touring),
]  # fmt: skip

Run = Callable[[Pilot[Any]], Awaitable[None]]
