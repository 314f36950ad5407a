"""`pix-inspect record`: the relay alone, no screen."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path

from pix.problem import Problem
from pix.sockets import Listener, listen
from pix_inspect.base.narrate import narrate, never_wait, say
from pix_inspect.base.new_files import PRIVATE
from pix_inspect.base.state_directory import new_recording
from pix_inspect.base.units import count
from pix_inspect.capture.capture import Capture
from pix_inspect.capture.relay import Relay, only_relay
from pix_inspect.capture.upstream import CommandUpstream, Upstream
from pix_inspect.machine.running_relays import registered
from pix_inspect.machine.sockets import inherited
from pix_inspect.options import capture as capture_options
from pix_inspect.options.capture import (
    allow_many_connections,
    distance_arguments,
    listen_argument,
    upstream_from,
    user_ids,
    warn_of_trust,
)

PIECE = 4 << 10
"""Bytes of standard input that are read, and dropped, at a time."""

SENDING = 30.0
"""Seconds for the last spans to be delivered: more than the sender takes to start and give up."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    relay_arguments(parser)
    parser.add_argument("--quiet", action="store_true", help="print only what goes wrong")
    parser.add_argument(
        "--until-eof", action="store_true", help="end, and hang up, when standard input does"
    )


def relay_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what every relay that listens takes."""
    listen_argument(parser)
    parser.add_argument(
        "-o", "--output", metavar="FILE",
        help="the recording (default: a new one; of `record`, - is standard output)",
    )  # fmt: skip
    parser.add_argument(
        "--file-mode",
        type=socket_mode,
        default=PRIVATE,
        metavar="MODE",
        help="permissions of the recording (default 0600), such as 0640 for a group that may read",
    )
    listening_arguments(parser)
    capture_options.arguments(parser)
    distance_arguments(parser)
    parser.add_argument(
        "--otlp", type=collector, metavar="URL",
        help="send spans and metrics to this OpenTelemetry collector, such as http://HOST:4318;"
        " while it is away they wait, up to 32 MiB, and 8 s at the end",
    )  # fmt: skip


def collector(text: str) -> str:
    """Return the URL of a collector. For argparse: raises ArgumentTypeError."""
    from pix_inspect.export.collector import Collector

    try:
        Collector(text)
    except Problem as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None
    return text


def listening_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare who may connect to a socket that we make."""
    parser.add_argument(
        "--mode", type=socket_mode, default="0600", help="permissions of the socket (default 0600)"
    )
    parser.add_argument(
        "--allow-user",
        action="append",
        default=[],
        metavar="NAME",
        help="let this user connect too (a name, a number, or all)",
    )


def warn_of_mode(args: argparse.Namespace) -> None:
    """Say where the socket's mode keeps out the users that may connect."""
    if args.allow_user and args.listen is not None and not args.mode & 0o022:
        say(
            f"--allow-user lets others in, but the mode of the socket, {args.mode:04o}, keeps them"
            " out: add --mode 0666, or 0660 and a group that they share"
        )


def socket_mode(text: str) -> int:
    """Return the permissions written as `0660`. Raises ArgumentTypeError."""
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o777:
        raise argparse.ArgumentTypeError(f"{text!r} is not a mode: write it as 0660")
    return mode


def main(args: argparse.Namespace) -> int:
    """Relay and record until told to stop."""
    allowed = user_ids(args.allow_user)
    # a signal between making the socket and being able to remove it waits
    held = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, held)
    never_wait()
    listener = _listener(args)
    try:
        path = listener.path
        # who is started by the service manager may be up before the daemon is
        upstream = upstream_from(args, path, required=listener.identity is not None)
        target = None if args.output == "-" else Path(args.output or new_recording("record"))
        stream = sys.stdout.buffer if target is None else None
        if stream is not None and sys.stdout.isatty():
            raise Problem("a recording is not text: pipe -o - into something, or name a file")
        if stream is not None and args.otlp:
            raise Problem("--otlp reads the recording as it grows: name a file with -o")
        taken = Capture(
            target if target is not None else sys.stdout.buffer,
            upstream,
            args,
            listen=None if path is None else str(path),
            pid=os.getpid(),
        )
    except BaseException:
        listener.close()
        raise
    allow_many_connections(upstream)
    relay = Relay(listener, upstream, taken.open_tap, allowed=allowed, delay=taken.delay, say=say)
    relay.on_signals(signal.SIGINT, signal.SIGTERM)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a lost terminal must not end builds
    signal.pthread_sigmask(signal.SIG_UNBLOCK, held)
    if not args.quiet:
        _introduce(path, target, upstream)
    warn_of_trust(upstream, shared=allowed != frozenset({os.getuid()}))
    if args.until_eof:
        threading.Thread(target=_stop_at_eof, args=(relay,), daemon=True).start()
    sender = _sender(target, args.otlp) if target is not None and args.otlp else None
    try:
        with registered(path, str(upstream), target) as taken.moved:
            only_relay()
            relay.serve()
    finally:
        taken.close()
        if sender is not None:
            _end(sender)
    if not args.quiet:
        say(f"{count(taken.connections, 'connection')} recorded in {taken.where()}")
    return 0


def _stop_at_eof(relay: Relay) -> None:
    """End the relay when standard input does: who started it is gone."""
    with contextlib.suppress(OSError):
        while os.read(sys.stdin.fileno(), PIECE):
            pass
    relay.stop()
    relay.stop()


def _sender(recording: Path, url: str) -> subprocess.Popen[bytes]:
    """Start what sends spans: a process that reads the recording, so that no client waits."""
    command = [sys.executable, "-m", "pix_inspect", "export", str(recording)]
    return subprocess.Popen(
        [*command, "--to", "otlp", "-o", url, "--follow", "--until-eof"],
        stdin=subprocess.PIPE,  # ends with this process, however that ends
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def _end(sender: subprocess.Popen[bytes]) -> None:
    """Let the sender deliver what is left, for SENDING seconds."""
    assert sender.stdin is not None
    sender.stdin.close()
    try:
        status = sender.wait(SENDING)
        if status not in (0, 1):
            say(f"what sends spans to the collector ended early, with status {status}")
    except subprocess.TimeoutExpired:
        sender.kill()
        sender.wait()
        say(f"the collector did not take the last spans within {SENDING:.0f} s")


def _listener(args: argparse.Namespace) -> Listener:
    given = inherited(None if args.listen is None else str(args.listen))
    if given is not None:
        return given
    if args.listen is None:
        raise Problem("no socket to listen on: give --listen SOCKET")
    warn_of_mode(args)
    return listen(args.listen, args.mode)


def _introduce(path: Path | None, target: Path | None, upstream: Upstream) -> None:
    if path is not None:
        where = shlex.quote(str(path))
        if isinstance(upstream, CommandUpstream) and upstream.serves:
            say(
                f"listening on {path}; what an ssh:// store starts (remote-program) comes here with"
            )
            narrate(f"    socat - UNIX-CONNECT:{where}")
        else:
            say(f"listening on {path}; send a client here with")
            narrate(f"    NIX_REMOTE=unix://{where} NIX_DAEMON_SOCKET_PATH={where} nix …")
    if target is not None:
        say(f"recording to {target}")
