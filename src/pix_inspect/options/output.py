"""The options that say how a command prints what it found: text for people, JSON for programs."""

from __future__ import annotations

import argparse


def output_arguments(parser: argparse.ArgumentParser, each: str, **further: str) -> None:
    """Declare `--json` (one line `each`), and `--format` for it and for what else there is."""
    parser.add_argument(
        "--json",
        action="store_const",
        const="json",
        default="text",
        dest="format",
        help=f"print JSON, one line {each} (also: --format json)",
    )
    parser.add_argument(
        "--format",
        choices=("text", "json", *further),
        default="text",
        help="; ".join(f"{name}: {what}" for name, what in further.items()) or argparse.SUPPRESS,
    )
