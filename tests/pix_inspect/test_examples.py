"""The examples: one for everything that the bundled recordings hold, chosen by rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix.protocol import FRAMES_BY_CODE, OPERATIONS
from pix_inspect import bundled
from pix_inspect.examples import choose, shown, span
from pix_inspect.problem import Problem
from pix_inspect.session import Session


def test_the_index_beside_the_recordings_is_what_they_say() -> None:
    assert bundled.examples() == choose(bundled.folder())


def test_every_example_shows_what_it_is_for() -> None:
    for name, (recording, number) in bundled.examples().items():
        session = Session(bundled.recording(recording)).read_all()
        view = session.exchange(number - 1)
        assert name in {each for each, _ in shown(view)}
        if name not in (view.row.operation, view.row.kind):
            place = span(view, name)
            assert place is not None
            assert place[1] < place[2]
        session.close()


def test_operations_and_frames_have_examples() -> None:
    found = bundled.examples()
    assert {"handshake", "BuildResult", "QueryPathInfo"} <= set(found)
    assert sum(operation.name in found for operation in OPERATIONS.values()) >= 38
    missing = {frame.name for frame in FRAMES_BY_CODE.values()} - set(found)
    assert missing <= {"STDERR_LAST"}


def test_an_unknown_recording_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="there are add-tree"):
        bundled.recording("nothing")
    assert choose(tmp_path) == {}
