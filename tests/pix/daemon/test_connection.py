from __future__ import annotations

import hashlib
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from pix.codec.errors import EncodeError, PixError
from pix.codec.gates import Protocol
from pix.codec.wire import pack_u64
from pix.daemon import DEFAULT_SOCKET, DaemonConnection, NixDaemonError, PathInfo
from pix.protocol import operations as op
from pix.protocol.handshake import DaemonHello
from pix.protocol.logging import (
    StderrError,
    StderrNext,
    StderrResult,
    StderrStartActivity,
    StderrStopActivity,
)
from pix.protocol.types import REALISATION_WITH_PATH, Trace, TrustedFlag, UnkeyedValidPathInfo
from tests.support.playbook import said
from tests.support.relaying import until
from tests.support.scripted_daemon import (
    CLOSE,
    LAST,
    SECONDS,
    WAIT,
    Daemon,
    Hears,
    Player,
    greeting,
    playing,
)

HELLO = "/nix/store/7h7qgvs4kgzsn8a6rb273saxyqh4jxlz-hello"
DRV = "/nix/store/0c5k3ql8xh0v2lnvjd2xqnlbbs8yxcnb-hello.drv"
LOST_PATH = "path '/nix/store/x' is not valid"
EMPTY = hashlib.sha256().hexdigest()
VALID = op.IsValidPath.Reply(valid=True)


def asking(path: str = HELLO) -> Hears:
    return Hears(op.IsValidPath(path=path))


# the handshake


@pytest.mark.parametrize("minor", [18, 21, 22, 25, 32, 33, 35, 37, 38])
def test_greets_every_version(minor: int) -> None:
    with playing(asking(), LAST, VALID, minor=minor) as daemon:
        connection = daemon.connection
        assert connection.daemon_version == 0x100 | minor
        assert connection.daemon_nix_version == ("2.26.3" if minor >= 33 else None)
        wanted = TrustedFlag.TRUSTED if minor >= 35 else TrustedFlag.UNKNOWN
        assert connection.trusted == wanted
        assert connection.is_valid_path(HELLO) is True


def test_version_as_a_number_and_293_is_1_37() -> None:
    turns = greeting(Protocol(37), 0x126, frozenset())
    hello = turns[2].what
    turns[2] = Hears(hello.replace(pack_u64(0x126), pack_u64(0x125)))
    with playing(*turns, minor=37, greets=False, version=293) as daemon:
        assert daemon.connect().daemon_version == 293


def test_features_are_those_that_both_know() -> None:
    features = frozenset({REALISATION_WITH_PATH})
    with playing(features=features) as daemon:
        assert daemon.connection.protocol.features == features
    turns = greeting(Protocol(38, features), 0x126, frozenset({"other"}))
    with playing(*turns, features=features, greets=False) as daemon:
        assert daemon.connect().protocol.features == frozenset()


def hello_of(version: int) -> bytes:
    return said(DaemonHello(version=version), Protocol(0))


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        ([CLOSE], "may not allow this user"),
        ([pack_u64(0xAB9A9FF0)], "does not allow this user"),
        ([b"SSH-2.0-OpenSSH_9\r\n"], "no Nix daemon"),
        ([Hears(pack_u64(0x6E697863)), hello_of(0x111)], "1.17, which is too old"),
        ([Hears(pack_u64(0x6E697863)), hello_of(0x163)], "Guix"),
        ([Hears(pack_u64(0x6E697863)), hello_of(0x226)], "version 2.38"),
        ([Hears(pack_u64(0x6E697863)), hello_of(0x115), CLOSE], "may not accept protocol 1.38"),
    ],
    ids=["closes", "not allowed", "ssh", "too old", "guix", "major 2", "refuses"],
)
def test_handshake_that_fails_says_why(turns: list[Any], words: str) -> None:
    with playing(*turns, greets=False, agrees=False) as daemon:
        with pytest.raises(NixDaemonError, match=words):
            daemon.connect()
        with pytest.raises(NixDaemonError, match="not connected"):
            daemon.connection.is_valid_path(HELLO)


