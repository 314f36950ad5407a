"""The settings file that the user writes, TOML: its values, and where in it each name stands.

What it says holds at every start; what it does not say is remembered from the last time
(`settings.py`). Nothing in it can keep the screen from starting: what is wrong is a line that
names the file, the line and the setting, with what to do.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pix.problem import Problem
from pix.untrusted import file_bytes

MOST = 1 << 20
"""Bytes that the file may have."""

DEEPEST = 20
"""Tables within tables."""

HEADER = re.compile(r"\s*\[\[?([^\]]+)\]")
NAME = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")
LONG_TEXT = re.compile("\"\"\"|'''")
AT_LINE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


class SettingsFile:
    """The values of a file as they are nested, and what is wrong with them, a line each."""

    def __init__(self, path: Path, text: str = "") -> None:
        self.path = path
        self.values: dict[str, Any] = {}
        self.mistakes: list[str] = []
        self._lines = dict(reversed(list(_names(text))))

    @classmethod
    def read(cls, path: Path) -> SettingsFile:
        """Return what a file says; nothing where there is none."""
        try:
            raw = file_bytes(path, MOST)
        except FileNotFoundError:
            return cls(path)
        except OSError as error:
            return cls(path)._unread(0, f"cannot be read: {error.strerror}")
        import tomllib  # only where there is a file

        try:
            text = raw.decode()
            values = tomllib.loads(text)
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            return cls(path)._unread(line, "is not UTF-8: all settings are left out")
        except tomllib.TOMLDecodeError as error:
            said = str(error)
            at = AT_LINE.search(said)
            line = int(at[1]) if at is not None and at[1] else text.rstrip().count("\n") + 1
            why = AT_LINE.sub("", said)
            return cls(path)._unread(line, f"is not TOML: {why}: all settings are left out")
        except (ValueError, RecursionError):
            why = "a number is too long, or nested too deeply: all settings are left out"
            return cls(path)._unread(0, why)
        if _is_deep(values):
            return cls(path)._unread(0, "is nested too deeply: all settings are left out")
        found = cls(path, text)
        found.values = values
        return found

    def wrong(self, name: str, what: str) -> None:
        """Take note that a setting, called by all names around it, is left out, and why."""
        self.mistakes.append(f"{self.path}:{self._line(name)}: {name}: {what}")

    def table(self, name: str) -> dict[str, Any]:
        """Return the settings of a table at the top; empty where it is something else."""
        found = self.values.get(name, {})
        if isinstance(found, dict):
            return found
        self.wrong(name, f"is not a table: write [{name}], and its settings below")
        return {}

    def _line(self, name: str) -> int:
        while name not in self._lines and "." in name:  # a table within a line
            name = name.rpartition(".")[0]
        return self._lines.get(name, 1)

    def _unread(self, line: int, what: str) -> SettingsFile:
        self.mistakes.append(f"{self.path}:{line}: {what}" if line else f"{self.path}: {what}")
        return self


def settings_file() -> Path:
    """Return where the file is looked for: below `$XDG_CONFIG_HOME`, or else in `~/.config`.

    Raises Problem.
    """
    base = os.environ.get("XDG_CONFIG_HOME", "")
    try:
        folder = Path(base) if base.startswith("/") else Path.home() / ".config"
    except RuntimeError:
        raise Problem("this user has no home directory; set XDG_CONFIG_HOME") from None
    return folder / "pix-inspect/settings.toml"


def _is_deep(values: dict[str, Any]) -> bool:
    tables = [values]
    for _ in range(DEEPEST):
        tables = [each for table in tables for each in table.values() if isinstance(each, dict)]
    return bool(tables)


def flat(values: dict[str, Any], around: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what nested tables hold, by names with dots: `a.b = 1` is a table in TOML."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{around}{name}.")
        else:
            yield around + name, value


def _names(text: str) -> Iterator[tuple[str, int]]:
    """Yield the names in a text, with those of the tables around, and their lines from 1."""
    around: list[str] = []
    inside = False
    for number, line in enumerate(text.split("\n"), 1):
        was_inside, inside = inside, inside ^ (len(LONG_TEXT.findall(line)) % 2 == 1)
        if was_inside:
            continue
        if header := HEADER.match(line):
            around = _parts(header[1])
            yield ".".join(around), number
        elif found := NAME.match(line):
            yield ".".join([*around, *_parts(found[1])]), number


def _parts(name: str) -> list[str]:
    return [part.strip("\"'") for part in PART.findall(name)]
