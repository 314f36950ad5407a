"""The option that says how much of each payload is kept."""

from __future__ import annotations

import argparse

from pix_inspect.base.units import parse_size


def payload_argument(
    parser: argparse.ArgumentParser, what: str = "how much to keep of each NAR, upload or log"
) -> None:
    """Declare `--payload`: the bytes that are kept of each, None for all."""
    parser.add_argument(
        "--payload",
        type=payload_limit,
        default="64K",
        metavar="full|none|SIZE",
        help=f"{what} (default 64K)",
    )


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
