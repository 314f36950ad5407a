"""How findings are found: what the index tells first, and decoding only where that calls for it.

Each pass takes one exchange and yields its findings; those over handshakes and over what is
said stand in `greeting_findings` and `message_findings`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from pix.codec.declare import OPERATIONS, Version
from pix.codec.gates import Protocol
from pix.conversation.exchange import CLIENT, DAEMON, SIDES
from pix.conversation.notes import Note, Reason
from pix_inspect.base.units import duration, size
from pix_inspect.findings.finding import Finding
from pix_inspect.findings.handshakes import Greetings
from pix_inspect.findings.look import LOOK_BACK, Look, Surroundings
from pix_inspect.findings.messages import Messages
from pix_inspect.forensics.desync import Forensics
from pix_inspect.forensics.rules import is_certain, named_other
from pix_inspect.recording.reader import Chunk
from pix_inspect.recording.stall_notes import Stall
from pix_inspect.session.index import COMPLETE, KINDS, OK, Record
from pix_inspect.session.session import ConnectionRow, Session

MOST_LOG = 20_000
"""Log frames of one exchange that are read for what the daemon complains of."""

MOST_ITEMS = 50_000
"""Packets in which the end of a connection is looked for."""

EXPLAINED_BEFORE = (Reason.BEGAN_EARLIER, Reason.UNDER_WAY_EARLIER, Reason.UNKNOWN_REPLY)
"""Why bytes are opaque that are no finding of their own."""

WELL = OK | COMPLETE
OPERATION = KINDS.index("operation")
"""What a record says of an operation that ended well."""

_RELEASE = re.compile(r"(\d+)\.(\d+)")


class Detector:
    """Finds what is irregular in the exchanges of a session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._around = Surroundings(session)
        self._ordinary: dict[tuple[Protocol | None, str | None], frozenset[int]] = {}

    def is_ordinary(self, i: int, record: Record) -> bool:
        """Whether the index says of exchange `i` that there is nothing to be found in it."""
        connection, code, kind, state = record[3:7]
        if state != WELL or kind != OPERATION or record[11] or self.session.remarks(i):
            return False
        row = self.session.connections[connection]
        if row.stalls and _stalls_in(row, record[0], record[7]):
            return False
        key = (row.protocol, row.daemon_nix)
        codes = self._ordinary.get(key)
        if codes is None:
            codes = self._ordinary[key] = _ordinary_codes(*key)
        return code in codes

    def of(self, i: int, *, decoded: bool = True) -> list[Finding]:
        """Return the findings of exchange `i` (from 0).

        Without `decoded`, fields are looked at only where the index gives a reason.
        """
        row = self.session.row(i)
        return list(_Whole(self._around, row, decoded).all())


