"""Make the bundled recordings again: each story with real Nix, through `pix-inspect record`.

    python -m scripts.record_stories [NAME ...]        all by default; `make recordings` is the same

Every story runs in namespaces of its own (tests/real_nix/namespace.py), so that the store is
/nix/store and no name, path or process of this machine gets into a recording.  Also writes
recordings/README.md and which exchange is the best example of what.  Knows the relay only by its
command line.
"""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pix_inspect.teach.bundled import EXAMPLES
from pix_inspect.teach.examples import choose
from scripts.stories import STORIES, Story
from tests.real_nix import lab, namespace
from tests.real_nix.daemons import Daemon, running

RECORDINGS = lab.REPOSITORY / "recordings"
SOCKET = Path("/tmp/pix.sock")
OUT = Path("/out")
START_SECONDS = 20.0
STORY_SECONDS = 120.0

README = """\
# Recordings

Small sessions of real Nix clients and daemons, recorded by `pix-inspect record`. The demo, the
tests, the manual and the README use them.

`make recordings` makes all of them again, `make recordings ARGS=NAME` one (Linux, with root or
unprivileged user namespaces). Each is made in a namespace of its own: the store is `/nix/store`,
and nothing tells which machine it was. What is run stands in `scripts/stories.py`.

| recording | client | daemon | story |
| --- | --- | --- | --- |
"""


@dataclass(frozen=True, slots=True)
class Play:
    """A stage (see stories.Stage) in the namespace, with a daemon and a relay in front of it."""

    daemon: Daemon
    client: lab.Nix

    def relayed(
        self, *command: str, status: int = 0, stdin: str | None = None, into: str | None = None
    ) -> str:
        """Run a command of the story's client through the relay."""
        given = (namespace.WORK / stdin).read_bytes() if stdin else b""
        said = _end(self._start(command, SOCKET), status, given)
        if into is None:
            return said.decode().strip()
        (namespace.WORK / into).write_bytes(said)
        return ""

    def together(self, *commands: tuple[str, ...]) -> None:
        """Run several commands of the story's client through the relay at the same time."""
        for process in [self._start(command, SOCKET) for command in commands]:
            _end(process)

    def direct(self, *command: str) -> str:
        """Run a command of the story's client with the daemon itself."""
        return _end(self._start(command, None)).decode().strip()

    def plain(self, *command: str, path: str = "", status: int = 0) -> str:
        """Run any command; `path` is searched for programs before all else."""
        env = self._environment(None, f"{path}:{self.client.programs}:/usr/bin:/bin")
        del env["NIX_REMOTE"]
        return _end(_popen(command, env), status).decode().strip()

    def spoken(self, *lines: str) -> None:
        """Send lines of the REPL through the relay, on one connection."""
        command = [sys.executable, "-m", "pix_inspect", "send", "--upstream", str(SOCKET), *lines]
        _end(_popen(command, self._environment(SOCKET, "/usr/bin:/bin")))

    def address(self) -> str:
        """The daemon itself, as a store URL."""
        return f"unix://{self.daemon.socket}"

    def file(self, name: str, text: str, mode: int = 0o644) -> None:
        """Write a file in /build."""
        path = namespace.WORK / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def _environment(self, socket: Path | None, path: str) -> dict[str, str]:
        env = self.daemon.client(self.client, socket).env
        return env | {"PATH": path, "HOME": str(namespace.WORK), "TMPDIR": "/tmp"}

    def _start(self, command: Sequence[str], socket: Path | None) -> subprocess.Popen[bytes]:
        env = self._environment(socket, "/usr/bin")
        return _popen(command, env, namespace.rooted(self.client))


def _popen(
    command: Sequence[str], env: dict[str, str], enter: Callable[[], None] | None = None
) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command,
        cwd=namespace.WORK,
        env=env,
        preexec_fn=enter,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
    )


def _end(process: subprocess.Popen[bytes], status: int = 0, given: bytes = b"") -> bytes:
    """Wait for a command; returns what it printed."""
    stdout, stderr = process.communicate(given, timeout=STORY_SECONDS)
    said = stderr.decode(errors="replace")
    assert process.returncode == status, f"{process.args!r}: status {process.returncode}\n{said}"
    return stdout


