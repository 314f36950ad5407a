"""A little of each kind of broken input; `make fuzz` tries a million.

`FUZZ_SEED` chooses the inputs, `FUZZ_COUNT` how many there are.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.places import ROOT

SEED = os.environ.get("FUZZ_SEED", "1")


@pytest.mark.parametrize(
    ("kind", "count"), [("codec", 200), ("arguments", 400), ("imports", 200), ("live_relay", 40)]
)
def test_broken_input_ends_nothing(kind: str, count: int) -> None:
    print(f"FUZZ_SEED={SEED}")
    count = int(os.environ.get("FUZZ_COUNT", count))
    words = [sys.executable, "-m", "tests.fuzz.run", kind, f"--count={count}", f"--seed={SEED}"]
    done = subprocess.run(
        [*words, "--jobs=1"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{kind}: {count:,} inputs (seed {SEED})" in done.stdout
