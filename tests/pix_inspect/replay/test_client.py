"""Requests sent again: what is sent, in which order, and what is told of the answers."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from pix.codec.gates import Protocol
from pix.conversation.exchange import CLIENT
from pix.protocol.logging import StderrError, StderrRead
from pix.protocol.operations import (
    AddTempRoot,
    AddToStore,
    AddToStoreNar,
    IsValidPath,
    NarFromPath,
    VerifyStore,
)
from tests.support.nars import nar
from tests.support.places import RECORDINGS
from tests.support.replayed import (
    END,
    LAST,
    NAMES,
    OF_WORKER,
    P,
    Q,
    client,
    played,
    scripted,
    story,
)
from tests.support.scripted_daemon import CLOSE, WAIT, Hears, HearsAnswer, HearsFrames
from tests.support.words import text

NEW, OLD = Protocol(38), Protocol(21)
YES, NO = IsValidPath.Reply(valid=True), IsValidPath.Reply(valid=False)
NO_MORE = StderrError(message="the store is full")
SECONDS = 60.0


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def outcomes(capsys: pytest.CaptureFixture[str]) -> dict[int, str]:
    return {line["exchange"]: line["outcome"] for line in lines(capsys)}


@pytest.mark.parametrize("name", NAMES)
def test_a_daemon_played_from_the_same_recording_answers_the_same(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = RECORDINGS / f"{name}.pcapng"
    with played(path) as (socket, unanswered):
        assert client(path, socket, "--log") == 0
    said = capsys.readouterr().out
    assert unanswered == []
    assert "different" not in said
    assert said.splitlines()[-1].endswith("same")


@pytest.mark.parametrize("version", ["1.10", "1.16", "1.21", "1.26", "1.38"])
@pytest.mark.parametrize("name", OF_WORKER)
def test_other_versions_say_the_same_or_name_what_they_cannot_carry(
    name: str, version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = RECORDINGS / f"{name}.pcapng"
    with played(path) as (socket, unanswered):
        client(path, socket, "--json", "--version", version)
    for line in lines(capsys):
        if line["outcome"] == "skipped":
            assert "before 1." in line["why"]
            assert line["operation"] in line["why"]
        elif line["outcome"] != "same":
            # a reply that has no such form: before 1.17 a path that is not there is an error
            assert any("cannot be given in" in each for each in unanswered), line


def test_everything_is_sent_again_byte_for_byte(tmp_path: Path) -> None:
    dump = nar({b"a": b"contents", b"b": ("symlink", b"a")})
    added = AddToStore(name="x", references=frozenset({Q}), dump=dump)
    ask = IsValidPath(path=P)
    path = story(tmp_path / "s.pcapng", (1, NEW, added, NO_MORE, ask, LAST, YES, END))
    script = (Hears(added), HearsFrames(), NO_MORE, Hears(ask), LAST, YES, WAIT)
    with scripted(tmp_path / "d", NEW, script) as (daemon,):
        assert client(path, tmp_path / "d") == 0
    assert daemon.problem is None
    assert daemon.heard == dump
    assert daemon.left == b""


def test_payload_is_pulled_in_whatever_pieces_the_daemon_wants(tmp_path: Path) -> None:
    content = nar(b"x" * 1000)
    asked = AddToStoreNar(path=P, nar_hash="0" * 64, nar_size=len(content), nar=b"")
    answer = text(content)
    path = story(
        tmp_path / "s.pcapng",
        (1, OLD, asked, StderrRead(length=32768), (CLIENT, answer), LAST, END),
    )
    reads = -(-len(content) // 96)
    turns = [turn for _ in range(reads) for turn in (StderrRead(length=96), HearsAnswer())]
    with scripted(tmp_path / "d", OLD, (Hears(asked), *turns, LAST, WAIT)) as (daemon,):
        assert client(path, tmp_path / "d") == 0
    assert daemon.problem is None
    assert b"".join(daemon.answers) == content
    assert {len(piece) for piece in daemon.answers[:-1]} == {96}


def test_a_request_waits_for_the_answer_on_another_connection(tmp_path: Path) -> None:
    first, second = IsValidPath(path=P), IsValidPath(path=Q)
    path = story(
        tmp_path / "s.pcapng", (1, NEW), (2, NEW), (1, first, LAST, YES), (2, second, LAST, NO)
    )
    order: list[str] = []
    never = threading.Event()
    scripts = (
        (Hears(first), lambda: never.wait(0.3), lambda: order.append("answer"), LAST, YES, WAIT),
        (Hears(second), lambda: order.append("request"), LAST, NO, WAIT),
    )
    with scripted(tmp_path / "d", NEW, *scripts) as daemons:
        assert client(path, tmp_path / "d") == 0
    assert [daemon.problem for daemon in daemons] == [None, None]
    assert order == ["answer", "request"]


def test_requests_that_overlapped_overlap_again(tmp_path: Path) -> None:
    first, second = IsValidPath(path=P), IsValidPath(path=Q)
    path = story(
        tmp_path / "s.pcapng",
        (1, NEW),
        (2, NEW),
        (1, first),
        (2, second),
        (2, LAST, NO),
        (1, LAST, YES),
    )
    other = threading.Event()
    scripts = (
        (Hears(first), lambda: other.wait(SECONDS), LAST, YES, WAIT),
        (Hears(second), LAST, NO, other.set, WAIT),
    )
    with scripted(tmp_path / "d", NEW, *scripts):
        assert client(path, tmp_path / "d") == 0
    assert other.is_set()


def test_requests_that_did_not_wait_do_not_wait_again(tmp_path: Path) -> None:
    first, second = IsValidPath(path=P), IsValidPath(path=Q)
    path = story(tmp_path / "s.pcapng", (1, NEW, first, second, LAST, YES, LAST, NO, END))
    script = (Hears(first), Hears(second), LAST, YES, LAST, NO, WAIT)
    with scripted(tmp_path / "d", NEW, script) as (daemon,):
        assert client(path, tmp_path / "d", "--paced") == 2  # no such option
        assert client(path, tmp_path / "d") == 0
    assert daemon.problem is None


def test_another_answer_is_told_by_field(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = IsValidPath(path=P)
    path = story(tmp_path / "s.pcapng", (1, NEW, ask, LAST, YES, END))
    for options, status in (
        ((), 1),
        (("--ignore", "valid"), 0),
        (("--ignore", "IsValidPath.reply"), 0),
        (("--ignore", "QueryPathInfo.valid"), 1),
        (("--ignore", "IsValidPath.reply.valid"), 0),
    ):
        with scripted(tmp_path / "d", NEW, (Hears(ask), LAST, NO, WAIT)):
            assert client(path, tmp_path / "d", "--json", *options) == status
        found = lines(capsys)
        assert found[0]["outcome"] == "same"
        changed = [{"field": "reply.valid", "recorded": True, "now": False}]
        assert found[1]["changes"] == (changed if status else [])


def test_an_error_instead_of_an_answer_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = IsValidPath(path=P)
    path = story(tmp_path / "s.pcapng", (1, NEW, ask, LAST, YES, END))
    error = StderrError(message="\x1b[31mno\x1b[0m")
    with scripted(tmp_path / "d", NEW, (Hears(ask), error, WAIT)):
        assert client(path, tmp_path / "d") == 1
    said = capsys.readouterr().out
    assert "error" in said
    assert "\x1b" not in said


def test_elided_payload_is_refused_by_name_and_the_rest_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    added = AddToStore(name="x", dump=nar(b"y" * 5000))
    ask = IsValidPath(path=P)
    path = story(
        tmp_path / "s.pcapng",
        (1, NEW, added, StderrError(message="no"), ask, LAST, YES, END),
        payload=16,
    )
    with scripted(tmp_path / "d", NEW, (Hears(ask), LAST, YES, WAIT)) as (daemon,):
        assert client(path, tmp_path / "d", "--json") == 1
    assert daemon.problem is None
    found = lines(capsys)
    assert [line["outcome"] for line in found] == ["same", "skipped", "same"]
    assert found[1]["why"] == "payload elided: record with --payload full"


def test_payload_of_answers_is_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask = NarFromPath(path=P)
    path = story(tmp_path / "s.pcapng", (1, NEW, ask, LAST, nar({b"a": b"one"}), END))
    for other, status in ((b"one", 0), (b"two", 1), (b"three", 1)):
        with scripted(tmp_path / "d", NEW, (Hears(ask), LAST, nar({b"a": other}), WAIT)):
            assert client(path, tmp_path / "d", "--json") == status
        found = lines(capsys)[1]["changes"]
        assert [change["field"][:7] for change in found] == ["payload"] * status


def test_a_daemon_that_hangs_up_costs_what_was_under_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, third = (
        VerifyStore(check_contents=False, repair=False),
        IsValidPath(path=P),
        AddTempRoot(path=P),
    )
    reply = VerifyStore.Reply(errors_remain=False)
    done = AddTempRoot.Reply()
    path = story(
        tmp_path / "s.pcapng",
        (1, NEW, first, LAST, reply, second, LAST, YES, third, LAST, done, END),
    )
    scripts = (
        (Hears(first), LAST, reply, Hears(second), CLOSE),
        (Hears(third), LAST, done, WAIT),
    )
    with scripted(tmp_path / "d", NEW, *scripts) as daemons:
        assert client(path, tmp_path / "d", "--json") == 1
    assert daemons[1].problem is None
    found = lines(capsys)
    assert [line["outcome"] for line in found] == ["same", "same", "failed", "same"]
    assert found[2]["why"] == "the daemon closed the connection"


def test_a_daemon_that_stays_silent_is_given_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask, more = IsValidPath(path=P), IsValidPath(path=Q)
    path = story(tmp_path / "s.pcapng", (1, NEW, ask, LAST, YES, more, LAST, YES, END))
    with scripted(tmp_path / "d", NEW, (Hears(ask), WAIT)):
        assert client(path, tmp_path / "d", "--json", "--timeout", "5s") == 1
    found = lines(capsys)
    assert [line["outcome"] for line in found] == ["same", "failed", "failed"]
    assert found[1]["why"] == "no answer within 5 s"
    assert found[2]["why"] == "not sent: no answer within 5 s"


def test_nonsense_instead_of_an_answer_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = IsValidPath(path=P)
    path = story(tmp_path / "s.pcapng", (1, NEW, ask, LAST, YES, END))
    with scripted(tmp_path / "d", NEW, (Hears(ask), b"nonsense" * 2, WAIT)):
        assert client(path, tmp_path / "d", "--json") == 1
    why = lines(capsys)[1]["why"]
    assert why.startswith("the daemon's answer cannot be read")
