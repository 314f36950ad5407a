"""The manual's client, step by step as its chapters have it, with a daemon."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pix.daemon import DaemonConnection
from pix_inspect.teach.manual.client import NAR, STEPS, program
from tests.support.nars import Tree, nar

TREE: Tree = {
    b"bin": {b"run": ("executable", b"#!/bin/sh\n")},
    b"empty": b"",
    b"link": ("symlink", b"bin/run"),
}
EXAMPLE = Path(__file__).resolve().parents[2] / "examples/daemon_client.py"


def after(steps: int) -> dict[str, Any]:
    """What is defined after so many steps, none of which asks anything by itself."""
    names: dict[str, Any] = {}
    exec(compile(program(steps), f"step {steps}", "exec"), names)
    return names


@contextmanager
def connected(names: dict[str, Any], socket: Path) -> Iterator[Any]:
    """A daemon as the client has it."""
    daemon = names["Daemon"](str(socket))
    yield daemon
    daemon.stream.close()
    daemon.socket.close()


def try_every_step(socket: Path, minor: int) -> None:
    """The daemon speaks at most 1.`minor`, and takes paths from us."""
    with DaemonConnection(socket) as client:
        path = client.add_text_to_store("hello", "Hello, world!\n")
        size = client.query_path_info(path).nar_size
        folder = client.add_to_store("folder", nar(TREE))
    absent = str(Path(path).with_name("0" * 32 + "-absent"))
    names = after(1)
    assert names["number"](26) == b"\x1a" + bytes(7)
    assert names["text"](b"hello") == b"\5" + bytes(7) + b"hello\0\0\0"

    with connected(after(2), socket) as daemon:
        assert daemon.version == 0x100 | minor

    names = after(3)
    number: Callable[[int], bytes] = names["number"]
    text: Callable[[bytes], bytes] = names["text"]
    with connected(names, socket) as daemon:
        for asked, answer in ((path, 1), (absent, 0), (path, 1)):
            daemon.ask(number(1), text(asked.encode()))
            assert daemon.number() == answer
        with pytest.raises(RuntimeError, match="absent"):
            daemon.ask(number(10), text(absent.encode()))  # EnsurePath
        daemon.ask(number(1), text(path.encode()))
        assert daemon.number() == 1, "the connection goes on after an error"

    _try_the_exercises(names, socket, path)
    exec(NAR, names)
    with connected(names, socket) as daemon:
        assert names["contents"](daemon, path.encode()) == b"Hello, world!\n"
        found = names["contents"](daemon, folder.encode())
        assert found == {b"bin": {b"run": b"#!/bin/sh\n"}, b"empty": b"", b"link": b"bin/run"}
        daemon.ask(number(1), text(path.encode()))
        assert daemon.number() == 1, "the connection goes on after a NAR"
    assert len(STEPS) == 4
    for asked, says in ((path, f", {size}, "), (absent, "None")):
        ran = subprocess.run(
            [sys.executable, EXAMPLE, socket, asked],
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
        assert says in ran.stdout


def offer_newest(socket: Path) -> None:
    """What becomes of the client when it offers 1.38 to a daemon that has it."""
    names: dict[str, Any] = {}
    exec(program(2).replace("0x115", "0x126"), names)
    with pytest.raises(AssertionError, match="does not want to talk") as caught:
        names["Daemon"](str(socket))
    client = caught.traceback[-1].frame.f_locals["self"]
    client.stream.close()
    client.socket.close()


def _try_the_exercises(names: dict[str, Any], socket: Path, path: str) -> None:
    number, text = names["number"], names["text"]
    with connected(names, socket) as daemon:
        daemon.socket.sendall((number(1) + text(path.encode())) * 10)
        for _ in range(10):
            daemon.ask()
            assert daemon.number() == 1
        daemon.ask(number(8), text(b"hello"), text(b"Hello"), number(0))
        assert daemon.text().endswith(b"-hello")
