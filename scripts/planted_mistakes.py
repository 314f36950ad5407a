"""Plants every known mistake at every operation and counts what is said of each.

    python -m scripts.planted_mistakes [--minors 10,21,38] [--every 4] [MISTAKE ...]
    python -m scripts.planted_mistakes --anywhere 10000 [--from 0]

right: that mistake is named, or one whose bytes are the same, and no other. silent: none is.
wrong: another is named. The table goes to stdout, what was wrong or silent to stderr.
With --anywhere so many are planted at random, among values at random: who is blamed wrongly?
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

from tests.support.mistaken import MINORS, PLANTED, anywhere, blamed, verdict


def main() -> int:
    """Return 1 where a wrong mistake was named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minors", default=",".join(map(str, MINORS)))
    parser.add_argument("--every", type=int, default=1, help="try one session in so many")
    parser.add_argument("--anywhere", type=int, help="so many at random, in place of the table")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first of these")
    parser.add_argument("mistakes", nargs="*", metavar="MISTAKE")
    options = parser.parse_args()
    if options.anywhere is not None:
        return at_random(range(options.first, options.first + options.anywhere))
    minors = [int(minor) for minor in options.minors.split(",")]
    wrong = 0
    print("| mistake | operations | " + " | ".join(f"1.{minor}" for minor in minors) + " |")
    print("| --- | --- |" + " --- |" * len(minors))
    with tempfile.TemporaryDirectory() as folder:
        for mistake in options.mistakes or PLANTED:
            cells, operations = [], set()
            for minor in minors:
                counts: Counter[str] = Counter()
                for i, case in enumerate(PLANTED[mistake](minor)):
                    if i % options.every:
                        continue
                    operations.add(case.operation)
                    said, named = verdict(mistake, case, Path(folder))
                    counts[said] += 1
                    if said != "right":
                        place = f"1.{minor} {case.operation}: {case.how}"
                        print(f"{said}: {mistake}, {place}: {sorted(named)}", file=sys.stderr)
                cells.append(" / ".join(str(counts[each]) for each in ("right", "silent", "wrong")))
                wrong += counts["wrong"]
            print(f"| {mistake} | {len(operations)} | " + " | ".join(cells) + " |", flush=True)
    return min(wrong, 1)


def at_random(seeds: range) -> int:
    """Return 1 where of mistakes at random another was named for certain."""
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            case = anywhere(Random(f"anywhere {seed}"))
            for said in blamed(case, Path(folder)):
                wrong += 1
                print(f"{seed}: {case.operation}, {case.how}: {said}", file=sys.stderr)
    print(f"{len(seeds)} mistakes at random; another named: {wrong}")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
