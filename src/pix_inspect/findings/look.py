"""One look at one exchange: its row, its decoded form, and what is around it on its connection.

The passes take it. What came before is looked up in the session, so that a pass has no state
and an exchange can be looked at alone.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from pix.codec.gates import WORKER, newest, version_text
from pix.conversation.exchange import DAEMON, SIDES
from pix.conversation.notes import Reason
from pix.protocol.types import FEATURES, TrustedFlag
from pix_inspect.base.safe_text import inert, plain
from pix_inspect.findings.finding import Finding
from pix_inspect.findings.kinds import KINDS, OF_LAYOUT, OF_READING
from pix_inspect.forensics.mistakes import Diagnosis, Mistake
from pix_inspect.session import standard_error
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.session.session import Row, Session

if TYPE_CHECKING:
    from pix_inspect.forensics.desync import Forensics

LOOK_BACK = 400
"""Exchanges in which the one before or behind on the same connection is looked for."""

OFTEN = 4
"""Connections that one process opens one after the other before it is worth a note."""

CHANGED_VERSION = 0x10A0D
"""1.10, which is 0x10a: with CR LF for its LF, and the first of its zeros."""
MOST_SAID = 300
OF_PATH = {
    Mistake.LINE_ENDS: "line-ends",
    Mistake.ECHO: "terminal",
    Mistake.SWALLOWED: "terminal",
}
"""What neither side does, and the findings that say so."""
MOST_FEATURES = 5
_TRUST: dict[object, bool] = {TrustedFlag.TRUSTED: True, TrustedFlag.NOT_TRUSTED: False}


class Surroundings:
    """What is to be known of the connection around an exchange."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._trust: dict[int, bool | None] = {}
        self._unknown: dict[int, str] = {}
        self._hellos: dict[int, list[int | None]] = {}
        self._counted = 0
        self._opened: dict[tuple[int, str], int] = {}
        self._often: dict[int, int] = {}
        self._lock = threading.Lock()

    @cached_property
    def forensics(self) -> Forensics:
        """What may explain what is wrong; imported when something is."""
        from pix_inspect.forensics.desync import Forensics

        return Forensics(self.session)

    def trusted(self, connection: int) -> bool | None:
        """Return whether the daemon trusts a connection's client, None when it does not say."""
        with contextlib.suppress(KeyError):
            return self._trust[connection]  # asked once: another thread may clear it
        handshake = self.session.connections[connection].handshake
        said = None
        if handshake is not None:
            said = self.session.exchange(handshake).field("reply", "trusted")
        trust = _TRUST.get(said.value) if said is not None else None
        if len(self._trust) > 10_000:
            self._trust.clear()
        self._trust[connection] = trust
        return trust

    def unknown(self, connection: int) -> str:
        """Return what a connection speaks that is not known here, inert; empty if nothing is."""
        with contextlib.suppress(KeyError):
            return self._unknown[connection]
        row = self.session.connections[connection]
        said = []
        family, protocol = row.family or WORKER, row.protocol
        if protocol is None:
            return ""
        if row.handshake is not None and self.changed_hello(connection) is None:
            numbers = [each for each in self._versions(row.handshake) if each is not None]
            majors = {each >> 8 for each in numbers}
            if (worst := max(numbers, default=0)) >> 8 != family.major:
                said.append(
                    f"version {version_text(worst)}: an unsupported major, which Nix clients refuse"
                )
            elif protocol.minor < family.oldest and majors == {family.major}:
                said.append(f"version {protocol.text}: older than {family.version(family.oldest)}")
        if protocol.minor > family.newest:
            said.append(f"version {protocol.text}: newer than {newest(family).text}")
        features = sorted(protocol.features - FEATURES.keys())
        said += [f"feature {inert(each, 80)}" for each in features[:MOST_FEATURES]]
        if len(self._unknown) > 10_000:
            self._unknown.clear()
        self._unknown[connection] = "; ".join(said)
        return self._unknown[connection]

    def changed_hello(self, connection: int) -> Diagnosis | None:
        """Return that line ends were changed in a connection's handshake."""
        handshake = self.session.connections[connection].handshake
        versions = self._versions(handshake) if handshake is not None else []
        if CHANGED_VERSION not in versions:
            return None
        side = SIDES[versions.index(CHANGED_VERSION)]
        where = f"the {side}'s version is 1.10, and a CR stands before its LF, at byte 8"
        return Diagnosis(Mistake.LINE_ENDS, where)

    def _versions(self, handshake: int) -> list[int | None]:
        """Return what the client and the daemon said as their version, None where it is none."""
        with contextlib.suppress(KeyError):
            return self._hellos[handshake]
        view = self.session.exchange(handshake)
        fields = (view.field(part, "version") for part in ("request", "reply"))
        values = [each.value if each is not None else None for each in fields]
        said = [int(value) if isinstance(value, int) else None for value in values]
        if None not in said:  # else more may come
            if len(self._hellos) > 10_000:
                self._hellos.clear()
            self._hellos[handshake] = said
        return said

    def before(self, row: Row) -> int | None:
        """Return the index of the exchange before on the same connection."""
        for i in range(row.number - 2, max(row.number - 2 - LOOK_BACK, -1), -1):
            if self.session.row(i).connection == row.connection:
                return i
        return None

    def behind(self, row: Row) -> int | None:
        """Return the index of the exchange behind on the same connection."""
        for i in range(row.number, min(row.number + LOOK_BACK, len(self.session))):
            if self.session.row(i).connection == row.connection:
                return i
        return None

    def connections_of(self, number: int) -> int:
        """Return which of its process's connections this is, from 1; 0 where none is known."""
        with self._lock:
            self._count_connections()
            return self._often.get(number, 0)

    def _count_connections(self) -> None:
        # a list, as another thread may be reading more of the recording
        for connection in list(islice(self.session.connections.values(), self._counted, None)):
            self._counted += 1
            peer = connection.peer
            if peer.pid is not None:
                key = (peer.pid, str(peer.command))
                self._opened[key] = self._opened.get(key, 0) + 1
                if self._opened[key] % OFTEN == 0:
                    self._often[connection.number] = self._opened[key]


