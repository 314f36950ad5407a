"""`pix-inspect run -- COMMAND`: run a command with its daemon traffic relayed and recorded.

Like strace: the terminal is the command's, the exit status is the command's. Knows
processes and what to tell the user.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from pix_inspect import capture
from pix_inspect.capture import Capture, say, upstream_from, warn_of_trust
from pix_inspect.commands.check import line, understood
from pix_inspect.gate import Expectation, check
from pix_inspect.problem import Problem
from pix_inspect.relay import Relay
from pix_inspect.session import Session
from pix_inspect.sockets import listen
from pix_inspect.state import new_recording
from pix_inspect.upstream import Upstream

NOT_FOUND = 127
NOT_EXECUTABLE = 126


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="the recording")
    capture.arguments(parser)
    parser.add_argument("--quiet", action="store_true", help="no summary at the end")
    parser.add_argument(
        "--check",
        action="append",
        default=[],
        metavar="EXPECTATION",
        help="what must hold of the traffic, such as 'count(op = QueryPathInfo) < 100'",
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND …")


def main(args: argparse.Namespace) -> int:
    """Run the command; return its status, 127 and 126 as shells do, 128+N for signal N.

    A command that succeeds while a --check does not hold ends with status 1.
    """
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        raise Problem("no command to run: pix-inspect run -- nix-build foo.nix")
    if shutil.which(command[0]) is None:
        say(f"{command[0]}: no such command")
        return NOT_EXECUTABLE if Path(command[0]).exists() else NOT_FOUND
    expected = understood(args.check) if args.check else []
    folder = Path(tempfile.mkdtemp(prefix="pix-"))
    socket = folder / "s"
    try:
        upstream = upstream_from(args, None)
        target: Path = args.output or new_recording(Path(command[0]).name)
        taken = Capture(target, upstream, args, listen=str(socket), command=command)
        status = _relayed(command, socket, upstream, taken)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _report(target, taken, args.quiet)
    if status < 0:
        return _die_alike(-status)
    return status or _held(target, expected)


def _held(target: Path, expected: list[Expectation]) -> int:
    """Say whether the expectations hold of the recording; return 1 when one does not."""
    if not expected:
        return 0
    session = Session(target).read_all()
    verdicts = [check(session, each) for each in expected]
    for verdict in verdicts:
        print(line(verdict), file=sys.stderr)
    return 0 if all(verdict.holds for verdict in verdicts) else 1


def _relayed(command: list[str], socket: Path, upstream: Upstream, taken: Capture) -> int:
    """Run the command with a relay beside it; return its status, -N for signal N."""
    listener = listen(socket)
    relay = Relay(listener, upstream, taken.open_tap, say=say)
    warn_of_trust(upstream, shared=False)
    serving = threading.Thread(target=relay.serve, name="relay")
    environment = dict(os.environ)
    environment["NIX_REMOTE"] = f"unix://{socket}"
    environment["NIX_DAEMON_SOCKET_PATH"] = str(socket)
    # Ctrl-C is for the command, which has the terminal; we wait for what it does
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _TERMINAL_SIGNALS}
    try:
        serving.start()
        try:
            process = subprocess.Popen(command, env=environment, preexec_fn=_default_signals)
        except OSError as error:
            say(f"{command[0]}: {error.strerror}")
            return NOT_EXECUTABLE
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        return process.wait()
    finally:
        # processes that the command left behind may still be talking: let them finish
        relay.on_signals(signal.SIGINT, signal.SIGTERM)
        relay.stop()
        serving.join()
        for number, handler in before.items():
            signal.signal(number, handler)
        taken.close()


_TERMINAL_SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


def _default_signals() -> None:
    for number in _TERMINAL_SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def _report(target: Path, taken: Capture, quiet: bool) -> None:
    if not quiet:
        if taken.connections:
            from pix_inspect.summary import summary

            for line in summary(target):
                print(line, file=sys.stderr)
        else:
            say("the command made no connection to the daemon")
    say(f"recorded in {target}")


def _die_alike(number: int) -> int:
    """End by the same signal as the command, so that a shell sees the same; else 128+N."""
    if number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        sys.stderr.flush()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    return 128 + number
