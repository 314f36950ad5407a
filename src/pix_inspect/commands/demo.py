"""`pix-inspect demo`: everything at work, where no Nix is.

An embedded daemon, a relay in front of it, and clients that add, ask, build, fail once and
copy; the screen shows it live. Without a terminal the session is printed as text.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from pix.daemon.errors import NixDaemonError
from pix.problem import Problem
from pix_inspect.base.narrate import say
from pix_inspect.commands import dump
from pix_inspect.commands.demo_story import Story
from pix_inspect.commands.watch import PATIENCE, RelayProcess
from pix_inspect.session.session import Session
from pix_store import EmbeddedDaemon


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--text", action="store_true", help="print the session, show no screen")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="keep the recording")


def main(args: argparse.Namespace) -> int:
    """Show the demo: on the screen where there is a terminal, else as text."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)  # so that nothing is left behind
    streams = (sys.stdin, sys.stdout, sys.stderr)
    screen = not args.text and all(stream is not None and stream.isatty() for stream in streams)
    with _scene(args.output) as (daemon, relay):
        if screen:
            _show(relay)
        else:
            _tell(relay)
        if daemon.faults:
            raise daemon.faults[0]
    return 0


@contextmanager
def _scene(output: Path | None) -> Iterator[tuple[EmbeddedDaemon, RelayProcess]]:
    """Have a daemon and a relay in front of it; everything is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="pix-demo-"))
    recording = output or folder / "demo.pcapng"
    try:
        with EmbeddedDaemon(folder / "daemon", allow_build=True) as daemon:
            relay = RelayProcess(folder / "sock", recording, ["--upstream", str(daemon.path)])
            try:
                yield daemon, relay
            finally:
                relay.stop()
                if not relay.wait(0.5):
                    relay.stop()  # twice: do not wait for clients
                    relay.wait(PATIENCE)
                relay.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if output is not None:
        say(f"recorded in {output}")


def _show(relay: RelayProcess) -> None:
    """Show the screen, with clients at work until they are done or the user quits."""
    from pix_inspect.ui.app.app import Inspector

    class Demonstration(Inspector):
        """Quits without a question: everything is the demo's own."""

        def leave(self) -> None:
            self.exit("stop")

    over = threading.Event()

    def pause(seconds: float) -> None:
        if over.wait(seconds):
            raise _Over

    def work() -> None:
        # the user has seen enough, and the relay may be gone
        with suppress(_Over, NixDaemonError):
            Story(relay.socket, pause, slow=True).tell()

    clients = threading.Thread(target=work, daemon=True)
    session = Session(relay.recording)
    try:
        clients.start()
        Demonstration(session, relay).run()
    finally:
        over.set()
        session.close()


def _tell(relay: RelayProcess) -> None:
    """Let the clients work to their end, and print what passed."""
    try:
        Story(relay.socket, lambda seconds: None).tell()
    except NixDaemonError as error:
        raise Problem(f"the demo's client failed: {error}") from None
    relay.stop()
    if not relay.wait(PATIENCE):
        raise Problem("the demo's relay did not end")
    parser = argparse.ArgumentParser()
    dump.arguments(parser)
    dump.main(parser.parse_args([str(relay.recording)]))


def _leave(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)


class _Over(Exception):
    """The user has quit."""
