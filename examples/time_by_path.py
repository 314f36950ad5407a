"""Where the time of a recording went, by what was asked about: a filter, and a sum over it.

    python examples/time_by_path.py recordings/queries.pcapng 'op = QueryPathInfo and not error'

The filter is the one of the screen and of `dump --filter`. The recording may still be growing.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from pix.problem import Problem
from pix_inspect.describe.about import about
from pix_inspect.filter.compiled import compile_filter
from pix_inspect.filter.syntax import FilterError
from pix_inspect.session.session import Session


def time_by_path(recording: Path, wanted: str) -> Counter[str]:
    """Return the nanoseconds that the exchanges which match took, by what each was about."""
    chosen = compile_filter(wanted)
    session = Session(recording).read_all()
    spent: Counter[str] = Counter()
    for i in range(len(session)):
        if chosen.matches(session, i):
            exchange = session.exchange(i)
            spent[about(exchange)] += exchange.row.took or 0
    return spent


def main(recording: str, wanted: str = "operation") -> None:
    """Print the ten that took longest."""
    try:
        spent = time_by_path(Path(recording), wanted)
    except (Problem, FilterError) as problem:
        sys.exit(f"time_by_path: {problem}")
    for what, took in spent.most_common(10):
        print(f"{took / 1e6:>10.3f} ms  {what}")


if __name__ == "__main__":
    main(*sys.argv[1:])
