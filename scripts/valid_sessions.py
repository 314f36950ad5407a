"""Makes sessions in which nobody errs, cut and with gaps at random, and reads them.

    python -m scripts.valid_sessions [--count 100000] [--from 0] [--processes 2]

Of three one is recorded by a relay, one imported with its times, one without. Prints how many
there were, how often a mistake was named, or a side blamed by another finding: never for certain,
or it ends with status 1; where the client broke off first, or one side is not there to its end,
that something is missing may be said on condition. How far it has come goes to standard error.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from random import Random

from pix.dataclass import dataclass, field
from pix_inspect.findings.kinds import OF_LAYOUT
from pix_inspect.importing.captures import write_recording
from pix_inspect.recording.notes import Made
from pix_inspect.session.session import Session
from tests.support.planted import found_in
from tests.support.recording import Recording
from tests.support.valid import impaired, imported, session, timeless

BLAMING = OF_LAYOUT - {"unknown-value", "cut-request"} | {"stray-frame", "frames-unread"}
TOGETHER = 300
"""Sessions in one recording: of each kind of finding the first 200 are kept."""
TOLD = 10_000
"""Sessions after which it is said how far it has come."""


@dataclass(slots=True)
class Tally:
    """What was found in so many sessions: mistakes by label, and where each stands."""

    sessions: int = 0
    named: Counter[str] = field(default_factory=Counter)
    on_condition: int = 0
    places: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        named = f"{self.named.total()} {dict(self.named)}"
        return f"{self.sessions} sessions; named: {named}; on condition: {self.on_condition}"


def look(seeds: range) -> Tally:
    """Make the sessions of these seeds in one recording of each sort, and read them."""
    tally = Tally(len(seeds))
    with tempfile.TemporaryDirectory() as folder:
        for sort, read in enumerate(_made(seeds, Path(folder))):
            for found in found_in(read):
                certain = found.diagnosis is not None and found.diagnosis.certain
                if found.mistake is not None and not certain:
                    tally.on_condition += 1
                elif found.mistake is not None or found.kind.name in BLAMING:
                    tally.named[found.mistake.label if found.mistake else found.kind.name] += 1
                    place = f"session {seeds[sort::3][found.connection - 1]}: {found.place}"
                    tally.places.append("\n    ".join((place, found.said, *found.explanation)))
            read.close()
    return tally


def _made(seeds: range, folder: Path) -> Iterator[Session]:
    """Yield the recordings of sessions: a relay's, and imports with and without times."""
    relayed = Recording(folder / "relayed.pcapng")
    for seed in seeds[::3]:
        random = Random(f"valid {seed}")
        impaired(session(random), relayed, random)
    yield relayed.session()
    for sort, passes in enumerate((imported, timeless), 1):
        path, about = folder / f"{sort}.pcapng", Made.of(tool="import", events=passes is imported)
        each = (
            passes(session(random), number, random)
            for number, seed in enumerate(seeds[sort::3], 1)
            for random in (Random(f"valid {seed}"),)
        )
        write_recording(chain.from_iterable(each), path, about=about, payload_limit=None)
        yield Session(path).read_all()


def main() -> int:
    """Return 1 where a mistake was named for certain."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    last = options.first + options.count
    seeds = range(options.first, last, TOGETHER)
    whole = Tally()
    with get_context("spawn").Pool(options.processes) as pool:
        parts = (range(seed, min(seed + TOGETHER, last)) for seed in seeds)
        for tally in pool.imap_unordered(look, parts):
            whole.sessions += tally.sessions
            whole.named += tally.named
            whole.on_condition += tally.on_condition
            for place in tally.places:
                print(place, file=sys.stderr)
            if whole.sessions % TOLD < tally.sessions:
                print(whole, file=sys.stderr, flush=True)
    print(whole)
    return min(whole.named.total(), 1)


if __name__ == "__main__":
    sys.exit(main())
