"""The REPL's session against the embedded daemon: connections, bytes by hand, files, errors."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pix.codec.nar_files import nar_of
from pix.problem import Problem
from pix_inspect.capture.own_relay import OwnRelay
from pix_inspect.repl.expressions import ExpressionError
from pix_inspect.repl.repl import Session
from pix_inspect.repl.text import shown
from pix_inspect.session.session import Session as Recording
from pix_store import EmbeddedDaemon

WAIT = 60.0


def text(value: Any) -> str:
    return "\n".join(shown(value))


def test_results_are_objects_with_fields(session: Session) -> None:
    session.run('b = AddToStore(name="b", method="text:sha256", references=[a], dump=b"")')
    session.run("info = QueryPathInfo(path=b.reply.path)")
    assert session.run("info.reply.info.references[0] == a") is True
    assert session.run("[IsValidPath(path=p).reply.valid for p in info.reply.info.references]") == [
        True
    ]
    assert session.run("IsValidPath(a).reply.valid") is True
    assert session.run("names()") == ["a", "b", "info"]
    assert "nar_size: " in text(session.run("info"))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('AddToStoreNar(path=a, nar_size="x")', "nar_size: expected U64, got str"),
        ("IsValidPath()", "path is missing"),
        ("IsValidPath(pth=1)", "no field pth: IsValidPath(path: StorePath)"),
        ("BuildPaths([a])", "fields are named"),
        ("IsValidPath(a, a)", "fields are named"),
        ("IsValidPath(a, path=a)", "path is given twice"),
        ("IsValidPath(5)", "path: expected StorePath, got int"),
        ("IsValidPath(path=5)", "path: expected StorePath, got int"),
        ('BuildPaths(paths=[], mode="Norml")', "is not a value of BuildMode"),
        ('AddToStore(name="x")', "dump is missing"),
        ('AddToStore(name="x", dump=5)', 'expected bytes, got int; nar("./dir")'),
        ("nothing", "nothing is called nothing"),
        ("QueryPathinfo(a)", "nothing is called QueryPathinfo; did you mean QueryPathInfo?"),
        ("a(5)", "a cannot be called"),
        ("QueryPathInfo(path=a).reply.inf", "has no field inf (info)"),
        ("QueryPathInfo(path=a).reply.info.references[5]", "out of range"),
        ("u64(-1)", "from 0 to 2^64"),
        ('hex("xyz")', "hexadecimal"),
        ("close(5)", "too many arguments"),
        ("connect(5)", "path: expected the path of a socket"),
        ('connect(version="2.0")', "not a protocol version"),
        ('connect(version="1.5")', "older than 1.10"),
        ('connect(features=["nonsense"])', "no feature is called"),
        ('file("/does/not/exist")', "cannot read"),
        ('nar("/does/not/exist")', "cannot read"),
        ('save(5, "/does/not/exist/x")', "cannot write"),
        ("recorded(1)", "which recording"),
        ('recorded(1, "/does/not/exist")', "/does/not/exist"),
        ("receive()", "send_only(…) begins"),
        ("raw(None)", "expected text, bytes or a number"),
        ("raw(wait=1e9)", "wait: expected 0 to"),
        ("paths([1])", "paths takes a list"),
        ('help("Nonsense")', "nothing is called"),
        ("encode(5)", "encode takes an operation"),
        ('EnsurePath(path="/nix/store/' + "0" * 32 + '-x").reply.done', "the daemon refused"),
    ],
)
def test_a_mistake_costs_one_line_and_nothing_else(session: Session, line: str, says: str) -> None:
    with pytest.raises((ExpressionError, Problem)) as caught:
        session.run(line)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert session.run("IsValidPath(path=a).reply.valid") is True


def test_what_a_version_lacks_is_said(session: Session) -> None:
    assert "protocol 1.21" in session.run('connect(version="1.21")')
    with pytest.raises(ExpressionError, match=r"repair does not exist before 1\.25"):
        session.run('AddToStore(name="x", repair=True, dump=b"")')
    with pytest.raises(Problem, match=r"AddMultipleToStore came with 1\.32"):
        session.run("AddMultipleToStore(items=paths([]))")
    assert session.run("version()") == "1.21"
    assert "protocol 1.38" in session.run('connect(version="1.38")')


def test_options_add_up_and_other_names_are_settings(session: Session) -> None:
    first = session.run("options(keep_failed=True, cores=3)")
    assert (first.request.keep_failed, dict(first.request.overrides)) == (1, {"cores": "3"})
    second = session.run('options(verbosity=5, access_tokens=["a", "b"])')
    assert (second.request.keep_failed, second.request.verbosity) == (1, 5)
    assert dict(second.request.overrides) == {"cores": "3", "access-tokens": "a b"}


def test_help_is_what_explain_says(session: Session) -> None:
    by_name, by_text = session.run("help(QueryPathInfo)"), session.run('help("QueryPathInfo")')
    assert text(by_name) == text(by_text)
    assert text(by_name).startswith("QueryPathInfo (operation)")
    assert "recorded(number: exchange" in text(session.run("help(recorded)"))
    assert "operations" in text(session.run("help()"))
    assert "QueryPathInfo(path: StorePath)" in text(session.run("QueryPathInfo"))


def test_payload_comes_from_files_and_results_go_to_files(session: Session, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_text("contents")
    session.run(f't = AddToStore(name="t", dump=nar("{tree}"))')
    session.run(f'save(NarFromPath(path=t.reply.path).reply.nar, "{tmp_path}/out.nar")')
    assert (tmp_path / "out.nar").read_bytes() == b"".join(nar_of(tree))
    with pytest.raises(Problem, match="exists"):
        session.run(f'save(b"", "{tmp_path}/out.nar")')
    session.run(f'save(t, "{tmp_path}/t.json")')
    assert '"operation": "AddToStore"' in (tmp_path / "t.json").read_text()


def test_a_program_is_spoken_to_in_the_serve_protocol(session: Session) -> None:
    program = f"{sys.executable} -m pix_inspect daemon --serve"
    assert session.run(f"connect(serve={program!r})").endswith(": protocol 2.8")
    asked = "QueryValidPaths(lock=False, substitute=False, paths=[]).reply.paths"
    assert session.run(f"{asked} == []")
    with pytest.raises(ExpressionError, match="nothing is called IsValidPath"):
        session.run("IsValidPath(a)")
    session.close()


def test_a_daemon_that_dies_says_so_and_another_can_be_asked(tmp_path: Path) -> None:
    with EmbeddedDaemon(tmp_path / "s") as daemon:
        session = Session(str(daemon.path), timeout=WAIT)
        session.run("QueryAllValidPaths()")
    with pytest.raises(Problem, match=r"the connection is over|closed|cannot reach"):
        session.run("QueryAllValidPaths()")
    with pytest.raises(Problem, match="cannot reach the daemon"):
        session.run("QueryAllValidPaths()")
    with EmbeddedDaemon(tmp_path / "s"):
        assert session.run("QueryAllValidPaths().reply.paths") == []
        session.close()


def test_a_connection_that_ended_meanwhile_is_replaced_and_that_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    with EmbeddedDaemon(tmp_path / "s") as daemon:
        session = Session(str(daemon.path), timeout=WAIT, say=said.append)
        session.run("QueryAllValidPaths()")
    with EmbeddedDaemon(tmp_path / "s"):
        assert session.run("QueryAllValidPaths().reply.paths") == []
        session.close()
    assert "a new connection takes its place" in said[1]
    assert "protocol 1.38" in said[0]
    assert "protocol 1.38" in said[2]


@contextmanager
def silent_daemon(path: Path) -> Iterator[threading.Event]:
    """A daemon that greets as it should and answers nothing."""
    greeted = threading.Event()
    with EmbeddedDaemon() as behind, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            client, _ = listening.accept()
            with client, behind.socketpair() as true:
                client.settimeout(WAIT)
                passed = 0
                back = threading.Thread(target=_pass_on, args=(true, client), daemon=True)
                back.start()
                while data := client.recv(4096):
                    passed += len(data)
                    if passed > 40:  # behind the greeting
                        greeted.set()
                    else:
                        true.sendall(data)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield greeted
        thread.join(WAIT)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(4096):
            target.sendall(data)
    except OSError:
        pass


def test_a_wait_can_be_interrupted_from_another_thread(tmp_path: Path) -> None:
    with silent_daemon(tmp_path / "s") as asked:
        session = Session(str(tmp_path / "s"))
        session.connected()

        def interrupt() -> None:
            asked.wait(WAIT)
            session.interrupt()

        interrupting = threading.Thread(target=interrupt)
        interrupting.start()
        with pytest.raises(Problem, match="interrupted: this connection was closed"):
            session.run("QueryAllValidPaths()")
        interrupting.join(WAIT)
        assert session.connection is not None
        assert session.connection.failure is not None


def test_what_is_sent_is_recorded_under_its_name(daemon: EmbeddedDaemon, tmp_path: Path) -> None:
    relay = OwnRelay(tmp_path / "r.pcapng")
    session = Session(str(daemon.path), timeout=WAIT, route=relay)
    session.run('AddToStore(name="a", method="text:sha256", dump=b"' + "x" * 200 + '")')
    session.run("raw(u64(99), wait=5)")
    session.close()
    assert relay.close() == tmp_path / "r.pcapng"
    recording = Recording(tmp_path / "r.pcapng").read_all()
    peers = [row.peer for row in recording.connections.values()]
    assert [peer.command for peer in peers] == ["pix-inspect repl"] * 2
    names = [recording.row(i).operation for i in range(len(recording))]
    assert "AddToStore" in names
    number = names.index("AddToStore") + 1
    recording.close()
    session.recording = tmp_path / "r.pcapng"
    assert session.run(f"recorded({number})") == b"x" * 200
    with pytest.raises(Problem, match="no 5000"):
        session.run("recorded(5000)")


def test_without_a_connection_nothing_is_recorded(tmp_path: Path) -> None:
    relay = OwnRelay(tmp_path / "r.pcapng")
    session = Session(str(tmp_path / "none"), route=relay)
    with pytest.raises(Problem, match="cannot reach the daemon"):
        session.run("QueryAllValidPaths()")
    assert relay.close() is None
    assert not (tmp_path / "r.pcapng").exists()


def test_deleting_wants_a_word_however_it_is_sent(session: Session) -> None:
    asked: list[str] = []
    session.dangerous = lambda what: asked.append(what) or False  # type: ignore[func-returns-value]
    delete = 'CollectGarbage(action="DeleteDead")'
    for line in (
        delete, f"raw({delete})", f"raw(encode({delete}))", f"send_only({delete})",
        "raw(u64(20), u64(2), u64(0), u64(0))", "raw(u64(20))", f"raw({delete}, greet=False)",
        f"raw(u64(4711), {delete})",
    ):  # fmt: skip
        with pytest.raises(ExpressionError, match="not sent"):
            session.run(line)
    assert len(asked) == 8
    session.run('CollectGarbage(action="ReturnDead")')
    session.run('raw(CollectGarbage(action="ReturnDead"), wait=0.05)')
    session.run("raw(IsValidPath(path=a), wait=0.05)")
    assert len(asked) == 8
