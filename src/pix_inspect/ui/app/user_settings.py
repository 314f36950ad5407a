"""What the user's settings file says: keys, themes, and how the screen looks when it begins.

What is wrong is noted in the file's mistakes, and that setting is as it is by default.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from textual.theme import BUILTIN_THEMES, Theme

from pix.problem import Problem
from pix_inspect.base.settings_file import SettingsFile, flat
from pix_inspect.ui.app.user_themes import themes
from pix_inspect.ui.main.panes import SIDES
from pix_inspect.ui.timeline.column_dialog import ALWAYS
from pix_inspect.ui.timeline.columns import CLOCKS, COLUMNS, USUALLY_HIDDEN

BEGINNING = CLOCKS[:3]
"""What the time column can show before anything is marked."""
ALL_COLUMNS = tuple(column.name for column in COLUMNS)
HIDEABLE = [name for name in ALL_COLUMNS if name not in ALWAYS]


class Look(NamedTuple):
    """A setting of how the screen begins: as what it is remembered, its values, how to write it."""

    remembered: str
    fits: Callable[[Any], bool]
    written: str
    usual: str


def _one_of(names: tuple[str, ...], usual: str, remembered: str) -> Look:
    written = "one of " + ", ".join(f'"{name}"' for name in names)
    return Look(remembered, lambda value: isinstance(value, str) and value in names, written, usual)


def _shown(remembered: str, usual: str) -> Look:
    return Look(remembered, lambda value: isinstance(value, bool), "true or false", usual)


LOOKS = {
    "clock": _one_of(BEGINNING, '"relative"', "clock"),
    "columns": Look(
        "hidden columns",
        lambda value: isinstance(value, list) and all(each in ALL_COLUMNS for each in value),
        "a list of some of " + ", ".join(f'"{name}"' for name in HIDEABLE),
        json.dumps([name for name in HIDEABLE if name not in USUALLY_HIDDEN]),
    ),
    "panes.beside": _one_of(SIDES, '"fields"', "side"),
    "panes.bytes": _shown("bytes", "true"),
    "panes.explanation": _shown("explain", "false"),
}
"""The settings besides keys and themes, by name."""


class UserSettings(NamedTuple):
    """What was chosen: keys as Textual takes them, themes, and looks as they are remembered."""

    keymap: dict[str, str]
    themes: list[Theme]
    looks: dict[str, Any]

    @classmethod
    def of(cls, file: SettingsFile) -> UserSettings:
        """Return what a file says; notes what is wrong in it."""
        own = themes(file)
        looks: dict[str, Any] = {}
        others = {n: value for n, value in file.values.items() if n not in ("keys", "themes")}
        for name, value in flat(others):
            if name == "theme":
                try:
                    looks["theme"] = theme_called(value, own)
                except Problem as problem:
                    file.wrong(name, str(problem))
            elif name not in LOOKS:
                near = difflib.get_close_matches(name, ["theme", *LOOKS], 1)
                hint = f"did you mean {near[0]}?" if near else "`pix-inspect settings` lists all"
                file.wrong(name, f"there is no such setting; {hint}")
            elif not LOOKS[name].fits(value):
                file.wrong(name, f"is {LOOKS[name].written}")
            elif name == "columns":
                looks["hidden columns"] = [each for each in HIDEABLE if each not in value]
            else:
                looks[LOOKS[name].remembered] = value
        keys: dict[str, str] = {}
        if "keys" in file.values:
            from pix_inspect.ui.app.user_keys import keymap  # which imports every screen

            keys = keymap(file)
        return cls(keys, own, looks)


def theme_called(name: Any, own: list[Theme]) -> str:
    """Return the name of a theme of Textual's or of the user's own. Raises Problem."""
    known = [*BUILTIN_THEMES, *(theme.name for theme in own)]
    if name in known:
        return str(name)
    near = difflib.get_close_matches(str(name), known, 1)
    hint = f"did you mean {near[0]}?" if near else "there are " + ", ".join(known)
    raise Problem(f"there is no theme {name!r}; {hint}")
