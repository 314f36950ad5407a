"""How findings are found: what the index tells first, and decoding only where that calls for it.

Each pass takes a look at one exchange and yields its findings; those over handshakes and over
what is said stand in `handshakes` and `messages`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from pix.codec.declare import OPERATIONS, Version
from pix.codec.gates import Protocol
from pix.conversation.exchange import CLIENT, DAEMON, SIDES
from pix.conversation.notes import Note, Reason
from pix_inspect.base.units import duration, size
from pix_inspect.findings import messages
from pix_inspect.findings.finding import Finding
from pix_inspect.findings.half_recorded import without_blame
from pix_inspect.findings.handshakes import handshake
from pix_inspect.findings.look import Look, Surroundings
from pix_inspect.forensics.messages import is_gone
from pix_inspect.forensics.mistakes import Diagnosis, Mistake, Proviso
from pix_inspect.recording.stall_notes import Stall
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.session.row import KINDS, STATES, Row, packed
from pix_inspect.session.session import ConnectionRow, Session

MOST_LOG = 20_000
"""Log frames of one exchange that are read for what the daemon complains of."""

EXPLAINED_BEFORE = (
    Reason.BEGAN_EARLIER, Reason.GUESSED, Reason.UNDER_WAY_EARLIER,
    Reason.UNKNOWN_REPLY, Reason.ASKED_UNSEEN, Reason.READS_UNSEEN, Reason.NOT_AGREED,
)  # fmt: skip
"""Why bytes are opaque that are no finding of their own."""

ENDED_BEFORE = frozenset((Reason.ANSWER_OPAQUE, Reason.BEHIND_DOUBLED))
"""Why an exchange has no end, where the finding is what stood before."""

_UNKNOWN = {
    Reason.GUIX: "guix",
    Reason.GUIX_AND_NIX: "guix-and-nix",
    Reason.UNKNOWN_MAJOR: "unknown-version",
}
"""What is not understood, and nobody's mistake."""

_RELEASE = re.compile(r"(\d+)\.(\d+)")

_OK, _OPERATION = STATES.index("ok"), KINDS.index("operation")
_JUDGED = packed("operation", "connection", "kind", "state", "frames", "started", "took")


