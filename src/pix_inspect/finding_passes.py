"""How findings are found: what the index tells first, and decoding only where that calls for it.

Each pass takes one exchange and yields its findings; what came before on the connection is
looked up in the session, so that a pass has no state and an exchange can be looked at alone.

Knows sessions, views and declarations; nothing of text or screens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from pix.exchange import CLIENT, DAEMON
from pix.gates import GUIX_MINOR, version_text
from pix.protocol.types import TrustedFlag
from pix.schema import OPERATIONS
from pix.wire import Node
from pix_inspect.downgrade import lost
from pix_inspect.finding_kinds import KINDS
from pix_inspect.findings import Finding
from pix_inspect.forensics import Forensics
from pix_inspect.inert import inert, plain
from pix_inspect.log_text import frame_text
from pix_inspect.reader import Chunk
from pix_inspect.redaction import is_secret
from pix_inspect.session import Row, Session
from pix_inspect.view import ExchangeView, Part

LOOK_BACK = 400
"""Exchanges in which the one before on the same connection is looked for."""

MOST_LOG = 20_000
"""Log frames of one exchange that are read for what the daemon complains of."""

MOST_ITEMS = 50_000
"""Packets in which the end of a connection is looked for."""

OFTEN = 4
"""Connections that one process opens one after the other before it is worth a note."""

MOST_SAID = 300

HEAD = 16
"""Bytes of the daemon's magic and version, after which it may refuse the client's."""

UNTRUSTED_MAY = frozenset(
    ("timeout", "build-timeout", "max-silent-time", "build-max-silent-time", "poll-interval",
     "build-poll-interval", "connect-timeout")
)  # fmt: skip
"""Settings that every client may set. Source: Nix `daemon.cc`, ClientSettings::apply."""

UNTRUSTED_MAY_CHOOSE = frozenset(("substituters", "extra-substituters", "binary-caches"))
"""Settings of which an untrusted client may choose among what the daemon trusts."""

NEVER_FORWARDED = frozenset(("experimental-features", "extra-experimental-features",
                             "plugin-files", "ssh-auth-sock"))  # fmt: skip
"""Settings that no client may set; the daemon passes over them."""

_IGNORED = re.compile(
    r"ignoring (?:the )?(?:client-specified setting|untrusted (?:setting|substituter|flake))",
    re.IGNORECASE,
)
_UNSIGNED = re.compile(r"lacks a (?:valid )?signature|no signature .* trusted", re.IGNORECASE)
_NOT_TRUSTED = re.compile(
    r"not privileged|because you are not (?:a )?trusted|requires? (?:a )?trusted|"
    r"only allowed for trusted|not a trusted user",
    re.IGNORECASE,
)
_INVALID_OPERATION = re.compile(
    r"invalid operation (\d{1,20})|unknown operation (\d{1,20})", re.IGNORECASE
)
_STORE_PATH = re.compile(r"[0-9a-df-np-sv-z]{32}-[0-9A-Za-z+\-._?=]+")
_SINCE = re.compile(r"1\.(\d+)")
_RELEASE = re.compile(r"(\d+)\.(\d+)")


class Detector:
    """Finds what is irregular in the exchanges of a session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._trust: dict[int, bool | None] = {}
        self._counted = 0
        self._opened: dict[tuple[int, str], int] = {}
        self._often: dict[int, int] = {}

    def of(self, i: int, *, decoded: bool = True) -> list[Finding]:
        """Return the findings of exchange `i` (from 0).

        Without `decoded`, fields are looked at only where the index gives a reason.
        """
        row = self.session.row(i)
        return list(_Look(self, row, decoded).all())

    def trusted(self, connection: int, i: int) -> bool | None:
        """Return whether the daemon trusts a connection's client, None when it does not say."""
        if connection not in self._trust:
            trust = None
            for at in range(i, max(i - LOOK_BACK, -1), -1):
                row = self.session.row(at)
                if row.connection == connection and row.kind == "handshake":
                    reply = self.session.exchange(at).part("reply")
                    said = reply.node.find("trusted") if reply and reply.node else None
                    value = said.value if said is not None else None
                    trust = {TrustedFlag.TRUSTED: True, TrustedFlag.NOT_TRUSTED: False}.get(
                        value  # type: ignore[arg-type]
                    )
                    break
            if len(self._trust) > 10_000:
                self._trust.clear()
            self._trust[connection] = trust
        return self._trust[connection]

    def before(self, row: Row) -> int | None:
        """Return the index of the exchange before on the same connection."""
        for i in range(row.number - 2, max(row.number - 2 - LOOK_BACK, -1), -1):
            if self.session.row(i).connection == row.connection:
                return i
        return None

    def connections_of(self, number: int) -> int:
        """Return which of its process's connections this is, from 1; 0 where none is known."""
        rows = self.session.connections
        for connection in islice(rows.values(), self._counted, None):
            self._counted += 1
            peer = connection.peer or {}
            pid = peer.get("pid")
            if isinstance(pid, int):
                key = (pid, str(peer.get("command")))
                self._opened[key] = self._opened.get(key, 0) + 1
                if self._opened[key] % OFTEN == 0:
                    self._often[connection.number] = self._opened[key]
        return self._often.get(number, 0)