def test_error_in_the_handshake_ends_it() -> None:
    turns = greeting(Protocol(38), 0x126, frozenset())
    turns[-1] = StderrError(message="cannot open the store")
    with (
        playing(*turns, greets=False) as daemon,
        pytest.raises(NixDaemonError, match="cannot open the store"),
    ):
        daemon.connect()


# the documented methods


def test_query_valid_paths() -> None:
    request = op.QueryValidPaths(paths=frozenset({HELLO, DRV}), substitute=True)
    with playing(Hears(request), LAST, op.Paths(paths=frozenset({HELLO}))) as daemon:
        assert daemon.connection.query_valid_paths([HELLO, DRV], substitute=True) == {HELLO}


def test_query_valid_paths_substitutes_by_itself_before_1_27() -> None:
    both, none = frozenset({HELLO, DRV}), op.Paths(paths=frozenset())
    with playing(
        *(Hears(op.QueryValidPaths(paths=both)), LAST, none),
        *(Hears(op.QuerySubstitutablePaths(paths=both)), LAST, op.Paths(paths=both)),
        *(Hears(op.EnsurePath(path=DRV)), StderrError(message="no luck", status=1)),
        *(Hears(op.EnsurePath(path=HELLO)), LAST, op.Done()),
        *(Hears(op.QueryValidPaths(paths=both)), LAST, op.Paths(paths=frozenset({HELLO}))),
        minor=21,
    ) as daemon:
        assert daemon.connection.query_valid_paths([HELLO, DRV], substitute=True) == {HELLO}


def test_query_path_info() -> None:
    info = UnkeyedValidPathInfo(
        deriver=DRV,
        nar_hash=EMPTY,
        references=frozenset({HELLO, DRV}),
        registration_time=1700000000,
        nar_size=53856,
        sigs=frozenset({"b:2", "a:1"}),
    )
    reply = op.QueryPathInfo.Reply(info=info)
    with playing(Hears(op.QueryPathInfo(path=HELLO)), LAST, reply) as daemon:
        found = daemon.connection.query_path_info(HELLO)
    assert found == PathInfo(
        deriver=DRV,
        nar_hash="sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73",
        references=[DRV, HELLO],
        registration_time=1700000000,
        nar_size=53856,
        sigs=["a:1", "b:2"],
    )
    assert found.nar_hash_hex == EMPTY
    assert found.nar_hash_sri == "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


@pytest.mark.parametrize("nonsense", ["ab", "", "x" * 64, "sha256:" + "ab" * 32])
def test_a_nar_hash_that_is_none(nonsense: str) -> None:
    info = UnkeyedValidPathInfo(nar_hash=nonsense, references=frozenset(), nar_size=1)
    reply = op.QueryPathInfo.Reply(info=info)
    turns = Hears(op.QueryPathInfo(path=HELLO)), LAST, reply, asking(), LAST, VALID
    with playing(*turns) as daemon:
        with pytest.raises(NixDaemonError, match="is not a SHA-256"):
            daemon.connection.query_path_info(HELLO)
        assert daemon.connection.is_valid_path(HELLO)


def test_query_path_info_of_a_path_that_is_not_valid() -> None:
    ask = Hears(op.QueryPathInfo(path=HELLO))
    none = op.QueryPathInfo.Reply(info=None)
    unknown = op.QueryPathInfo.Reply(
        info=UnkeyedValidPathInfo(nar_hash=EMPTY, references=frozenset(), nar_size=1)
    )
    with playing(ask, LAST, none, ask, LAST, unknown) as daemon:
        with pytest.raises(NixDaemonError, match="is not valid"):
            daemon.connection.query_path_info(HELLO)
        assert daemon.connection.query_path_info(HELLO).deriver == ""


def test_add_text_to_store_before_1_25() -> None:
    request = op.AddTextToStore(name="x", text="ä", references=frozenset({HELLO}))
    reply = op.AddTextToStore.Reply(path=DRV)
    with playing(Hears(request), LAST, reply, minor=24) as daemon:
        assert daemon.connection.add_text_to_store("x", "ä", [HELLO]) == DRV


