"""`pix-inspect stdio`: stands in for `nix-daemon --stdio`, as `remote-program` of ssh-ng stores.

Bytes come and go on standard input and output, upstream is the daemon. Nothing else is ever
written to standard output.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

from pix.problem import Problem
from pix_inspect.base.narrate import all_said, never_wait, say
from pix_inspect.base.state_directory import new_recording
from pix_inspect.capture.capture import Capture
from pix_inspect.capture.relayed_connection import Connection
from pix_inspect.capture.upstream import Upstream, complaint
from pix_inspect.machine.processes import command_line, parent, parents
from pix_inspect.machine.relay_chain import inherited_lineage, new_relay
from pix_inspect.machine.running_relays import registered
from pix_inspect.options import capture as capture_options
from pix_inspect.options.capture import upstream_from
from pix_inspect.recording.notes import Peer

PIECE = 64 << 10


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments; those of nix-daemon that a client may add are taken."""
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="the recording")
    capture_options.arguments(parser)
    parser.add_argument("--stdio", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--process-ops", action="store_true", help=argparse.SUPPRESS)


def main(args: argparse.Namespace) -> int:
    """Relay standard input and output until both directions are over."""
    if sys.stdin.isatty():
        raise Problem(
            "standard input is a terminal: stdio is for programs, such as ssh-ng://HOST with"
            " remote-program=pix-inspect; to relay here, use pix-inspect run"
        )
    # a client kills its remote program when it is done: the relay outlives that in a session
    # of its own, sees the end of its input, and brings the recording to its end
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.setsid()
    status = 1
    never_wait()
    try:
        status = _relay(args)
    except Problem as problem:
        say(str(problem))
        status = 2
    finally:
        all_said()
        os._exit(status)


def _relay(args: argparse.Namespace) -> int:
    upstream = upstream_from(args, None)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        daemon, process = upstream.connect((*inherited_lineage(), new_relay()))
    except OSError as error:
        raise Problem(complaint(upstream, error)) from None
    target: Path = args.output or new_recording("stdio")
    try:
        taken = Capture(target, upstream, args, stdio=True)
    except Problem:
        daemon.close()
        raise
    ours, theirs = socket.socketpair()
    tap = taken.open_tap(_client())
    outward = threading.Thread(target=_to_output, args=(theirs,))
    outward.start()
    threading.Thread(target=_from_input, args=(theirs,), daemon=True).start()
    with registered(None, str(upstream), target):
        Connection(ours, daemon, process, tap, say).run()
        outward.join()
    taken.close()
    return _status(upstream, process)


def _status(upstream: Upstream, process: subprocess.Popen[bytes] | None) -> int:
    """Return the status of the command that stood upstream, as a shell counts; 0 for a socket."""
    ended = process.wait() if process is not None else 0
    if ended:
        how = f"status {ended}" if ended > 0 else f"signal {-ended}"
        say(f"{upstream} ended with {how}")
    return ended if ended >= 0 else 128 - ended


def _client() -> Peer:
    """Return who started us: this is the relay's own process, its parent was started."""
    pid = parent(os.getppid())
    if pid is None:
        return Peer(uid=os.getuid())
    return Peer(pid, os.getuid(), os.getgid(), command_line(pid), parents(pid))


def _from_input(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := os.read(sys.stdin.fileno(), PIECE):
            end.sendall(piece)
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_WR)
    _wait_for_nobody_reading()
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


def _wait_for_nobody_reading() -> None:
    """Wait until nobody is there to read our output: then the client is gone for good."""
    output = sys.stdout.fileno()
    if not stat.S_ISREG(os.fstat(output).st_mode):
        poll = select.poll()
        poll.register(output, 0)
        poll.poll()
        return
    threading.Event().wait()


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
