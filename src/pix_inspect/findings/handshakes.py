"""What is irregular in a handshake: refusals, downgrades, features, versions not spoken."""

from __future__ import annotations

from collections.abc import Iterator

from pix.codec.gates import WORKER, is_guix, version_text
from pix.conversation.exchange import CLIENT, DAEMON
from pix.conversation.notes import Reason
from pix.protocol.handshake import HELLOS
from pix_inspect.base.safe_text import plain
from pix_inspect.base.units import duration
from pix_inspect.findings.downgrade import lost
from pix_inspect.findings.finding import Finding
from pix_inspect.findings.look import Look
from pix_inspect.forensics.desync import HELLO
from pix_inspect.forensics.hellos import features_first
from pix_inspect.forensics.mistakes import Diagnosis, Mistake
from pix_inspect.forensics.strangers import stranger
from pix_inspect.session.exchange_view import MAGIC, ExchangeView, Part

REFUSED = frozenset((Reason.NOT_STARTED, Reason.NOT_ALLOWED))
CLOSED = frozenset(
    (Reason.SILENT, Reason.SILENT_TO_SERVE, Reason.SILENT_TO_STRANGER, Reason.VERSION_REFUSED)
)
"""What is a refusal where it was the daemon that ended the connection."""
UNREACHED = frozenset((Reason.UNREACHED, Reason.COMMAND_ENDED))
HALF = frozenset((Reason.ANSWERS_UNSEEN, Reason.CLIENT_UNSEEN))
"""Only one of the directions is there."""
STALLED = 1_000_000_000
"""Nanoseconds of silence from which on a handshake is not only one that the recording cut."""
UNFINISHED = frozenset((Reason.CLOSED_EARLY, Reason.NO_LAST, Reason.HANDSHAKE_CUT))


def handshake(look: Look) -> Iterator[Finding]:
    """Yield all findings of a handshake."""
    row = look.row
    opened = look.around.connections_of(row.connection)
    if opened:
        peer = look.session.connections[row.connection].peer
        said = f"connection number {opened} of process {peer.pid}"
        yield look.found("reopened", said)
    view = look.view
    client, daemon = _plain(view.part("request")), _plain(view.part("reply"))
    versions = client.get("version"), daemon.get("version")
    yield from _doubled_version(look, view)
    yield from _unfinished(look, view)
    for side in (CLIENT, DAEMON):
        early = features_first(view.kept[side].first(0, HELLO), side)
        if early is not None:
            said = "a list of features stands where the version should"
            yield look.found("misannounced-version", said, side, 8, diagnosis=early)
    magics = client.get("magic"), daemon.get("magic")
    family = view.family or WORKER
    if magics != family.magics or not all(isinstance(version, int) for version in versions):
        return  # behind a wrong magic nothing is a version
    one, two = (int(version) for version in versions if isinstance(version, int))
    if family is WORKER and (is_guix(one) or is_guix(two)):
        return
    if changed := look.around.changed_hello(row.connection):
        yield look.found("line-ends", changed.where, diagnosis=changed)
        return
    if unknown := look.around.unknown(row.connection):
        yield look.found("unknown-version", unknown, *look.daemon_start)
    spoken = min(one, two)
    if one != two and one >> 8 == two >> 8 == family.major:
        older = "the client" if one < two else "the daemon"
        missing = lost(spoken & 0xFF, max(one, two) & 0xFF, family)
        diagnosis = Diagnosis(evidence=tuple(f"lost: {each}" for each in missing))
        said = f"{older} knows {version_text(spoken)}, the other {version_text(max(one, two))}"
        yield look.found("downgrade", said, diagnosis=diagnosis)
    offered, known = _texts(client.get("features")), _texts(daemon.get("features"))
    hears_features = view.protocol is not None and HELLOS[family][CLIENT].has(
        "features", view.protocol
    )
    if hears_features:
        for feature in sorted(offered ^ known):
            who = "client" if feature in offered else "daemon"
            shown = feature or "a feature without a name"
            yield look.found("ignored-feature", f"{shown}: only the {who} knows it")
    last = view.field("request", "reserve_space")
    odd = last is not None and last.irregular is not None and view.protocol is not None
    if odd or (hears_features and client.get("reserve_space")):
        why = look.forensics.hello(look.row, CLIENT)
        said = "the last word of the handshake is an operation's number"
        end = view.span(CLIENT)[1]
        yield look.found("misannounced-version", said, CLIENT, end - 8, diagnosis=why)