class _Whole(Messages, Greetings, Look):
    """All passes."""

    def all(self) -> Iterator[Finding]:
        row = self.row
        if row.kind == "opaque":
            yield from self.opaque()
            return
        notes = self.session.remarks(row.number - 1)
        reasons = {note.reason for note in notes}
        if row.kind == "operation":
            yield from self.operation()
        elif row.kind == "orphan":
            yield from self.orphan(notes)
        yield from self.noted(notes)
        yield from self.not_read()
        if row.state == "cut" or Reason.ANSWER_CUT in reasons:
            yield from self.ended(notes, reasons)
        if row.kind == "handshake":
            yield from self.handshake(notes)
        elif row.took is None:
            yield self.found("unanswered", f"{row.operation or row.kind} goes on")
        if row.operation == "SetOptions":
            yield from self.settings()
        if row.state == "error":
            yield from self.error()
        if row.log and row.log <= MOST_LOG and (self.decoded or row.log < 8):
            yield from self.log()
        if self.decoded or row.kind == "handshake" or row.state == "error":
            yield from self.irregular()

    # From the index -----------------------------------------------------------------------

    def operation(self) -> Iterator[Finding]:
        row = self.row
        code = row.code
        start = self.session.start_of(row.number - 1)
        operation = OPERATIONS.get(code) if code is not None else None
        if operation is None:
            yield self.found("unknown-operation", f"operation {code} ({code:#x})", CLIENT, start)
            return
        connection = self.session.connections[row.connection]
        protocol = connection.protocol
        if protocol is None:
            return
        life = operation.life
        if _reached(life.removed, protocol):
            said = f"operation {code} was {operation.name}, removed in {life.removed}"
            diagnosis = Forensics(self.session).odd_operation(row)
            yield self.found("unknown-operation", said, CLIENT, start, diagnosis=diagnosis)
        if _reached(life.obsolete, protocol, connection.daemon_nix):
            said = f"{operation.name} is obsolete from {life.obsolete} on"
            said += f", removed in {life.removed}" if life.removed else ""
            said += f"; instead: {life.instead}" if life.instead else ""
            yield self.found("obsolete", said, CLIENT, start)
        if operation.feature is not None:
            if operation.feature not in protocol.features:
                said = f"{operation.name} needs the feature {operation.feature}"
                yield self.found("without-feature", said, CLIENT, start)
        elif not life.is_there(protocol.minor):
            said = f"{operation.name} exists since {life.introduced}; this is {protocol.text}"
            yield self.found("newer-operation", said, CLIENT, start)

    def orphan(self, notes: tuple[Note, ...]) -> Iterator[Finding]:
        reasons = {note.reason for note in notes}
        if Reason.REPEATED_ERROR in reasons:
            yield self.found("doubled-error", str(notes[0]), *self.daemon_start)
        elif Reason.OUT_OF_STEP not in reasons:
            yield self.found("stray-frame", "", *self.daemon_start)

    def noted(self, notes: tuple[Note, ...]) -> Iterator[Finding]:
        failed = self.row.state == "error"
        for note in notes:
            if note.reason in (Reason.ARGUMENTS_UNREAD, Reason.FRAMES_UNREAD):
                yield self.found("frames-unread", str(note), *self.daemon_start)
            elif note.reason is Reason.ANSWERED_EARLY or (
                note.reason is Reason.REQUEST_CUT and failed
            ):
                yield from self.early(note)

    def early(self, note: Note) -> Iterator[Finding]:
        """A request that is answered too early: without payload to leave, it was over for both."""
        diagnosis = Forensics(self.session).answered_early(self.row)
        side, start = self.daemon_start
        name = _graver("early-answer", diagnosis)
        yield self.found(name, str(note), side, start, diagnosis=diagnosis)

    def not_read(self) -> Iterator[Finding]:
        row = self.row
        connection = self.session.connections[row.connection]
        for stall in _stalls_in(connection, row.started, row.took):
            held = f"; the relay held {size(stall.held)} back" if stall.held else ""
            until = "" if stall.until is None else f" for {duration(stall.until - stall.since)}"
            said = f"the {SIDES[stall.side]} took nothing{until}{held}"
            yield self.found("not-read", said, 1 - stall.side)

    # How it ends --------------------------------------------------------------------------

    def ended(self, notes: tuple[Note, ...], reasons: set[Reason]) -> Iterator[Finding]:
        row = self.row
        if row.kind == "handshake" or self.is_refused or Reason.ANSWER_OPAQUE in reasons:
            return
        said = f"{row.operation or row.kind}: {'; '.join(map(str, notes))}"
        if Reason.REQUEST_CUT in reasons:
            end = self.view.span(CLIENT)[1]
            why = self.why_left()
            yield self.found(_graver("cut-request", why), said, CLIENT, end, diagnosis=why)
        elif Reason.REQUEST_OPAQUE in reasons:
            return
        elif self.who_left() == DAEMON:
            last = self.view.span(DAEMON)[1] or None
            why = self.why_left() if row.state == "error" else ()
            yield self.found(_graver("daemon-left", why), said, DAEMON, last, diagnosis=why)
        else:
            end = self.view.span(CLIENT)[1]
            why = self.why_left()
            yield self.found(_graver("client-left", why), said, CLIENT, end, diagnosis=why)

    @property
    def is_refused(self) -> bool:
        """Whether the handshake before this came to nothing: then that is the finding."""
        for i in range(self.row.number - 2, max(self.row.number - 2 - LOOK_BACK, -1), -1):
            other = self.session.row(i)
            if other.connection == self.row.connection and other.kind == "handshake":
                return other.state in ("cut", "error")
        return False

    def why_left(self) -> tuple[str, ...]:
        return Forensics(self.session).left(self.row)

    def who_left(self) -> int | None:
        """The side that ended its stream first, as far as the recording tells."""
        row = self.row
        items = self.session.reader.read_from(self.view.place.position)
        for item in islice(items, MOST_ITEMS):
            if item.connection == row.connection and not isinstance(item, Chunk):
                if item.side is not None:
                    return item.side
                if item.kind == "close":
                    return None
        return None

    # Opaque -------------------------------------------------------------------------------

    def opaque(self) -> Iterator[Finding]:
        view = self.view
        notes = view.place.notes
        reason = notes[0].reason if notes else None
        said = str(notes[0]) if notes else ""
        starts = view.place.starts
        side = CLIENT if starts[CLIENT] >= 0 else DAEMON
        offset = max(starts[side], 0)
        if reason in EXPLAINED_BEFORE:
            return
        if reason is Reason.NOT_RECORDED:
            yield self.found("not-recorded", said, side, offset)
        elif reason is Reason.GUIX:
            if side == CLIENT:
                yield self.found("guix", said, side, offset)
        elif offset == 0:
            text = Forensics(self.session).foreign(view, side)
            if text is not None:
                shown, diagnosis = text
                yield self.found("foreign-text", shown, side, offset, diagnosis=diagnosis)
            else:
                yield self.found("wrong-magic", said, side, offset)
        elif reason is Reason.BEHIND_REFUSAL:
            yield self.found("desync", said, side, offset)
        else:
            name = "wild-length" if reason is Reason.WILD_LENGTH else "desync"
            diagnosis = Forensics(self.session).diagnose(view, side)
            said = notes[0].said if notes else ""
            yield self.found(_graver(name, diagnosis), said, side, offset, diagnosis=diagnosis)


