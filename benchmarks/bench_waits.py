"""How soon a hang is named: from its cause to the first `status`, and to the screen, that say it.

Six hangs, of each Nix of the tests' lab (`make lab`). The cause is the moment at which a builder
begins to sleep, to compute or to open a named pipe, or a process is stopped; where somebody comes
to a lock or a stopped listener, the start of that `nix-build`. `status` is asked again and again
from then on, and what counts is the end of the first answer that names it; how long one answer
takes stands beside it. Prints seconds, the longest of three runs, and the machine's load.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pix.dataclass import dataclass
from tests.real_nix import lab
from tests.real_nix.daemons import Client
from tests.real_nix.lab import Nix
from tests.real_nix.test_waiting import PIX, Builds, building, derivation, terminal, told

VERSIONS = ("2.3.7", "2.8.0", "2.26.3", "2.34.8")
RUNS = 3
LONGEST = 60.0
"""Seconds after which a hang counts as never named."""
SLEEPS = "exec /bin/sleep 600"
COMPUTES = "while :; do :; done"
OPENS = "/bin/mkfifo pipe; {begun}; /bin/cat pipe"


class Stage:
    """A daemon, a relay before it, and what hangs there."""

    def __init__(self, builds: Builds, folder: Path) -> None:
        self.builds = builds
        self.client: Client = builds.daemon.client(socket=builds.path)
        self.marker = folder / "begun"
        self.stopped: list[int] = []

    def build(self, script: str) -> subprocess.Popen[bytes]:
        """Start a build of this script, which says in a file that it has begun."""
        begun = f": > {self.marker}"
        whole = script.format(begun=begun) if "{begun}" in script else f"{begun}; {script}"
        return self.builds.build(self.client, derivation("hangs", whole))

    def built(self, script: str) -> tuple[int, subprocess.Popen[bytes]]:
        """Start a build, and return when its builder had begun."""
        process = self.build(script)
        while not self.marker.exists():
            time.sleep(0.002)
        return self.marker.stat().st_mtime_ns, process

    def stop(self, pid: int) -> int:
        """Stop a process, and return when."""
        self.stopped.append(pid)
        at = time.time_ns()
        os.kill(pid, signal.SIGSTOP)
        return at


Begun = tuple[int, "subprocess.Popen[bytes]"]
"""When the cause was, in nanoseconds since 1970, and the client that hangs of it."""


def at_a_lock(stage: Stage) -> Begun:
    stage.built(SLEEPS)
    return time.time_ns(), stage.build(SLEEPS)


def at_a_stopped_daemon(stage: Stage) -> Begun:
    _, client = stage.built(SLEEPS)
    found = stage.builds.until(lambda waits: bool(told(waits, client).get("daemon")))
    return stage.stop(told(found, client)["daemon"]["pid"]), client


def at_a_stopped_listener(stage: Stage) -> Begun:
    stage.stop(stage.builds.daemon.process.pid)
    return time.time_ns(), stage.build(SLEEPS)


@dataclass(frozen=True, slots=True)
class Hang:
    """What hangs, what `status` calls its cause, and how the screen says it."""

    title: str
    cause: str
    said: str
    begin: Callable[[Stage], Begun]


HANGS = (
    Hang("a builder that sleeps", "sleeps", r"sleep \(pid \d+\) sleeps",
         lambda stage: stage.built(SLEEPS)),
    Hang("one that computes", "computes", r"\(pid \d+\) computes",
         lambda stage: stage.built(COMPUTES)),
    Hang("one blocked on a named pipe", "waits", r"builder's cat \(pid \d+\)",
         lambda stage: stage.built(OPENS)),
    Hang("a build that waits for a lock", "lock", r"waits? for the lock", at_a_lock),
    Hang("a stopped daemon", "stopped", r"daemon \(pid \d+\) is stopped", at_a_stopped_daemon),
    Hang("a stopped listener", "stopped", r"listens \(pid \d+\) is stopped",
         at_a_stopped_listener),
)  # fmt: skip


@contextmanager
def staged(nix: Nix) -> Iterator[tuple[Stage, Path]]:
    with tempfile.TemporaryDirectory(prefix="pix-") as name, building(nix, Path(name)) as builds:
        stage = Stage(builds, Path(name))
        try:
            yield stage, Path(name)
        finally:
            for pid in stage.stopped:
                os.kill(pid, signal.SIGCONT)


def in_status(nix: Nix, hang: Hang) -> tuple[float, float]:
    """Return the seconds until `status` names it, and those of its last answer."""
    with staged(nix) as (stage, _):
        since, client = hang.begin(stage)
        while True:
            asked = time.time_ns()
            found = told(stage.builds.waits(), client)
            now = time.time_ns()
            if found.get("cause") == hang.cause and found["cause_pid"] is not None:
                return (now - since) / 1e9, (now - asked) / 1e9
            if now - since > LONGEST * 1e9:
                raise SystemExit(f"{hang.title} was never named: {found}")


def on_screen(nix: Nix, hang: Hang) -> float:
    """Return the seconds until the screen names it."""
    with (
        staged(nix) as (stage, folder),
        terminal(folder, *PIX, "attach", str(stage.builds.relay.pid)) as shown,
    ):
        shown.wait_for("● live")
        shown.press("H")
        since, _ = hang.begin(stage)
        while True:
            shown.press("End")  # the connection that came last
            seen = " ".join(shown.shown().split())
            if re.search(hang.said, seen):
                return (time.time_ns() - since) / 1e9
            if time.time_ns() - since > LONGEST * 1e9:
                raise SystemExit(f"{hang.title} was never on the screen:\n{shown.shown()}")
            time.sleep(0.05)


def main() -> None:
    """Let it hang, and see."""
    here = [nix for nix in map(lab.installed, VERSIONS) if nix is not None]
    if not here:
        print("no real Nix here: `make lab` installs it")
    for nix in here:
        print(f"Nix {nix.label:26} {'status':>8} {'an answer':>10} {'screen':>8}")
        for hang in HANGS:
            status, answer = max(in_status(nix, hang) for _ in range(RUNS))
            print(f"  {hang.title:28} {status:6.2f} s {answer:8.2f} s", end="", flush=True)
            print(f" {max(on_screen(nix, hang) for _ in range(RUNS)):6.2f} s", flush=True)
    print(f"load: {', '.join(f'{each:.1f}' for each in os.getloadavg())}")
