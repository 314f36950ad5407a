"""The program as a user starts it: commands that end, and relays that run."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pix.sockets import connect, listen
from tests.support.relaying import WAIT, listens, until

PIX = [sys.executable, "-m", "pix_inspect"]
HELLO = b"cxin\0\0\0\0\x26\x01\0\0\0\0\0\0"
"""The first bytes of a client of 1.38, which make a handshake begin."""


def environment(place: Path, more: dict[str, str] | None = None) -> dict[str, str]:
    """This process's environment without anything of Nix, and a state directory in `place`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NIX_")}
    return kept | {"XDG_STATE_HOME": str(place / "state")} | (more or {})


def pix(
    *words: str | Path,
    cwd: Path,
    env: dict[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*PIX, *map(str, words)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment(cwd, env),
        stdin=stdin,
        timeout=300,
        check=False,
    )


def is_there(pid: int) -> bool:
    """Whether a process runs; one that only waits to be waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def started_by(pid: int) -> list[int]:
    """Return the processes that a process and its threads started, and those these started."""
    found = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, children.read_text().split()):
                found += [child, *started_by(child)]
    return found


def descriptors() -> set[str]:
    """Return what this process has open: threads that others left may open and close meanwhile."""
    with contextlib.suppress(OSError):
        # the one of the folder itself is closed again when its target would be read
        return {each.name for each in Path("/proc/self/fd").iterdir() if each.is_symlink()}
    return set()


@dataclass
class RelayProcess:
    """`pix-inspect record`, listening on `s` of its folder for the daemon at `d`."""

    place: Path
    process: subprocess.Popen[str]
    daemon: socket.socket
    said: list[str] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.place / "s"

    @property
    def recording(self) -> Path:
        return self.place / "r.pcapng"

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """Return both ends of a relayed connection: the client's and the daemon's."""
        client = connect(self.path)
        server, _ = self.daemon.accept()
        for end in (client, server):
            end.settimeout(WAIT)
        return client, server

    def says(self, words: str) -> None:
        """Wait until a line on stderr has these words."""
        until(lambda: any(words in line for line in self.said))

    def stop(self) -> int:
        """Have it end, and return its status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT)


@contextmanager
def recording(
    place: Path, *words: str, wrap: tuple[str, ...] = (), env: dict[str, str] | None = None
) -> Iterator[RelayProcess]:
    """Run `record` with a daemon's socket behind it; what is left of it is killed."""
    listening = listen(place / "d")
    listening.sock.settimeout(WAIT)
    where = [] if "-o" in words else ["-o", "r.pcapng"]
    process = subprocess.Popen(
        [*(wrap or PIX), "record", "--listen", "s", "--upstream", "d", *where, *words],
        cwd=place,
        env=environment(place, env),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    relay = RelayProcess(place, process, listening.sock)
    errors = process.stderr
    assert errors is not None
    reading = threading.Thread(target=lambda: relay.said.extend(errors))
    reading.start()
    try:
        until(lambda: listens(place / "s") or process.poll() is not None)
        assert process.poll() is None, relay.said
        if "--quiet" not in words:
            relay.says("listening on")
        yield relay
    finally:
        process.kill()
        process.wait()
        reading.join(WAIT)
        errors.close()
        listening.close()
