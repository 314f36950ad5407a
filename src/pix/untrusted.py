"""Numbers and JSON that people type or files hold: read, or refused as a plain ValueError.

Python's own readers take digits of any alphabet, and raise of their own accord on what is very
long or nested very deeply.
"""

from __future__ import annotations

import json
from typing import Any

LONGEST_NUMBER = 20
"""Digits of a number: those of 2^64."""


def natural(text: str) -> int | None:
    """Return the number from 0 on that ASCII digits stand for; None for anything else."""
    if text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER:
        return int(text)
    return None


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text. Raises ValueError with one line."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start:,} is not UTF-8") from None
