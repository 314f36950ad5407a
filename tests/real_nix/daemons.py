"""Run real Nix daemons and clients on a store of their own.

Knows the environment variables and settings that keep a Nix to one folder, and what differs between
versions there.  A State is that folder; the daemon and its clients have to share it, because a
client reads derivations and outputs straight from the store.  Knows nothing of pix_inspect: a relay
is just another socket to point a client at.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.real_nix.lab import Nix

START_SECONDS = 60.0
RUN_SECONDS = 300.0

FEATURES = {
    "2.3.7": "",
    "2.8.0": "nix-command flakes ca-derivations",
    "2.26.3": "nix-command flakes ca-derivations mounted-ssh-store",
    "2.34.8": "nix-command flakes ca-derivations mounted-ssh-store",
}


class NoDaemon(Exception):
    """A daemon did not start; says what it printed."""


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


@dataclass(frozen=True, slots=True)
class State:
    """One store with its database, logs and settings, all under `folder`.

    `store` is the folder of store paths: `folder`/store unless the store has to have another name,
    for instance `/nix/store` in a namespace.
    """

    folder: Path
    store: Path

    @classmethod
    def of(cls, folder: Path, store: Path | None = None) -> State:
        """Make the folders that are not there."""
        state = cls(folder, store or folder / "store")
        for name in ("var/nix/daemon-socket", "log", "etc", "home", "tmp"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        state.store.mkdir(parents=True, exist_ok=True)
        return state

    @property
    def socket(self) -> Path:
        """Where every version's daemon listens, and every version's client looks, by itself."""
        return self.folder / "var/nix/daemon-socket/socket"

    def settings(self, role: str, settings: Mapping[str, str]) -> Path:
        """Write a nix.conf; returns its folder, as NIX_CONF_DIR wants it."""
        folder = self.folder / "etc" / role
        folder.mkdir(exist_ok=True)
        lines = [f"{name} = {value}\n" for name, value in settings.items()]
        (folder / "nix.conf").write_text("".join(lines))
        return folder

    def environment(self, nix: Nix, settings: Path) -> dict[str, str]:
        """This process's environment with everything of Nix replaced."""
        home = self.folder / "home"
        mine = {key: value for key, value in os.environ.items() if not key.startswith("NIX_")}
        return mine | {
            "PATH": f"{nix.programs}:{os.environ.get('PATH', '/usr/bin:/bin')}",
            "HOME": str(home),
            "TMPDIR": str(self.folder / "tmp"),
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_STATE_HOME": str(home / "state"),
            "NIX_STORE_DIR": str(self.store),
            "NIX_STATE_DIR": str(self.folder / "var/nix"),
            "NIX_LOG_DIR": str(self.folder / "log"),
            "NIX_CONF_DIR": str(settings),
            "NIX_USER_CONF_FILES": os.devnull,
        }


@dataclass(frozen=True, slots=True)
class Client:
    """Commands of one Nix, pointed at one socket."""

    nix: Nix
    env: dict[str, str]
    state: State

    def run(
        self, *command: str | Path, cwd: Path | None = None, check: bool = True, input: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end; its output is captured.  Fails with that output if `check`."""
        done = subprocess.run(
            [os.fspath(part) for part in command],
            env=self.env,
            cwd=cwd or self.state.folder / "tmp",
            input=input,
            capture_output=True,
            timeout=RUN_SECONDS,
        )
        if check and done.returncode:
            said = (done.stdout + done.stderr).decode(errors="replace")
            raise AssertionError(f"{command} ended with status {done.returncode}:\n{said}")
        return done


@dataclass(frozen=True, slots=True)
class Daemon:
    """A running daemon."""

    nix: Nix
    state: State
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def socket(self) -> Path:
        """The socket it listens on."""
        return self.state.socket

    @property
    def log(self) -> str:
        """What it has printed so far."""
        return (self.state.folder / "daemon.log").read_text(errors="replace")

    def client(
        self,
        nix: Nix | None = None,
        socket: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> Client:
        """A client, of the daemon's own version by default, for its socket or a relay's."""
        nix = nix or self.nix
        remote = str(socket or self.socket)
        wanted = _features(nix) | {"substituters": ""} | dict(settings or {})
        folder = self.state.settings(f"client-{nix.label}", wanted)
        env = self.state.environment(nix, folder)
        # 2.3.7 knows no NIX_DAEMON_SOCKET_PATH; unix:// is understood by all.
        env |= {"NIX_REMOTE": f"unix://{remote}", "NIX_DAEMON_SOCKET_PATH": remote}
        return Client(nix, env, self.state)


def _features(nix: Nix) -> dict[str, str]:
    features = FEATURES[nix.label]
    return {"experimental-features": features, "flake-registry": ""} if features else {}


def _wait(daemon: Daemon) -> None:
    end = time.monotonic() + START_SECONDS
    while daemon.process.poll() is None and time.monotonic() < end:
        with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
            probe.connect(str(daemon.socket))
            # the first connection makes the database: a second one meanwhile finds it busy
            probe.shutdown(socket.SHUT_WR)
            probe.settimeout(START_SECONDS)
            while probe.recv(4096):
                pass
            return
        time.sleep(0.01)
    raise NoDaemon(f"nix-daemon {daemon.nix.label} did not start: {daemon.log or 'no word'}")


def _descendants(pid: int) -> Iterator[int]:
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield int(child)
            yield from _descendants(int(child))


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the daemon, and the processes it made for connections and builds (own sessions all)."""
    left = list(_descendants(process.pid))
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def remove(folder: Path) -> None:
    """Remove a folder with store paths in it, whose folders are read-only."""
    for place, _, _ in os.walk(folder):
        with suppress(OSError):
            Path(place).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(
    nix: Nix,
    *,
    trusted: bool = True,
    folder: Path | None = None,
    store: Path | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Daemon]:
    """Run a daemon, by default on an empty store that is removed afterwards.

    `trusted` says whether this user's clients are; `settings` are lines for the daemon's nix.conf.
    The default folder has a short name, for a socket's address has 107 bytes.  Raises NoDaemon.
    """
    own = Path(tempfile.mkdtemp(prefix="nix-")) if folder is None else None
    state = State.of(folder or own or Path(), store)
    wanted = {
        "sandbox": "false",
        "build-users-group": "",
        "substitute": "false",
        "substituters": "",
        "max-jobs": "2",
        "cores": "1",
        "fsync-metadata": "false",
        "trusted-users": f"root {_user()}" if trusted else "",
    }
    conf = state.settings("daemon", wanted | _features(nix) | dict(settings or {}))
    env = state.environment(nix, conf) | {"NIX_DAEMON_SOCKET_PATH": str(state.socket)}
    try:
        with (state.folder / "daemon.log").open("wb") as log:
            process = subprocess.Popen(
                [nix.programs / "nix-daemon"],
                env=env,
                cwd=state.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            daemon = Daemon(nix, state, process)
            _wait(daemon)
            yield daemon
        finally:
            _stop(process)
    finally:
        if own is not None:
            remove(own)
