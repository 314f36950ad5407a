"""Findings: each kind where it belongs, none where nothing is wrong, bounded however many."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pix.protocol import OPERATIONS_BY_NAME
from pix.protocol.logging import STDERR_ERROR
from pix_inspect.findings import collector as module
from pix_inspect.findings.collector import Findings
from pix_inspect.findings.kinds import SHALLOW
from pix_inspect.findings.text import lines
from pix_inspect.session.session import Session
from tests.support.captures import Run
from tests.support.mistaken import error
from tests.support.places import RECORDINGS
from tests.support.planted import CLIENT, DAEMON, Planted, found_in
from tests.support.recorded import interleaved, record
from tests.support.recording import Connection, connected, saved
from tests.support.typical import TypicalPlaybook, request_of
from tests.support.words import OTHER, PATH, text, word

OF_RECORDINGS = {
    "build-failure": {"failed-build"},
    "build-outputs": {"failed-build"},
    "by-hand": {"obsolete", "downgrade"},
    "import-over-1-21": set(),
    "old-client": {"downgrade"},
    "serve-build-failure": {"failed-build"},
    "serve-closure": {"downgrade"},
    "serve-copy": {"downgrade"},
    "serve-read-only": {"standard-error"},
    "untrusted": {"restricted-setting", "ignored-setting", "unsigned"},
    "watched-agent": {"restricted-setting", "ignored-setting", "unsigned", "not-trusted"},
}
"""What is to be found in recordings; in all others nothing is."""

OF_SCENARIOS = {
    "add-missing": {"client-left", "cut-request"},
    "bad-option": {"restricted-setting", "ignored-setting"},
    "build-dep-fail": {"failed-build"},
    "build-fail": {"failed-build"},
    "build-hash-mismatch": {"failed-build"},
    "build-interrupt": {"client-left"},
    "build-no-output": {"failed-build"},
    "build-rebuild": {"failed-build"},
    "build-store-url": {"failed-build"},
    "build-timeout": {"failed-build"},
    "copy-log": {"doubled-error", "newer-operation"},
    "copy-to": {"unsigned"},
    "mounted-root": {"doubled-error", "newer-operation"},
    "query-invalid": {"failed-build"},
    "raw-bad-magic": {"refused", "wrong-magic"},
    "raw-import": {"cut-request", "doubled-error", "obsolete", "unknown-operation"},
    "raw-major-2": {"refused", "client-left", "unknown-version"},
    "raw-minors": {"refused", "doubled-error", "peer-out-of-step"},
    "raw-old-ops": {"doubled-error", "unknown-operation", "obsolete"},
    "sign": {"not-trusted"},
}
"""What was found in the scenarios of the captures and looked at by hand: all of it is so.

