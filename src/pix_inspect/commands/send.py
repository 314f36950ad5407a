"""`pix-inspect send 'LINE'`: one line of the REPL from the shell.

Exit status 0 when the daemon did what was asked, 1 when it answered with an error, 2 when
the line or the connection is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pix.codec.errors import EncodeError
from pix.daemon import NixDaemonError
from pix.problem import Problem
from pix_inspect.base.narrate import say
from pix_inspect.base.terminal_text import room, show
from pix_inspect.capture.own_relay import OwnRelay
from pix_inspect.machine.listeners import suspended_listener
from pix_inspect.options.output import output_arguments
from pix_inspect.options.payload_limit import payload_argument
from pix_inspect.options.quantities import timeout_argument
from pix_inspect.repl.expressions import ExpressionError
from pix_inspect.repl.repl import Client, Session
from pix_inspect.repl.text import shown
from pix_inspect.repl.values import Answer, plain
from pix_inspect.teach.entry_text import WIDTH

PATIENCE = 2.0
"""Seconds after which it is said what is waited for."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "lines", nargs="+", metavar="LINE", help="such as 'IsValidPath(path=\"…\")'"
    )
    connection_arguments(parser, "record what passes in this new file (default: nothing)")
    output_arguments(parser, "for each LINE")
    parser.add_argument(
        "--grpc",
        metavar="ADDRESS",
        help="ask the service there, such as unix:///tmp/grpc.sock, instead of a daemon",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before deleting")


def connection_arguments(parser: argparse.ArgumentParser, recording: str) -> None:
    """Declare which daemon is meant, how to speak with it, and what is kept of it."""
    parser.add_argument(
        "--upstream", metavar="SOCKET", help="the daemon (default: $NIX_DAEMON_SOCKET_PATH)"
    )
    parser.add_argument("--version", default="1.38", metavar="1.N", help="speak at most this")
    parser.add_argument("--features", default="", metavar="A,B", help="offer these features")
    timeout_argument(parser)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help=recording)
    payload_argument(parser)


def session_of(
    args: argparse.Namespace,
    relay: OwnRelay | None,
    tell: Callable[[str], None] = lambda line: None,
) -> Session:
    """Return the session that the arguments mean."""
    features = tuple(word for word in args.features.split(",") if word)
    return Session(args.upstream, args.version, features, args.timeout, say=tell, route=relay)


def main(args: argparse.Namespace) -> int:
    """Carry out the lines in order, on one connection."""
    relay = None
    if args.output is not None:
        relay = OwnRelay(args.output, payload=args.payload, always=True, name="send", say=say)
    session = session_of(args, relay)
    if args.grpc is not None:
        session.service = _service(args)
    session.dangerous = lambda what: args.yes or _refuse(what)
    status = 0
    try:
        for line in args.lines:
            value = carried_out(session, line)
            if isinstance(value, Answer) and value.error is not None:
                status = 1
            if args.format == "json":
                print(json.dumps(plain(value)))
            elif value is not None:
                show(shown(value, room(WIDTH)))
    finally:
        session.close()
        recorded = relay.close() if relay is not None else None
        if recorded is not None:
            say(f"recorded in {recorded}")
    return status


def _service(args: argparse.Namespace) -> Callable[[], Client]:
    """Return what connects to the service. Raises Problem for options that are a daemon's."""
    if args.upstream is not None or args.output is not None:
        raise Problem("--grpc asks a service: leave out --upstream and --output")
    from pix.worker_service import WorkerServiceClient

    return WorkerServiceClient(args.grpc, timeout=args.timeout).connect


def _refuse(what: str) -> bool:
    raise Problem(f"{what}: add --yes if that is meant")


def carried_out(session: Session, line: str) -> Any:
    """Return the value of a line; a long wait is said. Raises Problem for all that can be wrong."""
    try:
        with _not_silently(session):
            return session.run(line)
    except ExpressionError as error:
        raise Problem(f"{error.message} (column {error.column + 1})") from None
    except (EncodeError, NixDaemonError) as error:
        raise Problem(str(error)) from None


@contextlib.contextmanager
def _not_silently(session: Session) -> Iterator[None]:
    timer = threading.Timer(PATIENCE, lambda: say(_awaited(session)))
    timer.daemon = True
    with contextlib.suppress(RuntimeError):  # no thread is to be had: all else goes on
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _awaited(session: Session) -> str:
    """Return what a session waits for, and what would end that."""
    where = session.destination
    pid = suspended_listener(where)
    if pid is not None:
        return (
            f"waiting for {where}: process {pid}, which listens there, is suspended:"
            f" `kill -CONT {pid}` lets it go on"
        )
    return f"waiting for {where}; Ctrl-C ends this"
