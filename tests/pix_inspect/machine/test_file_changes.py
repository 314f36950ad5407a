"""Changes of a file, as the kernel tells them."""

from __future__ import annotations

import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from pix_inspect.machine.file_changes import FileChanges
from tests.support.processes import descriptors
from tests.support.relaying import until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a recording.pcapng"
    path.write_bytes(b"begin")
    return path


@pytest.fixture
def changes(path: Path) -> Iterator[FileChanges]:
    made = FileChanges(path)
    yield made
    made.close()


def told(changes: FileChanges) -> bool:
    """Whether something can be read, and concerns the file."""
    ready = bool(select.select([changes.descriptor], [], [], 0)[0])
    found = changes.take()
    assert ready or not found
    return found


def test_what_is_written_is_told_once(path: Path, changes: FileChanges) -> None:
    assert not told(changes)
    with path.open("ab") as file:
        file.write(b"more")
    assert told(changes)
    assert not told(changes)


def test_other_files_are_not_told(path: Path, changes: FileChanges) -> None:
    (path.parent / "another").write_bytes(b"x")
    (path.parent / "a recording.pcapng.old").write_bytes(b"x")
    assert not told(changes)


def test_a_file_that_takes_its_place_is_told_and_watched(path: Path, changes: FileChanges) -> None:
    path.rename(path.with_suffix(".1"))
    assert told(changes)
    with path.with_suffix(".1").open("ab") as file:
        file.write(b"the last words of the one before")
    assert told(changes)
    path.write_bytes(b"new")
    assert told(changes)
    with path.open("ab") as file:
        file.write(b"more")
    assert told(changes)
    other = path.with_suffix(".part")
    other.write_bytes(b"whole")
    other.replace(path)
    assert told(changes)
    path.unlink()
    assert told(changes)


def test_through_a_link_the_file_itself_is_watched(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    changes = FileChanges(link)
    path.write_bytes(b"more")
    assert told(changes)
    changes.close()


def test_where_nothing_is_told_that_is_said(tmp_path: Path) -> None:
    before = descriptors()
    with pytest.raises(FileNotFoundError):
        FileChanges(tmp_path / "nothing")
    until(lambda: descriptors() <= before)