@pytest.mark.parametrize(
    ("minor", "asked", "wire"),
    [
        (38, [f"{DRV}^out", f"{DRV}^*", DRV, HELLO], (f"{DRV}!out", f"{DRV}!*", DRV, HELLO)),
        (30, [f"{DRV}!out,dev"], (f"{DRV}!out,dev",)),
        (29, [f"{DRV}^out,dev", f"{DRV}^*", HELLO], (f"{DRV}!out,dev", DRV, HELLO)),
    ],
)
def test_build_paths(minor: int, asked: list[str], wire: tuple[str, ...]) -> None:
    request = op.BuildPaths(paths=wire)
    with playing(Hears(request), LAST, op.Done(), minor=minor) as daemon:
        daemon.connection.build_paths(asked)


def test_build_paths_says_what_cannot_be_asked() -> None:
    with playing(minor=29) as daemon:
        with pytest.raises(EncodeError, match=r"hello\.drv\^\* asks for its outputs"):
            daemon.connection.build_paths([DRV])
        with pytest.raises(EncodeError, match="expected a list, got str '/nix"):
            daemon.connection.build_paths(HELLO)
        with pytest.raises(EncodeError, match="expected a list"):
            daemon.connection.query_valid_paths(HELLO)


def test_a_failed_build_is_an_error_with_its_log() -> None:
    line = StderrResult(id=1, type=101, fields=("\x1b[31mcc: no\x1b[0m",))
    failed = StderrError(
        message="\x1b[31;1merror:\x1b[0m build of '/nix/store/\x1b[35mx.drv\x1b[0m' failed",
        traces=(Trace(hint="while \x1b[1mbuilding\x1b[0m"),),
    )
    with playing(
        Hears(op.BuildPaths(paths=(f"{DRV}!out",), mode=2)),
        StderrNext(text="building\nnow\n"),
        line,
        failed,
        *(asking(), LAST, VALID),
    ) as daemon:
        with pytest.raises(NixDaemonError) as caught:
            daemon.connection.build_paths([f"{DRV}^out"], build_mode=2)
        error = caught.value
        assert error.message == str(error) == "error: build of '/nix/store/x.drv' failed"
        assert error.traces == ("while building",)
        assert error.log == ("building", "now", "cc: no")
        assert error.status is None
        assert error.frame == failed
        assert isinstance(error, PixError)
        assert daemon.connection.is_valid_path(HELLO)


def test_an_error_before_1_26_has_a_status() -> None:
    failed = StderrError(message="\x1b[31;1merror:\x1b[0m it failed\n", status=100)
    with playing(asking(), failed, asking(), LAST, VALID, minor=25) as daemon:
        with pytest.raises(NixDaemonError) as caught:
            daemon.connection.is_valid_path(HELLO)
        assert (caught.value.message, caught.value.status) == ("it failed", 100)
        assert daemon.connection.is_valid_path(HELLO)


# what the daemon says meanwhile


def test_log_frames_are_told_as_they_come() -> None:
    frames: list[Any] = [
        StderrNext(text="hi\n"),
        StderrStartActivity(id=1, level=3, type=105, text="building", fields=(DRV, "", 1, 1)),
        StderrResult(id=1, type=105, fields=(1, 2, 3, 4)),
        StderrStopActivity(id=1),
    ]
    seen: list[Any] = []
    with playing(asking(), *frames, LAST, VALID, log=seen.append) as daemon:
        assert daemon.connection.is_valid_path(HELLO)
    assert seen == frames


def test_a_log_callback_that_raises_ends_the_connection() -> None:
    def refuse(frame: Any) -> None:
        raise KeyError("mine")

    with playing(asking(), StderrNext(text="x"), WAIT, log=refuse) as daemon:
        with pytest.raises(KeyError):
            daemon.connection.is_valid_path(HELLO)
        with pytest.raises(NixDaemonError, match=r"IsValidPath was left unfinished \(KeyError\)"):
            daemon.connection.is_valid_path(HELLO)


