"""Where the time of a recording went, by what was asked about: a filter, and a sum over it.

    python examples/time_by_path.py recordings/queries.pcapng 'op = QueryPathInfo and not error'

The filter is the one of the screen and of `dump --filter`. The recording may still be growing.
"""

from __future__ import annotations

import sys
from collections import defaultdict

import pix_inspect
from pix.problem import Problem


def time_by_path(recording: str, wanted: str) -> dict[str, float]:
    """Return the seconds that the exchanges which match took, by what each was about."""
    spent: dict[str, float] = defaultdict(float)
    with pix_inspect.open(recording, wanted) as exchanges:
        for exchange in exchanges:
            spent[exchange.about] += exchange.took or 0
    return spent


def main(recording: str, wanted: str = "operation") -> None:
    """Print the ten that took longest."""
    try:
        spent = time_by_path(recording, wanted)
    except Problem as problem:
        sys.exit(f"time_by_path: {problem}")
    for what, took in sorted(spent.items(), key=lambda each: -each[1])[:10]:
        print(f"{took * 1e3:>10.3f} ms  {what}")


if __name__ == "__main__":
    main(*sys.argv[1:])
