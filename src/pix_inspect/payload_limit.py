"""How much of each payload a recording keeps: the option's value and its default.

Knows arguments; nothing of the protocol, so that a relay listens before it has read that.
"""

from __future__ import annotations

import argparse

from pix_inspect.units import parse_size

DEFAULT_PAYLOAD = 64 << 10
"""Bytes kept of each payload unless told otherwise."""


def payload_limit(text: str) -> int | None:
    """Return what `full` (None), `none` (0) or a size keeps of each payload, in bytes.

    For argparse: raises ArgumentTypeError with one clear line.
    """
    if text == "full":
        return None
    try:
        return 0 if text == "none" else parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}, or full, or none") from None