def _program(daemon: Daemon, options: str) -> str:
    """Write the program that serves the store itself; returns the command that starts it."""
    settings = {"sandbox": "false", "build-users-group": "", "substituters": ""}
    env = daemon.client(daemon.nix).env | {"NIX_REMOTE": "local"}
    env["NIX_CONF_DIR"] = str(daemon.state.settings("served", settings))
    del env["NIX_DAEMON_SOCKET_PATH"]
    said = shlex.join(f"{name}={value}" for name, value in env.items())
    program = namespace.WORK / "nix-store"
    program.write_text(f'#!/bin/sh\nexec env -i {said} {daemon.nix.programs}/nix-store "$@"\n')
    program.chmod(0o755)
    return f"{program} {options}"


@contextmanager
def _recorded(target: Path, *upstream: str | Path) -> Iterator[None]:
    """A relay at SOCKET that writes `target`."""
    options = ("--listen", SOCKET, *upstream, "-o", target)
    relay = subprocess.Popen(
        [sys.executable, "-m", "pix_inspect", "record", "--quiet", *map(str, options)],
        stdin=subprocess.DEVNULL,
    )
    end = time.monotonic() + START_SECONDS
    while not SOCKET.exists():
        assert relay.poll() is None, "pix-inspect record has ended"
        assert time.monotonic() < end, "pix-inspect record does not listen"
        time.sleep(0.02)
    try:
        yield
    finally:
        relay.send_signal(signal.SIGINT)
        status = relay.wait(START_SECONDS)
    assert status == 0, f"pix-inspect record ended with status {status}"


def play(story: Story) -> None:
    """Record one story; runs in the namespace."""
    assert socket.gethostname() == namespace.HOST
    target = namespace.WORK / f"{story.name}.pcapng"
    daemon_nix, client = namespace.inside(story.daemon), namespace.inside(story.client)
    with running(
        daemon_nix, trusted=story.trusted, folder=Path("/nix"), store=Path("/nix/store")
    ) as daemon:
        upstream: tuple[str | Path, ...] = ("--upstream", daemon.socket)
        if story.served:
            upstream = ("--upstream-command", _program(daemon, story.served))
        with _recorded(target, *upstream):
            story.tell(Play(daemon, client))
        shutil.copyfile(target, OUT / target.name)


def record(story: Story, folder: Path) -> Path:
    """Record one story in new namespaces; returns the recording, which is in `folder`."""
    with tempfile.TemporaryDirectory() as mountpoint:
        command = namespace.command(
            Path(mountpoint),
            __spec__.name,
            ["--inside", story.name, story.client, story.daemon],
            {str(OUT): folder},
        )
        subprocess.run(command, cwd=lab.REPOSITORY, check=True, stdin=subprocess.DEVNULL)
    return folder / f"{story.name}.pcapng"


def readme() -> str:
    """The text of recordings/README.md."""
    rows = [
        (f"[{story.name}]({story.name}.pcapng)", story.client, story.daemon, story.about)
        for story in STORIES.values()
    ]
    return README + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main(arguments: Sequence[str]) -> int:
    """The command line above; returns the exit status."""
    match arguments:
        case ["--inside", name, client, daemon]:
            play(replace(STORIES[name], client=client, daemon=daemon))
            return 0
    unknown = set(arguments) - set(STORIES)
    why = f"no story is called {', '.join(unknown)}" if unknown else namespace.available()
    if why:
        print(f"record_stories: {why}", file=sys.stderr)
        return 2
    RECORDINGS.mkdir(exist_ok=True)
    for name in arguments or STORIES:
        with tempfile.TemporaryDirectory() as folder:
            made = record(STORIES[name], Path(folder))
            size = (RECORDINGS / made.name).write_bytes(made.read_bytes())
        print(f"{made.name}: {size:,} bytes")
    (RECORDINGS / "README.md").write_text(readme())
    (RECORDINGS / EXAMPLES).write_text(json.dumps(choose(RECORDINGS), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
