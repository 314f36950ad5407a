"""Recordings for scripts: exchanges one after the other, with their values as Python has them.

    for exchange in pix_inspect.open("session.pcapng", "op = BuildPaths and error"):
        print(exchange.request["paths"], exchange.error)

This is what stays as it is from one version to the next; what lies below may change. Times are
seconds since 1970, durations seconds, sizes bytes; values are as in `dump --json` (docs/json.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

from pix.problem import Problem
from pix_inspect.base.safe_text import plain
from pix_inspect.describe.about import about
from pix_inspect.findings.finding import Finding
from pix_inspect.findings.lookup import detector
from pix_inspect.session.activities import log_line
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.session.failures import failure_text
from pix_inspect.session.growth import as_they_end, in_order
from pix_inspect.session.row import State
from pix_inspect.session.session import ConnectionRow, Session


class Client(NamedTuple):
    """Who made a connection, and what was agreed on it; None where it is not known."""

    connection: int
    opened: float
    closed: float | None
    pid: int | None
    uid: int | None
    command: str | None
    version: str | None
    """The protocol's version, as `1.38`."""
    features: frozenset[str]
    daemon_nix: str | None
    family: str | None = None
    """Which protocol it is: `worker` or `serve`."""


class Line(NamedTuple):
    """A line that the daemon said meanwhile: a message, or a line of a build's log."""

    time: float | None
    text: str


class Exchange:
    """One exchange: a handshake, or an operation with all that belongs to it.

    What it says is decoded when it is asked for the first time.
    """

    def __init__(self, view: ExchangeView, session: Session) -> None:
        self._view = view
        self._session = session

    def __repr__(self) -> str:
        return f"<Exchange {self.number} {self.name} {self.state}>"

    @property
    def number(self) -> int:
        """Its number in the recording, from 1."""
        return self._view.row.number

    @property
    def name(self) -> str:
        """The operation, or `handshake`."""
        return self._view.row.name

    @property
    def operation(self) -> str | None:
        """The operation's name, None for what is none or has no name."""
        return self._view.row.operation

    @property
    def state(self) -> State:
        """How it ended: `ok`, `error`, `cut`, `opaque`; `open` while it goes on."""
        return self._view.row.state

    @cached_property
    def client(self) -> Client:
        """The connection it belongs to, as it is known now."""
        return _client(self._session.connections[self._view.row.connection])

    @property
    def started(self) -> float | None:
        """When it began; None where the recording's times are made up."""
        return None if self._session.made.timeless else self._view.row.started / 1e9

    @property
    def took(self) -> float | None:
        """How long it took; None while it goes on, or where times are made up."""
        took = self._view.row.took
        return None if took is None or self._session.made.timeless else took / 1e9

    @property
    def sent(self) -> int:
        """Bytes from the client."""
        return self._view.row.up

    @property
    def received(self) -> int:
        """Bytes from the daemon."""
        return self._view.row.down

    @property
    def about(self) -> str:
        """What it is about, in a few words."""
        return about(self._view)

    @cached_property
    def request(self) -> dict[str, Any]:
        """The fields of the request, by name; empty where it could not be decoded."""
        return self._plain("request")

    @cached_property
    def reply(self) -> dict[str, Any]:
        """The fields of the reply, by name; empty where there was none."""
        return self._plain("reply")

    @cached_property
    def error(self) -> str | None:
        """What went wrong, without colours: the daemon's error, or builds that failed."""
        return failure_text(self._view) or None

    @property
    def log(self) -> Iterator[Line]:
        """What the daemon said meanwhile, in order."""
        timed = not self._session.made.timeless
        for part in self._view.log:
            text = log_line(part)
            if text is not None:
                yield Line(part.time / 1e9 if timed and part.time else None, plain(text))

    @property
    def payload(self) -> Iterator[bytes]:
        """What was sent along (a NAR, a log), piece by piece, without what carried it.

        Raises Problem where not all of it was kept in the recording.
        """
        found = self._view.payload
        for side, start, length in found.runs if found is not None else ():
            for offset, piece in self._view.bytes(side, start, start + length):
                if piece is None:
                    raise Problem(f"byte {offset} of the payload of #{self.number} was not kept")
                yield piece

    @property
    def findings(self) -> list[Finding]:
        """What is irregular about it."""
        return list(detector(self._session).of(self._view.row.number - 1))

    def _plain(self, name: str) -> dict[str, Any]:
        part = self._view.part(name)
        said = part.node.plain() if part is not None and part.node is not None else None
        return said if isinstance(said, dict) else {}


class Recording:
    """The exchanges of a recording that match, in order; again from the first for each loop.

    With `follow` a loop goes on as the recording grows, each exchange when it is over, for ever.
    Raises Problem when the file is no recording or the filter no filter.
    """

    def __init__(self, path: Path | str, filter: str = "", *, follow: bool = False) -> None:
        from pix_inspect.filter.compiled import compile_filter
        from pix_inspect.filter.syntax import FilterError

        try:
            self._wanted = compile_filter(filter) if filter else None
        except FilterError as error:
            raise Problem(str(error)) from None
        self._session = Session(path)
        self._follow = follow

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the exchanges can no longer be asked for what was not asked yet."""
        self._session.close()

    def __iter__(self) -> Iterator[Exchange]:
        session, wanted = self._session, self._wanted
        for i in as_they_end(session) if self._follow else in_order(session):
            if i is not None and (wanted is None or wanted.matches(session, i)):
                yield Exchange(session.exchange(i), session)

    @property
    def clients(self) -> list[Client]:
        """The connections, as far as the recording was read."""
        return list(map(_client, self._session.connections.values()))


def _client(row: ConnectionRow) -> Client:
    peer, agreed = row.peer, row.protocol
    return Client(
        row.number,
        row.opened / 1e9,
        None if row.closed is None else row.closed / 1e9,
        peer.pid,
        peer.uid,
        peer.command,
        None if agreed is None else agreed.text,
        frozenset() if agreed is None else agreed.features,
        row.daemon_nix,
        None if row.family is None else row.family.name,
    )
