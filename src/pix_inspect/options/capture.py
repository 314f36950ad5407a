"""The options of every kind of capture, and what follows from them for upstream and trust."""

from __future__ import annotations

import argparse
import contextlib
import os
import pwd
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pix.problem import Problem
from pix.untrusted import natural
from pix_inspect.base.narrate import say
from pix_inspect.capture.upstream import (
    CommandUpstream,
    SocketUpstream,
    Upstream,
    require,
    socket_path,
    upstream_of,
)
from pix_inspect.machine.sockets import same_socket
from pix_inspect.options.payload_limit import payload_argument
from pix_inspect.options.quantities import rate_given, size_given, time_given


def listen_argument(parser: argparse.ArgumentParser, **more: Any) -> None:
    """Declare the socket that clients are to use."""
    parser.add_argument(
        "--listen",
        type=socket_path,
        metavar="SOCKET",
        help="the socket to make for clients (a path, or unix://PATH as in NIX_REMOTE)",
        **more,
    )


def upstream_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare which daemon is asked, or which command stands for it."""
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


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what every kind of capture takes."""
    upstream_arguments(parser)
    payload_argument(parser)
    parser.add_argument(
        "--max-size",
        type=size_given,
        metavar="SIZE",
        help="start a new file when the recording reaches SIZE",
    )
    parser.add_argument(
        "--keep", type=int, default=4, metavar="N", help="with --max-size: files to keep (4)"
    )


def distance_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how distant the daemon is made; not at all unless asked."""
    parser.add_argument(
        "--delay",
        type=time_given,
        default=0,
        metavar="TIME",
        help="make the daemon distant: hold back every byte so long each way, such as 10ms",
    )
    parser.add_argument(
        "--rate",
        type=rate_given,
        default=0.0,
        metavar="SIZE",
        help="let at most so many bytes a second pass each way, such as 20M",
    )
    parser.add_argument(
        "--jitter",
        type=time_given,
        default=0,
        metavar="TIME",
        help="add up to so much to the delay, at random",
    )


def upstream_from(
    args: argparse.Namespace, listening: Path | None, *, required: bool = True
) -> Upstream:
    """Return the upstream of the options.

    Raises Problem when it is the relay itself, or, if `required`, clearly is not there.
    """
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
    if required:
        require(upstream)
    return upstream


def allow_many_connections(upstream: Upstream | None) -> None:
    """Take as many descriptors as this process may have: a connection needs one or two.

    Where each connection starts a command, that would inherit the limit; there it stays.
    """
    if not isinstance(upstream, CommandUpstream):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def warn_of_trust(upstream: Upstream, shared: bool, tell: Callable[[str], None] = say) -> None:
    """Say, where other users may connect, that the daemon takes them for the relay's user."""
    if not shared:
        return
    uid = os.getuid()
    what = "the daemon" if isinstance(upstream, SocketUpstream) else "the command"
    if uid == 0:
        tell(
            f"{what} sees the relay's user, root, and trusts every client as root, whoever it is;"
            " run the relay as the user whose session is examined"
        )
        return
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"user {uid}"
    tell(f"{what} sees every client as {name}, the relay's user, and trusts it as that user")


def user_ids(names: list[str]) -> frozenset[int] | None:
    """Return the user ids that may connect: our own and those named; None for `all`.

    Raises Problem for a name that is not a user.
    """
    if "all" in names:
        return None
    found = {os.getuid()}
    for name in names:
        number = natural(name)
        try:
            found.add(pwd.getpwnam(name).pw_uid if number is None else number)
        except (KeyError, ValueError):
            raise Problem(f"--allow-user {name}: no such user") from None
    return frozenset(found)
