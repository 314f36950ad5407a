"""`pix-inspect stdio`: stands in for the `remote-program` of ssh-ng and ssh stores.

That is `nix-daemon --stdio` or, with `--serve`, `nix-store --serve`. Bytes come and go on
standard input and output, upstream is the daemon or that program. Nothing else is ever written
to standard output; what the program says on its standard error goes to ours.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import socket
import stat
import sys
import threading
from pathlib import Path

from pix.problem import Problem
from pix_inspect.base.crash_report import crashed
from pix_inspect.base.narrate import all_said, never_wait, say
from pix_inspect.base.state_directory import new_recording
from pix_inspect.capture.capture import Capture
from pix_inspect.capture.command_group import end_group
from pix_inspect.capture.relay import TOLD
from pix_inspect.capture.relayed_connection import Connection
from pix_inspect.capture.upstream import (
    CommandUpstream,
    Upstream,
    complaint,
    require,
    upstream_of,
)
from pix_inspect.machine.processes import command_line, parent, parents
from pix_inspect.machine.relay_chain import inherited_lineage, new_relay
from pix_inspect.machine.running_relays import registered
from pix_inspect.options import capture as capture_options
from pix_inspect.options.capture import upstream_from
from pix_inspect.recording.notes import Peer

PIECE = 64 << 10
DRAINING = 1.0
"""Seconds in which what a client said goes to the daemon after it killed its program."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments; those that a client of either program adds are taken."""
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="the recording (default: a new one)"
    )
    capture_options.arguments(parser)
    parser.add_argument("--stdio", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--process-ops", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument(
        "--serve",
        action="store_true",
        help="as clients of ssh:// say it: stand in for `nix-store --serve`",
    )
    parser.add_argument("--write", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--store", metavar="STORE", help=argparse.SUPPRESS)


def main(args: argparse.Namespace) -> int:
    """Relay standard input and output until both directions are over."""
    if sys.stdin.isatty():
        raise Problem(
            "standard input is a terminal: stdio is for programs, such as ssh-ng://HOST or"
            " ssh://HOST with remote-program=pix-inspect; to relay here, use pix-inspect run"
        )
    # a client kills its remote program when it is done: the relay outlives that in a session
    # of its own, is told by the end of a pipe, and brings the recording to its end
    alive, held = os.pipe()
    child = os.fork()
    if child:
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return ended if ended >= 0 else 128 - ended
    os.close(held)
    os.setsid()
    status = 1
    never_wait()
    try:
        status = _relay(args, alive)
    except Problem as problem:
        say(str(problem))
        status = 2
    except Exception as error:
        status = crashed(error)
    finally:
        all_said()
        os._exit(status)


def _relay(args: argparse.Namespace, alive: int) -> int:
    """Relay until it is over; at `alive` a hang-up shows once our program was killed."""
    upstream = upstream_from(args, None) if not args.serve else _program(args)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        daemon, process = upstream.connect((*inherited_lineage(), new_relay()), heard=True)
    except OSError as error:
        raise Problem(complaint(upstream, error)) from None
    target: Path = args.output or new_recording("stdio")
    try:
        taken = Capture(target, upstream, args, stdio=True)
    except Problem:
        daemon.close()
        if process is not None:
            end_group(process.pid, process.poll)
        raise
    ours, theirs = socket.socketpair()
    connection = Connection(ours, daemon, process, taken.open_tap(_client()), say)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: connection.hang_up(TOLD))
    over = threading.Event()
    reading = threading.Thread(target=_from_input, args=(theirs, alive), daemon=True)
    reading.start()
    threading.Thread(target=_to_output, args=(theirs, over), daemon=True).start()
    threading.Thread(target=_until_killed, args=(theirs, alive, reading, over), daemon=True).start()
    with registered(None, str(upstream), target):
        connection.run()
        over.wait()
    taken.close()
    return _status(upstream, connection)


def _program(args: argparse.Namespace) -> Upstream:
    """Return the program that serves a store, with what the client asks of it. Raises Problem."""
    if args.upstream is not None:
        raise Problem(
            "--serve: a daemon's socket does not speak the serve protocol; name a program with"
            " --upstream-command, by default nix-store"
        )
    upstream = upstream_of(None, args.upstream_command or "nix-store")
    assert isinstance(upstream, CommandUpstream)
    if "--stdio" in upstream.words:
        raise Problem(
            f"--serve: {upstream} speaks the worker protocol; leave --upstream-command out for"
            " nix-store, or name another program that serves"
        )
    if not upstream.serves:
        asked = ["--serve", *(["--write"] if args.write else [])]
        asked += ["--store", args.store] if args.store else []
        upstream = CommandUpstream((*upstream.words, *asked))
    require(upstream)
    return upstream


def _status(upstream: Upstream, connection: Connection) -> int:
    """Return the status of the command that stood upstream, as a shell counts; 0 for a socket."""
    ended = 0 if connection.process is None else connection.process.returncode or 0
    if ended and not connection.was_ended:
        how = f"status {ended}" if ended > 0 else f"signal {-ended}"
        say(f"{upstream} ended with {how}")
    return ended if ended >= 0 else 128 - ended


def _client() -> Peer:
    """Return who started us: this is the relay's own process, its parent was started."""
    pid = parent(os.getppid())
    if pid is None:
        return Peer(uid=os.getuid())
    return Peer(pid, os.getuid(), os.getgid(), command_line(pid), parents(pid))


def _from_input(end: socket.socket, alive: int) -> None:
    """Pass on what the client says, to what it said last; then see when it is gone for good."""
    source = sys.stdin.fileno()
    poll = select.poll()
    poll.register(source, select.POLLIN)
    poll.register(alive, 0)
    with contextlib.suppress(OSError):
        while source in dict(poll.poll()) and (piece := os.read(source, PIECE)):
            end.sendall(piece)
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_WR)
    _wait_for_nobody_reading(alive)
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


def _wait_for_nobody_reading(alive: int) -> None:
    """Wait until nobody is there to read our output, or our program was killed."""
    output = sys.stdout.fileno()
    poll = select.poll()
    poll.register(alive, 0)
    if not stat.S_ISREG(os.fstat(output).st_mode):
        poll.register(output, 0)
    poll.poll()


def _until_killed(
    end: socket.socket, alive: int, reading: threading.Thread, over: threading.Event
) -> None:
    """Wait until our program was killed, and be gone as it is.

    What it was told before goes to the daemon, which is then hung up on.
    """
    os.read(alive, 1)
    reading.join(DRAINING)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdin, sys.stdout):
        os.dup2(nothing, stream.fileno())
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    over.set()


def _to_output(end: socket.socket, over: threading.Event) -> None:
    try:
        while piece := end.recv(PIECE):
            view = memoryview(piece)
            while view:
                view = view[os.write(sys.stdout.fileno(), view) :]
    except OSError:
        # who read our output is gone: so is the client
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    over.set()
