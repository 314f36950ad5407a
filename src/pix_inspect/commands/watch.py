"""`pix-inspect --listen SOCKET`: relay, and watch live.

The relay is a process in a session of its own, so that neither Ctrl-C nor a terminal that
closes nor a screen that crashes ends anyone's build; the screen follows its recording.
"""

from __future__ import annotations

import argparse
import gc
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pix.problem import Problem
from pix_inspect.base.narrate import PREFIX, narrate, say
from pix_inspect.base.state_directory import new_recording
from pix_inspect.capture.capture import GOES_ON
from pix_inspect.commands import record
from pix_inspect.commands.open import (
    check_theme,
    need_terminal,
    own_settings,
    settings_argument,
    settings_of,
)
from pix_inspect.options.capture import upstream_from, user_ids, warn_of_trust
from pix_inspect.session.session import Session

PATIENCE = 10.0
"""Seconds for the relay to write what is left when it ends."""
BEGINNING = 60.0
"""Seconds for it to begin: on a machine that is busy with builds it takes its time."""

SECTION = 28
"""Bytes of a recording from which on it can be followed."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: those of `record`, and whether there is a screen."""
    record.relay_arguments(parser)
    parser.add_argument(
        "--detach", action="store_true", help="start the relay, say how to watch it, and return"
    )
    settings_argument(parser)


class RelayProcess:
    """A relay in a process of its own. Raises Problem when it does not begin.

    It outlives this process unless it is `held`: then it goes when this one does, however that
    goes.
    """

    def __init__(
        self, socket: Path, recording: Path, options: list[str], *, held: bool = False
    ) -> None:
        self.socket = socket
        self.recording = recording
        # What it says goes to a file without a name: a pipe would break when the screen goes.
        self._words = tempfile.TemporaryFile()  # noqa: SIM115
        self._warnings: list[str] = []
        self._was_there = os.path.lexists(recording)
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pix_inspect", "record", "--quiet"),
                *("--listen", str(socket), "-o", str(recording)),
                *options,
                *(["--until-eof"] if held else []),
            ],
            stdin=subprocess.PIPE if held else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._words,
            start_new_session=True,
        )
        try:
            self._wait_for_beginning()
        except BaseException:
            self.close()
            raise

    def _wait_for_beginning(self) -> None:
        until = time.monotonic() + BEGINNING
        while time.monotonic() < until:
            ended = self._process.poll() is not None
            if not ended and not self._was_there and _size(self.recording) >= SECTION:
                return
            last = "".join(self.said()[-1:])
            if ended:
                raise Problem(last or "the relay ended before it began")
            if last.endswith(GOES_ON):  # without a recording there is nothing to look at
                self.stop()
                raise Problem(last.removesuffix(GOES_ON))
            time.sleep(0.01)
        self.stop()
        raise Problem(f"the relay did not begin within {BEGINNING:.0f} seconds")

    @property
    def pid(self) -> int:
        return self._process.pid

    def warn(self, line: str) -> None:
        """Add something the user should know to what the relay said."""
        self._warnings.append(line)

    def alive(self) -> bool:
        """Return whether it is running."""
        return self._process.poll() is None

    def said(self) -> list[str]:
        """Return what it had to say since it began, one line each."""
        size = os.fstat(self._words.fileno()).st_size
        raw = os.pread(self._words.fileno(), min(size, 65536), max(0, size - 65536))
        lines = raw.decode("utf-8", "backslashreplace").splitlines()
        return [*self._warnings, *(line.removeprefix(PREFIX) for line in lines if line.strip())]

    def stop(self) -> None:
        """Have it accept no more clients and end when the last one is done."""
        if self.alive():
            self._process.send_signal(signal.SIGINT)

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended; return whether it has."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self) -> None:
        """Leave it to itself, if it is running and not held."""
        self._words.close()
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self.alive():  # Popen would complain of a child that nobody waits for
            self._process.returncode = 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def options_of(args: argparse.Namespace) -> list[str]:
    """Return the command line of `record` that means what `args` mean."""
    options = ["--mode", f"{args.mode:o}", "--file-mode", f"{args.file_mode:o}"]
    for user in args.allow_user:
        options += ["--allow-user", user]
    if args.upstream is not None:
        options += ["--upstream", args.upstream]
    if args.upstream_command is not None:
        options += ["--upstream-command", args.upstream_command]
    options += ["--payload", "full" if args.payload is None else f"{args.payload}B"]
    if args.max_size is not None:
        options += ["--max-size", f"{args.max_size}B", "--keep", str(args.keep)]
    for name in ("delay", "jitter"):
        if getattr(args, name):
            options += [f"--{name}", f"{getattr(args, name)}ns"]
    if args.otlp:
        options += ["--otlp", args.otlp]
    if args.rate:
        options += ["--rate", f"{args.rate:f}B"]
    return options


def main(args: argparse.Namespace) -> int:
    """Relay and show what passes until the user quits."""
    if args.listen is None:
        raise Problem("no socket to listen on: give --listen SOCKET")
    if args.output == "-":
        raise Problem("the screen follows a file: give -o FILE, or use `pix-inspect record -o -`")
    check_theme(args)
    if not args.detach:
        need_terminal(f"`pix-inspect record --listen {shlex.quote(str(args.listen))}` has none")
    user_ids(args.allow_user)
    upstream = upstream_from(args, args.listen)
    recording = Path(args.output) if args.output is not None else new_recording("live")
    relay = RelayProcess(args.listen, recording, options_of(args))
    warn_of_trust(upstream, shared=True, tell=relay.warn)
    if args.detach:
        _say_detached(relay)
        relay.close()
        return 0
    try:
        return _watch(relay, args)
    finally:
        relay.close()


def _watch(relay: RelayProcess, args: argparse.Namespace) -> int:
    answer: str | None = None
    try:
        session = Session(relay.recording)
        try:
            gc.disable()  # until the first rows stand: nothing that is made until then is garbage
            from pix_inspect.ui.app.app import Inspector

            app = Inspector(session, relay, settings=settings_of(args))
            app.configure(own_settings(args), args.theme)
            app.silence = args.silence
            answer = app.run()
            if app.complaint is not None:
                say(app.complaint)
        finally:
            session.close()
    finally:
        _leave(relay, answer)
    return 0


def _leave(relay: RelayProcess, answer: str | None) -> None:
    """Stop the relay, or say how to come back to it."""
    if not relay.alive():
        say(f"recorded in {relay.recording}")
        return
    if answer != "stop":
        _say_detached(relay)
        return
    relay.stop()
    if relay.wait(0.5):
        say(f"recorded in {relay.recording}")
    else:
        say("the relay ends when its last client is done; until then:")
        narrate(f"    pix-inspect open {shlex.quote(str(relay.recording))}")


def _say_detached(relay: RelayProcess) -> None:
    for line in relay.said():
        say(line)
    say(f"the relay goes on listening on {relay.socket}")
    narrate(f"    pix-inspect open {shlex.quote(str(relay.recording))}    # watch it")
    narrate(f"    pix-inspect stop {relay.pid}    # stop it when its last client is done")
