"""The manual's entries: everything declared has one, and says what the declarations say."""

from __future__ import annotations

import pytest

from pix.codec.gates import NEWEST_MINOR, OLDEST_MINOR, WORKER, Protocol
from pix.problem import Problem
from pix.protocol import STDERR_FRAMES, operations_of
from pix.protocol.names import enumerations, records
from pix.protocol.types import FEATURES
from pix_inspect.findings.kinds import KINDS, Kind
from pix_inspect.forensics.mistakes import Mistake
from pix_inspect.teach.entries import entry, names
from pix_inspect.teach.entry_text import text


def test_everything_has_an_entry_with_a_summary() -> None:
    for name in names():
        found = entry(name)
        assert found.summary, name
        assert all(line == line.rstrip() for line in text(found)), name


def test_all_that_is_declared_is_named() -> None:
    known = names()
    for operation in operations_of(WORKER).values():
        assert operation.name in known
        assert entry(str(operation.code)).title == operation.name
    assert {frame.name for frame in STDERR_FRAMES.values()} <= set(known)
    assert set(FEATURES) <= set(known)
    assert {"BuildResult", "UnkeyedValidPathInfo", "BasicDerivation", "Trace"} <= set(records())
    assert {"BuildStatus", "ActivityType", "ResultType", "Verbosity"} <= set(enumerations())


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_finding_says_what_its_declaration_says(kind: Kind) -> None:
    found = entry(kind.name)
    said = dict(found.facts)
    assert found.kind == "finding"
    assert kind.what[1:] in found.summary
    assert said["needs"] == kind.evidence
    assert said.get("what to do", "") == kind.advice


def test_a_mistake_has_an_entry_by_its_label() -> None:
    for mistake in Mistake:
        assert entry(mistake.label).kind == "mistake"
    assert entry("Short Reply").title == "short reply"


def test_every_version_has_an_entry() -> None:
    kinds = {entry(f"1.{minor}").kind for minor in range(OLDEST_MINOR, NEWEST_MINOR + 1)}
    assert kinds == {"protocol version"}


def test_a_version_says_what_it_changed() -> None:
    rows = entry("1.25").tables[0][1].rows
    assert ("AddToStore request", "method", "added") in rows
    assert ("AddToStore request", "fixed", "gone") in rows


def test_two_versions_are_compared_either_way_round() -> None:
    assert entry("1.21 1.38").tables == entry("1.38 against 1.21").tables
    rows = entry("1.21 1.38").tables[0][1].rows
    assert ("AddToStoreNar request", "nar", "pulled", "frames") in rows


@pytest.mark.parametrize(
    ("name", "summary"),
    [
        ("BuildResult.cpu_user", "processor time in user mode"),
        ("QueryPathInfo.reply.info.nar_size", "bytes in its NAR, 0 when unknown"),
        ("QueryPathInfo.path", "the path asked about"),
        ("BuildStatus.TimedOut", "took longer than timeout or max-silent-time"),
        ("STDERR_ERROR.traces.hint", "what was being done"),
    ],
)
def test_fields_and_values_have_entries(name: str, summary: str) -> None:
    assert entry(name).summary == summary


def test_a_version_leaves_out_what_it_lacks() -> None:
    rows = entry("AddToStore", Protocol(21)).tables[0][1].rows
    assert [row[0] for row in rows] == ["name", "fixed", "recursive", "hash_algo", "dump"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("QueryPathInf", "QueryPathInfo"), ("buildresul", "BuildResult"), ("1.99", "1.10 to 1.38")],
)
def test_what_is_not_there_gets_a_suggestion(name: str, hint: str) -> None:
    with pytest.raises(Problem, match=hint):
        entry(name)


def test_case_does_not_matter() -> None:
    assert entry("querypathinfo").title == "QueryPathInfo"
