"""The REPL on the main screen: which daemon it talks to, and when its pane is there.

Where a relay makes the recording, what is sent goes through it, so that it appears in the
timeline. A recording that is finished has no daemon: the pane says how to give one. All that it
needs is imported when it is opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from textual.screen import Screen

from pix.problem import Problem
from pix_inspect.session.session import Session
from pix_inspect.ui.main.dividers import Dividers
from pix_inspect.ui.main.host import Host
from pix_inspect.ui.main.tabs import Tab
from pix_inspect.ui.timeline.glances import heavy
from pix_inspect.ui.timeline.timeline import Timeline
from pix_inspect.ui.widgets.keys_footer import KeysFooter

if TYPE_CHECKING:
    from pix_inspect.ui.repl.repl_pane import ReplPane
    from pix_inspect.ui.repl.repl_thread import Outcome, Talk

SOMEWHERE = "/path/of/its/socket"
PLAIN = re.compile(r"/[\w./+@=-]{1,200}", re.ASCII)
"""Paths that can be written between quotes as they are."""


def nowhere(session: Session) -> str:
    """Return how to give a recording a daemon: that which it was made of, where it says so."""
    upstream = session.made.upstream
    known = upstream is not None and PLAIN.fullmatch(upstream) is not None
    return (
        f'this recording has no daemon: connect("{upstream if known else SOMEWHERE}") gives one,'
        " or --upstream SOCKET on the command line"
    )


def relay_of(tab: Tab) -> Path | None:
    """Return the socket of the relay that makes a recording, None when it is finished."""
    if tab.relay is not None:
        return tab.relay.socket if tab.relay.alive() else None
    listen = tab.session.made.listen
    return Path(listen) if listen is not None and tab.is_live() else None


class ReplController:
    """The REPL below the panes of a screen."""

    def __init__(
        self, screen: Screen[None], tab: Tab, host: Host, timeline: Timeline, dividers: Dividers
    ) -> None:
        self._screen = screen
        self._tab = tab
        self._host = host
        self._timeline = timeline
        self._dividers = dividers
        self.pane: ReplPane | None = None
        """The pane, once it was opened."""

    async def open(self, text: str = "") -> None:
        """Show the REPL, with `text` in its line if there is any."""
        from pix_inspect.ui.repl.repl_pane import ReplPane

        self._screen.add_class("-repl")
        if self.pane is None:
            self.pane = ReplPane(self._new_talk(), id="repl")
            await self._screen.mount(self.pane, before=self._screen.query_one(KeysFooter))
            self._dividers.divide()
        if text:
            self.pane.put_line(text)
        else:
            self.pane.line.focus()

    async def ask_again(self) -> None:
        """Put the request of the chosen exchange into the REPL, to be edited and sent."""
        from pix_inspect.repl.as_line import line_of

        chosen = self._timeline.chosen
        if chosen is None:
            self._host.warn("choose an exchange first")
            return
        try:
            line = line_of(self._tab.session.exchange(chosen))
        except Problem as problem:
            self._host.warn(str(problem))
        else:
            await self.open(line)

    def _new_talk(self) -> Talk:
        from pix_inspect.capture.own_relay import OwnRelay
        from pix_inspect.repl.repl import Session as ReplSession
        from pix_inspect.ui.repl.repl_thread import Talk

        relay = relay_of(self._tab)
        own = OwnRelay(name="repl", known=relay)
        session = ReplSession(route=own)
        session.recording = self._tab.session.path
        session.paths_in_sight = self._paths_in_sight
        socket = self._host.upstream or relay
        if socket is not None:
            session.socket_path = str(socket)
        else:
            session.nowhere = nowhere(self._tab.session)
        return Talk(session, own, self._tell)

    def _paths_in_sight(self) -> Iterator[str]:
        """Yield the store paths in the exchanges that the timeline shows just now."""
        from pix_inspect.repl.values import store_paths

        session = self._tab.session
        for row in self._timeline.painter.rows(self._timeline.lines.in_sight):
            if not heavy(session, row):
                for part in session.exchange(row.number - 1).parts:
                    if part.node is not None:
                        yield from store_paths(part.node.plain())

    def _tell(self, outcome: Outcome) -> None:
        """Hand on what the thread found out."""
        if self.pane is not None and self._screen.is_attached:
            self.pane.post_message(self.pane.Came(outcome))

    def close(self) -> None:
        if self.pane is not None:
            self.pane.talk.close()

    def leave(self, *, hide: bool) -> None:
        """Go back to the timeline."""
        self._screen.remove_class("-only-repl")
        if hide:
            self._screen.remove_class("-repl")
        self._timeline.lines.focus()

    def maximise(self) -> None:
        """Give the REPL the whole screen, or take it back."""
        self._screen.toggle_class("-only-repl")
