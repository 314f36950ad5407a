"""`pix-inspect demo`: everything at work, where no Nix is.

An embedded daemon, a relay in front of it, and clients that add, ask, build, fail once and
copy; the screen shows it live. Without a terminal the session is printed as text.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pix.daemon.errors import NixDaemonError
from pix.problem import Problem
from pix_inspect.base.narrate import say
from pix_inspect.commands import dump
from pix_inspect.commands.demo_story import Story
from pix_inspect.commands.watch import PATIENCE, RelayProcess
from pix_inspect.session.session import Session
from pix_store import EmbeddedDaemon

OVER = (
    "The clients are done, and all of it is yours to look at: arrows and enter go into exchanges,"
    " F shows what is irregular, S where the time went, / filters, : asks the daemon by hand, ? has"
    " all keys, q quits."
)
NEXT = (
    "Next: `pix-inspect tour` explains the protocol, `pix-inspect run -- nix-build …` records a"
    " command of yours, `pix-inspect --listen SOCKET` watches your daemon."
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--text", action="store_true", help="print the session, show no screen")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="keep the recording")


def main(args: argparse.Namespace) -> int:
    """Show the demo: on the screen where there is a terminal, else as text."""
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
            upstream = ["--upstream", str(daemon.path)]
            relay = RelayProcess(folder / "sock", recording, upstream, held=True)
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
    from pix_inspect.ui.app.guide import Demonstration

    over = threading.Event()

    def pause(seconds: float) -> None:
        if over.wait(seconds):
            raise _Over

    def work() -> None:
        # the user has seen enough, and the relay may be gone
        with suppress(_Over, NixDaemonError, RuntimeError):
            Story(relay.socket, pause, app.tell, slow=True).tell()
            app.tell(f"{OVER} {NEXT}")

    session = Session(relay.recording)
    clients = threading.Thread(target=work, daemon=True)
    app = Demonstration(session, relay, begin=clients.start)
    try:
        app.run()
        say(NEXT)
    finally:
        over.set()
        session.close()


def _tell(relay: RelayProcess) -> None:
    """Let the clients work to their end, and print what passed."""
    try:
        Story(relay.socket, lambda seconds: None, lambda text: None).tell()
    except NixDaemonError as error:
        raise Problem(f"the demo's client failed: {error}") from None
    relay.stop()
    if not relay.wait(PATIENCE):
        raise Problem("the demo's relay did not end")
    parser = argparse.ArgumentParser()
    dump.arguments(parser)
    dump.main(parser.parse_args([str(relay.recording)]))


class _Over(Exception):
    """The user has quit."""
