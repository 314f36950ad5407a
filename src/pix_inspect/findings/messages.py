"""What is irregular in what is said: settings, errors, log lines, and single fields."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from pix.codec.declare import STDERR_FRAMES
from pix.codec.irregular import Irregularity
from pix.codec.wire import Node, String, is_wide, pack_u64
from pix.conversation.exchange import CLIENT, DAEMON
from pix.conversation.notes import Reason
from pix.protocol.logging import STDERR_LAST
from pix_inspect.base.safe_text import inert, plain
from pix_inspect.findings.finding import Finding
from pix_inspect.findings.frames_alike import FramesAlike
from pix_inspect.findings.look import MOST_SAID, Look
from pix_inspect.forensics.messages import is_likely_text
from pix_inspect.forensics.mistakes import Diagnosis, Mistake
from pix_inspect.forensics.repairs import is_text_byte, is_turned_round
from pix_inspect.session.exchange_view import LONGEST_TREE, ExchangeView, Part
from pix_inspect.session.failures import asked_for, failures
from pix_inspect.session.log_text import frame_text
from pix_inspect.session.redaction import is_secret

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

BUILDING = frozenset(
    ("BuildPaths", "BuildDerivation", "BuildPathsWithResults", "serve.BuildPaths",
     "serve.BuildDerivation")
)  # fmt: skip
"""Operations that ask for builds, and fail when one does."""

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

_NO_LONGER = re.compile(
    r"operation\b.*\b(?:no longer|not (?:supported|implemented)|removed|obsolete|unsupported)|"
    r"(?:no longer|not) (?:supports?|implemented)|(?:removed|obsolete|unsupported) operation",
    re.IGNORECASE,
)

OF_FIELDS = {
    Irregularity.PADDING: "padding",
    Irregularity.BOOLEAN: "boolean",
    Irregularity.WIDE: "wide-number",
    Irregularity.UNKNOWN: "unknown-value",
}
"""What a field is found to be, by what is irregular about it."""

_STORE_PATH = re.compile(r"[0-9a-df-np-sv-z]{32}-[0-9A-Za-z+\-._?=]+")


def settings(look: Look) -> Iterator[Finding]:
    """Secrets among the settings, and those that an untrusted client may not set."""
    overrides = look.view.field("request", "overrides")
    entries = list((overrides.children if overrides is not None else None) or ())
    trusted = look.around.trusted(look.row.connection) if entries else None
    for entry in entries:
        name = entry.name
        value = next((child.value for child in reversed(entry.children or ())), None)
        field = f"request.overrides.{name}"
        if is_secret(name) and value:
            yield look.found("secret", name, CLIENT, entry.start, field)
        harmless = name in UNTRUSTED_MAY or name in NEVER_FORWARDED
        if trusted is not False or harmless or (name == "builders" and not value):
            continue
        if name in UNTRUSTED_MAY_CHOOSE:
            said = f"{name}: only those that the daemon trusts are used"
        else:
            said = f"{name} stays as the daemon has it"
        yield look.found("restricted-setting", said, CLIENT, entry.start, field)


def error(look: Look) -> Iterator[Finding]:
    """What an error says beyond that something failed."""
    message = look.view.field("error", "message")
    if message is None or not isinstance(message.value, str):
        return
    text = " ".join(plain(message.value).split())
    where = (DAEMON, message.start, "error.message")
    if _UNSIGNED.search(text):
        yield look.found("unsigned", text, *where)
    elif _NOT_TRUSTED.search(text):
        yield look.found("not-trusted", text, *where)
    met = _INVALID_OPERATION.search(text)
    if met is not None:
        number = int(met[1] or met[2])
        if number != look.row.wire_number and Reason.REPEATED_ERROR not in look.reasons:
            diagnosis = look.forensics.met(look.view, number)
            yield look.found("peer-out-of-step", text, *where, diagnosis)
    elif (diagnosis := look.forensics.complaint(look.view, text)) is not None:
        yield look.found("misread", text, *where, diagnosis)
    yield from _of_another(look, text, where)


def failed_builds(look: Look) -> Iterator[Finding]:
    """The builds that failed, be it said in the answer or in an error in its place."""
    if look.row.operation not in BUILDING:
        return
    beside = "" if look.said_errors else inert(look.last_words, MOST_SAID // 2)
    for failure in failures(look.view):
        named = replace(failure, what=failure.what or asked_for(look.view))
        said = " ".join(f"{look.row.name}: {named}".split())
        said = inert(said, MOST_SAID - len(beside)) + beside
        yield look.found("failed-build", said, DAEMON, failure.offset, failure.field)


def is_refused_operation(look: Look) -> bool:
    """Whether an error says that the daemon does not know, or has given up, what was asked."""
    message = look.view.field("error", "message")
    if message is None or not isinstance(message.value, str):
        return False
    text = " ".join(plain(message.value).split())
    met = _INVALID_OPERATION.search(text)
    if met is not None:
        return int(met[1] or met[2]) == look.row.wire_number
    return _NO_LONGER.search(text) is not None


def _of_another(look: Look, text: str, where: tuple[int, int, str]) -> Iterator[Finding]:
    """The error of the operation before, which names what only that one asked for."""
    before = look.around.before(look.row)
    if before is None or look.row.kind != "operation":
        return
    other = look.session.row(before)
    if other.state != "error" or other.kind != "operation":
        return
    last = look.session.exchange(before)
    message = last.field("error", "message")
    if message is None or not isinstance(message.value, str):
        return
    if " ".join(plain(message.value).split()) != text:
        return
    named = set(_STORE_PATH.findall(text))
    ours, theirs = _said(look.view.part("request")), _said(last.part("request"))
    if ours == theirs or not named:
        return
    if not any(path in ours for path in named) and any(path in theirs for path in named):
        said = f"{look.row.operation} is answered by the error of #{other.number}: {text}"
        yield look.found("error-of-another", said, *where)


def ignored(look: Look) -> Iterator[Finding]:
    """What the daemon says that it ignores."""
    for part in look.view.log:
        if part.frame is not None and part.frame.frame.name == "STDERR_NEXT":
            text = plain(frame_text(part))
            if _IGNORED.search(text):
                said = " ".join(text.split())
                yield look.found("ignored-setting", said, DAEMON, part.start)


def irregular(look: Look) -> list[Finding]:
    """Parts that do not have the declared layout, and their irregular fields.

    Where line ends were changed on the way, that is the finding.
    """
    found = list(_irregular(look))
    is_broken = any(each.grade != "note" for each in found)
    changed = look.forensics.line_ends(look.row) if is_broken else None
    return found if changed is None else [replace(found[0], diagnosis=changed)]


def _irregular(look: Look) -> Iterator[Finding]:
    over = look.row.state == "ok" or (look.row.state == "error" and look.row.kind != "handshake")
    over = over and not look.view.lacks and Reason.ANSWER_OPAQUE not in look.reasons
    stopped, ended = Reason.NO_STATUS in look.reasons, Reason.REQUEST_CUT in look.reasons
    for part in _distinct(look.view):
        if part.error is not None and part.end is not None and over:
            length = part.end - part.start
            kept = look.view.kept[part.side].count(part.start, part.end)
            is_all = length == kept <= LONGEST_TREE
            is_cut = (part.name == "error" and stopped) or (part.name == "request" and ended)
            if is_all and not is_cut:
                yield look.found(
                    "undecodable", str(part.error), part.side, part.error.offset, part.name
                )
        if part.node is not None:
            yield from _fields(look, part)


def _distinct(view: ExchangeView) -> Iterator[Part]:
    """Yield the parts of an exchange, but of log frames that are alike and regular only one."""
    alike, kept = FramesAlike(), view.kept[DAEMON]

    def log() -> Iterator[Part]:
        frames = (view.exchange.log if view.exchange is not None else None) or ()
        for i, frame in enumerate(frames):
            code, start = frame.frame.code, frame.start + 8
            data = kept.first(start, frame.end)
            if (code, data) in alike:
                continue
            yield (part := view.log[i])
            if part.node is not None and part.error is None and len(data) == frame.end - start:
                alike.add(code, data, part.node)

    return view.parts_with(log())


def _fields(look: Look, part: Part) -> Iterator[Finding]:
    """The irregular fields of a part, each with its path."""
    assert part.node is not None
    stack = [] if part.node.is_usual else [(part.node, part.name)]
    while stack:
        node, path = stack.pop()
        odd = node.irregular
        if _may_be_turned_round(node) and (number := _turned_round(look, part, node)):
            said = f"{number} with its bytes turned round"
            diagnosis = Diagnosis(Mistake.BIG_ENDIAN, f"{number} in {inert(path, 120)}")
            yield look.found("big-endian", said, part.side, node.start, path, diagnosis)
        elif odd is not None and part.name == "reply" and _is_last_again(look, part, node):
            why = look.forensics.odd_reply(look.row)
            said = f"{path} is the number of STDERR_LAST"
            yield look.found("desync", said, part.side, node.start, path, why)
        elif (counted := _counted_zeros(node)) and look.forensics.ends_whole(look.row, part.side):
            diagnosis = Diagnosis(Mistake.COUNTED_ZEROS, f"{inert(path, 120)} counts {counted}")
            yield look.found("counted-zeros", counted, part.side, node.start, path, diagnosis)
        elif odd is not None:
            said = str(odd) if node.value is None else f"{node.value}: {odd}"
            yield look.found(OF_FIELDS[odd.kind], said, part.side, node.start, path)
        stack.extend(
            (child, f"{path}.{child.name}")
            for child in node.children or ()
            if child.children is not None
            or child.irregular is not None
            or is_wide(child.value)
            or _counted_zeros(child)
        )


def _counted_zeros(node: Node) -> str:
    """Return what the length of a text counts that cannot be part of it, empty for nothing."""
    value, wire = node.value, node.wire
    if not isinstance(value, str) or value[-1:] != "\0" or not isinstance(wire, String):
        return ""
    if wire.name in ("Contents", "String"):
        return ""  # may hold any bytes
    text = value.rstrip("\0")
    zeros = len(value) - len(text)
    if zeros > 7 or not text or not is_likely_text(wire, text):
        return ""
    length = len(value.encode("utf-8", "surrogateescape"))
    if length % 8:
        return "the NUL behind its text" if zeros == 1 else ""
    return f"{zeros} bytes of padding" if zeros > 1 else "its padding, or the NUL behind its text"


def _is_last_again(look: Look, part: Part, node: Node) -> bool:
    """Whether a reply begins with another STDERR_LAST, taken for its first field."""
    raw = look.view.kept[part.side].first(node.start, node.start + 8)
    return node.start == part.start and raw == pack_u64(STDERR_LAST)


def _turned_round(look: Look, part: Part, node: Node) -> int | None:
    """Return the small number that a node's bytes are from behind."""
    raw = look.view.kept[part.side].first(node.start, node.start + 8)
    if not is_turned_round(raw) or not is_wide(int.from_bytes(raw, "little")):
        return None
    said = raw.lstrip(b"\0")
    if len(said) > 1 and (
        int.from_bytes(said, "little") in STDERR_FRAMES or all(map(is_text_byte, said))
    ):
        return None  # the end of one value and the beginning of the next
    is_message = part.name in ("request", "reply") and look.row.kind == "operation"
    if not is_message and Reason.ANSWER_OPAQUE in look.reasons:
        return None
    if is_message and not look.forensics.ends_whole(look.row, part.side):
        return None  # somewhere before it the bytes are out of step
    return int.from_bytes(raw, "big")


def _may_be_turned_round(node: Node) -> bool:
    if isinstance(node.wire, String) or node.children is not None:
        return False
    return node.irregular is not None or is_wide(node.value)


def _said(part: Part | None) -> str:
    return str(part.node.plain()) if part is not None and part.node is not None else ""