def _unfinished(look: Look, view: ExchangeView) -> Iterator[Finding]:
    """What became of a handshake that was not finished: who refused, left, or kept silent."""
    ended = [note for note in look.notes if note.reason in UNREACHED]
    is_silent = not view.span(DAEMON)[1] and look.who_left != CLIENT
    how = "" if is_silent else "".join(f"; {note}" for note in ended)
    for note in look.notes:
        said, reason = f"{note}{how}{look.last_words}", note.reason
        if note in ended:
            if is_silent:
                yield look.found("unreachable", said)
            elif not any(view.span(side)[1] for side in (CLIENT, DAEMON)):
                yield look.found("no-word", f"{note}{look.last_words}")
        elif reason is Reason.NO_WORD:
            yield look.found("no-word")
        elif ended and is_silent:
            continue  # that says why
        elif reason in HALF:
            yield look.found("not-recorded", said)
        elif reason is Reason.NOT_STARTED and (message := view.field("error", "message")):
            why_not = " ".join(plain(str(message.value)).split())
            yield look.found("refused", f"{note}: {why_not}", *look.daemon_start)
        elif reason in REFUSED or (reason in CLOSED and look.who_left == DAEMON):
            yield look.found("refused", said, *look.daemon_start)
        elif reason in CLOSED and reason is not Reason.SILENT_TO_STRANGER:
            name = "handshake-stalled" if reason is Reason.VERSION_REFUSED else "no-answer"
            yield look.found(name, said, *look.daemon_start)
        elif reason is Reason.CLIENT_LEFT:
            why = look.forensics.hello(look.row, DAEMON)
            name = "misannounced-version" if why is not None and why.certain else "client-left"
            yield look.found(name, said, CLIENT, view.span(CLIENT)[1], diagnosis=why)
        elif reason is Reason.NO_MAGIC:
            side = note.side if note.side is not None else DAEMON
            who = stranger(view.kept[side].first(0, MAGIC), side)
            name = "foreign-text" if who is not None and who.text else "wrong-magic"
            why = who.diagnosis if who is not None else None
            named = f"; {who.what}" if who is not None and who.what else ""
            yield look.found(name, f"{note}{named}{look.last_words}", side, 0, diagnosis=why)
        elif reason in UNFINISHED:
            why = look.forensics.hello(look.row, note.side or CLIENT)
            if why is not None and not why.certain and look.who_left != CLIENT:
                why = None  # whoever it was may have broken off
            side = CLIENT if note.side == CLIENT else DAEMON
            name = "handshake-stalled"
            if why is not None and why.certain:
                name = "misannounced-version"
            elif look.who_left == side:
                name = ("client-left", "daemon-left")[side]
            yield look.found(name, said, side, view.span(side)[1], diagnosis=why)
    if look.row.took is None and view.span(CLIENT)[1]:
        session, spoken = look.session, look.session.connections[look.row.connection].last
        is_heard = not session.made.timeless and Reason.HANDSHAKE_OPAQUE not in look.reasons
        if is_heard and session.last - spoken >= STALLED:
            lasted = duration(session.last - look.row.started)
            said = f"it had gone on for {lasted} when the recording ended"
            yield look.found("handshake-stalled", said)
        else:
            yield look.found("unanswered", "handshake goes on")


def _doubled_version(look: Look, view: ExchangeView) -> Iterator[Finding]:
    """A client that says its version twice (NixOS/nix#11126)."""
    head = view.kept[CLIENT].first(8, 24)
    if len(head) == 16 and head[:8] == head[8:] and head[1:8] == b"\1\0\0\0\0\0\0":
        said = f"{version_text(int.from_bytes(head[:8], 'little'))} stands at 8 and at 16"
        diagnosis = Diagnosis(Mistake.DOUBLED_VERSION, said)
        yield look.found("doubled-version", said, CLIENT, 16, "request.cpu", diagnosis)


def _plain(part: Part | None) -> dict[str, object]:
    if part is None or part.node is None:
        return {}
    return {child.name: child.plain() for child in part.node.children or ()}


def _texts(value: object) -> set[str]:
    return set(map(str, value)) if isinstance(value, (list, tuple)) else set()
