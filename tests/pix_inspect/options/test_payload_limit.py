"""How much of each payload is kept, as people write it."""

from __future__ import annotations

import argparse

import pytest

from pix_inspect.options.payload_limit import payload_limit


@pytest.mark.parametrize(
    ("text", "limit"), [("full", None), ("none", 0), ("64K", 65536), ("100B", 100)]
)
def test_payload_limit(text: str, limit: int | None) -> None:
    assert payload_limit(text) == limit


def test_payload_limit_says_what_is_wrong() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"'x' is not a size: .*or full, or none"):
        payload_limit("x")
