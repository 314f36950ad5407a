"""Where things of our own are kept, for this user alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pix.problem import Problem
from pix_inspect.base.state_directory import existing, new_recording, state_directory


def test_what_it_makes_is_the_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "deep" / "state"))
    recording = new_recording("nix build")
    assert recording.parent == tmp_path / "deep" / "state" / "pix-inspect" / "recordings"
    for folder in (recording.parent, recording.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not recording.exists()


@pytest.mark.parametrize("name", ["", "recordings"])
def test_a_folder_that_others_may_write_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    state_directory("recordings")
    folder = tmp_path / "pix-inspect" / name
    for mode in (0o720, 0o702):
        folder.chmod(mode)
        with pytest.raises(Problem, match="others may write into"):
            new_recording("x")
    folder.chmod(0o755)
    assert new_recording("x").parent == tmp_path / "pix-inspect" / "recordings"
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    with pytest.raises(Problem, match="others may write into"):
        state_directory(name)


def test_to_read_it_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert existing("running") is None
    assert not (tmp_path / "state").exists()
    assert state_directory("running") == existing("running")

    def refused(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as here:
        here.setattr(os, "scandir", refused)
        with pytest.raises(Problem, match="cannot read"):
            existing("running")
    (tmp_path / "state" / "pix-inspect" / "running").chmod(0o777)
    with pytest.raises(Problem, match="others may write into"):
        existing("running")
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/1/nothing")  # where nothing can be made
    assert existing("running") is None
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")
    with pytest.raises(Problem, match="Not a directory; set XDG_STATE_HOME"):
        existing("running")


@pytest.mark.parametrize("value", ["", "relative/path"])
def test_a_variable_that_is_no_path_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", value)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_directory() == tmp_path / ".local" / "state" / "pix-inspect"


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("nix-build", "-nix-build-"),
        ("../../evil\x1b name", "-evil--name-"),
        ("…", "-session-"),
        ("x" * 100, f"-{'x' * 40}-"),
    ],
)
def test_names_become_file_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, part: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    recording = new_recording(name)
    assert recording.parent == tmp_path / "pix-inspect" / "recordings"
    assert part in recording.name


def test_where_it_cannot_be_made_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(Problem, match="name a recording with -o, or set XDG_STATE_HOME"):
        new_recording("x")
    with pytest.raises(Problem, match="exists; set XDG_STATE_HOME"):
        state_directory("marks")
