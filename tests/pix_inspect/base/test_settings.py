"""Settings: kept between times, and never in the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pix_inspect.base.settings import MOST, NO_SETTINGS, Settings


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    settings = Settings.read(path)
    assert settings.known == {}
    assert settings.complaint is None
    assert settings.keep({"theme": "nord", "sizes": {"top": 30}}) is None
    assert path.stat().st_mode & 0o7777 == 0o600
    assert Settings.read(path).known == {"theme": "nord", "sizes": {"top": 30}}


def test_nothing_is_written_where_nothing_changed(tmp_path: Path) -> None:
    settings = Settings.read(tmp_path / "settings.json")
    assert settings.keep({}) is None
    assert not settings.path.exists()


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[1]", b"\xff\xfe", b'"x"', b"{}" + b" " * MOST, b"[" * 50_000, b"nul\0"],
    ids=range(8),
)
def test_what_is_broken_is_left_out_with_one_line(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(raw)
    settings = Settings.read(path)
    assert settings.known == {}
    assert settings.complaint is not None
    assert "\n" not in settings.complaint
    assert "settings.json" in settings.complaint
    assert settings.keep({"theme": "nord"}) is None
    assert Settings.read(path).known == {"theme": "nord"}


def test_a_folder_in_the_place_of_the_file_is_one_line_each(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.mkdir()
    settings = Settings.read(path)
    assert settings.complaint is not None
    assert "directory" in settings.complaint
    trouble = settings.keep({"theme": "nord"})
    assert trouble is not None
    assert trouble.startswith("settings are not kept: ")


def test_nobody_waits_for_a_pipe_in_the_place_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    os.mkfifo(path)
    assert Settings.read(path).complaint is not None


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("{}")
    (tmp_path / "settings.json").symlink_to("mine")
    Settings.read(tmp_path / "settings.json").keep({"theme": "nord"})
    assert (tmp_path / "mine").read_text() == "{}"


def test_they_stand_in_the_state_directory_unless_there_are_to_be_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv(NO_SETTINGS, raising=False)
    settings = Settings.load()
    assert settings is not None
    assert settings.path == tmp_path / "pix-inspect/settings.json"
    monkeypatch.setenv(NO_SETTINGS, "1")
    assert Settings.load() is None
    monkeypatch.delenv(NO_SETTINGS)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert Settings.load() is None
