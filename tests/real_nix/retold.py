"""Replay the bundled recordings to real daemons on a store that is as it was when they were made.

    python -m tests.real_nix.retold NAME ...      inside a namespace; prints JSON, one line each

A story is told as by scripts/record_stories.py, but what its client said through the relay comes
from the recording: `replay client` sends the story's next connections instead. Knows stories and
the replay's command line.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pix_inspect.cli import main as pix_inspect
from scripts.record_stories import Play
from scripts.stories import STORIES
from tests.real_nix import namespace
from tests.real_nix.daemons import remove, running

RECORDINGS = Path("/recordings")


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
        words = ["replay", "client", str(self.recording), *upstream, "--fast", "--json", *chosen]
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

    def plain(self, *command: str, path: str = "") -> str:
        return self._replay(1) if path else super().plain(*command)

    def spoken(self, *lines: str) -> None:
        self._replay(1)


def retell(name: str, options: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Replay one story's recording; returns the verdicts."""
    story = STORIES[name]
    daemon_nix, client = namespace.inside(story.daemon), namespace.inside(story.client)
    nix = Path("/nix")
    with running(daemon_nix, trusted=story.trusted, folder=nix, store=nix / "store") as daemon:
        stage = Retold(daemon, client, RECORDINGS / f"{name}.pcapng", options)
        story.tell(stage)
    for place in (nix, namespace.WORK, Path("/tmp")):
        for left in place.iterdir():
            if left.is_dir() and not left.is_symlink():
                remove(left)
            else:
                left.unlink()
    return stage.outcomes


def main(names: list[str]) -> int:
    """Replay these stories and print what came of each."""
    options = tuple(name for name in names if name.startswith("-"))
    for name in names:
        if name not in options:
            print(json.dumps({"story": name, "verdicts": retell(name, options)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
