"""The daemon that is played: which answer a request gets, and what happens without one."""

from __future__ import annotations

import signal
import socket
import subprocess
from pathlib import Path

import pytest

from pix.codec.gates import Protocol
from pix.codec.wire import pack_u64
from pix.daemon import DaemonConnection, NixDaemonError
from pix.protocol.logging import StderrError, StderrNext, StderrStartActivity
from pix.protocol.operations import (
    AddPermRoot,
    AddToStore,
    IsValidPath,
    NarFromPath,
    QueryReferrers,
    SetOptions,
)
from pix.sockets import connect
from pix_inspect.session.session import Session
from tests.support.nars import nar
from tests.support.places import RECORDINGS
from tests.support.processes import PIX, environment
from tests.support.relaying import WAIT, listens, until
from tests.support.replayed import END, LAST, P, Q, played, story

NEW, OLD = Protocol(38), Protocol(21)
YES, NO = IsValidPath.Reply(valid=True), IsValidPath.Reply(valid=False)
ASK = IsValidPath(path=P)
NO_MORE = StderrError(message="the store is full")


def test_repeated_requests_get_the_answers_in_order_then_the_last(tmp_path: Path) -> None:
    path = story(tmp_path / "s.pcapng", (1, NEW, ASK, LAST, NO, END), (2, NEW, ASK, LAST, YES, END))
    with played(path) as (where, unanswered), DaemonConnection(where) as daemon:
        assert [daemon.is_valid_path(P) for _ in range(4)] == [False, True, True, True]
    assert unanswered == []


def test_answers_are_found_by_value_whatever_the_order(tmp_path: Path) -> None:
    path = story(
        tmp_path / "s.pcapng",
        (1, NEW, ASK, LAST, YES, IsValidPath(path=Q), LAST, NO, END),
    )
    with played(path) as (where, _), DaemonConnection(where) as daemon:
        assert not daemon.is_valid_path(Q)
        assert daemon.is_valid_path(P)


def test_a_link_is_answered_as_it_was_asked_for(tmp_path: Path) -> None:
    recorded = "/tmp/nix-build-17-0/result"
    request, reply = AddPermRoot(path=P, gc_root=recorded), AddPermRoot.Reply(gc_root=recorded)
    path = story(tmp_path / "s.pcapng", (1, NEW, request, LAST, reply, END))
    with played(path) as (where, unanswered), DaemonConnection(where) as daemon:
        for link in ("/tmp/nix-build-18-0/result", recorded):
            assert daemon.call(AddPermRoot(path=P, gc_root=link)).gc_root == link
    assert unanswered == []


def test_without_an_answer_there_is_an_error_and_the_connection_goes_on(tmp_path: Path) -> None:
    path = story(tmp_path / "s.pcapng", (1, NEW, ASK, LAST, YES, END))
    with played(path) as (where, unanswered), DaemonConnection(where) as daemon:
        with pytest.raises(NixDaemonError, match=r"no answer to IsValidPath.*nearest is #2.*path"):
            daemon.is_valid_path(Q)
        with pytest.raises(NixDaemonError, match="it has no QueryReferrers at all"):
            daemon.call(QueryReferrers(path=P))
        assert daemon.is_valid_path(P)
    assert len(unanswered) == 2


@pytest.mark.parametrize("minor", [21, 38])
def test_payload_without_an_answer_is_consumed_whatever_its_size(
    tmp_path: Path, minor: int
) -> None:
    path = story(tmp_path / "s.pcapng", (1, Protocol(minor), ASK, LAST, YES, END))
    with played(path) as (where, _), DaemonConnection(where) as daemon:
        with pytest.raises(NixDaemonError, match="no answer to AddToStore"):
            daemon.call(AddToStore(name="x", dump=nar({b"large": bytes(3 << 20)})))
        assert daemon.is_valid_path(P)


def test_payload_decides_which_answer(tmp_path: Path) -> None:
    first, second = (AddToStore(name="x", dump=nar(raw)) for raw in (b"one", b"two"))
    path = story(
        tmp_path / "s.pcapng",
        (1, NEW, first, NO_MORE, second, StderrError(message="another"), END),
    )
    with played(path) as (where, _), DaemonConnection(where) as daemon:
        with pytest.raises(NixDaemonError, match="another"):
            daemon.call(second)
        with pytest.raises(NixDaemonError, match="the store is full"):
            daemon.call(first)


