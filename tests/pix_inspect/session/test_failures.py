"""A build that failed is seen wherever exchanges are, and nothing is that did not fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pix.codec.gates import SERVE, Protocol
from pix.protocol import serve
from pix.protocol.logging import StderrLast
from pix.protocol.operations import BuildDerivation, BuildPathsWithResults
from pix.protocol.types import (
    SUCCESSES,
    BasicDerivation,
    BuildResult,
    BuildStatus,
    KeyedBuildResult,
)
from pix_inspect.analysis.statistics import Statistics
from pix_inspect.describe.text_and_json import json_of, one_line
from pix_inspect.expectations.expectation import expectation
from pix_inspect.expectations.verdicts import verdicts
from pix_inspect.findings.collector import Findings
from pix_inspect.recording.notes import StandardError
from pix_inspect.session.failures import Failure, failures
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS
from tests.support.recording import Recording
from tests.support.words import PATH

WORKER_37, SERVE_7 = Protocol(37), Protocol(7, family=SERVE)
DRV = PATH + ".drv"
DERIVATION = BasicDerivation(
    outputs={}, input_srcs=frozenset(), platform="x", builder="/bin/sh", args=(), env={}
)
WHY = "\x1b[31;1mbuilder failed\x1b[0m with exit code 3"


def one(status: int, message: str = WHY) -> tuple[Any, ...]:
    """A build of one derivation."""
    asked = BuildDerivation(drv_path=DRV, derivation=DERIVATION)
    result = BuildResult(status=status, error_msg=message)
    return asked, StderrLast(), BuildDerivation.Reply(result=result)


def several(*statuses: int) -> tuple[Any, ...]:
    """Builds of which each ended in its own way."""
    results = tuple(
        KeyedBuildResult(path=f"{DRV}!{n}", result=BuildResult(status=status, error_msg="no"))
        for n, status in enumerate(statuses)
    )
    asked = BuildPathsWithResults(paths=tuple(each.path for each in results))
    return asked, StderrLast(), BuildPathsWithResults.Reply(results=results)


def session_of(
    folder: Path, *said: Any, protocol: Protocol = WORKER_37, stderr: str = ""
) -> Session:
    made = Recording(folder / "r.pcapng")
    connection = made.connect(protocol)
    request, *answers = said
    connection.wait() >> request
    if stderr:
        connection.wait().remark({"note": StandardError(stderr).json()})
    for answer in answers:
        connection << answer
    connection.close()
    return made.session()


def found(session: Session) -> list[Failure]:
    return list(failures(session.exchange(len(session) - 1)))


def said(session: Session) -> list[tuple[str, str]]:
    kept = Findings(session).finish().kept
    return [(each.kind.name, each.said) for each in kept if each.grade != "note"]


@pytest.mark.parametrize("status", [*BuildStatus, 99])
def test_every_status_is_a_failure_or_none(status: BuildStatus | int, tmp_path: Path) -> None:
    session = session_of(tmp_path, *one(status))
    failed = isinstance(status, BuildStatus) and status not in SUCCESSES
    row = session.row(1)
    assert row.state == ("error" if failed else "ok")
    assert session.errors == session.connections[1].errors == int(failed)
    assert Statistics(session).finish().operations["BuildDerivation"].errors == int(failed)
    (verdict,) = verdicts(session, [expectation("no error")])
    assert verdict.holds is not failed
    if not isinstance(status, BuildStatus) or not failed:
        assert not said(session)
        assert not found(session)
        return
    label = status.label
    message = "builder failed with exit code 3"
    start = session.exchange(1).field("reply", "result").start  # type: ignore[union-attr]
    assert found(session) == [Failure(DRV, label, message, "reply.result.status", start)]
    text = f"{DRV}: {label}: {message}"
    assert said(session) == [("failed-build", f"BuildDerivation: {text}")]
    view = session.exchange(1)
    assert one_line(view, 0).endswith(text)
    assert json_of(view, 0)["notes"] == [f"a build failed: {label}"]


def test_of_several_each_that_failed_is_named(tmp_path: Path) -> None:
    session = session_of(tmp_path, *several(0, 3, 2, 10, 10))
    assert [(each.what, each.status) for each in found(session)] == [
        (f"{DRV}!1", "PermanentFailure"),
        (f"{DRV}!3", "DependencyFailed"),
        (f"{DRV}!4", "DependencyFailed"),
    ]
    assert found(session)[0].field == "reply.results.1.result.status"
    assert Findings(session).finish().counts["failed-build"] == 3
    (note,) = session.exchange(1).notes
    assert note == "a build failed: PermanentFailure, DependencyFailed ×2"
    assert not found(session_of(tmp_path, *several(0, 1, 2, 13)))


@pytest.mark.parametrize(
    ("status", "named"),
    [
        (1, "exit status 1"),
        (100, "exit status 100 (the builder failed)"),
        (101, "exit status 101 (timed out, the builder failed)"),
        (102, "exit status 102 (a hash mismatch, the builder failed)"),
        (104, "exit status 104 (not deterministic)"),
    ],
)
def test_exit_statuses_of_the_serve_protocol(status: int, named: str, tmp_path: Path) -> None:
    asked = serve.BuildPaths(paths=(DRV,), options=serve.BuildOptions())
    failure = serve.Failure(status=status, error_msg="it failed")
    session = session_of(tmp_path, asked, serve.BuildPaths.Reply(failure=failure), protocol=SERVE_7)
    assert [str(each) for each in found(session)] == [f"{DRV}: {named}: it failed"]
    assert session.row(1).state == "error"
    fine = session_of(tmp_path, asked, serve.BuildPaths.Reply(), protocol=SERVE_7)
    assert not found(fine)
    assert fine.row(1).state == "ok"


def test_what_stands_on_standard_error_is_named(tmp_path: Path) -> None:
    asked = serve.BuildDerivation(drv_path=DRV, derivation=DERIVATION, options=serve.BuildOptions())
    result = serve.BuildResult(status=BuildStatus.PERMANENT_FAILURE, error_msg="x" * 500)
    reply = serve.BuildDerivation.Reply(result=result)
    lines = "warning: slow\nno compiler here\n"
    session = session_of(tmp_path, asked, reply, protocol=SERVE_7, stderr=lines)
    ((name, text),) = said(session)
    assert name == "failed-build"
    assert text.endswith("its standard error ends with: no compiler here")
    session = session_of(tmp_path, asked, reply, protocol=SERVE_7, stderr="error: no disk\n")
    assert [name for name, _ in said(session)] == ["standard-error", "failed-build"]


def test_an_error_in_place_of_the_answer(tmp_path: Path) -> None:
    """That of a build is a failed build, that of a question is an error like any other."""
    for name, status in (("build-failure", 1), ("untrusted", 0)):
        session = Session(RECORDINGS / f"{name}.pcapng").read_all()
        counts = Findings(session).finish().counts
        assert counts["failed-build"] == status
        assert session.errors
        session.close()


def test_the_recording_of_a_remote_build() -> None:
    session = Session(RECORDINGS / "serve-build-failure.pcapng").read_all()
    ((name, text),) = said(session)
    assert name == "failed-build"
    assert "PermanentFailure" in text
    assert text.endswith("no compiler here")
    session.close()
