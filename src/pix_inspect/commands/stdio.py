"""`pix-inspect stdio`: stands in for `nix-daemon --stdio`, as `remote-program` of ssh-ng stores.

Bytes come and go on standard input and output, upstream is the daemon. Nothing else is ever
written to standard output. Knows arguments; the work is `relay`'s.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import sys
import threading
from pathlib import Path

from pix_inspect import capture
from pix_inspect.capture import Capture, upstream_from
from pix_inspect.connection import Connection
from pix_inspect.problem import Problem
from pix_inspect.recording import Peer
from pix_inspect.state import new_recording
from pix_inspect.upstream import complaint

PIECE = 64 << 10


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments; those of nix-daemon that a client may add are taken."""
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="the recording")
    capture.arguments(parser)
    parser.add_argument("--stdio", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--process-ops", action="store_true", help=argparse.SUPPRESS)


def main(args: argparse.Namespace) -> int:
    """Relay standard input and output until both directions are over."""
    # a client kills its remote program when it is done: the relay outlives that in a session
    # of its own, sees the end of its input, and brings the recording to its end
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.setsid()
    status = 1
    try:
        status = _relay(args)
    except Problem as problem:
        print(f"pix-inspect: {problem}", file=sys.stderr)
        status = 2
    finally:
        sys.stderr.flush()
        os._exit(status)


def _relay(args: argparse.Namespace) -> int:
    upstream = upstream_from(args, None)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        daemon, process = upstream.connect()
    except OSError as error:
        raise Problem(complaint(upstream, error)) from None
    taken = Capture(args.output or new_recording("stdio"), upstream, args, stdio=True)
    ours, theirs = socket.socketpair()
    tap = taken.open_tap(Peer(pid=os.getppid(), uid=os.getuid()))
    threads = [
        threading.Thread(target=_from_input, args=(theirs,), daemon=True),
        threading.Thread(target=_to_output, args=(theirs,)),
    ]
    for thread in threads:
        thread.start()
    Connection(ours, daemon, process, tap).run()
    threads[1].join()
    taken.close()
    return 0


def _from_input(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := os.read(sys.stdin.fileno(), PIECE):
            end.sendall(piece)
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_WR)


def _to_output(end: socket.socket) -> None:
    try:
        while piece := end.recv(PIECE):
            view = memoryview(piece)
            while view:
                view = view[os.write(sys.stdout.fileno(), view) :]
    except OSError:
        # who read our output is gone: so is the client
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
