"""Replay the bundled recordings to real daemons on a store that is as it was when they were made.

    python -m tests.real_nix.retold [--embedded] NAME ...    in a namespace; prints JSON lines

A story is told as by scripts/record_stories.py, but what its client said through the relay comes
from the recording: `replay client` sends the story's next connections instead. With --embedded
the daemon is ours, and real Nix prepares its store. Knows stories and the replay's command line.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pix_inspect.cli import main as pix_inspect
from pix_store import EmbeddedDaemon
from scripts.record_stories import Play
from scripts.stories import STORIES
from tests.real_nix import namespace
from tests.real_nix.daemons import Daemon, State, remove, running

RECORDINGS = Path("/recordings")
NIX = Path("/nix")
STORE = NIX / "store"
EMBEDDED = "--embedded"


@dataclass(frozen=True)
class Retold(Play):
    """A stage whose relayed commands are replayed; `outcomes` collects what came of it."""

    recording: Path
    options: tuple[str, ...] = ()
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def _replay(self, connections: int) -> str:
        chosen = [
            word for _ in range(connections) for word in ("--connection", str(next(self.numbers)))
        ]
        upstream = ("--upstream", str(self.daemon.socket))
        words = ["replay", "client", str(self.recording), *upstream]
        words += ["--fast", "--json", "--yes", *chosen]
        with (
            contextlib.redirect_stdout(io.StringIO()) as out,
            contextlib.redirect_stderr(io.StringIO()),
        ):
            pix_inspect([*words, *self.options])
        self.outcomes.extend(map(json.loads, out.getvalue().splitlines()))
        return ""

    def relayed(
        self, *command: str, status: int = 0, stdin: str | None = None, into: str | None = None
    ) -> str:
        return self._replay(1)

    def together(self, *commands: tuple[str, ...]) -> None:
        self._replay(len(commands))

    def plain(self, *command: str, path: str = "", status: int = 0) -> str:
        return self._replay(1) if path else super().plain(*command, status=status)

    def spoken(self, *lines: str) -> None:
        self._replay(1)


@dataclass(frozen=True)
class Mirrored(Retold):
    """A stage with the embedded daemon, whose store's paths are put where clients look for them."""

    embedded: EmbeddedDaemon | None = None

    def _mirror(self) -> None:
        assert self.embedded is not None
        store = self.embedded.store
        valid = store.full(store.all())
        for left in STORE.iterdir():
            if str(left) not in valid:
                _clear(left)
        for path in valid:
            if not os.path.lexists(path):
                contents = b"".join(store.nar(Path(path).name))
                subprocess.run(
                    [self.client.programs / "nix-store", "--restore", path],
                    input=contents,
                    check=True,
                )

    def direct(self, *command: str) -> str:
        self._mirror()
        try:
            return super().direct(*command)
        finally:
            self._mirror()

    def _replay(self, connections: int) -> str:
        super()._replay(connections)
        self._mirror()
        return ""


def _clear(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        remove(place)
    else:
        place.unlink()


def retell(name: str, options: tuple[str, ...], embedded: bool) -> list[dict[str, Any]]:
    """Replay one story's recording; returns the verdicts."""
    story = STORIES[name]
    daemon_nix, client = namespace.inside(story.daemon), namespace.inside(story.client)
    recording = RECORDINGS / f"{name}.pcapng"
    stage: Retold
    if embedded:
        state = State.of(NIX, STORE)
        with EmbeddedDaemon(state.socket, allow_build=True, trusted=story.trusted) as ours:
            process: Any = None
            daemon = Daemon(daemon_nix, state, process)
            stage = Mirrored(daemon, client, recording, options, embedded=ours)
            story.tell(stage)
    else:
        with running(daemon_nix, trusted=story.trusted, folder=NIX, store=STORE) as daemon:
            stage = Retold(daemon, client, recording, options)
            story.tell(stage)
    for place in (NIX, namespace.WORK, Path("/tmp")):
        for left in place.iterdir():
            _clear(left)
    return stage.outcomes


def main(words: list[str]) -> int:
    """Replay these stories and print what came of each."""
    options = tuple(word for word in words if word.startswith("-") and word != EMBEDDED)
    for name in words:
        if not name.startswith("-"):
            verdicts = retell(name, options, EMBEDDED in words)
            print(json.dumps({"story": name, "verdicts": verdicts}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
