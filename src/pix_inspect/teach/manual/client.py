"""A client in 40 lines of plain Python, in the four steps in which the chapters write it.

Each step is added at the end of what there was, and what there is then runs. Nothing of `pix` is
in it; `examples/daemon_client.py` is all of it.
"""

from __future__ import annotations

WORDS = """\
import socket
import sys


def number(value: int) -> bytes:
    return value.to_bytes(8, "little")


def text(value: bytes) -> bytes:
    return number(len(value)) + value + bytes(-len(value) % 8)
"""

HANDSHAKE = """

class Daemon:
    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.stream = self.socket.makefile("rb")
        self.socket.sendall(number(0x6E697863) + number(0x115) + number(0) + number(0))
        assert self.take(8)[:4] == b"oixd", "this is not a Nix daemon"
        self.version = self.number()
        assert self.take(8)[:4] == b"stla", "the daemon does not want to talk"

    def take(self, size: int) -> bytes:
        data = self.stream.read(size)
        assert len(data) == size, "the daemon hung up"
        return data

    def number(self) -> int:
        return int.from_bytes(self.take(8), "little")
"""

LOG = """
    def text(self) -> bytes:
        size = self.number()
        return self.take(size + -size % 8)[:size]

    def texts(self) -> list[bytes]:
        return [self.text() for _ in range(self.number())]

    def fields(self) -> list[bytes | int]:
        return [self.text() if self.number() else self.number() for _ in range(self.number())]

    def read(self, shape: str) -> list[object]:
        kinds = {"n": self.number, "t": self.text, "l": self.texts, "f": self.fields}
        return [kinds[kind]() for kind in shape]

    def ask(self, *words: bytes) -> None:
        frames = {b"gmlo": "t", b"TRTS": "nnntfn", b"POTS": "n", b"TLSR": "nnf", b"ptxc": "tn"}
        self.socket.sendall(b"".join(words))
        while (frame := self.take(8)[:4]) != b"stla":
            said = self.read(frames[frame])
            if frame == b"ptxc":
                raise RuntimeError(said[0])
"""

QUESTION = """
    def path_info(self, path: bytes) -> list[object] | None:
        self.ask(number(26), text(path))
        return self.read("ttlnnnlt") if self.number() else None


print(Daemon(sys.argv[1]).path_info(sys.argv[2].encode()))
"""

NAR = """\
def node(daemon: Daemon) -> object:
    take = daemon.text
    assert (take(), take()) == (b"(", b"type")
    kind, found, tree = take(), b"", {}
    while (word := take()) != b")":
        if word == b"entry":
            assert (take(), take()) == (b"(", b"name")
            name, _ = take(), take()
            tree[name] = node(daemon)
            assert take() == b")"
        else:
            found = take()
    return tree if kind == b"directory" else found


def contents(daemon: Daemon, path: bytes) -> object:
    daemon.ask(number(38), text(path))
    assert daemon.text() == b"nix-archive-1"
    return node(daemon)
"""
"""What reads a NAR, beyond the 40 lines: for the chapter on payload."""

STEPS = (WORDS, HANDSHAKE, LOG, QUESTION)


def program(steps: int) -> str:
    """Return the program after so many steps."""
    return "".join(STEPS[:steps])
