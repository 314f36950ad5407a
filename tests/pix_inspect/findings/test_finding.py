"""Findings in the order of how grave they are."""

from __future__ import annotations

from pix_inspect.findings.finding import sorted_by_grade
from pix_inspect.findings.kinds import GRADES
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS
from tests.support.planted import found_in


def test_the_gravest_come_first() -> None:
    session = Session(RECORDINGS / "untrusted.pcapng").read_all()
    grades = [finding.grade for finding in sorted_by_grade(found_in(session))]
    assert grades == sorted(grades, key=GRADES.index, reverse=True)
