"""`pix-inspect daemon`: the embedded daemon by itself, on a socket or, as `nix-store --serve` is,
on standard input and output.
"""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import threading
from pathlib import Path

from pix.problem import Problem
from pix.serving import Refusal
from pix_inspect.base.narrate import narrate, say
from pix_inspect.commands.record import listening_arguments, warn_of_mode
from pix_inspect.options.capture import allow_many_connections, listen_argument, user_ids
from pix_inspect.options.output import output_arguments
from pix_store.connection.serve import StandardStreams
from pix_store.daemon import DIRECTORY, NEWEST, EmbeddedDaemon
from pix_store.store.backend import FolderShelf


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    listen_argument(parser)
    add(
        "--serve",
        action="store_true",
        help="speak the serve protocol on standard input and output, as remote-program of ssh://",
    )
    add("--write", action="store_true", help="with --serve: let the client add and build")
    add("--store", type=Path, metavar="DIR", help="keep the store there (default: in memory)")
    add("--store-dir", default=DIRECTORY, metavar="PATH", help="what store paths begin with")
    add("--version", default=NEWEST, metavar="1.N", help="newest protocol to speak (default 1.38)")
    add("--features", default="", metavar="A,B", help="feature strings to offer (1.38)")
    add("--allow-build", action="store_true", help="run builders, as this user, unconfined")
    add("--untrusted", action="store_true", help="trust no client, as Nix does others than root")
    add(
        "--no-require-sigs",
        action="store_true",
        help="take unsigned paths, as with require-sigs = false",
    )
    add(
        "--trusted-public-keys",
        default="",
        metavar="KEYS",
        help="whose signatures are taken, as NAME:BASE64, several with spaces between",
    )
    listening_arguments(parser)
    output_arguments(parser, "that says where it listens")


def main(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    if args.serve:
        return _serve(args)
    if args.listen is None:
        raise Problem("no socket to listen on: give --listen SOCKET")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    warn_of_mode(args)
    if not args.allow_build:  # builders would inherit it
        allow_many_connections(None)
    daemon = EmbeddedDaemon(
        args.listen,
        store=args.store,
        store_dir=args.store_dir,
        version=args.version,
        features=[word for word in args.features.split(",") if word],
        allow_build=args.allow_build,
        trusted=not args.untrusted,
        require_sigs=not args.no_require_sigs,
        trusted_keys=args.trusted_public_keys.split(),
        mode=args.mode,
        allow_users=user_ids(args.allow_user),
    )
    with daemon:
        _announce(daemon, args)
        # a signal that comes just before a wait does not end it
        while not stop.wait(0.5):
            pass
    for fault in daemon.faults:
        say(f"a connection ended by a fault of ours: {type(fault).__name__}: {fault}")
    return 0


def _serve(args: argparse.Namespace) -> int:
    """Serve the one client on standard input and output, until it is gone."""
    if args.listen is not None:
        raise Problem("--serve is for standard input and output: without --listen")
    if sys.stdin.isatty():
        raise Problem("--serve: standard input is a terminal, but it is for programs")
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    daemon = EmbeddedDaemon(
        store=args.store,
        store_dir=args.store_dir,
        allow_build=args.allow_build,
        require_sigs=False,
    )
    try:
        daemon.serve(StandardStreams(), write=args.write)
    except Refusal as refusal:
        raise Problem(refusal.message) from None
    finally:
        daemon.close()
    return 0


def _announce(daemon: EmbeddedDaemon, args: argparse.Namespace) -> None:
    socket = str(daemon.path)
    if args.format == "json":
        about = {
            "listening": socket,
            "store": None if args.store is None else str(args.store.absolute()),
            "store_dir": args.store_dir,
            "version": daemon.protocol.text,
            "features": sorted(daemon.protocol.features),
        }
        print(json.dumps(about), flush=True)
        return
    where = "in memory" if args.store is None else f"in {args.store}"
    builds = "builds" if args.allow_build else "no builds"
    say(f"a Nix daemon listens on {socket} ({daemon.protocol}, store {where}, {builds})")
    narrate(f"    {paste(daemon, args)} nix …")


def paste(daemon: EmbeddedDaemon, args: argparse.Namespace) -> str:
    """Return the variables that point a Nix client at the daemon, as a shell reads them.

    Clients read derivations and outputs from the disk themselves, so they are told where a
    store in a folder lies: `root` (Nix 2.4), unless it is where its paths say. Profiles are
    kept in its state directory, where they are roots.
    """
    socket = str(daemon.path)
    shelf = daemon.store.shelf
    variables = {"NIX_REMOTE": "daemon", "NIX_DAEMON_SOCKET_PATH": socket}
    if isinstance(shelf, FolderShelf) and not shelf.in_place:
        variables = {"NIX_REMOTE": f"unix://{socket}?root={shelf.home}"}
    elif args.store_dir != DIRECTORY:
        variables["NIX_STORE_DIR"] = args.store_dir
    if isinstance(shelf, FolderShelf):
        if shelf.in_place:
            variables["NIX_LOG_DIR"] = str(shelf.logs)
        variables["NIX_STATE_DIR"] = str(shelf.state)
    return " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
