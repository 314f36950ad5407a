"""The examples: one for everything that the bundled recordings hold, chosen by rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix.problem import Problem
from pix.protocol import OPERATIONS, STDERR_FRAMES
from pix_inspect.session.session import Session
from pix_inspect.teach import bundled
from pix_inspect.teach.examples import choose, command, shown, span


def test_the_index_beside_the_recordings_is_what_they_say() -> None:
    found = choose(bundled.folder())
    assert bundled.examples() == {name: tuple(place) for name, place in found["examples"].items()}
    assert bundled.senders() == found["senders"]


def test_senders_are_commands_and_protocols() -> None:
    assert "nix-store --add (1.34)" in bundled.senders()["AddToStore"]
    assert "nix path-info --all (1.34)" in bundled.senders()["QueryAllValidPaths"]
    assert "pix-inspect send (1.34)" in bundled.senders()["QueryDeriver"]
    assert command(None) == "somebody"


def test_every_example_shows_what_it_is_for() -> None:
    for name, (recording, number) in bundled.examples().items():
        session = Session(bundled.recording(recording)).read_all()
        view = session.exchange(number - 1)
        assert name in {each for each, _ in shown(view)}
        if name != view.row.operation and name.removeprefix("serve.") != view.row.kind:
            place = span(view, name)
            assert place is not None
            assert place[1] < place[2]
        session.close()


def test_operations_and_frames_have_examples() -> None:
    found = bundled.examples()
    assert {"handshake", "BuildResult", "QueryPathInfo"} <= set(found)
    assert sum(operation.name in found for operation in OPERATIONS.values()) >= 38
    missing = {frame.name for frame in STDERR_FRAMES.values()} - set(found)
    assert missing <= {"STDERR_LAST"}


def test_an_archive_is_the_folder_again() -> None:
    data = bundled.packed(bundled.folder())
    assert data == bundled.packed(bundled.folder())
    with bundled.unpacked(data) as name:
        for path in bundled.folder().rglob("*.*"):
            again = Path(name, path.relative_to(bundled.folder()))
            assert again.read_bytes() == path.read_bytes()
    bundled.unpacked.cache_clear()


def test_where_nothing_can_be_unpacked_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bundled.packed(bundled.folder() / "tours")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(Problem, match=r"cannot unpack the bundled recordings: .*gone"):
        bundled.unpacked(data)


def test_an_unknown_recording_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="there are add-tree"):
        bundled.recording("nothing")
    assert choose(tmp_path) == {"examples": {}, "senders": {}}