def _graver(name: str, diagnosis: tuple[str, ...]) -> str:
    """Return what a finding is, seen what explains it: the stream may be out of step."""
    if any(named_other(line) for line in diagnosis):
        return "misannounced-version"
    if name not in ("desync", "wild-length") and any(map(is_certain, diagnosis)):
        return "desync"
    return name


def _stalls_in(connection: ConnectionRow, started: int, took: int | None) -> list[Stall]:
    """Return the stalls of a connection that began while an exchange went on."""
    return [
        stall
        for stall in connection.stalls
        if started <= stall.since and (took is None or stall.since <= started + took)
    ]


def _reached(version: Version | None, protocol: Protocol, daemon_nix: str | None = None) -> bool:
    """Whether a version is reached by its number or, where it has none, by the daemon's release."""
    if version is None:
        return False
    if version.minor is not None:
        return protocol.minor >= version.minor
    release = _RELEASE.match(daemon_nix or "")
    if release is None or not version.nix:
        return False
    major, minor = version.nix.split(".")[:2]
    return (int(release[1][:6]), int(release[2][:6])) >= (int(major), int(minor))


def _ordinary_codes(protocol: Protocol | None, daemon_nix: str | None) -> frozenset[int]:
    """Return the operations that need no look where they ended well."""
    return frozenset(
        code
        for code, operation in OPERATIONS.items()
        if protocol is not None
        and operation.name != "SetOptions"
        and (operation.feature is None or operation.feature in protocol.features)
        and not _reached(operation.life.removed, protocol)
        and not _reached(operation.life.obsolete, protocol, daemon_nix)
        and operation.life.is_there(protocol.minor)
    )
