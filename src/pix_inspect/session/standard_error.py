"""What stands beside an exchange: the daemon's standard error while it went on.

A command that stands for the daemon (`nix-store --serve`, `nix-daemon --stdio`) has one; the
serve protocol has no other place for logs and errors. Nothing there says which exchange it is
about: to each belongs what came before the next one began.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING

from pix_inspect.base.safe_text import plain

if TYPE_CHECKING:
    from pix_inspect.session.session import Row, Session

LOOK_AHEAD = 400
"""Exchanges among which the next one of the same connection is looked for."""
MOST = 10_000
"""Lines of an exchange."""

_ERROR = re.compile(r"^(?:error|fatal error)\b\s*(?:\([^)]*\)\s*)?:", re.IGNORECASE)


def lines(session: Session, row: Row) -> list[str]:
    """Return what was written there while an exchange went on, by lines, as it was written."""
    connection = session.connections.get(row.connection)
    if connection is None or not connection.standard_error:
        return []
    pieces = connection.standard_error
    first = 0 if connection.handshake == row.number - 1 else _from(pieces, row.started)
    last = len(pieces)
    for i in range(row.number, min(row.number + LOOK_AHEAD, len(session))):
        following = session.row(i)
        if following.connection == row.connection:
            last = _from(pieces, following.started)
            break
    return "".join(text for _, text in pieces[first:last]).splitlines()[:MOST]


def errors(session: Session, row: Row) -> list[str]:
    """Return the errors among these lines, without colours; each with what is indented below."""
    found: list[str] = []
    inside = False
    for line in (plain(line).rstrip() for line in lines(session, row)):
        if _ERROR.match(line):
            found.append(line)
        elif not inside or not line[:1].isspace():
            inside = False
            continue
        elif line.strip():
            found[-1] += f" {' '.join(line.split())}"
        inside = True
    return found


def _from(pieces: list[tuple[int, str]], time: int) -> int:
    return bisect_left(pieces, (time, ""))
