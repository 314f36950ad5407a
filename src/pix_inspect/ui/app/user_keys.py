"""Keys of the user's own choice: what there is to choose, and what cannot be chosen.

The table is made of the bindings themselves. Two things that one key would do at once are a
clash, unless they share the key by themselves, as a pane has some of its screen's.
"""

from __future__ import annotations

import difflib
import itertools
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import (
    KEY_ALIASES,
    REPLACED_KEYS,
    Keys,
    _character_to_key,
    _get_unicode_name_from_key,
)

from pix_inspect.base.settings_file import SettingsFile, flat
from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.app.help import Help, HelpText
from pix_inspect.ui.app.leaving import Leaving
from pix_inspect.ui.app.touring import Touring
from pix_inspect.ui.exchange.bytes_pane import Bytes
from pix_inspect.ui.exchange.explanation import Explanation
from pix_inspect.ui.exchange.fields_pane import Fields
from pix_inspect.ui.exchange.log_pane import Log
from pix_inspect.ui.exchange.payload_pane import PayloadPane
from pix_inspect.ui.main.main_screen import MainScreen
from pix_inspect.ui.repl.repl_pane import ReplPane
from pix_inspect.ui.screens.charts import Histogram, Rate
from pix_inspect.ui.screens.detail_screen import KEYS
from pix_inspect.ui.screens.differences import DifferencesScreen
from pix_inspect.ui.screens.findings import FindingsScreen
from pix_inspect.ui.screens.recordings import RecordingsScreen
from pix_inspect.ui.screens.round_trips import AnalysisScreen
from pix_inspect.ui.screens.statistics import StatisticsScreen
from pix_inspect.ui.screens.tallies import Tallies
from pix_inspect.ui.screens.waits import WaitingScreen
from pix_inspect.ui.timeline.column_dialog import ColumnDialog, ColumnList
from pix_inspect.ui.timeline.timeline import Timeline
from pix_inspect.ui.timeline.timeline_lines import TimelineLines
from pix_inspect.ui.widgets.bar import Bar
from pix_inspect.ui.widgets.lines import Lines
from pix_inspect.ui.widgets.path_dialog import PathDialog
from pix_inspect.ui.widgets.row_list import RowList
from pix_inspect.ui.widgets.writing import Writing

PLACES: dict[str, tuple[type[DOMNode], ...]] = {
    "everywhere": (Inspector,),
    "on the main screen": (MainScreen,),
    "in the timeline": (Timeline,),
    "in the fields": (Fields,),
    "in the bytes": (Bytes,),
    "in the log": (Log,),
    "in the payload": (PayloadPane,),
    "in the line of filter and search": (Bar,),
    "in the REPL": (ReplPane,),
    "in a pane of lines": (Lines, RowList),
    "in the statistics": (StatisticsScreen, Tallies, Histogram, Rate),
    "in the findings": (FindingsScreen,),
    "in the waits": (WaitingScreen,),
    "in the round trips": (AnalysisScreen,),
    "in the differences": (DifferencesScreen,),
    "where recordings are compared": (RecordingsScreen,),
    "where columns are chosen": (ColumnDialog, ColumnList),
    "where a path is asked for": (PathDialog,),
    "while a file is written": (Writing,),
    "in the help": (Help,),
    "in the question before leaving": (Leaving,),
    "in a tour": (Touring,),
}
"""Where bindings are declared, by what that is called."""
BESIDE = "on every screen beside the main one"

_OTHERS = (FindingsScreen, WaitingScreen, AnalysisScreen, DifferencesScreen, RecordingsScreen)
CHAINS: tuple[tuple[type[DOMNode], ...], ...] = (
    (TimelineLines, Timeline, MainScreen, Touring),
    *((pane, MainScreen, Touring)
      for pane in (Fields, Bytes, Log, PayloadPane, Explanation, Bar, ReplPane)),
    *((pane, StatisticsScreen, Touring) for pane in (Tallies, Histogram, Rate)),
    *((RowList, screen, Touring) for screen in _OTHERS),
    (ColumnList, ColumnDialog),
    (HelpText, Help),
    (Leaving,),
    (PathDialog,),
    (Writing,),
)  # fmt: skip
"""What has keys at the same time, from the pane with the focus outwards."""

WRITTEN_IN = (Bar, ReplPane, PathDialog)
"""Where a character is text."""

MODIFIERS = ("alt", "ctrl", "hyper", "meta", "shift", "super")
SPECIAL = {last for key in Keys if len(last := key.value.rpartition("+")[2]) > 1 and last[0] != "<"}
SENT = {alias: key for key, aliases in KEY_ALIASES.items() for alias in aliases}
"""By keys that terminals cannot tell from others: those that they send."""


class Action(NamedTuple):
    """What a key can be chosen for: the name in the settings, the usual keys, what it does."""

    name: str
    keys: tuple[str, ...]
    does: str
    where: str
    text: bool
    """Whether a character would be text, or is taken away from it."""