Old clients with new daemons, and the other way round, speak the older version: `downgrade`.
"""


def kinds(session: Session) -> Counter[str]:
    return Counter(finding.kind.name for finding in found_in(session))


def found(talk: Connection) -> Counter[str]:
    return kinds(talk.session())


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.pcapng")), ids=lambda path: path.stem)
def test_recordings(path: Path) -> None:
    session = Session(path).read_all()
    assert set(kinds(session)) == OF_RECORDINGS.get(path.stem, set())


def test_captures(captured_runs: tuple[Run, ...], tmp_path: Path) -> None:
    seen: set[str] = set()
    special = [run for run in captured_runs if run.scenario in OF_SCENARIOS]
    ordinary = [run for run in captured_runs if run.scenario not in OF_SCENARIOS]
    for run in [*special, *ordinary[::20]]:
        path = tmp_path / "run.pcapng"
        session = Session(record(path, interleaved(run.connections), 65536)).read_all()
        names = set(kinds(session))
        session.close()
        path.unlink()
        assert names <= OF_SCENARIOS.get(run.scenario, set()) | {"downgrade"}, run.name
        assert "downgrade" not in names or run.client != run.daemon or "raw" in run.scenario
        seen |= names
    assert seen - {"downgrade"} == set().union(*OF_SCENARIOS.values())


# One by one ---------------------------------------------------------------------------------


def test_padding_booleans_and_values_without_a_name(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    raw = PATH.encode()
    talk.client(word(1), word(len(raw)), raw, b"x" * (-len(raw) & 7))
    talk.answer("IsValidPath", valid=True)
    talk.ask("IsValidPath", path=PATH)
    talk.daemon(word(0x616C7473), word(7))
    talk.client(word(9), word(0), word(99))
    talk.answer("BuildPaths", done=1)
    session = talk.session()
    places = {finding.kind.name: (finding.place, finding.field) for finding in found_in(session)}
    assert set(places) == {"padding", "boolean", "unknown-value"}
    assert places["padding"] == ("#2, client's byte 40, request.path", "request.path")
    assert places["boolean"][1] == "reply.valid"
    assert places["unknown-value"][1] == "request.mode"


@pytest.mark.parametrize("part", ["name", "value", "neither"])
def test_padding_in_a_map(part: str, tmp_path: Path) -> None:
    """Behind a setting's name it counts as much as behind its value."""
    talk = TypicalPlaybook(21)
    plain = request_of(OPERATIONS_BY_NAME["SetOptions"], talk.protocol)
    overrides = plain.index(text(b"others")) - 8
    name, value = (
        text(said)[:-1] + (b"A" if part == which else b"\0")
        for which, said in (("name", b"cores"), ("value", b"1"))
    )
    talk.ask("SetOptions", plain[:overrides] + word(1) + name + value)
    talk.answer("SetOptions")
    assert ("padding" in kinds(saved(talk, tmp_path))) == (part != "neither")


@pytest.mark.parametrize("arguments", [b"", word(5)])
def test_an_unknown_operation_is_one_finding(arguments: bytes, tmp_path: Path) -> None:
    talk = connected(tmp_path)
    talk.client(word(4711), arguments)
    assert found(talk) == {"unknown-operation": 1}


def test_a_wild_length(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    talk.client(word(1), word(1 << 50), b"abcdefgh" * 4)
    assert found(talk)["wild-length"] == 1


def test_obsolete_newer_and_featureless_operations(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    talk.ask("QueryPathHash", path=PATH)
    talk.daemon(word(0x616C7473), text(b"abc"))
    talk.client(word(49), word(0))
    talk.daemon(word(0x616C7473), word(1))
    counted = found(talk)
    assert counted["obsolete"] == 1
    assert counted["without-feature"] == 1


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (b"invalid operation 4", "unknown-operation"),
        (b"operation QueryPathHash is no longer supported", "unknown-operation"),
        (b"invalid operation 5", "obsolete"),
        (b"path is not valid", "obsolete"),
    ],
)
def test_an_obsolete_operation_that_is_refused(said: bytes, name: str, tmp_path: Path) -> None:
    talk = TypicalPlaybook(16)
    talk.ask("QueryPathHash")
    talk.daemon(error(16, said))
    found = {each.kind.name for each in found_in(saved(talk, tmp_path))}
    assert found & {"obsolete", "unknown-operation"} == {name}