def test_any_options_may_be_set(tmp_path: Path) -> None:
    path = story(tmp_path / "s.pcapng", (1, NEW, ASK, LAST, YES, END))
    options = SetOptions(
        keep_failed=1, keep_going=1, try_fallback=0, verbosity=0, max_build_jobs=1,
        max_silent_time=0, verbose_build=0, build_cores=1, use_substitutes=0,
        overrides={"a": "b"},
    )  # fmt: skip
    for recording in (path, RECORDINGS / "copy.pcapng"):
        with played(recording) as (where, unanswered), DaemonConnection(where) as daemon:
            daemon.call(options)
        assert unanswered == []


def test_elided_answers_are_refused_by_name(tmp_path: Path) -> None:
    ask = NarFromPath(path=P)
    path = story(tmp_path / "s.pcapng", (1, NEW, ask, LAST, nar(b"x" * 5000), END), payload=16)
    with (
        played(path) as (where, _),
        DaemonConnection(where) as daemon,
        pytest.raises(NixDaemonError, match="payload elided: record with --payload full"),
    ):
        daemon.call(ask)


def test_log_frames_are_said_again_in_the_client_s_version(tmp_path: Path) -> None:
    started = StderrStartActivity(id=1, level=3, type=0, text="working")
    path = story(
        tmp_path / "s.pcapng",
        (1, NEW, ASK, StderrNext(text="hello\n"), started, LAST, YES, END),
    )
    for minor, expected in ((38, [StderrNext, StderrStartActivity]), (19, [StderrNext] * 2)):
        heard: list[object] = []
        with (
            played(path) as (where, _),
            DaemonConnection(where, version=f"1.{minor}", log=heard.append) as daemon,
        ):
            assert daemon.is_valid_path(P)
        assert [type(frame) for frame in heard] == expected


def test_an_unknown_operation_gets_an_error_and_the_end(tmp_path: Path) -> None:
    path = story(tmp_path / "s.pcapng", (1, OLD, ASK, LAST, YES, END))
    with played(path) as (where, unanswered):
        sock = connect(where, WAIT)
        sock.settimeout(WAIT)
        sock.sendall(b"cxin\0\0\0\0" + pack_u64(0x115) + bytes(16) + pack_u64(4711))
        heard = b""
        while piece := sock.recv(1 << 16):
            heard += piece
        sock.close()
    assert b"there is no operation 0x1267" in heard
    assert len(unanswered) == 1


def test_it_may_announce_another_version(tmp_path: Path) -> None:
    path = story(tmp_path / "s.pcapng", (1, NEW, ASK, LAST, YES, END))
    with (
        played(path, speaks=Protocol(30)) as (where, _),
        DaemonConnection(where) as daemon,
    ):
        assert daemon.protocol == Protocol(30)
        assert daemon.is_valid_path(P)


def test_the_command_listens_records_and_ends(tmp_path: Path) -> None:
    where, out = tmp_path / "s", tmp_path / "out.pcapng"
    words = ["replay", "daemon", str(RECORDINGS / "copy.pcapng"), "--listen", str(where)]
    process = subprocess.Popen(
        [*PIX, *words, "-o", str(out)],
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: listens(where))
        with DaemonConnection(where) as daemon, pytest.raises(NixDaemonError, match="no answer"):
            daemon.is_valid_path(P)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=WAIT)[1]
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert "no answer to IsValidPath" in said
    assert not where.exists()
    session = Session(out).read_all()
    assert [session.row(i).operation for i in range(len(session))] == [None, "IsValidPath"]
    assert session.row(1).state == "error"


def test_a_foreign_client_is_turned_away(tmp_path: Path) -> None:
    path = story(tmp_path / "s.pcapng", (1, NEW, ASK, LAST, YES, END))
    with played(path) as (where, _):
        sock = connect(where, WAIT)
        sock.settimeout(WAIT)
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(100) == b""
        sock.close()
