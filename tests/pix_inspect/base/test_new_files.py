"""Saving: whole files or none, nothing overwritten or followed, no name that leads elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pix.problem import Problem
from pix_inspect.base.new_files import AlreadyThere, Stopped, save, suggested


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_with_the_users_mode(out: Path) -> None:
    before = os.umask(0o027)
    try:
        assert save(out / "a", [b"one", b"two"]) == 6
    finally:
        os.umask(before)
    assert (out / "a").read_bytes() == b"onetwo"
    assert (out / "a").stat().st_mode & 0o7777 == 0o640
    assert names(out) == ["a"]


def test_nothing_is_overwritten_unless_asked_for(out: Path) -> None:
    (out / "a").write_text("mine")
    with pytest.raises(AlreadyThere, match="already exists"):
        save(out / "a", [b"other"])
    assert (out / "a").read_text() == "mine"
    save(out / "a", [b"other"], replace=True)
    assert (out / "a").read_text() == "other"
    assert names(out) == ["a"]


def test_a_link_is_replaced_not_followed(out: Path) -> None:
    (out / "mine").write_text("mine")
    (out / "link").symlink_to("mine")
    (out / "dangling").symlink_to("elsewhere")
    for name in ("link", "dangling"):
        with pytest.raises(AlreadyThere):
            save(out / name, [b"x"])
    save(out / "link", [b"x"], replace=True)
    assert not (out / "link").is_symlink()
    assert (out / "mine").read_text() == "mine"
    assert not (out / "elsewhere").exists()


@pytest.mark.parametrize(
    ("name", "why"),
    [("no/such/folder", "no folder"), ("sub", "is a folder"), ("fifo", "is not a file"),
     ("..", "not the name"), ("nul\0", "null")],
)  # fmt: skip
def test_where_no_file_can_go_is_one_line(out: Path, name: str, why: str) -> None:
    (out / "sub").mkdir()
    os.mkfifo(out / "fifo")
    with pytest.raises(Problem, match=why):
        save(out / name, [b"x"], replace=True)
    assert names(out) == ["fifo", "sub"]


def test_what_fails_or_is_stopped_leaves_nothing_behind(out: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"some"
        raise Problem("the rest was not recorded")

    with pytest.raises(Problem, match="the rest"):
        save(out / "a", broken())

    def stop(count: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        save(out / "a", [b"x"], told=stop)
    assert names(out) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [("/nix/store/abc-x", "abc-x"), ("../../x", "x"), (".hidden", "hidden"), ("a\x1b[1m", "a--1m"),
     ("", "payload"), ("..", "payload"), ("ü漢", "ü漢")],
)  # fmt: skip
def test_a_suggested_name_is_a_harmless_name(name: str, expected: str) -> None:
    assert suggested(name) == expected
