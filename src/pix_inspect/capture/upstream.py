"""Where the daemon is: a socket, or a command that speaks the protocol on its standard streams."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import stat
import subprocess
from pathlib import Path
from typing import Protocol

from pix.dataclass import dataclass
from pix.problem import Problem
from pix.sockets import connect
from pix_inspect.capture.command_group import GUARD
from pix_inspect.machine.relay_chain import Lineage, environment, sign

DEFAULT_SOCKET = Path("/nix/var/nix/daemon-socket/socket")


@dataclass(frozen=True, slots=True)
class SocketUpstream:
    """A daemon that listens on a Unix socket."""

    path: Path

    def connect(
        self, lineage: Lineage = (), *, heard: bool = False, number: int | None = None
    ) -> tuple[socket.socket, subprocess.Popen[bytes] | None]:
        """Return a new connection, named after its `number` in the recording. Raises OSError."""
        return connect(self.path, before=lambda sock: sign(sock, lineage, number)), None

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class CommandUpstream:
    """A command, started once for each connection, such as `nix-daemon --stdio`."""

    words: tuple[str, ...]

    @property
    def serves(self) -> bool:
        """Whether it is a program of the serve protocol, as `nix-store --serve` is."""
        return "--serve" in self.words

    def connect(
        self, lineage: Lineage = (), *, heard: bool = False, number: int | None = None
    ) -> tuple[socket.socket, subprocess.Popen[bytes] | None]:
        """Start the command and return a socket to its standard input and output.

        `heard`: what it writes to its standard error comes from the process, where it has to be
        read, and not to ours. Raises OSError.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            process = subprocess.Popen(
                list(self.words),
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.PIPE if heard else None,
                start_new_session=True,
                env=environment(lineage),
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        GUARD.watch(process.pid)
        return ours, process

    def __str__(self) -> str:
        return shlex.join(self.words)


Upstream = SocketUpstream | CommandUpstream


class Onward(Protocol):
    """Where else a relay can lead than to a daemon."""

    def connect(
        self, lineage: Lineage = (), *, heard: bool = False, number: int | None = None
    ) -> tuple[socket.socket, subprocess.Popen[bytes] | None]:
        """Return a new connection. Raises OSError."""


def upstream_of(path: str | None, command: str | None) -> Upstream:
    """Return the upstream that the options name, by default the system's daemon.

    Raises Problem when both are given, or the command cannot be split into words.
    """
    if path is not None and command is not None:
        raise Problem("--upstream and --upstream-command exclude each other; give one")
    if command is not None:
        try:
            words = tuple(shlex.split(command))
        except ValueError as error:
            raise Problem(f"--upstream-command {command!r}: {error}") from None
        if not words:
            raise Problem("--upstream-command is empty; write it as 'nix-daemon --stdio'")
        return CommandUpstream(words)
    chosen = socket_path(path) if path is not None else _usual()
    return SocketUpstream(Path(os.path.abspath(chosen)))  # noqa: PTH100 - links stay links


def _usual() -> Path:
    """Return the socket that a client started here would use."""
    if named := os.environ.get("NIX_DAEMON_SOCKET_PATH"):
        return Path(named)
    remote = os.environ.get("NIX_REMOTE", "")
    return socket_path(remote) if remote.startswith("unix:///") else DEFAULT_SOCKET


def socket_path(text: str) -> Path:
    """Return the path that `/x` or `unix:///x` names."""
    if not text.startswith("unix://"):
        return Path(text)
    return Path(text.removeprefix("unix://").partition("?")[0])


def require(upstream: Upstream) -> None:
    """Raise Problem where it is clear without trying that no daemon can be reached."""
    if isinstance(upstream, CommandUpstream):
        if shutil.which(upstream.words[0]) is None:
            raise Problem(f"--upstream-command: {upstream.words[0]}: no such command")
        return
    path = upstream.path
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise Problem(f"{path} is not a socket; name the daemon's socket with --upstream")
    except OSError as error:
        raise Problem(complaint(upstream, error)) from None


def complaint(
    upstream: Upstream | Onward, error: OSError | Problem, option: str = "--upstream"
) -> str:
    """Return one line that says why the daemon cannot be reached, and what to do.

    `option` is what another daemon is named with.
    """
    if isinstance(error, Problem):
        return f"cannot reach the daemon: {error}"
    why = os.strerror(error.errno) if error.errno else str(error)
    if isinstance(upstream, CommandUpstream):
        return f"cannot start {upstream}: {why}"
    hint = {
        "FileNotFoundError": f"is the daemon running? name its socket with {option}",
        "ConnectionRefusedError": "the socket is there, but no daemon listens on it",
        "PermissionError": "this user may not connect to it",
    }.get(type(error).__name__, f"name another with {option}")
    return f"cannot reach the daemon at {upstream}: {why}; {hint}"
