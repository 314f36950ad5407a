"""Sizes, rates and times as they are given on the command line."""

from __future__ import annotations

import argparse

from pix_inspect.base.units import parse_duration, parse_size


def size_given(text: str) -> int:
    """Return the bytes that `64K` stands for. Raises ArgumentTypeError."""
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def rate_given(text: str) -> float:
    """Return the bytes a second that `20M` stands for. Raises ArgumentTypeError, also for none."""
    rate = size_given(text)
    if not rate:
        raise argparse.ArgumentTypeError(f"a rate of {text!r} lets nothing pass; leave it out")
    return float(rate)


def time_given(text: str) -> int:
    """Return the nanoseconds that `50ms` stands for. Raises ArgumentTypeError."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def timeout_argument(parser: argparse.ArgumentParser) -> None:
    """Declare how long a daemon may be silent: `timeout` in seconds, None for ever."""
    parser.add_argument(
        "--timeout", type=_seconds, metavar="TIME", help="give up after so much silence: 30s, 5min"
    )


def _seconds(text: str) -> float:
    time = time_given(text)
    if not time:
        raise argparse.ArgumentTypeError("a timeout of 0 gives up at once; leave it out")
    return time / 1e9
