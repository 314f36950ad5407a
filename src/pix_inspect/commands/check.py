"""`pix-inspect check`: findings in a recording, and whether it meets expectations.

Exit status 1 when an expectation does not hold or a finding is an error. Knows how verdicts
and findings look as text and as JSON.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from pix_inspect.finding_kinds import GRADES, KINDS
from pix_inspect.findings import MOST_DECODED, Findings
from pix_inspect.findings_text import MOST_PLACES, lines
from pix_inspect.gate import Expectation, ExpectationError, Verdict, check, expectation
from pix_inspect.problem import Problem
from pix_inspect.session import Session

INTERMIXED = True
"""Options may stand between expectations."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("recording", type=Path)
    parser.add_argument(
        "expectations",
        nargs="*",
        metavar="EXPECTATION",
        help="'count(op = QueryPathInfo) < 100', 'p95(took) < 50ms', 'no error', 'no finding'",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument(
        "--least", choices=GRADES, default="note", metavar="GRADE",
        help="findings from this grade on: note (default), warning, error",
    )  # fmt: skip
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="KIND",
        help="leave out findings of this kind, such as downgrade",
    )  # fmt: skip
    parser.add_argument(
        "--thorough", action="store_true",
        help=f"decode every exchange, not only the first {MOST_DECODED:,}",
    )  # fmt: skip
    parser.add_argument("--all", action="store_true", help="every place of each kind of finding")


def main(args: argparse.Namespace) -> int:
    """Print a line for each expectation, then the findings."""
    for name in args.ignore:
        if name not in KINDS:
            raise Problem(f"--ignore {name}: no finding has that name; one of {', '.join(KINDS)}")
    expected = understood(args.expectations)
    session = Session(args.recording).read_all()
    verdicts = [check(session, each) for each in expected]
    findings = Findings(session, thorough=args.thorough).finish()
    shown = [
        finding
        for finding in findings.kept
        if finding.kind.name not in args.ignore
        and GRADES.index(finding.grade) >= GRADES.index(args.least)
    ]
    if args.format == "json":
        for verdict in verdicts:
            print(json.dumps(dataclasses.asdict(verdict)))
        for finding in shown:
            print(json.dumps(finding.as_json()))
    else:
        for verdict in verdicts:
            print(line(verdict))
        for text in lines(shown, findings.counts, len(shown) if args.all else MOST_PLACES):
            print(text)
        if not verdicts and not shown:
            print(f"nothing found in {len(session):,} exchanges")
    if not findings.all_decoded:
        print(
            f"pix-inspect: fields were looked at in the first {MOST_DECODED:,} exchanges only;"
            " --thorough looks at all",
            file=sys.stderr,
        )
    failed = any(not verdict.holds for verdict in verdicts)
    return 1 if failed or any(finding.grade == "error" for finding in shown) else 0


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
        more = ", …" if verdict.more else ""
        where = f" (exchanges {', '.join(f'#{number}' for number in verdict.exchanges)}{more})"
    return f"{sign} {verdict.expectation}: {verdict.found}{where}"
