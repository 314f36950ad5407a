"""The REPL on the main screen: which daemon it talks to, and when its pane is there.

Where a relay makes the recording, what is sent goes through it, so that it appears in the
timeline. A recording that is finished has no daemon: the pane says how to give one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from textual.widgets import Footer

from pix.problem import Problem
from pix_inspect.capture.own_relay import OwnRelay
from pix_inspect.repl.as_line import line_of
from pix_inspect.repl.repl import Session as ReplSession
from pix_inspect.session.session import Session
from pix_inspect.ui.main.dividers import Dividing
from pix_inspect.ui.main.tabs import Tab
from pix_inspect.ui.repl.repl_pane import ReplPane
from pix_inspect.ui.repl.repl_thread import Outcome, Talk
from pix_inspect.ui.timeline.timeline import Timeline

if TYPE_CHECKING:
    from pix_inspect.ui.app.app import Inspector

SOMEWHERE = "/path/of/its/socket"
PLAIN = re.compile(r"/[\w./+@=-]{1,200}", re.ASCII)
"""Paths that can be written between quotes as they are."""


def nowhere(session: Session) -> str:
    """Return how to give a recording a daemon: that which it was made of, where it says so."""
    about = session.about.get("about")
    upstream = about.get("upstream") if isinstance(about, dict) else None
    known = isinstance(upstream, str) and PLAIN.fullmatch(upstream) is not None
    return (
        f'this recording has no daemon: connect("{upstream if known else SOMEWHERE}") gives one,'
        " or --upstream SOCKET on the command line"
    )


def relay_of(tab: Tab) -> Path | None:
    """Return the socket of the relay that makes a recording, None when it is finished."""
    if tab.relay is not None:
        return tab.relay.socket if tab.relay.alive() else None
    about = tab.session.about.get("about")
    listen = about.get("listen") if isinstance(about, dict) else None
    return Path(listen) if isinstance(listen, str) and tab.is_live() else None


class Asking(Dividing):
    """A screen with a REPL."""

    app: Inspector
    session: Session
    _talk: Talk | None = None

    @property
    def repl(self) -> ReplPane | None:
        """The pane, once it was opened."""
        return next(iter(self.query(ReplPane)), None)

    def action_repl(self) -> None:
        self.open_repl()

    def open_repl(self, text: str = "") -> None:
        """Show the REPL, with `text` in its line if there is any."""
        pane = self.repl
        if pane is None:
            pane = ReplPane(self._new_talk(), id="repl")
            self.mount(pane, before=self.query_one(Footer))
            self.divide(self.shares)
        self.add_class("-repl")

        def go() -> None:
            if text:
                pane.put_line(text)
            else:
                pane.line.focus()

        self.call_after_refresh(go)

    def action_ask_again(self) -> None:
        """Put the request of the chosen exchange into the REPL, to be edited and sent."""
        chosen = self.query_one(Timeline).chosen
        if chosen is None:
            self.app.warn("choose an exchange first")
            return
        try:
            line = line_of(self.session.exchange(chosen))
        except Problem as problem:
            self.app.warn(str(problem))
        else:
            self.open_repl(line)

    def _new_talk(self) -> Talk:
        relay = relay_of(self.app.tab_of(self.session))
        own = OwnRelay(name="repl", known=relay)
        session = ReplSession(route=own)
        session.recording = self.session.path
        socket = self.app.upstream or relay
        if socket is not None:
            session.socket_path = str(socket)
        else:
            session.nowhere = nowhere(self.session)
        self._talk = Talk(session, own, self._tell)
        return self._talk

    def _tell(self, outcome: Outcome) -> None:
        """Hand on what the thread found out."""
        pane = self.repl
        if pane is not None and self.is_attached:
            pane.post_message(ReplPane.Came(outcome))

    def on_unmount(self) -> None:
        if self._talk is not None:
            self._talk.close()

    def on_repl_pane_left(self, message: ReplPane.Left) -> None:
        """Go back to the timeline."""
        self.unzoom()
        if message.hide:
            self.remove_class("-repl")
        self.query_one("#timeline").focus()

    def on_repl_pane_taller(self, message: ReplPane.Taller) -> None:
        """Give the REPL more room, or less."""
        self.widen_repl(message.step)

    def on_repl_pane_maximise(self) -> None:
        """Give the REPL the whole screen, or take it back."""
        self.toggle_class("-only-repl")

    def unzoom(self) -> None:
        """Give no pane the whole screen."""
        self.remove_class("-only-repl")