def actions() -> dict[str, Action]:
    """Return all there is, by name, in the order of the places."""
    declared = [
        (where, cls in WRITTEN_IN, cls.__dict__.get("BINDINGS", ()))
        for where, classes in PLACES.items()
        for cls in classes
    ]
    declared.insert(2, (BESIDE, False, KEYS))
    found: dict[str, Action] = {}
    for where, text, bindings in declared:
        for each in bindings:
            if isinstance(each, Binding) and each.id is not None:
                keys = tuple(map(_canonical, each.key.split(",")))
                action = Action(each.id, keys, each.description, where, text or each.priority)
                found.setdefault(each.id, action)
    return found


def keymap(file: SettingsFile) -> dict[str, str]:
    """Return what the settings choose, as Textual takes it; what is wrong is noted and left out."""
    known = actions()
    found: dict[str, tuple[str, ...]] = {}
    for name, value in flat(file.table("keys")):
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else "`pix-inspect settings` lists all"
            file.wrong(f"keys.{name}", f"there is no such key to choose; {hint}")
        elif not isinstance(value, str):
            file.wrong(f"keys.{name}", 'write keys between quotes, as in "f5", several as "f5,g"')
        else:
            keys = tuple(_canonical(key.strip()) for key in value.split(","))
            wrong = next(filter(None, (_wrong(key, known[name]) for key in keys)), None)
            if wrong is None:
                found[name] = tuple(dict.fromkeys(keys))
            else:
                file.wrong(f"keys.{name}", wrong)
    while clashes := list(_clashes(found, known)):
        for name, (key, other) in clashes:
            if found.pop(name, None) is None:
                continue  # one clash is said of each
            what = f"{other.name} ({other.does.partition(':')[0]}, {other.where})"
            file.wrong(f"keys.{name}", f"{written(key)} is also {what}; change one of them")
    return {name: ",".join(keys) for name, keys in found.items()}


def written(key: str) -> str:
    """Return how a key is written in the settings: a character, but for a comma, as it is."""
    character = _character(key)
    return key if character is None or character in " ," else character


def _clashes(
    found: dict[str, tuple[str, ...]], known: dict[str, Action]
) -> Iterator[tuple[str, tuple[str, Action]]]:
    """Yield the names that were chosen a key that does something else, which, and what."""
    for chain in CHAINS:
        usual: dict[str, list[str]] = {}
        now: dict[str, list[str]] = {}
        for name in dict.fromkeys(name for cls in chain for name in _names(cls)):
            for key in known[name].keys:
                usual.setdefault(key, []).append(name)
            for key in found.get(name, known[name].keys):
                now.setdefault(key, []).append(name)
        for key, sharing in now.items():
            hidden = usual.get(key, [])[1:]  # what does nothing here by this key anyway
            for one, other in itertools.permutations(sharing, 2):
                if one in found and key not in known[one].keys and other not in hidden:
                    yield one, (key, known[other])


def _names(cls: type[DOMNode]) -> Iterator[str]:
    for bindings in cls._merged_bindings.key_to_bindings.values() if cls._merged_bindings else ():
        yield from (binding.id for binding in bindings if binding.id is not None)


def _canonical(key: str) -> str:
    """Return a key as Textual calls it: `slash` for `/`, modifiers in the order of letters."""
    *modifiers, last = key.split("+") if len(key) > 1 else [key]
    character = _character(last)
    return "+".join([*sorted(modifiers), _character_to_key(character) if character else last])


def _character(key: str) -> str | None:
    """Return the character that a key types, if it does."""
    if len(key) == 1:
        return key
    try:
        character = unicodedata.lookup(_get_unicode_name_from_key(REPLACED_KEYS.get(key, key)))
    except KeyError:
        return None
    return character if character.isprintable() else None


def _wrong(key: str, action: Action) -> str | None:
    """Return what is wrong with a key as Textual calls it, and what to do."""
    *modifiers, last = key.split("+")
    character = _character(last)
    if not key:
        return "names no key; take the line out for the usual one"
    if key in SENT:
        return f'terminals send {SENT[key]} for {key}: write "{SENT[key]}"'
    if (character is None and last not in SPECIAL) or not set(modifiers) <= set(MODIFIERS):
        return f"there is no key {key!r}; {_near(key)}"
    if character is not None and character.isalpha():
        if modifiers == ["shift"]:
            return f'terminals send {character.upper()} for it: write "{character.upper()}"'
        if modifiers and character.isupper():
            return f'terminals send the small letter: write "{key.lower()}"'
    if action.text and not modifiers and character is not None and key not in action.keys:
        return f"{written(key)} is text where one writes; choose one with ctrl or alt, or f1 to f24"
    return None


def _near(key: str) -> str:
    mended = _canonical(key.lower().replace("-", "+"))
    *modifiers, last = mended.split("+")
    named = last in SPECIAL or _character(last) is not None
    if mended != key and named and set(modifiers) <= set(MODIFIERS):
        return f'did you mean "{mended}"?'
    names = sorted(SPECIAL | {"space", "comma", "plus", "minus", "slash"})
    if near := difflib.get_close_matches(last, names, 1):
        return f'did you mean "{"+".join([*modifiers, near[0]])}"?'
    return 'keys are called as in "a", "A", "/", "comma", "f5", "ctrl+x", "alt+left", "pagedown"'
