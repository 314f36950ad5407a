"""`pix-inspect run -- COMMAND`: run a command with its daemon traffic relayed and recorded.

Like strace: the terminal is the command's, the exit status is the command's.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

from pix.problem import Problem
from pix.sockets import Listener, listen
from pix_inspect.base.narrate import all_said, narrate, never_wait, say
from pix_inspect.base.state_directory import new_recording
from pix_inspect.capture.capture import Capture
from pix_inspect.capture.relay import Relay, only_relay
from pix_inspect.capture.upstream import Upstream
from pix_inspect.commands.check import line, understood
from pix_inspect.expectations.expectation import Expectation
from pix_inspect.expectations.verdicts import verdicts
from pix_inspect.machine.running_relays import registered
from pix_inspect.options import capture as capture_options
from pix_inspect.options.capture import distance_arguments, upstream_from
from pix_inspect.session.session import Session

NOT_FOUND = 127
NOT_EXECUTABLE = 126
LONGEST_FOLDER = 80
"""Bytes of the folder for sockets: old clients take paths of 106 bytes and no more."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="the recording (default: a new one)"
    )
    capture_options.arguments(parser)
    distance_arguments(parser)
    parser.add_argument("--quiet", action="store_true", help="no summary at the end")
    parser.add_argument(
        "--check",
        action="append",
        default=[],
        metavar="EXPECTATION",
        help="what must hold of the traffic, such as 'count(op = QueryPathInfo) < 100'",
    )
    parser.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="-- COMMAND …", help="the command to run"
    )


def main(args: argparse.Namespace) -> int:
    """Run the command; return its status, 127 and 126 as shells do, 128+N for signal N.

    A command that succeeds while a --check does not hold ends with status 1.
    """
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        raise Problem("no command to run: pix-inspect run -- nix-build foo.nix")
    if shutil.which(command[0]) is None:
        say(f"{command[0]}: no such command")
        return NOT_EXECUTABLE if os.path.lexists(command[0]) else NOT_FOUND
    expected = understood(args.check) if args.check else []
    upstream = upstream_from(args, None)
    target: Path = args.output or new_recording(Path(command[0]).name)
    folder = _private_folder()
    try:
        listener = listen(folder / "s")
        try:
            taken = Capture(target, upstream, args, listen=str(listener.path), command=command)
        except BaseException:
            listener.close()
            raise
        with registered(listener.path, str(upstream), target, stoppable=False):
            status = _relayed(command, listener, upstream, taken)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    held = 0
    target = taken.writer.path or target  # somebody may have taken its name
    try:
        _report(target, taken, args.quiet)
        held = _held(target, expected)
    except Problem as problem:  # the command's status matters more than what we make of it
        say(str(problem))
        held = 2 if expected else 0
    if status < 0:
        return _die_alike(-status)
    return status or held


def _private_folder() -> Path:
    """Make a folder for the socket, with a name so short that any client can take it."""
    try:
        usual = len(os.fsencode(tempfile.gettempdir())) <= LONGEST_FOLDER
        return Path(tempfile.mkdtemp(prefix="pix-", dir=None if usual else "/tmp"))
    except OSError as error:
        raise Problem(f"cannot make a folder for the socket: {error}; set TMPDIR") from None


def _held(target: Path, expected: list[Expectation]) -> int:
    """Say whether the expectations hold of the recording; return 1 when one does not."""
    if not expected:
        return 0
    session = Session(target).read_all()
    found = verdicts(session, expected)
    session.close()
    for verdict in found:
        narrate(line(verdict))
    return 0 if all(verdict.holds for verdict in found) else 1


def _relayed(command: list[str], listener: Listener, upstream: Upstream, taken: Capture) -> int:
    """Run the command with a relay beside it; return its status, -N for signal N."""
    relay = Relay(listener, upstream, taken.open_tap, delay=taken.delay, say=say)
    only_relay()
    never_wait()
    serving = threading.Thread(target=relay.serve, name="relay")
    environment = dict(os.environ)
    environment["NIX_REMOTE"] = f"unix://{listener.path}"
    environment["NIX_DAEMON_SOCKET_PATH"] = str(listener.path)
    environment.pop("LIX_DAEMON_SOCKET_DIR", None)  # Lix would look there first
    # Ctrl-C is for the command, which has the terminal; we wait for what it does
    before = [(number, _let_pass(number)) for number in _TERMINAL_SIGNALS]
    told = threading.Event()  # to end, before there was anything to end
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    try:
        serving.start()
        try:
            process = subprocess.Popen(command, env=environment)
        except OSError as error:
            say(f"{command[0]}: {error.strerror}")
            return NOT_EXECUTABLE
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        if told.is_set():
            process.terminate()
        return process.wait()
    finally:
        # processes that the command left behind may still be talking: let them finish
        relay.on_signals(signal.SIGINT, signal.SIGTERM)
        relay.stop()
        # a signal that comes just before a wait does not end it
        while serving.is_alive():
            serving.join(0.5)
        for number, handler in before:
            signal.signal(number, handler)
        taken.close()


_TERMINAL_SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


def _let_pass(number: int) -> Any:
    """Have a signal do nothing here, yet what it does by itself in the command.

    One that is ignored (nohup) stays ignored in both. Returns what was set before.
    """
    before = signal.getsignal(number)
    if before != signal.SIG_IGN:
        signal.signal(number, lambda *_: None)
    return signal.SIG_DFL if before is None else before


def _report(target: Path, taken: Capture, quiet: bool) -> None:
    if not quiet:
        if taken.connections:
            from pix_inspect.analysis.summary import summary

            for row in summary(target):
                narrate(row)
        else:
            say("the command made no connection to the daemon")
    say(f"recorded in {taken.where()}")


def _die_alike(number: int) -> int:
    """End by the same signal as the command, so that a shell sees the same; else 128+N."""
    if number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        all_said()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    return 128 + number
