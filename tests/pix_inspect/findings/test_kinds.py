"""Every kind of finding: a session that has it, and one that is nearly the same and has not."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pix.codec.errors import DecodeError
from pix.codec.gates import Protocol
from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol import OPERATIONS_BY_NAME
from pix.protocol.handshake import CLIENT_MAGIC, DAEMON_MAGIC
from pix.protocol.logging import STDERR_LAST, STDERR_NEXT
from pix_inspect.findings import messages
from pix_inspect.findings.collector import Findings
from pix_inspect.findings.kinds import GRADES, KINDS
from pix_inspect.findings.lookup import detector
from pix_inspect.forensics.mistakes import Mistake
from pix_inspect.recording.notes import Reading, Stuck
from pix_inspect.session import exchange_view
from pix_inspect.session.exchange_view import Part
from pix_inspect.session.session import Session
from tests.support.mistaken import error, through_terminal
from tests.support.places import RECORDINGS
from tests.support.playbook import Playbook
from tests.support.recording import Recording
from tests.support.typical import TypicalPlaybook, carried, request_of
from tests.support.words import OTHER, PATH, text, word

HELLO = word(CLIENT_MAGIC)
GREETING = word(DAEMON_MAGIC)
NO_ARCHIVE = b"bad archive: input doesn't look like a Nix archive"
V38, V37, V21 = word(0x126), word(0x125), word(0x115)


@dataclass
class Recorded:
    """A conversation, and how it is recorded."""

    talk: Playbook
    left: int | None = None
    closed: bool = True
    pids: list[int] = field(default_factory=lambda: [1])
    kept: dict[int, int] = field(default_factory=dict)
    """How many bytes are kept of a turn, by its number."""
    note: dict[str, str] | None = None
    """What the relay notes before anything else."""
    stuck: int | None = None
    """The turn after which the client does not read for two seconds."""

    def save(self, folder: Path) -> Session:
        made = Recording(folder / "r.pcapng")
        for number, pid in enumerate(self.pids):
            connection = made.open(peer={"pid": pid, "command": "nix"})
            if self.note is not None:
                connection.remark({"note": self.note})
            for i, (side, data) in enumerate(said_in(self.talk)):
                connection.chunk(side, data[: self.kept.get(i, len(data))], len(data))
                if i == self.stuck:
                    since = made.now()
                    connection.wait(1000).remark({"note": Stuck(CLIENT, 4096, since).json()})
                    connection.wait(1000).remark({"note": Reading(CLIENT).json()})
            if self.left is not None:
                connection.half_close(self.left)
            if self.closed or number < len(self.pids) - 1:
                connection.close()
        return made.session()


def said_in(talk: Playbook) -> list[tuple[int, bytes]]:
    return [(side, data) for side, data in talk.turns if data]


def hello(*turns: tuple[int, bytes], left: int | None = None) -> Recorded:
    """A connection of which these are the first turns."""
    return Recorded(TypicalPlaybook(38, turns), left)


def shaken(client: bytes, daemon: bytes, *rest: tuple[int, bytes]) -> Recorded:
    """A handshake in which these versions are said, and then the rest."""
    return hello((CLIENT, HELLO + client), (DAEMON, GREETING + daemon), *rest)


def features(*names: bytes) -> bytes:
    return word(len(names)) + b"".join(map(text, names))


def offered(client: bytes, daemon: bytes) -> Recorded:
    release = text(b"2.26.3") + word(1) + word(STDERR_LAST)
    return shaken(V38, V38, (CLIENT, client + word(0) * 2), (DAEMON, daemon + release))


def said(minor: int, *names: str, left: int | None = None, closed: bool = True) -> Recorded:
    talk = TypicalPlaybook(minor)
    talk.whole(*names)
    return Recorded(talk, left, closed)


def asked(minor: int, *data: bytes, left: int | None = None, closed: bool = True) -> Recorded:
    talk = TypicalPlaybook(minor)
    talk.client(*data)
    return Recorded(talk, left, closed)


def answered(
    request: str, *answer: bytes, fields: bytes | None = None, minor: int = 37
) -> Recorded:
    talk = TypicalPlaybook(minor)
    talk.ask(request, fields)
    talk.daemon(*answer)
    return Recorded(talk)


def failed(*errors: bytes, **given: int) -> Recorded:
    minor = given.get("minor", 37)
    return answered("IsValidPath", *(error(minor, said) for said in errors), minor=minor)


def read_wildly(named: bytes) -> Recorded:
    """A request that cannot be read, where this feature is in force."""
    turns = offered(named, named).talk.turns
    return Recorded(TypicalPlaybook(38, [*turns, (CLIENT, word(1) + word(1 << 50))]))


def overridden(name: bytes, value: bytes, trust: int) -> Recorded:
    """A setting that the client overrides, and whether the daemon trusts it."""
    talk = TypicalPlaybook(37)
    talk.turns[3] = (DAEMON, text(b"2.26.3") + word(trust) + word(STDERR_LAST))
    plain = request_of(OPERATIONS_BY_NAME["SetOptions"], Protocol(37))
    overrides = plain.index(text(b"others")) - 8
    talk.ask("SetOptions", plain[:overrides] + word(1) + text(name) + text(value))
    talk.answer("SetOptions")
    return Recorded(talk)


def upload(*, ends: bool, fails: bool, goes_on: bool = True) -> Recorded:
    """An upload in frames that the daemon answers before or behind its end."""
    talk = TypicalPlaybook(37)
    operation = OPERATIONS_BY_NAME["AddToStore"]
    payload = carried(operation.request.payload, talk.protocol)
    talk.client(word(operation.code), request_of(operation, talk.protocol))
    talk.client(payload if ends else payload[:1024])
    if fails:
        talk.daemon(error(37, b"no space left"))
    else:
        talk.answer("AddToStore")
    if not ends and goes_on:
        talk.client(payload[1024:])
    return Recorded(talk)


def one_after_the_other(second: str) -> Recorded:
    """An error about a path, twice: for the one that was asked about, and for the next."""
    talk = TypicalPlaybook(37)
    for path in (PATH, second):
        talk.ask("QueryPathInfo", text(path.encode()))
        talk.daemon(error(37, PATH.encode() + b" is corrupt"))
    return Recorded(talk)


def elided(kept: int) -> Recorded:
    """A list of paths of which so much was recorded, and another operation."""
    talk = TypicalPlaybook(37)
    talk.whole("QueryValidPaths", "IsValidPath")
    return Recorded(talk, kept={4: kept})


def logged(line: bytes, *, asks: bool = True, terminal: bool = False) -> Recorded:
    talk = TypicalPlaybook(37)
    talk.whole("IsValidPath")
    if asks:
        talk.ask("IsValidPath")
    talk.daemon(word(STDERR_NEXT), text(line))
    if asks:
        talk.answer("IsValidPath")
    return Recorded(through_terminal(talk, DAEMON) if terminal else talk)


def overtaken(name: str) -> Recorded:
    """IsValidPath, and an operation whose question its answer overtakes: not said of a copy."""
    talk = TypicalPlaybook(37)
    talk.whole("IsValidPath").answer(name)
    return Recorded(talk.ask(name))


def stuck_before(turns: int, line: bytes) -> Recorded:
    """An operation with a log; the client reads nothing for a while before the last turns."""
    recorded = logged(line)
    recorded.stuck = len(said_in(recorded.talk)) - 1 - turns
    return recorded


def freed(most: int) -> Recorded:
    fields = word(3) + word(0) + word(0) + word(most) + word(0) * 3
    talk = TypicalPlaybook(37)
    talk.ask("CollectGarbage", fields)
    talk.answer("CollectGarbage")
    return Recorded(talk)


def valid(answer: int) -> Recorded:
    return answered("IsValidPath", word(STDERR_LAST), word(answer))


def built(mode: int) -> Recorded:
    fields = word(1) + text(PATH.encode()) + word(mode)
    return answered("BuildPaths", word(STDERR_LAST), word(1), fields=fields)


def verified(cores: int) -> Recorded:
    """SetOptions with so many cores: a number of 32 bits."""
    plain = request_of(OPERATIONS_BY_NAME["SetOptions"], Protocol(37))
    layout = OPERATIONS_BY_NAME["SetOptions"].request.layout(Protocol(37))
    at = 8 * [each.name for each in layout].index("build_cores")
    fields = plain[:at] + word(cores) + plain[at + 8 :]
    return answered("SetOptions", word(STDERR_LAST), fields=fields)


ASK = word(1) + text(PATH.encode())

SCENES: dict[str, tuple[Callable[[], Recorded], Callable[[], Recorded]]] = {
    "foreign-text": (
        lambda: hello((CLIENT, HELLO + V37), (DAEMON, b"Welcome to example\n")),
        lambda: hello((CLIENT, HELLO + V37), (DAEMON, bytes(range(128, 160)))),
    ),
    "unreachable": (
        lambda: Recorded(Playbook(Protocol(37)), note={"upstream": "nobody listens"}),
        lambda: hello((CLIENT, HELLO + V37), (DAEMON, GREETING + V37)),
    ),
    "no-word": (
        lambda: Recorded(Playbook(Protocol(37))),
        lambda: hello((CLIENT, HELLO[:1])),
    ),
    "wrong-magic": (
        lambda: hello((CLIENT, word(CLIENT_MAGIC + 1) + V37), (DAEMON, GREETING + V37)),
        lambda: said(37),
    ),
    "refused": (
        lambda: hello((CLIENT, HELLO + V21), (DAEMON, GREETING + V37), left=DAEMON),
        lambda: hello((CLIENT, HELLO + V37), (DAEMON, GREETING + V21), left=CLIENT),
    ),
    "no-answer": (
        lambda: hello((CLIENT, HELLO + V37)), lambda: hello((CLIENT, HELLO + V37), left=CLIENT)
    ),
    "handshake-stalled": (
        lambda: shaken(V37, V37, (CLIENT, word(0) * 2)),
        lambda: shaken(
            V37, V37, (CLIENT, word(0) * 2),
            (DAEMON, text(b"2.26.3") + word(1) + word(STDERR_LAST)),
        ),
    ),
    "doubled-version": (
        lambda: shaken(V21, V21, (CLIENT, V21 + word(0)), (DAEMON, word(STDERR_LAST))),
        lambda: shaken(V21, V21, (CLIENT, word(1) + V21 + word(0)), (DAEMON, word(STDERR_LAST))),
    ),
    "misannounced-version": (
        lambda: shaken(
            V38, V38, (CLIENT, word(0) * 2), (DAEMON, features() + text(b"2.26.3") + word(1))
        ),
        lambda: shaken(V37, V37, (CLIENT, word(0) * 2), (DAEMON, text(b"2.26.3"))),
    ),
    "guix": (
        lambda: shaken(word(0x1A3), word(0x1A3), (CLIENT, word(0) * 2)),
        lambda: shaken(V38, V38, (CLIENT, word(0) * 3)),
    ),
    "guix-and-nix": (
        lambda: shaken(V38, word(0x163), (CLIENT, word(0))),
        lambda: shaken(V21, word(0x163), (CLIENT, word(0) * 2)),
    ),
    "unknown-version": (
        lambda: offered(features(b"new"), features(b"new")),
        lambda: offered(features(b"new"), features()),
    ),
    "unknown-layout": (
        lambda: read_wildly(features(b"new")), lambda: read_wildly(features(b"addTempRoots"))
    ),
    "downgrade": (
        lambda: shaken(V21, V38, (CLIENT, word(0) * 2), (DAEMON, word(STDERR_LAST))),
        lambda: shaken(V21, V21, (CLIENT, word(0) * 2), (DAEMON, word(STDERR_LAST))),
    ),
    "ignored-feature": (
        lambda: offered(features(b"a", b"b"), features(b"b")),
        lambda: offered(features(b"a", b"b"), features(b"b", b"a")),
    ),
    "obsolete": (lambda: said(16, "QueryPathHash"), lambda: said(15, "QueryPathHash")),
    "newer-operation": (lambda: said(35, "AddPermRoot"), lambda: said(36, "AddPermRoot")),
    "without-feature": (
        lambda: asked(38, word(49), word(0)),
        lambda: Recorded(
            TypicalPlaybook(38, [
                *offered(features(b"addTempRoots"), features(b"addTempRoots")).talk.turns,
                (CLIENT, word(49) + word(0)), (DAEMON, word(STDERR_LAST) + word(1)),
            ])
        ),
    ),
    "unknown-operation": (lambda: asked(37, word(4711)), lambda: asked(37, word(32))),
    "cut-request": (
        lambda: asked(37, ASK[:-8], left=CLIENT), lambda: asked(37, ASK, left=CLIENT)
    ),
    "client-left": (
        lambda: asked(37, ASK, left=CLIENT), lambda: said(37, "IsValidPath", left=CLIENT)
    ),
    "daemon-left": (
        lambda: asked(37, ASK, left=DAEMON), lambda: said(37, "IsValidPath", left=DAEMON)
    ),
    "failed-build": (
        lambda: answered("BuildPaths", error(37, b"builder failed")),
        lambda: answered("EnsurePath", error(37, b"builder failed")),
    ),
    "unanswered": (
        lambda: asked(37, ASK, closed=False), lambda: said(37, "IsValidPath", closed=False)
    ),
    "not-read": (
        lambda: stuck_before(1, b"a line of a log"), lambda: stuck_before(0, b"a line of a log")
    ),
    "reopened": (
        lambda: Recorded(TypicalPlaybook(37), pids=[7, 7, 7, 7]),
        lambda: Recorded(TypicalPlaybook(37), pids=[7, 8, 7, 8, 7]),
    ),
    "doubled-error": (lambda: failed(b"bad", b"bad"), lambda: failed(b"bad")),
    "frames-unread": (
        lambda: upload(ends=False, fails=True), lambda: upload(ends=True, fails=True)
    ),
    "early-answer": (
        lambda: upload(ends=False, fails=False, goes_on=True),
        lambda: upload(ends=True, fails=False),
    ),
    "stray-frame": (lambda: logged(b"hello", asks=False), lambda: logged(b"hello")),
    "other-order": (lambda: overtaken("QueryMissing"), lambda: overtaken("IsValidPath")),
    "error-of-another": (
        lambda: one_after_the_other(OTHER), lambda: one_after_the_other(PATH)
    ),
    "desync": (lambda: answered("IsValidPath", word(77), word(1)), lambda: valid(1)),
    "wild-length": (
        lambda: asked(37, word(1), word(1 << 50), b"abcdefgh" * 2),
        lambda: asked(37, word(1), word(1 << 10), b"abcdefgh" * 128),
    ),
    "peer-out-of-step": (
        lambda: failed(b"invalid operation 4711"), lambda: failed(b"invalid operation 1")
    ),
    "line-ends": (
        lambda: logged(b"built\n", terminal=True), lambda: logged(b"built\r\n", terminal=False)
    ),
    "terminal": (
        lambda: hello((CLIENT, HELLO + V37), (DAEMON, b"cxin^@^@^@^@%^A" + GREETING)),
        lambda: hello((CLIENT, HELLO + V37), (DAEMON, b"cxin, it says\n" + GREETING)),
    ),
    "misread": (
        lambda: answered("AddToStore", error(37, NO_ARCHIVE)),
        lambda: answered("IsValidPath", error(37, NO_ARCHIVE)),
    ),
    "not-recorded": (lambda: elided(12), lambda: elided(1 << 20)),
    "padding": (
        lambda: asked(37, word(1), word(3), b"abc\0\0\0\0\1"),
        lambda: asked(37, word(1), word(3), b"abc\0\0\0\0\0"),
    ),
    "counted-zeros": (
        lambda: asked(37, word(1), text(PATH.encode() + b"\0\0")),
        lambda: asked(37, word(1), text(PATH.encode())),
    ),
    "boolean": (lambda: valid(2), lambda: valid(1)),
    "wide-number": (lambda: verified(1 << 32), lambda: verified((1 << 32) - 1)),
    "big-endian": (
        lambda: freed(int.from_bytes((7).to_bytes(8, "big"), "little")),
        lambda: freed(4 << 30),
    ),
    "unknown-value": (lambda: built(99), lambda: built(2)),
    "restricted-setting": (
        lambda: overridden(b"sandbox", b"false", 2), lambda: overridden(b"sandbox", b"false", 1)
    ),
    "ignored-setting": (
        lambda: logged(b"warning: ignoring the client-specified setting 'sandbox', because"),
        lambda: logged(b"warning: ignoring a setting"),
    ),
    "unsigned": (
        lambda: failed(b"cannot add path: it lacks a signature by a trusted key"),
        lambda: failed(b"cannot add path: the signature is missing its key"),
    ),
    "not-trusted": (
        lambda: failed(b"you are not privileged to build input-addressed derivations"),
        lambda: failed(b"you are privileged"),
    ),
    "secret": (
        lambda: overridden(b"access-tokens", b"x=y", 1), lambda: overridden(b"cores", b"4", 1)
    ),
}  # fmt: skip
"""A session that has the finding, and one that has it not."""


@pytest.mark.parametrize("name", SCENES)
def test_it_is_found_and_only_where_it_is(name: str, tmp_path: Path) -> None:
    has, has_not = SCENES[name]
    found = Findings(has().save(tmp_path)).finish().kept
    mine = [finding for finding in found if finding.kind.name == name]
    assert len(mine) == 1, [finding.kind.name for finding in found]
    assert mine[0].place.startswith("#")
    others = Findings(has_not().save(tmp_path)).finish().counts
    assert name not in others


@pytest.mark.parametrize("left", [CLIENT, DAEMON, None])
@pytest.mark.parametrize(("minor", "layout"), [(38, 21), (32, 25), (21, 38)])
def test_an_error_that_ends_early(
    left: int | None, minor: int, layout: int, tmp_path: Path
) -> None:
    """Cut off it is who left; in the layout of another version it is that."""
    talk = TypicalPlaybook(minor)
    talk.ask("IsValidPath")
    whole = error(minor, b"no such path")
    recorded = Recorded(TypicalPlaybook(minor, [*talk.turns, (DAEMON, whole[:-8])]), left)
    cut = [finding.kind.name for finding in Findings(recorded.save(tmp_path)).finish().kept]
    who = {CLIENT: "client-left", DAEMON: "daemon-left", None: "unanswered"}
    assert cut == ([] if minor == 21 else [who[left]])  # the old ones leave out a status of 0
    recorded = Recorded(TypicalPlaybook(minor, [*talk.turns, (DAEMON, error(layout, b"no"))]), left)
    found = Findings(recorded.save(tmp_path)).finish().kept
    assert "misannounced-version" in {finding.kind.name for finding in found}
    assert found[0].mistake is Mistake.OTHER_VERSION


@pytest.mark.parametrize(
    ("errors", "goes_on", "kinds"),
    [
        ((b"bad", b"bad"), False, ["doubled-error"]),
        ((b"bad", b"bad", b"bad"), False, ["doubled-error"] * 2),
        ((b"bad", b"worse"), False, ["stray-frame"]),
        ((b"bad", b"bad"), True, ["stray-frame"]),
    ],
)
def test_a_copy_of_an_error_is_the_last_word(
    errors: tuple[bytes, ...], goes_on: bool, kinds: list[str], tmp_path: Path
) -> None:
    recorded = failed(*errors)
    if goes_on:
        recorded.talk.ask("IsValidPath", path=PATH).answer("IsValidPath", valid=True)
    assert [each.kind.name for each in Findings(recorded.save(tmp_path)).finish().kept] == kinds


def test_a_message_whose_fields_do_not_fill_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scanner and the trees agree on every end; should they not, it is said."""
    session = valid(1).save(tmp_path)
    assert "undecodable" not in Findings(session).finish().counts
    plain = Part.__init__

    def broken(self: Part, *args: object, **options: object) -> None:
        plain(self, *args, **options)  # type: ignore[arg-type]
        if self.name == "reply" and self.end is not None:
            self.error = DecodeError(self.start, "its end", "something else")

    monkeypatch.setattr(Part, "__init__", broken)
    found = Findings(valid(1).save(tmp_path)).finish().kept
    assert {(each.kind.name, each.field) for each in found} >= {("undecodable", "reply")}


