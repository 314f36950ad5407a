"""A terminal on the way is told from what really holds CR LF; neither client nor daemon errs."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from pix.codec.gates import SERVE, Protocol
from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol import serve
from pix.protocol.logging import StderrNext
from pix.protocol.operations import Paths
from pix.protocol.types import BuildStatus
from pix_inspect.forensics.mistakes import Mistake
from tests.support.mistaken import FOLLOWING, PLANTED, begun, some, through_terminal
from tests.support.planted import found_in
from tests.support.playbook import Playbook
from tests.support.recording import Recording, saved
from tests.support.typical import TYPICAL, TypicalPlaybook, known
from tests.support.words import PATH

REAL = {"String": ("some\r\nwords\r\n", "\r\n"), "Contents": ("a\r\nb\r\n", "")}
"""Texts that hold CR LF, as files and messages of Windows do."""


def logged(minor: int, *texts: str) -> TypicalPlaybook:
    talk = begun(minor)
    talk.ask("BuildPaths")
    talk.daemon(*(StderrNext(text=each) for each in texts))
    talk.answer("BuildPaths")
    talk.whole(*FOLLOWING)
    return talk


@pytest.mark.parametrize("minor", [10, 21, 38])
def test_texts_that_hold_cr_lf_are_right(
    minor: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.support.typical.TYPICAL", {**TYPICAL, **REAL})
    talk = logged(minor, "one\r\n", "two\r\nthree\r\n", "\r\r\n")
    talk.whole(*(operation.name for operation in known(minor)))
    names = {finding.kind.name for finding in found_in(saved(talk, tmp_path))}
    assert names <= {"obsolete", "newer-operation"}


@pytest.mark.parametrize("mistake", sorted(PLANTED.keys() - {Mistake.LINE_ENDS.label}))
def test_another_mistake_beside_texts_that_hold_cr_lf(
    mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.support.typical.TYPICAL", {**TYPICAL, **REAL})
    for case in islice(some(mistake, 38, 3), 40):
        session = saved(case.talk, tmp_path, left=case.left)
        found = [finding for finding in found_in(session) if finding.kind.name == "line-ends"]
        session.close()
        assert not found, (case.operation, case.how, found)


def test_a_line_feed_that_stands_bare_acquits_the_path(tmp_path: Path) -> None:
    talk = through_terminal(logged(38, "one\n", "two\n"), DAEMON)
    talk.ask("BuildPaths")
    talk.daemon(StderrNext(text="as it is\n"))
    talk.answer("BuildPaths")
    found = found_in(saved(talk, tmp_path))
    assert Mistake.LINE_ENDS not in {finding.mistake for finding in found}


def test_what_was_cr_lf_before_the_terminal(tmp_path: Path) -> None:
    talk = through_terminal(logged(38, "one\r\n", "two\n"), DAEMON)
    found = found_in(saved(talk, tmp_path))
    assert {finding.kind.name for finding in found} == {"line-ends"}
    assert "a CR stands before 2 line feeds" in found[0].explanation[-2]


def test_a_log_that_is_longer_than_what_is_looked_at(tmp_path: Path) -> None:
    lines = [f"line {i}\n" for i in range(20_000)]
    found = found_in(saved(through_terminal(logged(38, *lines), DAEMON), tmp_path))
    assert {finding.kind.name for finding in found} == {"line-ends"}


@pytest.mark.parametrize("side", [CLIENT, DAEMON])
def test_in_the_serve_protocol(side: int, tmp_path: Path) -> None:
    protocol = Protocol(7, family=SERVE)
    ask = serve.QueryClosure(paths=frozenset([f"{PATH}-with\na-line"]))
    failure = serve.Failure(status=BuildStatus.PERMANENT_FAILURE, error_msg="it\nfailed\n")
    talk = Playbook(protocol).greet() >> ask << Paths(paths=frozenset([PATH]))
    talk >> serve.BuildPaths(paths=(PATH,), options=serve.BuildOptions())
    talk << serve.BuildPaths.Reply(failure=failure) >> ask << Paths(paths=frozenset([PATH]))
    for i, (speaker, data) in enumerate(talk.turns):
        if speaker == side and data:
            talk.turns[i] = (side, data.replace(b"\n", b"\r\n"))
    connection = Recording(tmp_path / "r.pcapng").play(talk)
    connection.close()
    found = found_in(connection.recording.session())
    assert "line-ends" in {finding.kind.name for finding in found}
    assert {finding.mistake for finding in found} <= {Mistake.LINE_ENDS, None}
