"""`pix-inspect check`: does a recording meet expectations? Exit status 1 when it does not.

Knows how verdicts look as text and as JSON.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from pix_inspect.gate import Expectation, ExpectationError, Verdict, check, expectation
from pix_inspect.problem import Problem
from pix_inspect.session import Session


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("recording", type=Path)
    parser.add_argument(
        "expectations",
        nargs="+",
        metavar="EXPECTATION",
        help="'count(op = QueryPathInfo) < 100', 'p95(took) < 50ms', 'no error'",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")


def main(args: argparse.Namespace) -> int:
    """Print a line for each expectation; return 1 when one does not hold."""
    expected = understood(args.expectations)
    session = Session(args.recording).read_all()
    verdicts = [check(session, each) for each in expected]
    if args.format == "json":
        for verdict in verdicts:
            print(json.dumps(dataclasses.asdict(verdict)))
    else:
        for verdict in verdicts:
            print(line(verdict))
    return 0 if all(verdict.holds for verdict in verdicts) else 1


def understood(texts: list[str]) -> list[Expectation]:
    """Return the expectations that the texts mean. Raises Problem."""
    try:
        return [expectation(text) for text in texts]
    except ExpectationError as error:
        raise Problem(str(error)) from None


def line(verdict: Verdict) -> str:
    """Return a verdict on one line."""
    sign = "✓" if verdict.holds else "✗"
    where = ""
    if not verdict.holds and verdict.exchanges:
        where = f" (exchanges {', '.join(f'#{number}' for number in verdict.exchanges)}, …)"
    return f"{sign} {verdict.expectation}: {verdict.found}{where}"
