"""`pix-inspect settings`: what is chosen, the file for it, and what is wrong in that."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pix_inspect.base.settings_file import SettingsFile, settings_file
from pix_inspect.cli import main
from pix_inspect.commands.settings import table
from pix_inspect.ui.app.user_keys import actions
from pix_inspect.ui.app.user_settings import UserSettings

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "true")
    return settings_file()


def test_a_new_file_has_all_as_comments_and_chooses_nothing(path: Path) -> None:
    assert main(["settings", "--edit"]) == 0
    assert path.stat().st_mode & 0o7777 == 0o600
    file = SettingsFile.read(path)
    assert UserSettings.of(file) == ({}, [], {})
    text = path.read_text()
    assert all(f"\n# {name} = " in text for name in actions())
    assert max(map(len, text.splitlines())) <= 100


def test_what_stands_there_is_right_when_it_is_taken_at_its_word(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["settings", "--edit"])
    text = re.sub(r"^# (?=[\w.]+ = )|^# (?=\[themes)", "", path.read_text(), flags=re.MULTILINE)
    path.write_text(text)
    assert main(["settings"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    file = SettingsFile.read(path)
    chosen = UserSettings.of(file)
    assert len(chosen.keymap) == len(actions())
    assert [theme.name for theme in chosen.themes] == ["paper"]
    path.write_text(out)
    assert UserSettings.of(SettingsFile.read(path)) == chosen, "what is printed is such a file"


def test_mistakes_are_said_line_by_line_and_the_status_is_2(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.parent.mkdir()
    path.write_text('theme = "nrod"\n[keys]\nquit = "F1"\nview.log = "f9"\n')
    assert main(["settings"]) == 2
    out, err = capsys.readouterr()
    assert err.splitlines() == [
        f"pix-inspect: {path}:1: theme: there is no theme 'nrod'; did you mean nord?",
        f"pix-inspect: {path}:3: keys.quit: there is no key 'F1'; did you mean \"f1\"?",
    ]
    assert '\n# theme = "textual-dark"\n' in out
    assert '\n# quit = "q" ' in out
    assert '\nview.log = "f9" ' in out


def test_what_was_edited_is_looked_at(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    editor = tmp_path / "my editor"
    editor.write_text('#!/bin/sh\n[ "$1" = -w ] && echo "clock = 3" > "$2"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", f"'{editor}' -w")
    assert main(["settings", "--edit"]) == 2
    assert f"{path}:1: clock: is one of" in capsys.readouterr().err
    assert path.read_text() == "clock = 3\n"


@pytest.mark.parametrize(
    ("editor", "said"),
    [
        ("no-such-editor", "cannot start no-such-editor: No such file or directory; set EDITOR"),
        ("'", "cannot start ': No closing quotation; set EDITOR"),
        ("false", "false ended with status 1; the settings are in "),
    ],
)
def test_an_editor_that_cannot(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    editor: str, said: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("EDITOR", editor)
    assert main(["settings", "--edit"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"pix-inspect: {said}")
    assert str(path) in line


def test_a_folder_that_cannot_be_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    assert main(["settings", "--edit"]) == 2
    assert "cannot make " in capsys.readouterr().err


def test_the_page_on_settings_has_the_table_of_keys(capsys: pytest.CaptureFixture[str]) -> None:
    """Made anew by `pix-inspect settings --keys`."""
    assert main(["settings", "--keys"]) == 0
    printed = capsys.readouterr().out
    assert printed == "\n".join([*table(), ""])
    assert printed in (ROOT / "docs/settings.md").read_text()


def test_as_json(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.parent.mkdir()
    path.write_text('theme = "nord"\n[keys]\nquit = "f5,f6"\n')
    assert main(["settings", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["file"] == str(path)
    assert said["chosen"] == {"theme": "nord"}
    assert said["keys"]["quit"] == ["f5", "f6"]
    assert set(said["keys"]) == set(actions())
    path.write_text('theme = "nrod"\n')
    assert main(["settings", "--json"]) == 2
    said = json.loads(capsys.readouterr().out)
    assert said["chosen"] == {}
    assert len(said["mistakes"]) == 1
