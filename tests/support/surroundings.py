"""What a test needs and may not find: skip it there, except where everything has to be there."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def complete() -> bool:
    """Whether this run has to have everything, so that nothing may be skipped."""
    return os.environ.get("CI") == "true" or os.environ.get("PIX_REQUIRE_NIX") == "1"


def lacking(what: str) -> NoReturn:
    """Skip the test for want of `what`, or fail it where the surroundings have to be complete."""
    if complete():
        pytest.fail(what, pytrace=False)
    pytest.skip(what)