class Look:
    """One look at one exchange, and the remarks on it; `decoded`: at its fields, too."""

    def __init__(
        self, around: Surroundings, row: Row, decoded: bool, view: ExchangeView | None = None
    ) -> None:
        self.around = around
        self.session = around.session
        self.row = row
        self.decoded = decoded
        self.notes = self.session.remarks(row.number - 1)
        self.reasons = {note.reason for note in self.notes}
        self._view = view

    @property
    def forensics(self) -> Forensics:
        return self.around.forensics

    @property
    def view(self) -> ExchangeView:
        """The exchange, decoded when this is first asked."""
        if self._view is None:
            self._view = self.session.exchange(self.row.number - 1)
        return self._view

    @cached_property
    def said_errors(self) -> list[str]:
        """The errors that the daemon's program wrote to its standard error meanwhile."""
        return standard_error.errors(self.session, self.row)

    @property
    def last_words(self) -> str:
        """What it wrote there last, as a half-sentence, empty where it wrote nothing."""
        said = [line for line in standard_error.lines(self.session, self.row) if line.strip()]
        return f"; its standard error ends with: {plain(said[-1]).strip()}" if said else ""

    @property
    def is_behind_unknown(self) -> bool:
        """Whether what the client says here follows a number that is not an operation."""
        before = self.around.before(self.row)
        if before is None or self.row.client_start < 0:
            return False
        notes = self.session.remarks(before)
        return any(note.reason is Reason.UNKNOWN_OPERATION for note in notes)

    @property
    def who_left(self) -> int | None:
        """The side that ended its stream first, as far as the recording tells."""
        return self.session.connections[self.row.connection].left

    def found(
        self,
        name: str,
        said: str = "",
        side: int | None = None,
        offset: int | None = None,
        field: str = "",
        diagnosis: Diagnosis | None = None,
    ) -> Finding:
        """Return a finding in this exchange."""
        said = inert(said, MOST_SAID)
        row = self.row
        return Finding(
            KINDS[name], row.number, row.connection, said, side, offset, field, diagnosis
        )

    def weighed(self, finding: Finding) -> Finding:
        """Return a finding as what it is where the connection's layouts are not known.

        What may as well have been cut off is a mistake only where the side left first that it is
        about. Changed line ends are the path's, whatever came of them.
        """
        why = finding.diagnosis
        if why is not None and why.mistake in OF_PATH:
            finding = replace(finding, kind=KINDS[OF_PATH[why.mistake]])
        by = why.proviso.side if why is not None and why.proviso is not None else None
        if why is not None and by is not None and by != self.who_left:
            finding = replace(finding, diagnosis=replace(why, mistake=None, where="", proviso=None))
        if finding.kind.name in OF_LAYOUT and (
            changed := self.around.changed_hello(self.row.connection)
        ):
            return replace(finding, kind=KINDS["line-ends"], diagnosis=changed)
        if not (read_as := self._read_as(finding.kind.name)):
            return finding
        said = f"{finding.kind.name} if it were {read_as}: {finding.said}"
        return replace(finding, kind=KINDS["unknown-layout"], said=said, diagnosis=None)

    def _read_as(self, kind: str) -> str:
        """Return as what the connection is read where a kind depends on it; empty if it is that."""
        connection = self.session.connections[self.row.connection]
        if connection.guessed and connection.protocol and kind in OF_LAYOUT | OF_READING:
            return f"{connection.protocol.text}, which is a guess"
        if kind in OF_LAYOUT and self.around.unknown(connection.number):
            family, protocol = connection.family or WORKER, connection.protocol
            is_old = protocol is not None and protocol.minor < family.oldest
            return family.version(family.oldest if is_old else family.newest)
        return ""

    @property
    def daemon_start(self) -> tuple[int, int] | tuple[None, None]:
        """The daemon's side and where the exchange begins there, if it does."""
        start = self.row.daemon_start
        return (DAEMON, start) if start >= 0 else (None, None)