def test_no_second_operation_inside_a_first() -> None:
    problems: list[str] = []

    def nested(frame: Any) -> None:
        with pytest.raises(NixDaemonError) as caught:
            daemon.connection.is_valid_path(HELLO)
        problems.append(str(caught.value))

    with playing(asking(), StderrNext(text="x"), LAST, VALID, log=nested) as daemon:
        assert daemon.connection.is_valid_path(HELLO)
    assert problems == ["IsValidPath is still going on: open another connection for this"]


# connections that fail


@pytest.fixture
def closing(monkeypatch: pytest.MonkeyPatch) -> None:
    """For daemons that close behind an error: however busy the machine is, that is seen."""
    monkeypatch.setattr("pix.daemon.dialogue.CLOSING", SECONDS)


@pytest.mark.usefixtures("closing")
def test_doubled_error_and_close_says_so_on_the_next_use() -> None:
    failed = StderrError(message=LOST_PATH)
    with playing(asking(), (failed, failed)) as daemon:
        with pytest.raises(NixDaemonError) as first:
            daemon.connection.is_valid_path(HELLO)
        assert str(first.value) == LOST_PATH
        for _ in range(2):
            with pytest.raises(NixDaemonError, match="over: the daemon gave up after its last"):
                daemon.connection.is_valid_path(HELLO)


@pytest.mark.usefixtures("closing")
def test_second_copy_of_an_error_that_comes_late_is_not_taken_for_an_answer() -> None:
    failed = StderrError(message=LOST_PATH)
    with playing(asking(), failed, asking(DRV), failed, CLOSE, agrees=False) as daemon:
        with pytest.raises(NixDaemonError, match="is not valid"):
            daemon.connection.is_valid_path(HELLO)
        with pytest.raises(NixDaemonError, match="gave up after its last error"):
            daemon.connection.is_valid_path(DRV)


def test_the_same_error_twice_leaves_the_connection_usable() -> None:
    failed = StderrError(message=LOST_PATH)
    with playing(asking(), failed, asking(), failed, asking(), LAST, VALID) as daemon:
        for _ in range(2):
            with pytest.raises(NixDaemonError, match="is not valid"):
                daemon.connection.is_valid_path(HELLO)
        assert daemon.connection.is_valid_path(HELLO)


@pytest.mark.parametrize("cut", range(0, 24, 3))
def test_end_in_the_middle_of_an_answer(cut: int) -> None:
    answer = said(LAST, Protocol(38)) + said(VALID, Protocol(38))
    with playing(asking(), answer[: min(cut, 15)]) as daemon:
        with pytest.raises(NixDaemonError, match="IsValidPath: the daemon closed the connection"):
            daemon.connection.is_valid_path(HELLO)
        with pytest.raises(NixDaemonError, match="this connection is over"):
            daemon.connection.is_valid_path(HELLO)


def test_silence_runs_into_the_timeout() -> None:
    with playing(asking(), WAIT) as daemon:
        assert daemon.connection._dialogue is not None
        daemon.connection._dialogue.stream.timeout = 0.05  # the greeting may take longer
        with pytest.raises(NixDaemonError, match=r"IsValidPath: the daemon was silent for 0\.05 s"):
            daemon.connection.is_valid_path(HELLO)
        with pytest.raises(NixDaemonError, match="over: IsValidPath: the daemon was silent"):
            daemon.connection.is_valid_path(HELLO)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"garbage!", "expected a STDERR frame"),
        (pack_u64(0x64617461) + pack_u64(8), "no STDERR_READ in this operation"),
        (pack_u64(0x64617416) + pack_u64(0), "no STDERR_WRITE in this operation"),
        (pack_u64(0x6F6C6D67) + pack_u64(1 << 60), "the length of a string"),
        (pack_u64(0x6F6C6D67) + pack_u64(1) + b"xxxxxxxx", "zero padding"),
    ],
    ids=["no frame", "read", "write", "wild length", "padding"],
)
def test_an_answer_that_is_none(answer: bytes, words: str) -> None:
    with playing(asking(), answer, WAIT) as daemon:
        with pytest.raises(NixDaemonError, match=words):
            daemon.connection.is_valid_path(HELLO)
        with pytest.raises(NixDaemonError, match="this connection is over"):
            daemon.connection.is_valid_path(HELLO)


