"""`pix-inspect wireshark` as a process: by hand, and run by Wireshark on live traffic."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from pix.codec.wire import pack_string, pack_u64
from pix.daemon import DaemonConnection
from pix.protocol.logging import StderrLast
from pix_inspect.session.session import Session
from pix_inspect.wireshark.tables import dissector
from tests.support.places import ROOT
from tests.support.processes import PIX, environment, pix
from tests.support.recording import Recording
from tests.support.relaying import WAIT, listens, until
from tests.support.wireshark import tshark
from tests.support.words import PATH


def test_the_dissector_is_printed(tmp_path: Path) -> None:
    assert pix("wireshark", "print", cwd=tmp_path).stdout == dissector()


def test_it_says_what_it_wrote_and_removed(tmp_path: Path) -> None:
    done = pix("wireshark", "install", "--to", "x", cwd=tmp_path)
    assert done.returncode == 0
    assert "wrote x/plugins/nix-daemon.lua" in done.stderr
    assert "wrote x/extcap/nix-daemon" in done.stderr
    done = pix("wireshark", "uninstall", "--to", "x", cwd=tmp_path)
    assert done.stderr.count("removed") == 2
    done = pix("wireshark", "uninstall", "--to", "x", cwd=tmp_path)
    assert "nothing of ours is in x/plugins or x/extcap" in done.stderr


def test_what_a_vendor_declares_is_dissected(tmp_path: Path) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    made = Recording(tmp_path / "r.pcapng")
    talk = made.connect()
    talk.client(pack_u64(101), pack_string(PATH.encode()))
    talk.daemon(StderrLast(), pack_u64(7))
    talk.close().save()
    words = ["wireshark", "install", "--declare", str(ROOT / "examples/vendor.toml")]
    assert pix(*words, cwd=tmp_path, env={"HOME": str(tmp_path)}).returncode == 0
    asked = f'nix.queryColour.path == "{PATH}"'
    assert "QueryColour" in tshark(tmp_path, "-r", made.path, "-Y", asked)
    answered = "nix.queryColour.reply.colour == 7"
    assert "DarkBlue" in tshark(tmp_path, "-r", made.path, "-Y", answered, "-V")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["extcap"], "Wireshark runs this"),
        (["extcap", "--extcap-interface", "eth0", "--extcap-dlts"], "only nix-daemon"),
        (["extcap", "--capture"], "--capture needs --fifo"),
        (["extcap", "--capture", "--fifo", "no/such"], "cannot write to no/such"),
        (["extcap", "--capture", "--fifo", "p", "--payload", "some"], "--payload"),
        (["install", "--to", "/proc/x"], "cannot make /proc/x"),
    ],
)
def test_what_is_wrong_is_one_line(words: list[str], message: str, tmp_path: Path) -> None:
    done = pix("wireshark", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


@contextmanager
def daemon(place: Path) -> Iterator[Path]:
    """An embedded daemon's socket."""
    words = [*PIX, "daemon", "--listen", "d"]
    process = subprocess.Popen(words, cwd=place, env=environment(place), stderr=-3)
    try:
        until(lambda: listens(place / "d"))
        yield place / "d"
    finally:
        process.terminate()
        process.wait(WAIT)


def test_it_captures_by_hand_until_nobody_reads(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    capture_options = ["--capture", "--extcap-interface", "nix-daemon", "--fifo", "pipe"]
    capture_options += ["--listen", "s", "--upstream", "d"]
    with daemon(tmp_path):
        capture = subprocess.Popen(
            [*PIX, "wireshark", "extcap", *capture_options],
            cwd=tmp_path,
            env=environment(tmp_path),
        )
        with (tmp_path / "pipe").open("rb", buffering=0) as pipe:
            until(lambda: listens(tmp_path / "s"))
            with DaemonConnection(tmp_path / "s") as connection:
                assert connection.query_all_valid_paths() == frozenset()
            data = b""
            while b'"event":"close"' not in data.replace(b" ", b""):
                data += pipe.read(1 << 16)
        assert capture.wait(WAIT) == 0
    (tmp_path / "r.pcapng").write_bytes(data)
    session = Session(tmp_path / "r.pcapng").read_all()
    operations = [session.row(i).operation for i in range(len(session))]
    session.close()
    assert operations[-1] == "QueryAllValidPaths"


def changed(path: Path, before: bytes) -> bool:
    return path.read_bytes() != before


def test_tshark_captures_and_dissects_live(tmp_path: Path) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    home = environment(tmp_path, {"HOME": str(tmp_path)})
    assert pix("wireshark", "install", cwd=tmp_path, env={"HOME": str(tmp_path)}).returncode == 0
    socket = tmp_path / "s"
    with daemon(tmp_path) as upstream:
        options = ["-o", f"extcap.nix_daemon.listen:{socket}"]
        options += ["-o", f"extcap.nix_daemon.upstream:{upstream}"]
        wanted, shown = "nix.queryAllValidPaths.reply", tmp_path / "shown"
        with shown.open("wb") as out:
            capture = subprocess.Popen(
                ["tshark", "-i", "nix-daemon", "-l", *options, "-Y", wanted],
                cwd=tmp_path,
                env=home,
                stdout=out,
                stderr=subprocess.DEVNULL,
            )
        try:
            until(lambda: listens(socket))
            for _ in range(2):
                before = shown.read_bytes()
                with DaemonConnection(socket) as connection:
                    connection.query_all_valid_paths()
                    # shown while the connection is still open
                    until(partial(changed, shown, before))
            assert shown.read_bytes().count(b"QueryAllValidPaths reply") == 2
        finally:
            capture.send_signal(signal.SIGINT)
            capture.wait(WAIT)
        until(lambda: not socket.exists())
