"""`pix-inspect check`: findings in a recording, and whether it meets expectations.

Exit status 1 when an expectation does not hold or a finding is an error.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import json

from pix.problem import Problem
from pix_inspect.base.narrate import say
from pix_inspect.base.safe_text import inert
from pix_inspect.base.terminal_text import Tone, Toned, show
from pix_inspect.base.units import count
from pix_inspect.commands.dump import report
from pix_inspect.expectations.expectation import Expectation, ExpectationError, expectation
from pix_inspect.expectations.verdicts import Verdict, verdicts
from pix_inspect.findings.collector import MOST_DECODED, Findings
from pix_inspect.findings.kinds import GRADES, KINDS
from pix_inspect.findings.text import MOST_PLACES, lines
from pix_inspect.options.output import output_arguments
from pix_inspect.options.progress import Progress
from pix_inspect.options.recording import recording_argument
from pix_inspect.session.session import Session

STEP = 0.1
"""Seconds of work between two words on how far it has come."""

INTERMIXED = True
"""Options may stand between expectations."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = (
        "An expectation compares count(FILTER), or p1 to p100, max, min, mean or sum of took,"
        " bytes, up, down or frames: p95(took, op = BuildPaths) < 2s; or it is 'no FILTER' or"
        " 'any FILTER'. Filters are those of the screen and of dump --filter. Exit status: 0 when"
        " all hold and no finding that is shown is an error, 1 when not, 2 when something is wrong"
        " with the recording or an expectation."
    )
    recording_argument(parser)
    parser.add_argument(
        "expectations",
        nargs="*",
        default=[],  # otherwise it is named among what is missing
        metavar="EXPECTATION",
        help="'count(op = QueryPathInfo) < 100', 'p95(took) < 50ms', 'no error', 'no finding'",
    )
    output_arguments(parser, "an expectation, one a finding, one for all")
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
            near = difflib.get_close_matches(name, KINDS, 1)
            hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(KINDS)}"
            raise Problem(f"--ignore {name}: no finding has that name; {hint}")
    expected = understood(args.expectations)
    session = Session(args.recording)
    with Progress() as progress:
        while session.poll(STEP):
            progress.show("reading", session.consumed, session.size)
        found = verdicts(session, expected, lambda *far: progress.show("checking", *far))
        findings = Findings(session, thorough=args.thorough)
        while findings.update(STEP):
            progress.show("looking for findings", findings.taken, len(session))
        findings.finish()
    shown = [
        finding
        for finding in findings.kept
        if finding.kind.name not in args.ignore
        and GRADES.index(finding.grade) >= GRADES.index(args.least)
    ]
    if args.format == "json":
        for verdict in found:
            print(json.dumps(dataclasses.asdict(verdict)))
        for finding in shown:
            print(json.dumps(finding.as_json()))
        print(json.dumps(summary(session, findings)))
    else:
        show(map(line, found))
        show(lines(shown, findings.counts, len(shown) if args.all else MOST_PLACES))
        if not found and not shown:
            print(f"nothing found in {count(len(session), 'exchange')}")
    report(session, whole=True)
    if not findings.all_decoded:
        looked = f"fields were looked at in the first {MOST_DECODED:,} exchanges only"
        say(f"{looked}; --thorough looks at all")
    failed = any(not verdict.holds for verdict in found)
    return 1 if failed or any(finding.grade == "error" for finding in shown) else 0


def summary(session: Session, findings: Findings) -> dict[str, object]:
    """Return the last line of JSON: how much was looked at, and how often what was found."""
    cut = session.truncated
    return {
        "exchanges": len(session),
        "connections": len(session.connections),
        "counts": dict(findings.counts),
        "decoded": findings.all_decoded,
        "cut": None if cut is None else {"offset": cut[0], "bytes": cut[1]},
    }


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
    text = f"{sign} {inert(verdict.expectation, 500)}: {verdict.found}{where}"
    return Toned(text, Tone.GOOD if verdict.holds else Tone.BAD)
