"""Files of a payload on the disk: one by one, as archives, as trees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pix.problem import Problem
from pix_inspect.base.new_files import AlreadyThere, save
from pix_inspect.payload.unpacking import archive_of, mode_of, pieces_of, unpack
from tests.support.nars import Tree, nar
from tests.support.payloads import FILES, add, contents_of, with_archive
from tests.support.places import RECORDINGS
from tests.support.recording import growing
from tests.support.words import PATH, text

HOSTILE: list[Tree] = [
    {b"..": b"x"},
    {b".": b"x"},
    {b"a/b": b"x"},
    {b"../../etc": b"x"},
    {b"": b"x"},
    {b"nul\0": b"x"},
    {b"deep": {b"/etc/passwd": b"x"}},
]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_files_and_archives_of_a_payload_are_saved(tmp_path: Path, out: Path) -> None:
    contents = contents_of(with_archive(tmp_path))
    name, pieces = archive_of(contents)
    assert name == f"{PATH.rpartition('/')[2]}.nar"
    save(out / name, pieces)
    assert (out / name).read_bytes() == nar(FILES)
    hello = contents.places[contents.find("bin/hello")]
    save(out / "hello", pieces_of(contents, hello), mode=mode_of(hello))
    assert (out / "hello").read_bytes() == b"#!/bin/sh\necho hello\n"
    assert os.access(out / "hello", os.X_OK)
    for entry, why in (("bin", "is a directory"), ("lib/libhello.so", "is a link to")):
        with pytest.raises(Problem, match=why):
            pieces_of(contents, contents.places[contents.find(entry)])


def test_several_archives_are_saved_one_by_one(out: Path) -> None:
    contents = contents_of(RECORDINGS / "copy.pcapng", 4)
    with pytest.raises(Problem, match="holds 3 archives: choose one"):
        archive_of(contents)
    for number in range(3):
        name, pieces = archive_of(contents, number)
        data = b"".join(pieces)
        assert name.endswith(".nar")
        assert data[8:21] == b"nix-archive-1"


def test_a_directory_is_unpacked(tmp_path: Path, out: Path) -> None:
    contents = contents_of(with_archive(tmp_path))
    written: list[int] = []
    assert unpack(contents, 0, out / "all", written.append) == 10
    assert (out / "all/bin/hello").stat().st_mode & 0o100
    assert not (out / "all/share/doc/README").stat().st_mode & 0o100
    assert str((out / "all/lib/libhello.so").readlink()) == "libhello.so.1"
    assert (out / "all/share/doc/empty").read_bytes() == b""
    assert sum(written) == 429
    with pytest.raises(AlreadyThere):
        unpack(contents, 0, out / "all")
    unpack(contents, contents.find("share"), out / "part")
    assert names(out / "part") == ["doc"]
    with pytest.raises(Problem, match="is not a directory"):
        unpack(contents, contents.find("bin/hello"), out / "no")


@pytest.mark.parametrize("files", HOSTILE, ids=range(len(HOSTILE)))
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, out: Path, files: Tree) -> None:
    contents = contents_of(with_archive(tmp_path, files))
    with pytest.raises(Problem, match=r"not a name for a file; nothing was unpacked"):
        unpack(contents, 0, out / "all")
    assert names(out) == []


def test_a_link_in_an_archive_is_made_and_never_followed(tmp_path: Path, out: Path) -> None:
    files: Tree = {b"a": ("symlink", os.fsencode(tmp_path)), b"b": {b"evil": b"x"}}
    archive = nar(files).replace(text(b"b"), text(b"a"))  # a link, then a directory behind it
    made = growing(tmp_path / "r.pcapng")
    add(made, archive)
    contents = contents_of(made.path)
    assert len(contents.places) == 4
    with pytest.raises(AlreadyThere):
        unpack(contents, 0, out / "all")
    assert not (tmp_path / "evil").exists()
    assert (out / "all/a").is_symlink()


def test_what_was_not_kept_is_not_saved(tmp_path: Path, out: Path) -> None:
    contents = contents_of(with_archive(tmp_path, keep=700))
    with pytest.raises(Problem, match="--payload full"):
        archive_of(contents)
    with pytest.raises(Problem, match="not recorded; record with --payload full"):
        unpack(contents, 0, out / "all")
    assert names(out) == []
