"""What is irregular in a handshake: refusals, downgrades, features, versions not spoken."""

from __future__ import annotations

from collections.abc import Iterator

from pix.codec.gates import GUIX_MINOR, version_text
from pix.conversation.exchange import CLIENT, DAEMON
from pix.conversation.notes import Note, Reason
from pix_inspect.findings.downgrade import lost
from pix_inspect.findings.finding import Finding
from pix_inspect.findings.look import Look
from pix_inspect.forensics.desync import Forensics
from pix_inspect.forensics.mistakes import named
from pix_inspect.session.exchange_view import ExchangeView, Part

HEAD = 16
"""Bytes of the daemon's magic and version, after which it may refuse the client's."""


REFUSED = frozenset((Reason.NOT_STARTED, Reason.NOT_ALLOWED, Reason.VERSION_REFUSED))
SILENT = frozenset((Reason.SILENT, Reason.SILENT_TO_STRANGER))


class Greetings(Look):
    """The passes over a handshake."""

    def handshake(self, notes: tuple[Note, ...]) -> Iterator[Finding]:
        """Yield all findings of a handshake with these remarks."""
        row = self.row
        opened = self.around.connections_of(row.connection)
        if opened:
            peer = self.session.connections[row.connection].peer or {}
            said = f"connection number {opened} of process {peer.get('pid')}"
            yield self.found("reopened", said)
        for note in notes:
            if note.reason in REFUSED:
                yield self.found("refused", str(note), *self.daemon_start)
            elif note.reason in SILENT:
                yield self.found("refused", str(note))
            elif note.reason is Reason.NO_MAGIC:
                yield self.found("foreign-text", str(note), DAEMON, 0)
        view = self.view
        client, daemon = _plain(view.part("request")), _plain(view.part("reply"))
        versions = client.get("version"), daemon.get("version")
        yield from self.doubled_version(view)
        if not all(isinstance(version, int) for version in versions):
            return
        one, two = (int(version) for version in versions if isinstance(version, int))
        if one & 0xFF >= GUIX_MINOR or two & 0xFF >= GUIX_MINOR:
            return
        spoken = min(one, two)
        if one != two and spoken >> 8 == 1:
            older = "the client" if one < two else "the daemon"
            missing = list(lost(spoken & 0xFF, max(one, two) & 0xFF))
            said = f"{older} knows {version_text(spoken)}, the other {version_text(max(one, two))}"
            yield self.found("downgrade", said, diagnosis=tuple(f"lost: {m}" for m in missing))
        offered, known = _texts(client.get("features")), _texts(daemon.get("features"))
        if view.protocol is not None and view.protocol.minor >= 38:
            for feature in sorted(offered ^ known):
                who = "client" if feature in offered else "daemon"
                yield self.found("ignored-feature", f"{feature}: only the {who} knows it")
        spoken_minor = view.protocol.minor if view.protocol is not None else 0
        odd = _odd_boolean(view.part("request"), "reserve_space")
        if odd or (spoken_minor >= 38 and client.get("reserve_space")):
            diagnosis = Forensics(self.session).swallowed(view)
            said = "the last word of the handshake is an operation's number"
            end = view.span(CLIENT)[1]
            yield self.found("misannounced-version", said, CLIENT, end - 8, diagnosis=diagnosis)
        explained = any(
            note.reason in REFUSED | SILENT
            or note.reason in (Reason.NO_MAGIC, Reason.HANDSHAKE_OPAQUE)
            for note in notes
        )
        if row.state in ("ok", "error") or view.span(CLIENT)[1] == 0:
            return
        if view.span(DAEMON)[1] <= HEAD and one < two:
            if not explained:
                said = f"the daemon closed after it heard of version {version_text(one)}"
                yield self.found("refused", said, DAEMON, view.span(DAEMON)[1])
            return
        diagnosis = Forensics(self.session).handshake(view)
        if diagnosis:
            yield self.found("misannounced-version", diagnosis=diagnosis)
        elif not explained:
            yield self.found("handshake-stalled")

    def doubled_version(self, view: ExchangeView) -> Iterator[Finding]:
        """A client that says its version twice (NixOS/nix#11126)."""
        head = view.kept[CLIENT].first(8, 24)
        if len(head) == 16 and head[:8] == head[8:] and head[1:8] == b"\1\0\0\0\0\0\0":
            said = f"{version_text(int.from_bytes(head[:8], 'little'))} stands at 8 and at 16"
            diagnosis = (named("doubled version", said),)
            yield self.found("doubled-version", said, CLIENT, 16, "request.cpu", diagnosis)


def _plain(part: Part | None) -> dict[str, object]:
    if part is None or part.node is None:
        return {}
    return {child.name: child.plain() for child in part.node.children or ()}


def _odd_boolean(part: Part | None, name: str) -> bool:
    node = part.node.find(name) if part is not None and part.node is not None else None
    return node is not None and node.irregular is not None


def _texts(value: object) -> set[str]:
    return set(map(str, value)) if isinstance(value, (list, tuple)) else set()
