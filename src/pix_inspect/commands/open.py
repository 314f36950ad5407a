"""`pix-inspect open`: browse recordings, finished or still growing, each in a tab."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from pathlib import Path

from pix.problem import Problem
from pix_inspect.base.narrate import say
from pix_inspect.base.settings import NO_SETTINGS, Settings
from pix_inspect.base.settings_file import SettingsFile, settings_file
from pix_inspect.options.quantities import time_given
from pix_inspect.session.session import Session


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="recordings, a tab each"
    )
    parser.add_argument(
        "--upstream", type=_socket, metavar="SOCKET", help="the daemon that the REPL talks to"
    )
    settings_argument(parser)


def _socket(text: str) -> Path:
    from pix_inspect.capture.upstream import socket_path

    return socket_path(text)


def settings_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of every command that watches on a screen."""
    look_arguments(parser)
    parser.add_argument(
        "--silence",
        type=time_given,
        default=10 * 10**9,
        metavar="TIME",
        help="say who owes an answer when nothing was said for so long (default 10s, 0: never)",
    )


def look_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how a screen looks when it begins."""
    parser.add_argument(
        "--theme",
        metavar="NAME",
        help="the colour theme to begin with, such as nord, or one of your own",
    )
    parser.add_argument(
        "--no-settings",
        action="store_true",
        help="use the default keys, theme, panes and columns, and remember nothing"
        f" (also: {NO_SETTINGS}=1)",
    )


def settings_of(args: argparse.Namespace) -> Settings | None:
    """Return what the screen remembers, None when it is not to."""
    return None if args.no_settings else Settings.load()


def own_settings(args: argparse.Namespace) -> SettingsFile | None:
    """Return what the user has chosen, None where it is not to matter."""
    if getattr(args, "no_settings", False) or os.environ.get(NO_SETTINGS):
        return None
    try:
        return SettingsFile.read(settings_file())
    except Problem:  # no place for it
        return None


def check_theme(args: argparse.Namespace) -> None:
    """Raise Problem where there is no such theme: before anything runs that outlives the screen."""
    if args.theme is not None:
        from pix_inspect.ui.app.user_settings import theme_called
        from pix_inspect.ui.app.user_themes import themes

        file = own_settings(args)
        theme_called(args.theme, [] if file is None else themes(file))


def need_terminal(instead: str) -> None:
    """Raise Problem, with what to do `instead`, where no screen can be drawn."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    if not all(stream is not None and stream.isatty() for stream in streams):
        raise Problem(f"the screen needs a terminal; {instead}")
    if os.environ.get("TERM") == "dumb":
        raise Problem(f"this terminal (TERM=dumb) cannot draw a screen; {instead}")


def main(args: argparse.Namespace) -> int:
    """Show the recordings until the user quits."""
    check_theme(args)
    sessions: list[Session] = []
    try:
        sessions.extend(Session(file) for file in args.files)
        need_terminal(f"`pix-inspect dump {args.files[0]}` prints the same as text")
        gc.disable()  # until the first rows stand: nothing that is made until then is garbage
        from pix_inspect.ui.app.app import Inspector

        app = Inspector(sessions[0], others=sessions[1:], settings=settings_of(args))
        app.configure(own_settings(args), args.theme)
        app.upstream = args.upstream
        app.silence = args.silence
        app.run()
        if app.complaint is not None:
            say(app.complaint)
    finally:
        for session in sessions:
            session.close()
    return 0
