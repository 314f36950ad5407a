"""Makes sessions in which nobody errs, cut and with gaps at random, and reads them.

    python -m scripts.valid_sessions [--count 100000] [--from 0]

Prints how many there were, and how often a mistake was named: never for certain, or it ends with
status 1; where the client broke off first, that something is missing may be said on condition.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

from tests.support.planted import found_in
from tests.support.recording import Recording
from tests.support.valid import impaired, session

TOGETHER = 100
"""Sessions in one recording."""


def main() -> int:
    """Return 1 where a mistake was named for certain."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--from", type=int, default=0, dest="first")
    options = parser.parse_args()
    named: Counter[str] = Counter()
    on_condition = 0
    done = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.first, options.first + options.count, TOGETHER):
            path = Path(folder) / "r.pcapng"
            path.unlink(missing_ok=True)
            recording = Recording(path)
            for each in range(seed, min(seed + TOGETHER, options.first + options.count)):
                random = Random(f"valid {each}")
                impaired(session(random), recording, random)
                done += 1
            read = recording.session()
            for found in found_in(read):
                if found.mistake is None or found.diagnosis is None:
                    continue
                if not found.diagnosis.certain:
                    on_condition += 1
                    continue
                named[found.mistake.label] += 1
                said = f"session {seed + found.connection - 1}: {found.place}"
                print(said, *found.explanation, sep="\n    ", file=sys.stderr)
            read.close()
    print(f"{done} sessions; named: {named.total()} {dict(named)}; on condition: {on_condition}")
    return min(named.total(), 1)


if __name__ == "__main__":
    sys.exit(main())