def test_bytes_that_nobody_asked_for() -> None:
    with playing(asking(), LAST, (VALID, b"\0" * 8), WAIT) as daemon:
        assert daemon.connection.is_valid_path(HELLO)
        with pytest.raises(NixDaemonError, match="said more than it was asked for"):
            daemon.connection.is_valid_path(HELLO)


# threads


def test_threads_have_a_connection_one_after_the_other() -> None:
    heard, answering = threading.Event(), threading.Event()
    told: list[bool] = []

    def log(frame: object) -> None:
        heard.set()
        assert answering.wait(SECONDS)

    turns = asking(), StderrNext(text="at it"), LAST, VALID, asking(DRV), LAST, VALID
    with playing(*turns, log=log) as daemon:
        first = threading.Thread(target=lambda: told.append(daemon.connection.is_valid_path(HELLO)))
        first.start()
        assert heard.wait(SECONDS)
        with pytest.raises(NixDaemonError, match="IsValidPath is still going on"):
            daemon.connection.is_valid_path(DRV)
        assert daemon.connection.ended() is None
        answering.set()
        first.join(SECONDS)
        assert told == [True]
        assert daemon.connection.is_valid_path(DRV)


def test_another_thread_may_close_it() -> None:
    failures: list[NixDaemonError] = []

    def ask(connection: DaemonConnection) -> None:
        with pytest.raises(NixDaemonError) as caught:
            connection.is_valid_path(HELLO)
        failures.append(caught.value)

    heard = threading.Event()
    with playing(asking(), StderrNext(text="at it"), WAIT, log=lambda _: heard.set()) as daemon:
        asks = threading.Thread(target=ask, args=(daemon.connection,))
        asks.start()
        assert heard.wait(SECONDS)
        daemon.connection.close()
        asks.join(SECONDS)
        assert not asks.is_alive()
        assert "closed" in str(failures[0])
        with pytest.raises(NixDaemonError, match="over: it was closed; connect again"):
            daemon.connection.is_valid_path(HELLO)


# what a version or a daemon does not have


def test_operations_that_came_later_are_not_sent() -> None:
    with playing(asking(), LAST, VALID, minor=21) as daemon:
        connection = daemon.connection
        with pytest.raises(NixDaemonError, match=r"BuildPathsWithResults came with 1\.34"):
            connection.build_paths_with_results([HELLO])
        with pytest.raises(NixDaemonError, match="AddTempRoots needs the feature addTempRoots"):
            connection.add_temp_roots([HELLO])
        assert connection.is_valid_path(HELLO)


def test_what_the_version_cannot_carry_is_not_sent() -> None:
    with playing(asking(), LAST, VALID, minor=24) as daemon:
        connection = daemon.connection
        with pytest.raises(EncodeError, match=r"AddToStore\.repair: does not exist before 1\.25"):
            connection.add_to_store("x", b"", repair=True)
        with pytest.raises(EncodeError, match=r"AddToStore\.method"):
            connection.add_to_store("x", b"", "fixed:git:sha1")
        with pytest.raises(EncodeError, match="is needed: the payload"):
            connection.call(op.AddToStore(name="x"))  # type: ignore[call-arg]
        with pytest.raises(EncodeError, match="got str"):
            connection.add_to_store("x", "text")  # type: ignore[arg-type]
        with pytest.raises(EncodeError, match=r"IsValidPath\.path"):
            connection.is_valid_path(None)  # type: ignore[arg-type]
        assert connection.is_valid_path(HELLO)


# reaching a daemon


