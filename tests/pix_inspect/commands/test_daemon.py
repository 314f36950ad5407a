"""`daemon` as a user starts it: one line says where it listens, Ctrl-C ends it well."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pix.daemon import DaemonConnection
from pix.sockets import connect
from tests.support.processes import PIX, environment, pix
from tests.support.relaying import WAIT, until


@contextmanager
def daemon(place: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*PIX, "daemon", "--listen", "s", *words],
        cwd=place,
        env=environment(place),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: _listens(place / "s") or process.poll() is not None)
        yield process
    finally:
        process.kill()
        process.communicate(timeout=WAIT)


def _listens(path: Path) -> bool:
    with suppress(OSError):
        connect(path, WAIT).close()
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_end(tmp_path: Path, number: signal.Signals) -> None:
    with daemon(tmp_path, "--store", "store", "--version", "1.34") as process:
        with DaemonConnection(tmp_path / "s", timeout=WAIT) as c:
            assert c.protocol.text == "1.34"
            path = c.add_text_to_store("x", "x")
            process.send_signal(number)
            out, err = process.communicate(timeout=WAIT)
        assert (process.returncode, out) == (0, "")
    assert not (tmp_path / "s").exists()
    assert (tmp_path / "store" / path[1:]).read_text() == "x"
    first, second = err.splitlines()
    assert first.startswith(f"pix-inspect: a Nix daemon listens on {tmp_path}/s (1.34, ")
    assert f"root={tmp_path}/store" in second
    with daemon(tmp_path, "--store", "store"), DaemonConnection(tmp_path / "s", timeout=WAIT) as c:
        assert c.query_all_valid_paths() == {path}


@pytest.mark.parametrize(
    ("words", "variables"),
    [
        ([], {"NIX_REMOTE": "daemon", "NIX_DAEMON_SOCKET_PATH": "{}/s"}),
        (
            ["--store", "a b"],
            {"NIX_REMOTE": "unix://{}/s?root={}/a b", "NIX_STATE_DIR": "{}/a b/nix/var/nix"},
        ),
        (
            ["--store", "{}/a b", "--store-dir", "{}/a b/store"],
            {
                "NIX_REMOTE": "daemon",
                "NIX_DAEMON_SOCKET_PATH": "{}/s",
                "NIX_STORE_DIR": "{}/a b/store",
                "NIX_LOG_DIR": "{}/a b/log",
                "NIX_STATE_DIR": "{}/a b/var/nix",
            },
        ),
    ],
)
def test_the_line_to_paste(tmp_path: Path, words: list[str], variables: dict[str, str]) -> None:
    told = [word.replace("{}", str(tmp_path)) for word in words]
    with daemon(tmp_path, *told) as process:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=WAIT)
    said = shlex.split(err.splitlines()[-1])
    expected = {name: value.replace("{}", str(tmp_path)) for name, value in variables.items()}
    assert dict(word.split("=", 1) for word in said[:-2]) == expected
    assert said[-2:] == ["nix", "…"]


def test_as_json(tmp_path: Path) -> None:
    with daemon(tmp_path, "--json", "--features", "provenance,addTempRoots") as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=WAIT)
    assert err == ""
    assert json.loads(out) == {
        "listening": f"{tmp_path}/s",
        "store": None,
        "store_dir": "/nix/store",
        "version": "1.38",
        "features": ["addTempRoots", "provenance"],
    }


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "no socket to listen on"),
        (["--listen", "s", "--version", "9"], "not a protocol version"),
        (["--listen", "s", "--features", "x"], "'x' is not a feature"),
        (["--listen", "s", "--store", "file"], "not a folder"),
        (["--listen", "file"], "not a socket"),
        (["--listen", "s", "--store-dir", "x"], "not a store directory"),
        (["--listen", "s", "--mode", "9"], "not a mode"),
        (["--listen", "s", "--trusted-public-keys", "k:AAAA"], "'k:AAAA' is not a public key"),
    ],
)
def test_bad_input_gets_one_line(tmp_path: Path, words: list[str], says: str) -> None:
    (tmp_path / "file").write_text("")
    done = pix("daemon", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("pix-inspect: ")
    assert says in line
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208
