"""Annotated bytes: nothing left out, nothing twice, and everything with a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix_inspect.describe import annotated_bytes
from pix_inspect.session.session import Session
from pix_inspect.teach.bundled import folder, recording
from pix_inspect.teach.examples import span


@pytest.mark.parametrize("path", sorted(folder().glob("*.pcapng")), ids=lambda path: path.stem)
def test_every_byte_stands_in_one_line(path: Path) -> None:
    session = Session(path).read_all()
    for i in range(len(session)):
        view = session.exchange(i)
        lines = annotated_bytes.annotated(view, longest=1 << 30)
        for side in (0, 1):
            own = sorted((line for line in lines if line.side == side), key=lambda x: x.offset)
            start, end = view.span(side)
            if own and own[-1].more == 0:
                shown = b"".join(line.data or b"" for line in own)
                assert shown == b"".join(data or b"" for _, data in view.bytes(side, start, end))
            at = start
            for line in own:
                assert line.offset == at
                at += len(line.data or b"") + line.more
            assert at == end
        assert all(line.label for line in lines if line.value)
    session.close()


def test_lines_are_named_by_the_declarations() -> None:
    session = Session(recording("by-hand")).read_all()
    view = next(
        session.exchange(i)
        for i in range(len(session))
        if session.row(i).operation == "QueryDeriver"
    )
    said = [
        (line.side, line.label, line.value)
        for line in annotated_bytes.annotated(view)
        if line.label
    ]
    assert said[0] == (0, "operation", "QueryDeriver (18)")
    assert said[1][:2] == (0, "path")
    assert said[2] == (1, "frame", "STDERR_LAST")
    assert said[3][:2] == (1, "deriver")


def test_what_is_long_is_cut_short_and_says_so() -> None:
    session = Session(recording("add-tree")).read_all()
    view = session.exchange(2)
    lines = annotated_bytes.annotated(view, longest=16)
    assert sum(line.more + len(line.data or b"") for line in lines if line.side == 0) == (
        view.span(0)[1] - view.span(0)[0]
    )
    assert any(line.more for line in lines)
    assert any("more" in line for line in annotated_bytes.text(lines, 100))
    assert all(len(line) <= 120 for line in annotated_bytes.text(lines, 100))


def test_a_log_can_be_cut_short() -> None:
    session = Session(recording("build-with-log")).read_all()
    views = [session.exchange(i) for i in range(len(session))]
    view = max(views, key=lambda view: len(view.log))
    lines = annotated_bytes.annotated(view, frames=2)
    starts = {line.offset for line in lines}
    assert [part.start in starts for part in view.log][:4] == [True, True, True, False]
    assert any(line.value == f"{len(view.log) - 2:,} more frames" for line in lines)


def test_only_a_part_can_be_shown() -> None:
    session = Session(recording("mounted-store")).read_all()
    views = [session.exchange(i) for i in range(len(session))]
    view = next(view for view in views if view.row.operation == "BuildPathsWithResults")
    place = span(view, "BuildResult")
    assert place is not None
    lines = annotated_bytes.within(annotated_bytes.annotated(view), *place)
    assert lines[0].label == "status"
    assert span(view, "BuildPathsWithResults") is None
