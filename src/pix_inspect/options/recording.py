"""The argument that names a recording."""

from __future__ import annotations

import argparse
from pathlib import Path


def recording_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the file that a command reads, as `recording`."""
    parser.add_argument(
        "recording",
        type=Path,
        metavar="FILE",
        help="a recording (.pcapng, also .gz, .xz or .zst)",
    )
