"""What a test needs and may not find, and how much it tries: all of it where all has to hold, in
CI. Elsewhere somebody waits: what is missing is skipped, and of what is many a share is tried.
"""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def complete() -> bool:
    """Whether this run has to have everything, so that nothing may be skipped."""
    return os.environ.get("CI") == "true" or os.environ.get("PIX_REQUIRE_NIX") == "1"


def one_in(elsewhere: int) -> int:
    """Return 1 where all cases are to be tried, and `elsewhere`: one in so many."""
    return 1 if complete() else elsewhere


def lacking(what: str) -> NoReturn:
    """Skip the test for want of `what`, or fail it where the surroundings have to be complete."""
    if complete():
        pytest.fail(what, pytrace=False)
    pytest.skip(what)
