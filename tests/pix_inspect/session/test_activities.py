"""Activities: nested by their parents, told about by results, whatever is missing."""

from __future__ import annotations

from pix.protocol.logging import ResultType
from pix_inspect.session.activities import Activity, activities, log_line
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS


def work_of(name: str, operation: str) -> Activity:
    session = Session(RECORDINGS / name).read_all()
    i = next(i for i in range(len(session)) if session.row(i).operation == operation)
    return activities(session.exchange(i).log)


def all_within(activity: Activity) -> list[Activity]:
    inner = [each for each in activity.inside if isinstance(each, Activity)]
    return [*inner, *(deep for each in inner for deep in all_within(each))]


def test_a_build_has_its_lines_and_its_end() -> None:
    work = work_of("build-with-log.pcapng", "BuildPaths")
    builds = [each for each in all_within(work) if each.known and each.kind.label == "Build"]
    assert len(builds) == 2
    for build in builds:
        assert build.part is not None
        assert build.part.time is not None
        assert build.ended is not None
        assert build.ended > build.part.time
        assert build.fields[0].endswith(".drv")
    lines = [log_line(part) for part in builds[-1].results(ResultType.BUILD_LOG_LINE)]
    assert lines
    assert all(isinstance(line, str) for line in lines)


def test_what_belongs_to_no_activity_stands_in_the_exchange() -> None:
    session = Session(RECORDINGS / "build-with-log.pcapng").read_all()
    i = next(i for i in range(len(session)) if session.row(i).operation == "BuildPaths")
    log = list(session.exchange(i).log)
    without_begins = [part for part in log if part.name != "STDERR_START_ACTIVITY"]
    work = activities(without_begins)
    assert work.inside == without_begins
    assert activities([]).inside == []
