"""Findings in filters: `finding = obsolete`, `finding = error`, `finding ~ length`, `finding`.

A value is the name of a kind or a grade.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from pix_inspect.findings.detector import Detector
from pix_inspect.findings.finding import Finding
from pix_inspect.findings.kinds import GRADES, KINDS, SHALLOW
from pix_inspect.session.session import Session

Finder: TypeAlias = Callable[[bool], list[Finding]]
"""Returns the findings of an exchange; True: fields are looked at in any case."""

_DETECTORS: WeakKeyDictionary[Session, Detector] = WeakKeyDictionary()


def detector(session: Session) -> Detector:
    """Return the detector of a session, made once."""
    found = _DETECTORS.get(session)
    if found is None:
        found = _DETECTORS[session] = Detector(session)
    return found


def suggestion(name: str) -> str | None:
    """Return None when `name` is a kind of finding or a grade, else what may be meant."""
    known = (*KINDS, *GRADES)
    if name in known:
        return None
    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {near[0]}?" if near else f": one of {', '.join(known)}"


def any_finding(name: str | None, matches: Callable[[Any], bool]) -> Callable[[Finder], bool]:
    """Return whether one of an exchange's findings has a name, grade or text that matches.

    `name` is the one name that can match, None for a text that is looked for, in what is said
    and in the diagnosis.
    """
    decoded = name not in SHALLOW

    def test(findings: Finder) -> bool:
        return any(
            matches(finding.kind.name)
            or matches(finding.grade)
            or (name is None and any(map(matches, (finding.said, *finding.explanation))))
            for finding in findings(decoded)
        )

    return test
