"""Findings as lines of text: one block for each kind, the gravest first.

Everything is inert.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby

from pix_inspect.base.terminal_text import Tone, Toned
from pix_inspect.findings.finding import Finding, sorted_by_grade
from pix_inspect.findings.kinds import SIGNS, Kind

TONES = {"error": Tone.BAD, "warning": Tone.WARNING, "note": Tone.HEADING}

MOST_PLACES = 3
"""Places of one kind that are listed."""


def headline(kind: Kind, times: int) -> str:
    """Return a kind with its sign and how often it was found."""
    often = f" ×{times:,}" if times > 1 else ""
    text = f"{SIGNS[kind.grade]} {kind.grade}: {kind.name}{often}: {kind.what}"
    return Toned(text, TONES[kind.grade])


def place_line(finding: Finding) -> str:
    """Return where a finding is and what is the case there, on one line."""
    place = f"connection {finding.connection}, {finding.place}"
    return f"{place}: {finding.said}" if finding.said else place


def lines(
    found: list[Finding],
    counts: dict[str, int],
    most: int = MOST_PLACES,
    *,
    clean: Callable[[str], str] = str,
) -> Iterator[str]:
    """Yield the lines of findings; `counts` says how many of a kind there are in all.

    What came over the wire goes through `clean`.
    """
    for name, group in groupby(sorted_by_grade(found), key=lambda each: each.kind.name):
        findings = list(group)
        kind = findings[0].kind
        times = max(counts.get(name, 0), len(findings))
        yield headline(kind, times)
        for finding in findings[:most]:
            yield f"    {place_line(replace(finding, said=clean(finding.said)))}"
            yield from (f"        {clean(line)}" for line in finding.explanation)
        left = times - min(most, len(findings))
        if left:
            yield f"    … {left:,} more (finding = {name} shows them)"
        said = " ".join(text for text in (kind.why, kind.advice) if text)
        yield f"    {said}"