class _Look:
    """One look at one exchange."""

    def __init__(self, detector: Detector, row: Row, decoded: bool) -> None:
        self.detector = detector
        self.session = detector.session
        self.row = row
        self.decoded = decoded
        self._view: ExchangeView | None = None

    @property
    def view(self) -> ExchangeView:
        if self._view is None:
            self._view = self.session.exchange(self.row.number - 1)
        return self._view

    def found(
        self,
        name: str,
        said: str = "",
        side: int | None = None,
        offset: int | None = None,
        field: str = "",
        diagnosis: tuple[str, ...] = (),
    ) -> Finding:
        said = inert(said, MOST_SAID)
        row = self.row
        return Finding(
            KINDS[name], row.number, row.connection, said, side, offset, field, diagnosis
        )

    def all(self) -> Iterator[Finding]:
        row = self.row
        if row.kind == "opaque":
            yield from self.opaque()
            return
        notes = self.session.remarks(row.number - 1)
        if row.kind == "operation":
            yield from self.operation()
        elif row.kind == "orphan":
            yield from self.orphan(notes)
        yield from self.noted(notes)
        if row.state == "cut":
            yield from self.ended(notes)
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
        if life.removed and _SINCE.match(life.removed) and _reached(life.removed, protocol.minor):
            said = f"operation {code} was {operation.name}, removed in {life.removed}"
            yield self.found("unknown-operation", said, CLIENT, start)
        if life.obsolete and _reached(life.obsolete, protocol.minor, connection.daemon_nix):
            said = f"{operation.name} is obsolete from {life.obsolete} on"
            said += f", removed in {life.removed}" if life.removed else ""
            said += f"; instead: {life.instead}" if life.instead else ""
            yield self.found("obsolete", said, CLIENT, start)
        introduced = _SINCE.match(life.introduced)
        if operation.feature is not None:
            if operation.feature not in protocol.features:
                said = f"{operation.name} needs the feature {operation.feature}"
                yield self.found("without-feature", said, CLIENT, start)
        elif introduced is not None and int(introduced[1]) > protocol.minor:
            said = f"{operation.name} exists since {life.introduced}; this is {protocol.text}"
            yield self.found("newer-operation", said, CLIENT, start)

    def orphan(self, notes: tuple[str, ...]) -> Iterator[Finding]:
        if any(note.startswith("repeats the error") for note in notes):
            yield self.found("doubled-error", notes[0], *self.daemon_start)
        elif not any("out of step" in note for note in notes):
            yield self.found("stray-frame", "", *self.daemon_start)

    def noted(self, notes: tuple[str, ...]) -> Iterator[Finding]:
        for note in notes:
            if note.startswith("the daemon is out of step from here on"):
                yield self.found("frames-unread", note, *self.daemon_start)
            elif note.startswith("the daemon answered before the request"):
                yield from self.early()

    def early(self) -> Iterator[Finding]:
        """A request that is answered too early: without payload to leave, it was over for both."""
        code = self.row.code
        operation = OPERATIONS.get(code) if code is not None else None
        diagnosis: tuple[str, ...] = ()
        if operation is not None and operation.request.payload is None:
            diagnosis = Forensics(self.session).answered_early(self.row)
        other = any("“other version”" in line for line in diagnosis)
        name = "misannounced-version" if other else "desync" if diagnosis else "early-answer"
        side, start = self.daemon_start
        yield self.found(name, "", side, start, diagnosis=diagnosis)

    @property
    def daemon_start(self) -> tuple[int, int] | tuple[None, None]:
        start = self.session.start_of(self.row.number - 1, DAEMON)
        return (DAEMON, start) if start is not None else (None, None)

    # How it ends --------------------------------------------------------------------------

    def ended(self, notes: tuple[str, ...]) -> Iterator[Finding]:
        row = self.row
        if (
            row.kind == "handshake"
            or self.is_refused
            or any("is not understood" in note for note in notes)
        ):
            return
        said = f"{row.operation or row.kind}: {'; '.join(notes)}"
        if any("the client's stream ends inside the request" in note for note in notes):
            end = self.view.span(CLIENT)[1]
            yield self.found("cut-request", said, CLIENT, end, diagnosis=self.why_left())
        elif any("request undecodable" in note for note in notes):
            return
        elif self.who_left() == DAEMON:
            end = self.view.span(DAEMON)[1]
            yield self.found("daemon-left", said, DAEMON, end or None)
        else:
            end = self.view.span(CLIENT)[1]
            yield self.found("client-left", said, CLIENT, end, diagnosis=self.why_left())

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
        reason = notes[0] if notes else ""
        starts = view.place.starts
        side = CLIENT if starts[CLIENT] >= 0 else DAEMON
        offset = max(starts[side], 0)
        if reason.startswith("began in the previous file") or "an unknown operation" in reason:
            return
        if "were not recorded" in reason:
            yield self.found("not-recorded", reason, side, offset)
        elif "Guix" in reason:
            if side == CLIENT:
                yield self.found("guix", reason, side, offset)
        elif offset == 0:
            text = Forensics(self.session).foreign(view, side)
            if text is not None:
                said, diagnosis = text
                yield self.found("foreign-text", said, side, offset, diagnosis=diagnosis)
            else:
                yield self.found("wrong-magic", reason, side, offset)
        elif "behind a refusal" in reason:
            yield self.found("desync", reason, side, offset)
        else:
            wild = "the length" in reason or "found length" in reason
            diagnosis = Forensics(self.session).diagnose(view, side)
            named = any("“other version”" in line for line in diagnosis)
            name = "misannounced-version" if named else "wild-length" if wild else "desync"
            yield self.found(name, reason, side, offset, diagnosis=diagnosis)

    # The handshake ------------------------------------------------------------------------

    def handshake(self, notes: tuple[str, ...]) -> Iterator[Finding]:
        row = self.row
        opened = self.detector.connections_of(row.connection)
        if opened:
            peer = self.session.connections[row.connection].peer or {}
            said = f"connection number {opened} of process {peer.get('pid')}"
            yield self.found("reopened", said)
        for note in notes:
            if note.startswith("the daemon could not start") or "refuses" in note:
                yield self.found("refused", note, *self.daemon_start)
            elif note.startswith("the daemon said nothing"):
                yield self.found("refused", note)
            elif "which is no magic" in note:
                yield self.found("foreign-text", note, DAEMON, 0)
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
        reserve = client.get("reserve_space")
        if _odd_boolean(view.part("request"), "reserve_space") and reserve is not None:
            diagnosis = Forensics(self.session).swallowed(view)
            said = "the last word of the handshake is an operation's number"
            yield self.found("misannounced-version", said, CLIENT, 32, diagnosis=diagnosis)
        complete = row.state == "ok" or row.state == "error"
        told = ("refuses", "said nothing", "could not start", "no magic", "expected the")
        explained = any(word in note for note in notes for word in told)
        if complete or view.span(CLIENT)[1] == 0:
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
        head = view.kept[CLIENT].first(8, 24)
        if len(head) == 16 and head[:8] == head[8:] and head[1:8] == b"\1\0\0\0\0\0\0":
            said = f"{version_text(int.from_bytes(head[:8], 'little'))} stands at 8 and at 16"
            yield self.found("doubled-version", said, CLIENT, 16, "request.cpu")

    # What is said -------------------------------------------------------------------------

    def settings(self) -> Iterator[Finding]:
        part = self.view.part("request")
        overrides = part.node.find("overrides") if part and part.node else None
        entries = list((overrides.children if overrides is not None else None) or ())
        trusted = None
        if entries:
            trusted = self.detector.trusted(self.row.connection, self.row.number - 1)
        for entry in entries:
            name = entry.name
            value = next((child.value for child in reversed(entry.children or ())), None)
            field = f"request.overrides.{name}"
            if is_secret(name) and value:
                yield self.found("secret", name, CLIENT, entry.start, field)
            harmless = name in UNTRUSTED_MAY or name in NEVER_FORWARDED
            if trusted is not False or harmless or (name == "builders" and not value):
                continue
            if name in UNTRUSTED_MAY_CHOOSE:
                said = f"{name}: only those that the daemon trusts are used"
            else:
                said = f"{name} stays as the daemon has it"
            yield self.found("restricted-setting", said, CLIENT, entry.start, field)

    def error(self) -> Iterator[Finding]:
        part = self.view.part("error")
        message = part.node.find("message") if part and part.node else None
        if part is None or message is None or not isinstance(message.value, str):
            return
        text = " ".join(plain(message.value).split())
        where = (DAEMON, message.start, "error.message")
        if _UNSIGNED.search(text):
            yield self.found("unsigned", text, *where)
        elif _NOT_TRUSTED.search(text):
            yield self.found("not-trusted", text, *where)
        met = _INVALID_OPERATION.search(text)
        if met is not None:
            number = int(met[1] or met[2])
            if number != self.row.code and not self.is_repeated:
                diagnosis = Forensics(self.session).met(self.view, number)
                yield self.found("peer-out-of-step", text, *where, diagnosis)
        yield from self.of_another(text, where)

    @property
    def is_repeated(self) -> bool:
        notes = self.session.remarks(self.row.number - 1)
        return any(note.startswith("repeats the error") for note in notes)

    def of_another(self, text: str, where: tuple[int, int, str]) -> Iterator[Finding]:
        before = self.detector.before(self.row)
        if before is None or self.row.kind != "operation":
            return
        other = self.session.row(before)
        if other.state != "error" or other.kind != "operation":
            return
        last = self.session.exchange(before)
        part = last.part("error")
        message = part.node.find("message") if part and part.node else None
        if message is None or not isinstance(message.value, str):
            return
        if " ".join(plain(message.value).split()) != text:
            return
        named = set(_STORE_PATH.findall(text))
        ours, theirs = _said(self.view.part("request")), _said(last.part("request"))
        if ours == theirs or not named:
            return
        if not any(path in ours for path in named) and any(path in theirs for path in named):
            said = f"{self.row.operation} is answered by the error of #{other.number}: {text}"
            yield self.found("error-of-another", said, *where)

    def log(self) -> Iterator[Finding]:
        for part in self.view.log:
            if part.frame is not None and part.frame.frame.name == "STDERR_NEXT":
                text = plain(frame_text(part))
                if _IGNORED.search(text):
                    said = " ".join(text.split())
                    yield self.found("ignored-setting", said, DAEMON, part.start)

    def irregular(self) -> Iterator[Finding]:
        for part in self.view.parts:
            if part.error is not None and self.row.state in ("ok", "error"):
                elided = self.view.kept[part.side].whole(
                    part.start, min(part.end or part.start, part.start + (1 << 20))
                )
                if elided is not None:
                    yield self.found(
                        "undecodable", str(part.error), part.side, part.error.offset, part.name
                    )
            if part.node is not None:
                yield from self.fields(part)

    def fields(self, part: Part) -> Iterator[Finding]:
        assert part.node is not None
        stack: list[tuple[Node, str]] = [(part.node, part.name)]
        while stack:
            node, path = stack.pop()
            note = node.note
            if note is not None:
                name = (
                    "padding" if note.startswith("padding")
                    else "boolean" if "boolean" in note
                    else "wide-number" if "refuse more than" in note
                    else "unknown-value" if note.startswith("no known")
                    else "undecodable"
                )  # fmt: skip
                said = note if node.value is None else f"{node.value}: {note}"
                yield self.found(name, said, part.side, node.start, path)
            stack.extend(
                (child, f"{path}.{child.name}")
                for child in node.children or ()
                if child.children is not None or child.note is not None
            )


def _reached(when: str, minor: int, daemon_nix: str | None = None) -> bool:
    """Whether a version such as `1.22 (Nix 2.4)` or a release such as `Nix 2.5` is reached."""
    since = _SINCE.match(when)
    if since is not None:
        return minor >= int(since[1])
    release, wanted = _RELEASE.match(daemon_nix or ""), _RELEASE.search(when)
    if release is None or wanted is None:
        return False
    return (int(release[1][:6]), int(release[2][:6])) >= (int(wanted[1]), int(wanted[2]))


def _plain(part: Part | None) -> dict[str, object]:
    if part is None or part.node is None:
        return {}
    return {child.name: child.plain() for child in part.node.children or ()}


def _odd_boolean(part: Part | None, name: str) -> bool:
    node = part.node.find(name) if part is not None and part.node is not None else None
    return node is not None and node.note is not None


def _texts(value: object) -> set[str]:
    return set(map(str, value)) if isinstance(value, (list, tuple)) else set()


def _said(part: Part | None) -> str:
    return str(part.node.plain()) if part is not None and part.node is not None else ""
