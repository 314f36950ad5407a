"""A capture: a relay, the recording it feeds, and what has to be said about trust.

The part that `record`, `run` and `stdio` share: options, the writer, a tap for each
connection. Knows relays and recordings; starts without the screen's library.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pwd
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pix
from pix_inspect.connection import Tap, now
from pix_inspect.problem import Problem
from pix_inspect.recording import Peer, RecordingWriter
from pix_inspect.sockets import same_socket
from pix_inspect.tap import RecordingTap, payload_limit
from pix_inspect.units import parse_size
from pix_inspect.upstream import CommandUpstream, SocketUpstream, Upstream, upstream_of


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what every kind of capture takes."""
    parser.add_argument(
        "--upstream",
        metavar="SOCKET",
        help="the daemon's socket (default: $NIX_DAEMON_SOCKET_PATH, else the system's)",
    )
    parser.add_argument(
        "--upstream-command",
        metavar="COMMAND",
        help="start this for each client instead, such as 'nix-daemon --stdio'",
    )
    parser.add_argument(
        "--payload",
        type=payload_limit,
        default="64K",
        metavar="full|none|SIZE",
        help="how much to keep of each NAR, upload or log (default 64K)",
    )
    parser.add_argument(
        "--max-size",
        type=_size,
        metavar="SIZE",
        help="start a new file when the recording reaches SIZE",
    )
    parser.add_argument(
        "--keep", type=int, default=4, metavar="N", help="with --max-size: files to keep (4)"
    )


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def say(line: str) -> None:
    """Tell the user something, on stderr; that the terminal is gone stops nobody."""
    with contextlib.suppress(OSError, ValueError):
        print(f"pix-inspect: {line}", file=sys.stderr, flush=True)


class Capture:
    """A recording being written and the taps that feed it. Raises Problem on creation."""

    def __init__(
        self, target: Path | BinaryIO, upstream: Upstream, args: argparse.Namespace, **about: object
    ) -> None:
        self.upstream = upstream
        self.limit: int | None = args.payload
        self.writer = RecordingWriter(
            target,
            about={
                "tool": f"pix-inspect {pix.__version__}",
                "upstream": str(upstream),
                "uid": os.getuid(),
                "payload": "full" if self.limit is None else self.limit,
                **about,
            },
            max_size=args.max_size,
            keep=args.keep,
        )
        self.connections = 0

    def open_tap(self, peer: Peer) -> Tap:
        """Return the tap of a new connection."""
        self.connections += 1
        log = self.writer.open(peer, {"upstream": str(self.upstream)}, time=now())
        return RecordingTap(log, self.limit, lambda: self.writer.pressed)

    def close(self) -> None:
        """Write what is left, and say what could not be recorded."""
        self.writer.close()
        if self.writer.failure is not None:
            say(f"the recording is incomplete: {self.writer.failure}")
        if self.writer.lost:
            say(f"{self.writer.lost:,} bytes that passed were not recorded")


def upstream_from(args: argparse.Namespace, listening: Path | None) -> Upstream:
    """Return the upstream of the options. Raises Problem when it is the relay itself."""
    upstream = upstream_of(args.upstream, args.upstream_command)
    if (
        listening is not None
        and isinstance(upstream, SocketUpstream)
        and (upstream.path == listening or same_socket(upstream.path, listening))
    ):
        raise Problem(
            f"{listening} cannot be both the relay and its daemon; name the daemon's socket"
            " with --upstream"
        )
    return upstream


def warn_of_trust(upstream: Upstream, shared: bool, tell: Callable[[str], None] = say) -> None:
    """Say when the daemon will see a more trusted user than the client's."""
    if os.getuid() == 0 and not isinstance(upstream, CommandUpstream):
        who = "every client" if shared else "the client"
        tell(
            f"the daemon sees the relay's user, root: it trusts {who} as root; run the relay as"
            " the user whose session is examined"
        )
    elif shared:
        name = pwd.getpwuid(os.getuid()).pw_name
        tell(f"the daemon sees every client as {name}, the relay's user")


def user_ids(names: list[str]) -> frozenset[int] | None:
    """Return the user ids that may connect: our own and those named; None for `all`.

    Raises Problem for a name that is no user.
    """
    if "all" in names:
        return None
    found = {os.getuid()}
    for name in names:
        try:
            found.add(int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid)
        except KeyError:
            raise Problem(f"--allow-user {name}: no such user") from None
    return frozenset(found)
