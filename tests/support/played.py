"""Recordings for the screen's tests: conversations written by their declarations, growing or whole.

`Played` writes what was said so far into a file; the screen follows it. Times are a thousandth
of a second apart unless a test says otherwise.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from pix.codec.gates import Protocol
from pix.conversation.exchange import CLIENT, DAEMON
from pix_inspect.recording.stream_writer import Track
from pix_inspect.session.session import Session
from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.main.main_screen import MainScreen
from tests.support.places import RECORDINGS
from tests.support.playbook import Playbook, said
from tests.support.written import ABOUT, START, Written, section

PROTOCOL = Protocol(38)
MILLISECOND = 1_000_000


class Played:
    """A recording under construction. `written` tells of what is in the file."""

    def __init__(self, path: Path, **about: Any) -> None:
        self.path = path
        self.made = Written([section({**ABOUT, "about": {"listen": "/run/pix.sock", **about}})])
        self._saved = 0
        self.save()

    def save(self) -> Played:
        """Append to the file what was said since."""
        data = b"".join(self.made.blocks)
        with self.path.open("ab") as file:
            file.write(data)
        self.made.blocks.clear()
        return self

    def wait(self, ms: float = 1) -> Played:
        self.made.time += int(ms * MILLISECOND)
        return self

    def connect(self, version: Protocol = PROTOCOL, **opened: Any) -> Track:
        """Open a connection and greet."""
        track = self.made.open(**opened)
        self.wait()
        for side, data in Playbook(version).greet(nix="2.34.8").turns:
            self.say(track, side, data)
        return track

    def say(self, track: Track, side: int, value: Any, length: int | None = None) -> Played:
        data = said(value, PROTOCOL)
        if data:
            self.wait(0.1)
            self.made.chunk(track, side, data, length)
        return self

    def ask(self, track: Track, request: Any, *replies: Any) -> Played:
        """One operation: what the client says, then what the daemon says."""
        self.wait()
        self.say(track, CLIENT, request)
        for reply in replies:
            self.say(track, DAEMON, reply)
        return self

    def close(self, track: Track) -> Played:
        track.close(self.made.now(), self.made.blocks)
        return self


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


def live(played: Played, relay: Relay | None = None) -> Inspector:
    """The screen over a recording that is being written."""
    return Inspector(Session(played.path), relay or Relay(), lambda: START + 72_000_000_000)


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