def test_what_is_too_long_for_a_tree_is_not_undecodable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (exchange_view, messages):
        monkeypatch.setattr(module, "LONGEST_TREE", 100)
    session = said(37, "QueryValidPaths", "QueryMissing").save(tmp_path)
    assert next(iter(session.exchange(1).parts)).error is not None
    assert not Findings(session).finish().counts


def test_all_kinds_are_here() -> None:
    """Standard error is told of in `tests/pix_inspect/session/test_standard_error.py`, imports in
    `test_half_recorded.py`.
    """
    assert set(SCENES) | {"undecodable", "standard-error", "half-recorded"} == set(KINDS)


def test_every_kind_says_what_to_do() -> None:
    for name, kind in KINDS.items():
        assert kind.name == name
        assert kind.grade in GRADES
        assert kind.what
        assert kind.why
        assert kind.advice or kind.grade == "note"


def test_of_zeros_that_look_like_operations_the_first_is_told(tmp_path: Path) -> None:
    found = Findings(asked(37, bytes(8 * 40), left=CLIENT).save(tmp_path)).finish().counts
    assert found["unknown-operation"] == 1


def test_bytes_that_are_gone_once_they_were_read_are_nobodys_mistake(tmp_path: Path) -> None:
    """The file was cut, or rotated."""
    path = tmp_path / "s.pcapng"
    whole = (RECORDINGS / "lookups.pcapng").read_bytes()
    for size in range(0, len(whole), 97):
        path.write_bytes(whole)
        session = Session(path).read_all()
        os.truncate(path, size)
        look = detector(session)
        found = [each.kind.name for i in range(len(session)) for each in look.of(i)]
        assert "undecodable" not in found, size
        session.close()
