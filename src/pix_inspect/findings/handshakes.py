"""What is irregular in a handshake: refusals, downgrades, features, versions not spoken."""

from __future__ import annotations

from collections.abc import Iterator

from pix.codec.declare import record_of
from pix.codec.gates import GUIX_MINOR, version_text
from pix.conversation.exchange import CLIENT, DAEMON
from pix.conversation.notes import Reason
from pix.protocol.handshake import ClientHello
from pix_inspect.findings.downgrade import lost
from pix_inspect.findings.finding import Finding
from pix_inspect.findings.look import Look
from pix_inspect.forensics.mistakes import Diagnosis, Mistake
from pix_inspect.session.exchange_view import ExchangeView, Part

HEAD = 16
"""Bytes of the daemon's magic and version, after which it may refuse the client's."""


REFUSED = frozenset((Reason.NOT_STARTED, Reason.NOT_ALLOWED, Reason.VERSION_REFUSED))
SILENT = frozenset((Reason.SILENT, Reason.SILENT_TO_STRANGER))
UNREACHED = frozenset((Reason.UNREACHED, Reason.COMMAND_ENDED))
EXPLAINED = REFUSED | SILENT | UNREACHED | {
    Reason.NO_MAGIC, Reason.HANDSHAKE_OPAQUE, Reason.NO_WORD
}  # fmt: skip
"""Why a handshake came to nothing."""


def handshake(look: Look) -> Iterator[Finding]:
    """Yield all findings of a handshake."""
    row = look.row
    opened = look.around.connections_of(row.connection)
    if opened:
        peer = look.session.connections[row.connection].peer
        said = f"connection number {opened} of process {peer.pid}"
        yield look.found("reopened", said)
    for note in look.notes:
        if note.reason in UNREACHED:
            yield look.found("unreachable", str(note))
        elif note.reason is Reason.NO_WORD:
            yield look.found("no-word")
        elif not look.reasons.isdisjoint(UNREACHED):
            continue  # that says why
        elif note.reason in REFUSED:
            yield look.found("refused", str(note), *look.daemon_start)
        elif note.reason in SILENT:
            yield look.found("refused", str(note))
        elif note.reason is Reason.NO_MAGIC:
            yield look.found("foreign-text", str(note), DAEMON, 0)
    view = look.view
    client, daemon = _plain(view.part("request")), _plain(view.part("reply"))
    versions = client.get("version"), daemon.get("version")
    yield from _doubled_version(look, view)
    if not all(isinstance(version, int) for version in versions):
        return
    one, two = (int(version) for version in versions if isinstance(version, int))
    if one & 0xFF >= GUIX_MINOR or two & 0xFF >= GUIX_MINOR:
        return
    spoken = min(one, two)
    if one != two and spoken >> 8 == 1:
        older = "the client" if one < two else "the daemon"
        missing = lost(spoken & 0xFF, max(one, two) & 0xFF)
        diagnosis = Diagnosis(evidence=tuple(f"lost: {each}" for each in missing))
        said = f"{older} knows {version_text(spoken)}, the other {version_text(max(one, two))}"
        yield look.found("downgrade", said, diagnosis=diagnosis)
    offered, known = _texts(client.get("features")), _texts(daemon.get("features"))
    hears_features = view.protocol is not None and record_of(ClientHello).has(
        "features", view.protocol
    )
    if hears_features:
        for feature in sorted(offered ^ known):
            who = "client" if feature in offered else "daemon"
            yield look.found("ignored-feature", f"{feature}: only the {who} knows it")
    last = view.field("request", "reserve_space")
    odd = last is not None and last.irregular is not None
    if odd or (hears_features and client.get("reserve_space")):
        why = look.forensics.swallowed(view)
        said = "the last word of the handshake is an operation's number"
        end = view.span(CLIENT)[1]
        yield look.found("misannounced-version", said, CLIENT, end - 8, diagnosis=why)
    explained = not look.reasons.isdisjoint(EXPLAINED)
    if row.state in ("ok", "error") or view.span(CLIENT)[1] == 0:
        return
    if view.span(DAEMON)[1] <= HEAD and one < two:
        if not explained:
            said = f"the daemon closed after it heard of version {version_text(one)}"
            yield look.found("refused", said, DAEMON, view.span(DAEMON)[1])
        return
    why = look.forensics.handshake(view)
    if why is not None:
        yield look.found("misannounced-version", diagnosis=why)
    elif not explained:
        yield look.found("handshake-stalled")


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
