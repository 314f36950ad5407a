"""The settings file: values, and mistakes with their line; nothing keeps anybody from starting."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix.problem import Problem
from pix_inspect.base.settings_file import MOST, SettingsFile, flat, settings_file

TEXT = '''\
theme = "nord" # not [this]
long = """
quit = 3
"""
dotted.name = 1

[keys]
filter.write = "f"
"view.log" = "g"
'view.bytes' = "h"

[keys.timeline]
follow = "i"

[themes.paper.variables]
text = "red"
[themes."two words"]
primary = "red"
inside = { first = 1 }
'''
LINES = {
    "theme": 1, "long": 2, "dotted.name": 5, "keys": 7, "keys.filter.write": 8, "keys.view.log": 9,
    "keys.view.bytes": 10, "keys.timeline.follow": 13, "themes.paper.variables.text": 16,
    "themes.two words.primary": 18, "themes.two words.inside.first": 19, "elsewhere": 1,
}  # fmt: skip


def test_a_mistake_has_the_line_of_its_setting_however_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(TEXT)
    file = SettingsFile.read(path)
    for name, line in LINES.items():
        file.mistakes.clear()
        file.wrong(name, "why")
        assert file.mistakes == [f"{path}:{line}: {name}: why"]
    keys = dict(flat(file.table("keys")))
    assert keys == {
        "filter.write": "f",
        "view.log": "g",
        "view.bytes": "h",
        "timeline.follow": "i",
    }


def test_where_there_is_no_file_there_is_nothing_to_say(tmp_path: Path) -> None:
    file = SettingsFile.read(tmp_path / "settings.toml")
    assert (file.values, file.mistakes) == ({}, [])


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"a = 1\nb = \n", ":2: is not TOML: Invalid value"),
        (b"a = 1\n\nb = [1,\n", ":3: is not TOML: "),
        (b"a = 1\na = 2\n", ":2: is not TOML: Cannot overwrite a value"),
        (b"a = 1\nb = '\xff'\n", ":2: is not UTF-8"),
        (b"a = " + b"[" * 5000, "nested too deeply"),
        (b"[" + b"a." * 50_000 + b"a]", "nested too deeply"),
        (b"a = " + b"9" * 5000, "a number is too long"),
        (b"#" * (MOST + 1), "longer than 1,048,576 bytes"),
    ],
    ids=range(8),
)
def test_what_is_broken_is_one_line_and_nothing_is_chosen(
    tmp_path: Path, raw: bytes, said: str
) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(raw)
    file = SettingsFile.read(path)
    assert file.values == {}
    [line] = file.mistakes
    assert line.startswith(str(path))
    assert said in line
    assert "\n" not in line


def test_a_folder_or_no_table_where_one_is_due(tmp_path: Path) -> None:
    [line] = SettingsFile.read(tmp_path).mistakes
    assert line == f"{tmp_path}: cannot be read: Is a directory"
    (tmp_path / "s").write_text("a = 1\nkeys = 3\n")
    file = SettingsFile.read(tmp_path / "s")
    assert file.table("keys") == {}
    assert file.mistakes == [
        f"{tmp_path / 's'}:2: keys: is not a table: write [keys], and its settings below"
    ]


def test_where_it_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/etc/mine")
    assert settings_file() == Path("/etc/mine/pix-inspect/settings.toml")
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/me")
    assert settings_file() == Path("/home/me/.config/pix-inspect/settings.toml")

    def homeless() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(Problem, match="set XDG_CONFIG_HOME"):
        settings_file()
