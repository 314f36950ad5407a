"""`pix-inspect grpc --listen unix:///tmp/grpc.sock`: a daemon as the gRPC service WorkerService."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import signal
import threading
from pathlib import Path

from pix.problem import Problem
from pix_inspect.base.narrate import narrate, say
from pix_inspect.base.state_directory import new_recording
from pix_inspect.base.units import count
from pix_inspect.capture.capture import Capture
from pix_inspect.capture.peer import ourselves
from pix_inspect.commands.record import listening_arguments, warn_of_mode
from pix_inspect.gateway.listening import Address, bound
from pix_inspect.machine.running_relays import registered
from pix_inspect.options import capture as capture_options
from pix_inspect.options.capture import (
    allow_many_connections,
    upstream_from,
    user_ids,
    warn_of_trust,
)

NEW = "new"
"""As a recording: a new one in the state directory."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--listen",
        metavar="ADDRESS",
        help="where clients connect: unix:///tmp/grpc.sock, or 127.0.0.1:PORT (0 for any)",
    )
    listening_arguments(parser)
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        help="listen on an address that other machines reach; there is no password",
    )
    parser.add_argument(
        "--record",
        nargs="?",
        const=NEW,
        metavar="FILE",
        help="record what passes to the daemon, and for which call (default: a new recording)",
    )
    capture_options.arguments(parser)
    parser.add_argument("--quiet", action="store_true", help="print only what goes wrong")


def main(args: argparse.Namespace) -> int:
    """Serve until told to stop."""
    from pix_inspect.gateway.server import Gateway  # needs the extra, which --help does not

    if args.listen is None:
        raise Problem("nothing to listen on: give --listen unix:///tmp/grpc.sock or 127.0.0.1:PORT")
    wanted = Address.parse(args.listen)
    allowed = user_ids(args.allow_user)
    warn_of_mode(args)
    upstream = upstream_from(args, wanted.path)
    allow_many_connections(upstream)
    listener, address, outside = bound(wanted, args.mode, remote=args.allow_remote)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a lost terminal must not end builds
    with contextlib.ExitStack() as ending:
        ending.callback(listener.close)
        capture, target = None, None
        if args.record is not None:
            target = new_recording("grpc") if args.record == NEW else Path(args.record)
            capture = Capture(target, upstream, args, listen=str(address), pid=os.getpid())
            ending.callback(capture.close)
        gateway = Gateway(
            listener,
            upstream,
            allowed=allowed if address.path is not None else None,
            open_tap=None if capture is None else lambda: capture.open_tap(ourselves("grpc")),
            say=say,
        )
        ending.callback(gateway.close)
        if target is not None:  # else there is nothing to attach to
            where = address.path or Path(str(address))
            ending.enter_context(registered(where, str(upstream), target))
        if not args.quiet:
            _introduce(address, str(upstream), target)
        _warn(address, outside=outside)
        shared = address.path is not None and allowed != frozenset({os.getuid()})
        warn_of_trust(upstream, shared=shared)
        # a signal that comes just before a wait does not end it
        while not stop.wait(0.5):
            pass
    if capture is not None and not args.quiet:
        say(f"{count(capture.connections, 'connection')} to the daemon recorded in {target}")
    return 0


def _introduce(address: Address, upstream: str, target: Path | None) -> None:
    say(f"nix.proto.WorkerService on {address}, for the daemon at {upstream}; ask it with")
    narrate(f"    grpcurl -plaintext {shlex.quote(str(address))} list nix.proto.WorkerService")
    if target is not None:
        say(f"recording to {target}")


def _warn(address: Address, *, outside: bool) -> None:
    """Say who else may connect, and whom the daemon takes them for."""
    if address.path is not None:
        return
    who = "every machine that reaches" if outside else "every user of this machine can connect to"
    more = " has the daemon" if outside else " and has the daemon"
    say(f"{who} {address}{more} as user {os.getuid()} would, unencrypted and without a password")
