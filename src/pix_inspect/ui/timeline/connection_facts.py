"""Who made a connection, and what was agreed on it, on one line."""

from __future__ import annotations

from pix_inspect.base.units import count
from pix_inspect.describe.about import short_command
from pix_inspect.describe.field_rows import value_text
from pix_inspect.recording.notes import Peer
from pix_inspect.session.session import Session
from pix_inspect.ui.widgets.text import safe

LONGEST_COMMAND = 40


def command_of(peer: Peer, longest: int) -> str:
    """Return a client's command line as safe text, its program without folder; "" if unknown."""
    return safe(short_command(peer), longest)


class ConnectionFacts:
    """The facts of a session's connections, each looked up once its handshake is over."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[int, list[str]] = {}

    def text(self, number: int) -> str:
        """Return the facts of a connection as safe text: who made it, and what was agreed."""
        row = self._session.connections.get(number)
        if row is None:
            return ""
        agreed = self._known.get(number)
        if agreed is None:
            agreed = self._agreed(number)
            if row.protocol is not None:
                self._known[number] = agreed
        pid, command = row.peer.pid, command_of(row.peer, LONGEST_COMMAND)
        who = [command] if command else []
        who += [f"pid {pid}"] if pid is not None else []
        failed = [count(row.errors, "error")] if row.errors else []
        return " · ".join([*who, count(row.exchanges, "exchange"), *failed, *agreed])

    def _agreed(self, number: int) -> list[str]:
        row = self._session.connections[number]
        if row.protocol is None:
            return ["no version agreed"]
        said = [row.protocol.text]
        if row.daemon_nix:
            said.append(f"nix {safe(row.daemon_nix, 40)}")
        if row.handshake is not None:
            trusted = self._session.exchange(row.handshake).field("reply", "trusted")
            if trusted is not None:
                said.append(safe(value_text(trusted, named=False), 40).lower())
        return said
