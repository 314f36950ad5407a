"""Findings in filters: `finding = obsolete`, `finding = error`, `finding ~ length`, `finding`.

A value is the name of a kind or a grade.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from pix_inspect.findings.detector import Detector
from pix_inspect.findings.kinds import GRADES, KINDS, SHALLOW
from pix_inspect.session.session import Session

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


def any_finding(
    name: str | None, matches: Callable[[Any], bool], *, equal: bool
) -> Callable[[Session, int], bool]:
    """Return whether an exchange has a finding whose name, grade or text matches.

    `name` is the one name that can match, None for a text that is looked for, in what is said
    and in the diagnosis; `equal` False turns the answer round.
    """
    shallow = name in SHALLOW

    def test(session: Session, i: int) -> bool:
        found = detector(session).of(i, decoded=not shallow)
        hit = any(
            matches(finding.kind.name)
            or matches(finding.grade)
            or (name is None and any(map(matches, (finding.said, *finding.explanation))))
            for finding in found
        )
        return hit == equal

    return test


def has_finding(session: Session, i: int) -> bool:
    """Return whether there is anything to be found in exchange `i` (from 0)."""
    return bool(detector(session).of(i))