class Detector:
    """Finds what is irregular in the exchanges of a session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._around = Surroundings(session)
        self._ordinary: dict[tuple[Protocol | None, str | None], frozenset[int]] = {}

    def is_ordinary(self, exchange: Row) -> bool:
        """Whether the index says of an exchange that there is nothing to be found in it."""
        code, connection, kind, state, frames, started, took = _JUDGED(exchange[1])
        if state != _OK or kind != _OPERATION or frames or self.session.remarks(exchange[0] - 1):
            return False
        row = self.session.connections[connection]
        if row.standard_error or (row.stalls and _stalls_in(row, started, took)):
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
        return self._found(Look(self._around, self.session.row(i), decoded))

    def of_view(self, view: ExchangeView) -> list[Finding]:
        """Return the findings of an exchange that is decoded already."""
        return self._found(Look(self._around, view.row, True, view))

    def _found(self, look: Look) -> list[Finding]:
        found = without_blame([look.weighed(each) for each in _passes(look)], look)
        changed = [each for each in found if each.kind.name == "line-ends"]
        if changed and look.row.kind != "handshake":
            told = 0 if look.around.changed_hello(look.row.connection) is not None else 1
            changed = changed[told:]
        else:
            changed = changed[1:]
        return [each for each in found if each not in changed]


def _passes(look: Look) -> Iterator[Finding]:
    row = look.row
    if row.kind == "opaque":
        yield from _opaque(look)
        return
    if row.kind == "operation":
        yield from _operation(look)
    elif row.kind == "orphan":
        yield from _orphan(look)
    for said in look.said_errors:
        yield look.found("standard-error", f"{row.name}: {said}", *look.daemon_start)
    yield from _noted(look)
    yield from _not_read(look)
    if row.state == "cut" or Reason.ANSWER_CUT in look.reasons:
        yield from _ended(look)
    if row.kind == "handshake":
        yield from handshake(look)
    elif row.took is None:
        yield look.found("unanswered", f"{row.name} goes on")
    if row.operation == "SetOptions":
        yield from messages.settings(look)
    if row.state == "error":
        errors = list(messages.error(look))
        yield from errors or messages.failed_builds(look)
    if row.frames and row.frames <= MOST_LOG and (look.decoded or row.frames < 8):
        yield from messages.ignored(look)
    if look.decoded or row.kind == "handshake" or row.state == "error":
        yield from messages.irregular(look)


# From the index -----------------------------------------------------------------------


def _operation(look: Look) -> Iterator[Finding]:
    row = look.row
    code = row.code
    start = row.client_start
    operation = OPERATIONS.get(code) if code is not None else None
    if operation is None:
        number = row.wire_number
        yield look.found("unknown-operation", f"operation {number} ({number:#x})", CLIENT, start)
        return
    connection = look.session.connections[row.connection]
    protocol = connection.protocol
    if protocol is None:
        return
    life = operation.life
    if _reached(life.removed, protocol):
        before = look.around.before(row)
        if before is not None and look.session.row(before).code == code:
            return  # of zeros, which look like many, the first is the finding
        said = f"operation {operation.number} was {operation.name}, removed in {life.removed}"
        diagnosis = look.forensics.odd_operation(row)
        yield look.found("unknown-operation", said, CLIENT, start, diagnosis=diagnosis)
    if _reached(life.obsolete, protocol, connection.daemon_nix):
        said = f"{operation.name} is obsolete from {life.obsolete} on"
        said += f", removed in {life.removed}" if life.removed else ""
        said += f"; instead: {life.instead}" if life.instead else ""
        if row.state == "error" and messages.is_refused_operation(look):
            yield look.found("unknown-operation", f"{said}; the daemon refuses it", CLIENT, start)
        else:
            yield look.found("obsolete", said, CLIENT, start)
    if operation.feature is not None:
        if operation.feature not in protocol.features:
            said = f"{operation.name} needs the feature {operation.feature}"
            yield look.found("without-feature", said, CLIENT, start)
    elif not life.is_there(protocol.minor):
        said = f"{operation.name} exists since {life.introduced}; this is {protocol.text}"
        yield look.found("newer-operation", said, CLIENT, start)


def _orphan(look: Look) -> Iterator[Finding]:
    if Reason.ASKED_UNSEEN in look.reasons:
        return
    if Reason.REPEATED_ERROR in look.reasons and _is_last_word(look):
        yield look.found("doubled-error", str(look.notes[0]), *look.daemon_start)
    elif Reason.OUT_OF_STEP not in look.reasons:
        side, start = look.daemon_start
        early = _early_answers(look, "", start)
        said = f"{look.row.name}: {look.notes[0]}" if look.notes else ""
        yield from [look.found("stray-frame", said, side, start)] if early is None else early


def _is_last_word(look: Look) -> bool:
    """Whether the daemon says nothing but the same behind an error."""
    row = look.row
    while (behind := look.around.behind(row)) is not None:
        row = look.session.row(behind)
        again = any(n.reason is Reason.REPEATED_ERROR for n in look.session.remarks(behind))
        if row.daemon_start >= 0 and not again:
            return False
    return True


def _early_answers(look: Look, said: str, offset: int | None) -> list[Finding] | None:
    """Say once of a connection that answers stand before their questions, else None."""
    if (early := look.forensics.early_answers(look.row)) is None:
        return None
    number, why = early
    if number != look.row.number:
        return []
    return [look.found("other-order", said, DAEMON, offset, diagnosis=why)]


def _noted(look: Look) -> Iterator[Finding]:
    failed = look.row.state == "error"
    for note in look.notes:
        if note.reason is Reason.FRAMES_UNREAD and _is_payload_broken(look):
            continue  # that is the finding
        if note.reason in (Reason.ARGUMENTS_UNREAD, Reason.FRAMES_UNREAD):
            yield look.found("frames-unread", str(note), *look.daemon_start)
        elif note.reason is Reason.ANSWERED_EARLY or (note.reason is Reason.REQUEST_CUT and failed):
            yield from _early(look, note)
        elif (cause := note.cause) is not None and cause.length is not None and cause.offset:
            yield look.found("not-recorded", str(cause), note.side, cause.offset)


def _is_payload_broken(look: Look) -> bool:
    """Whether a payload that is not over when its daemon fails is no payload as it should be."""
    why = look.forensics.answered_early(look.row)
    return why is not None and why.certain


def _early(look: Look, note: Note) -> Iterator[Finding]:
    """A request that is answered too early: without payload to leave, it was over for both.

    To a client that had left before, the error says what it left behind.
    """
    diagnosis = look.forensics.answered_early(look.row)
    side, start = look.daemon_start
    name = "early-answer"
    if look.who_left == CLIENT and look.forensics.left_unanswered(look.row):
        name, side, start = "cut-request", CLIENT, note.offset
    elif diagnosis is not None and not diagnosis.certain:
        diagnosis = replace(diagnosis, proviso=Proviso.ALL_SAID)  # the answer may have cut it off
    yield look.found(_graver(name, diagnosis), str(note), side, start, diagnosis=diagnosis)


def _not_read(look: Look) -> Iterator[Finding]:
    row = look.row
    connection = look.session.connections[row.connection]
    for stall in _stalls_in(connection, row.started, row.took):
        held = f"; the relay held {size(stall.held)} back" if stall.held else ""
        until = "" if stall.until is None else f" for {duration(stall.until - stall.since)}"
        said = f"the {SIDES[stall.side]} took nothing{until}{held}"
        yield look.found("not-read", said, 1 - stall.side)


# How it ends --------------------------------------------------------------------------


def _ended(look: Look) -> Iterator[Finding]:
    row, reasons = look.row, look.reasons
    if row.kind == "handshake" or _is_refused(look) or not reasons.isdisjoint(ENDED_BEFORE):
        return
    operation = OPERATIONS.get(row.code) if row.code is not None else None
    if operation is not None and is_gone(operation):
        return  # that nobody asks for, and that nobody answers, is found
    said = f"{row.name}: {'; '.join(map(str, look.notes))}"
    is_cut = Reason.REQUEST_CUT in reasons
    if not is_cut and Reason.REQUEST_OPAQUE in reasons:
        return
    if look.who_left == DAEMON and look.said_errors:
        return  # that is the finding
    why, side, name = look.forensics.left(row, look.who_left), CLIENT, "unanswered"
    if look.who_left == DAEMON:
        said, side, name = said + look.last_words, DAEMON, "daemon-left"
    elif look.who_left == CLIENT:
        name = "cut-request" if is_cut else "client-left"
    last = look.view.span(side)[1]
    yield look.found(_graver(name, why), said, side, last or None, diagnosis=why)


def _is_refused(look: Look) -> bool:
    """Whether the handshake before this came to nothing: then that is the finding."""
    handshake = look.session.connections[look.row.connection].handshake
    return handshake is not None and look.session.row(handshake).state in ("cut", "error")


# Opaque -------------------------------------------------------------------------------


def _opaque(look: Look) -> Iterator[Finding]:
    view = look.view
    note = look.notes[0] if look.notes else None
    reason = note.reason if note is not None else None
    said = str(note) if note is not None else ""
    starts = view.row.starts
    side = CLIENT if starts[CLIENT] >= 0 else DAEMON
    offset = max(starts[side], 0)
    if reason in EXPLAINED_BEFORE:
        return
    if reason in (Reason.NOT_RECORDED, Reason.BEGINNING_UNSEEN):
        yield look.found("not-recorded", said, side, offset)
    elif reason is Reason.NUMBER_CUT:
        name = "cut-request" if look.who_left == CLIENT else "unanswered"
        yield look.found(name, said, side, offset)
    elif reason in _UNKNOWN:
        if side == CLIENT:  # said once of both
            yield look.found(_UNKNOWN[reason], said, side, offset)
    elif offset == 0:
        who = look.forensics.foreign(view, side)
        name = "foreign-text" if who is not None and who.text else "wrong-magic"
        said = (who.text or who.what) if who is not None else said
        yield look.found(name, said, side, offset, diagnosis=who.diagnosis if who else None)
    elif reason is Reason.BEHIND_REFUSAL:
        yield look.found("desync", said, side, offset)
    elif reason is Reason.UNASKED and (early := _early_answers(look, said, offset)) is not None:
        yield from early
    else:
        name = "wild-length" if reason is Reason.WILD_LENGTH else "desync"
        diagnosis = look.forensics.diagnose(view, side)
        if diagnosis.mistake is None and look.is_behind_unknown:
            return  # the number that is no operation is the finding
        if diagnosis.mistake is Mistake.LINE_ENDS and _is_irregular_before(look):
            return  # found there
        said = note.said if note is not None else ""
        yield look.found(_graver(name, diagnosis), said, side, offset, diagnosis=diagnosis)


def _is_irregular_before(look: Look) -> bool:
    """Whether fields of the exchange before are irregular, and were looked at."""
    before = look.around.before(look.row)
    if before is None or not look.decoded:
        return False
    return bool(messages.irregular(Look(look.around, look.session.row(before), True)))


def _graver(name: str, diagnosis: Diagnosis | None) -> str:
    """Return what a finding is, seen what explains it: the stream may be out of step."""
    if diagnosis is None or not diagnosis.certain:
        return name
    if diagnosis.mistake is Mistake.OTHER_VERSION:
        return "misannounced-version"
    return "desync" if name not in ("desync", "wild-length") else name


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
