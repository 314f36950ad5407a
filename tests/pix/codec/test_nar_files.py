"""Files as NARs: the archive holds what the file system holds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pix.codec.nar import check
from pix.codec.nar_files import nar_of
from pix.problem import Problem


def test_a_tree_becomes_a_canonical_nar(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "b").write_bytes(b"x" * 100_001)
    (tree / "a").write_bytes(b"")
    (tree / "sub" / "run").write_text("#!/bin/sh\n")
    (tree / "sub" / "run").chmod(0o755)
    (tree / "link").symlink_to("../elsewhere")
    (tree / "B").mkdir()
    data = b"".join(nar_of(tree))
    entries, end = check(data, strict=True)
    assert end == len(data)
    assert [(e.path, e.kind, e.size, e.target) for e in entries] == [
        ("", "directory", 0, None),
        ("B", "directory", 0, None),
        ("a", "regular", 0, None),
        ("b", "regular", 100_001, None),
        ("link", "symlink", 0, "../elsewhere"),
        ("sub", "directory", 0, None),
        ("sub/run", "executable", 10, None),
    ]
    offset = entries[3].offset
    assert data[offset : offset + 100_001] == b"x" * 100_001


def test_a_name_that_is_not_text_survives(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff\xfe"
    Path(os.fsdecode(raw)).write_bytes(b"1")
    entries, _ = check(b"".join(nar_of(tmp_path)))
    assert os.fsencode(entries[1].path) == b"\xff\xfe"


def test_what_a_nar_cannot_hold_is_a_problem(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Problem, match="not a file, link or directory"):
        list(nar_of(tmp_path))
    with pytest.raises(Problem, match="cannot read"):
        list(nar_of(tmp_path / "missing"))