def test_default_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NIX_DAEMON_SOCKET_PATH", raising=False)
    assert DaemonConnection().socket_path == DEFAULT_SOCKET == "/nix/var/nix/daemon-socket/socket"
    monkeypatch.setenv("NIX_DAEMON_SOCKET_PATH", "")
    assert DaemonConnection().socket_path == DEFAULT_SOCKET
    monkeypatch.setenv("NIX_DAEMON_SOCKET_PATH", "/elsewhere")
    assert DaemonConnection().socket_path == "/elsewhere"
    assert DaemonConnection("/here").socket_path == "/here"


def test_no_daemon_there(tmp_path: Path) -> None:
    with pytest.raises(NixDaemonError, match=r"no daemon at .*: No such file or directory"):
        DaemonConnection(tmp_path / "socket").connect()


def test_a_daemon_that_does_not_accept_runs_into_the_timeout(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(0)
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(path)
            with pytest.raises(NixDaemonError, match=r"nobody accepted .* within 0\.05 s"):
                DaemonConnection(path, timeout=0.05).connect()


def test_before_and_after() -> None:
    connection = DaemonConnection("/nowhere")
    connection.close()
    with pytest.raises(NixDaemonError, match="not connected"):
        connection.is_valid_path(HELLO)
    with playing(asking(), LAST, VALID) as daemon:
        assert daemon.connection.is_valid_path(HELLO)
        daemon.connection.close()
        assert daemon.connection.daemon_version == 0x126
        with pytest.raises(NixDaemonError, match="over: it was closed; connect again"):
            daemon.connection.is_valid_path(HELLO)


@pytest.mark.parametrize("length", [10, 150])
def test_connects_by_path_in_a_with_statement_and_again(tmp_path: Path, length: int) -> None:
    folder = tmp_path / ("x" * length)
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as listener, pytest.MonkeyPatch.context() as here:
        here.chdir(folder)
        listener.bind("socket")
        listener.listen()
        heard: list[bytes] = []

        def serve() -> None:
            for _ in range(2):
                peer, _ = listener.accept()
                with peer:
                    for turn in greeting(Protocol(38), 0x126, frozenset()):
                        if isinstance(turn, Hears):
                            heard.append(peer.recv(len(turn.what), socket.MSG_WAITALL))
                        else:
                            peer.sendall(said(turn, Protocol(38)))
                    heard.append(peer.recv(1))

        thread = threading.Thread(target=serve)
        thread.start()
        connection = DaemonConnection(str(folder / "socket"), timeout=SECONDS)
        with connection as entered:
            assert entered is connection
            assert connection.connect() is connection
            assert connection.daemon_version == 0x126
        with connection:
            assert connection.daemon_nix_version == "2.26.3"
        thread.join(SECONDS)
        assert [len(part) for part in heard] == [8, 16, 16, 0] * 2


def test_a_broken_connection_is_made_anew_when_asked_to(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        refusal = StderrError(message="permission denied")
        ask = Hears(op.AddPermRoot(path=HELLO, gc_root="/root"))

        def serve() -> None:
            for turns in ([ask, refusal], [asking(), LAST, VALID], [asking(), LAST, VALID]):
                daemon = Daemon(connection, Protocol(38))
                peer, _ = listener.accept()
                peer.settimeout(SECONDS)
                hello = greeting(Protocol(38), 0x126, frozenset(), trusted=TrustedFlag.NOT_TRUSTED)
                Player(peer, daemon, (*hello, *turns)).play()
                assert daemon.problem is None

        connection = DaemonConnection(str(tmp_path / "socket"), timeout=SECONDS, reconnect=True)
        thread = threading.Thread(target=serve)
        thread.start()
        with connection:
            with pytest.raises(NixDaemonError, match="permission denied"):
                connection.add_perm_root(HELLO, "/root")
            assert connection.failure is not None
            assert connection.is_valid_path(HELLO)
            until(lambda: connection.ended() is not None)
            assert connection.is_valid_path(HELLO)
        thread.join(SECONDS)
        assert not thread.is_alive()
        with pytest.raises(NixDaemonError, match="it was closed; connect again"):
            connection.is_valid_path(HELLO)
