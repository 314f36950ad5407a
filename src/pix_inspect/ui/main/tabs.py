"""Several recordings side by side: the line that names them, and what can be opened."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip

from pix.dataclass import dataclass
from pix.problem import Problem
from pix_inspect.base.state_directory import RECORDINGS
from pix_inspect.base.units import size
from pix_inspect.session.session import Session
from pix_inspect.ui.main.status import being_written
from pix_inspect.ui.widgets.lines import Toned
from pix_inspect.ui.widgets.text import fit_middle, safe

if TYPE_CHECKING:
    from pix_inspect.ui.widgets.path_dialog import Offer

LONGEST_NAME = 24


class RunningRelay(Protocol):
    """The relay that this screen was started with, a process of its own."""

    socket: Path

    def alive(self) -> bool:
        """Return whether it is running."""

    def said(self) -> list[str]:
        """Return what it had to say since it began, one line each."""


@dataclass(slots=True, eq=False)
class Tab:
    """A recording that is open: under which name the screen keeps it, and its relay if any."""

    name: str
    session: Session
    relay: RunningRelay | None = None

    @property
    def title(self) -> str:
        """What it is called on the screen, as safe text."""
        name = self.session.path.name
        for suffix in reversed(RECORDINGS):
            name = name.removesuffix(suffix)
        return fit_middle(safe(name, 200), LONGEST_NAME)

    def is_live(self) -> bool:
        """Return whether the recording is still being written."""
        if self.relay is not None:
            return self.relay.alive()
        return being_written(self.session.path, self.session.made.pid)

    def trouble(self) -> list[str]:
        """Return what the relay complained of."""
        if self.relay is None:
            return []
        said = [safe(line, 300) for line in self.relay.said()[-3:]]
        return said if self.relay.alive() else ["the relay has ended", *said]

    def lesson(self) -> list[str]:
        """Return what to say while there is nothing to see."""
        listen = self.session.made.listen
        if not listen or not self.is_live():
            return ["", "  No client connected while this was recorded."]
        import shlex

        where = safe(shlex.quote(listen))
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


def same(one: Path, other: Path) -> bool:
    """Return whether two paths name one file."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def is_recording(name: str) -> bool:
    """Return whether a file's name says that it is a recording."""
    return name.endswith(RECORDINGS)


def at_hand(beside: Path) -> list[Offer]:
    """Return what may be meant: relays that run, recordings that nobody named, and what lies
    `beside` the recording on the screen."""
    from pix_inspect.machine.recent_recordings import recordings
    from pix_inspect.machine.running_relays import relays
    from pix_inspect.ui.widgets.path_dialog import Offer, names_at

    near = [
        Offer(name)
        for name in names_at(f"{beside.parent}/", is_recording)
        if not name.endswith("/") and Path(name) != beside
    ]

    try:
        running = [relay for relay in reversed(relays()) if relay.recording is not None]
        kept = recordings()
    except Problem:
        return near
    offers = [
        Offer(str(relay.recording), safe(f"● {relay.listen or 'standard streams'}", 40))
        for relay in running
    ]
    known = {offer.path for offer in offers}
    for path, about in kept:
        if str(path) not in known:
            day = time.strftime("%Y-%m-%d %H:%M", time.localtime(about.st_mtime))
            offers.append(Offer(str(path), f"{day}  {size(about.st_size):>8}"))
    known = {offer.path for offer in offers}
    return offers + [offer for offer in near if offer.path not in known]


class TabBar(Toned):
    """The recordings that are open, the one on the screen marked; a click chooses or closes."""

    @dataclass(eq=False)
    class Chosen(Message):
        """The user wants another recording on the screen."""

        tab: Tab

    class Closed(Chosen):
        """The user wants a recording closed."""

    def __init__(self) -> None:
        super().__init__(id="tabs")
        self.tabs: list[Tab] = []
        self.current: Tab | None = None
        self._ends: list[tuple[int, int, Tab]] = []

    def say(self, tabs: list[Tab], current: Tab) -> None:
        """Show these; one alone needs no line."""
        self.tabs, self.current = list(tabs), current
        self.display = len(tabs) > 1
        self.refresh()

    def _parts(self) -> list[tuple[Tab, str]]:
        parts = []
        for number, tab in enumerate(self.tabs, 1):
            sign = "●" if tab.is_live() else " "
            parts.append((tab, f" {number}{sign}{tab.title} × "))
        return parts

    def render_line(self, y: int) -> Strip:
        """Return the one line there is, scrolled so that the current tab is on it."""
        ground = self.rich_style
        width = self.size.width
        parts = self._parts()
        while len(parts) > 1 and sum(Segment(text).cell_length + 1 for _, text in parts) > width:
            drop = -1 if parts[0][0] is self.current else 0
            parts.pop(drop)
        segments = []
        self._ends = []
        at = 0
        for tab, text in parts:
            style = self.tone("cursor") if tab is self.current else self.tone("text")
            segments += [Segment(text, style), Segment("│", self.tone("dim"))]
            end = at + Segment(text).cell_length
            self._ends.append((end - 3, end, tab))
            at = end + 1
        return Strip(segments).adjust_cell_length(width, ground)

    def on_click(self, event: events.Click) -> None:
        """Choose the recording that was clicked, or close it by its cross."""
        for cross, end, tab in self._ends:
            if event.x < end:
                self.post_message(self.Closed(tab) if event.x >= cross else self.Chosen(tab))
                return
