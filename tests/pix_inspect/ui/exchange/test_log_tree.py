"""The log as people read it: activities with what came of them, their lines under them."""

from __future__ import annotations

from pathlib import Path

from pix.protocol import operations as ops
from pix.protocol.logging import (
    ActivityType,
    ResultType,
    StderrError,
    StderrNext,
    StderrResult,
    StderrStartActivity,
    StderrStopActivity,
)
from pix.protocol.types import Trace
from pix_inspect.session.session import Session
from pix_inspect.ui.exchange.log_tree import Said, narration
from tests.support.places import RECORDINGS
from tests.support.recording import growing

DRV = "/nix/store/00000000000000000000000000000000-hello.drv"


def told(path: Path, *frames: object) -> list[Said]:
    made = growing(path)
    talk = made.connect()
    talk.trip(ops.BuildPaths(paths=(DRV,), mode=0), *frames).save()
    session = Session(made.path).read_all()
    return narration(session.exchange(1))


def start(number: int, kind: int, text: str = "", *fields: str, parent: int = 0) -> object:
    return StderrStartActivity(
        id=number, level=3, type=kind, text=text, fields=fields, parent=parent
    )


def result(number: int, kind: int, *fields: str | int) -> object:
    return StderrResult(id=number, type=kind, fields=fields)


def shown(lines: list[Said]) -> list[str]:
    return ["  " * line.depth + line.text for line in lines]


def test_activities_hold_their_lines_phase_and_progress(tmp_path: Path) -> None:
    lines = told(
        tmp_path / "r.pcapng",
        start(1, ActivityType.BUILDS),
        start(2, ActivityType.BUILD, "building", DRV, "", parent=1),
        StderrNext(text="\x1b[1mtwo\nlines\x1b[0m\n"),
        result(2, ResultType.SET_PHASE, "buildPhase"),
        result(2, ResultType.BUILD_LOG_LINE, "cc main.c"),
        result(1, ResultType.PROGRESS, 0, 1, 1, 0),
        StderrStopActivity(id=2),
    )
    assert shown(lines) == [
        "◐ Builds  goes on  0 of 1 done, 1 running, 0 failed",
        "  • Build …hello.drv  500 µs  buildPhase",
        "    │ cc main.c",
        "two",
        "lines",
    ]


def test_the_error_comes_first_with_its_traces(tmp_path: Path) -> None:
    traces = (Trace(hint="while building"), Trace(hint="while evaluating"))
    lines = told(
        tmp_path / "r.pcapng", StderrNext(text="late\n"), StderrError(message="no", traces=traces)
    )
    assert shown(lines) == ["✗ no", "  … while building", "  … while evaluating", "late"]


def test_activities_nested_without_end_and_results_of_none(tmp_path: Path) -> None:
    nested = [start(i, 0, f"level {i}", parent=i - 1) for i in range(1, 3000)]
    lines = told(tmp_path / "r.pcapng", *nested, result(9999, ResultType.BUILD_LOG_LINE, "orphan"))
    assert len(lines) == 3000
    assert lines[-2].depth == 2998
    assert lines[-1].text == "│ orphan"


def test_every_line_of_a_recording_has_its_frame() -> None:
    session = Session(RECORDINGS / "build-with-log.pcapng").read_all()
    views = [session.exchange(i) for i in range(len(session))]
    logging = [view for view in views if view.log]
    assert logging
    for view in logging:
        assert all(line.part in list(view.parts) for line in narration(view))