def test_errors_said_twice_and_errors_of_another(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    error = text(b"Error") + word(0) + text(b"Error") + text(f"{PATH} is bad".encode())
    error = word(STDERR_ERROR) + error + word(0) + word(0)
    talk.ask("IsValidPath", path=PATH)
    talk.daemon(error, error)
    assert found(talk)["doubled-error"] == 1
    talk = connected(tmp_path)
    talk.ask("QueryPathInfo", path=PATH)
    talk.daemon(error)
    talk.ask("QueryPathInfo", path=OTHER)
    talk.daemon(error)
    assert found(talk)["error-of-another"] == 1
    talk = connected(tmp_path)
    for _ in range(2):
        talk.ask("QueryPathInfo", path=PATH)
        talk.daemon(error)
    assert found(talk)["error-of-another"] == 0


def test_who_left(tmp_path: Path) -> None:
    planted = Planted("build-with-log")
    start, end = planted.request("AddToStore")
    planted.after(CLIENT, (start + end) // 2)
    assert kinds(saved(planted, tmp_path, left=CLIENT))["cut-request"] == 1
    planted = Planted("build-with-log")
    planted.after(CLIENT, planted.request("BuildPaths")[1])
    assert kinds(saved(planted, tmp_path, left=CLIENT))["client-left"] == 1
    assert kinds(saved(planted, tmp_path, left=DAEMON))["daemon-left"] == 1
    assert kinds(saved(planted, tmp_path))["unanswered"] == 1
    talk = connected(tmp_path)
    talk.ask("IsValidPath", path=PATH)
    talk.answer("IsValidPath", valid=True)
    talk.half_close(DAEMON)
    talk.ask("IsValidPath", path=PATH)
    talk.half_close(CLIENT)
    assert found(talk) == {"daemon-left": 1}  # which closed before it was asked


def test_what_goes_on_when_the_recording_ends(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    talk.ask("BuildPaths", paths=[PATH], mode="Normal")
    assert kinds(talk.session(closed=False))["unanswered"] == 1


def test_a_secret_is_noted_and_not_repeated(tmp_path: Path) -> None:
    planted = Planted("build-with-log")
    _, end = planted.request("SetOptions")
    count = planted.view("SetOptions").part("request")
    assert count is not None
    assert count.node is not None
    overrides = count.node.find("overrides")
    assert overrides is not None
    entries = len(overrides.children or ())
    more = text(b"access-tokens") + text(b"github.com=ghp_secret")
    planted.change(CLIENT, overrides.start, overrides.start + 8, word(entries + 1))
    planted.change(CLIENT, end, end, more)
    secrets = [f for f in found_in(saved(planted, tmp_path)) if f.kind.name == "secret"]
    assert [f.field for f in secrets] == ["request.overrides.access-tokens"]
    assert "ghp" not in str(secrets)


def test_one_process_with_many_connections(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    for _ in range(7):
        talk = talk.close().connect(peer={"pid": 1})
    assert found(talk)["reopened"] == 2


# All of them --------------------------------------------------------------------------------


def test_many_of_a_kind_are_counted_and_few_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 5)
    talk = connected(tmp_path)
    for _ in range(20):
        talk.ask("QueryDeriver", path=PATH)
        talk.answer("QueryDeriver", deriver=None)
    findings = Findings(talk.session()).finish()
    assert findings.counts["obsolete"] == 20
    assert len(findings.kept) == 5
    assert "… 17 more" in "\n".join(lines(findings.kept, findings.counts))
    assert findings.of_grade("note") == 20


def test_only_the_first_are_decoded_unless_all_are_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_DECODED", 3)
    talk = connected(tmp_path)
    for _ in range(6):
        talk.ask("IsValidPath", path=PATH)
        talk.daemon(word(0x616C7473), word(7))
    session = talk.session()
    few, all_of_them = Findings(session).finish(), Findings(session, thorough=True).finish()
    assert few.counts["boolean"] == 2
    assert not few.all_decoded
    assert all_of_them.counts["boolean"] == 6
    assert all_of_them.all_decoded


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.pcapng")), ids=lambda path: path.stem)
def test_the_index_alone_finds_what_it_can(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(path).read_all()
    whole = Findings(session).finish().counts
    monkeypatch.setattr(module, "MOST_DECODED", 0)
    quick = Findings(session).finish()
    assert quick.taken == len(session)
    for name in SHALLOW:
        assert quick.counts[name] == whole[name]


def test_findings_grow_with_the_session(tmp_path: Path) -> None:
    data = (RECORDINGS / "untrusted.pcapng").read_bytes()
    path = tmp_path / "growing.pcapng"
    path.write_bytes(data[: len(data) // 2])
    session = Session(path).read_all()
    findings = Findings(session)
    while findings.update():
        pass
    first = sum(findings.counts.values())
    path.write_bytes(data)
    session.read_all()
    whole = Findings(Session(RECORDINGS / "untrusted.pcapng").read_all()).finish()
    assert findings.finish().counts == whole.counts
    assert first < sum(whole.counts.values())


# check --------------------------------------------------------------------------------------
