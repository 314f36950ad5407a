"""Keys of one's own: what can be chosen, what clashes, and that they drive the screen."""

from __future__ import annotations

import importlib
import json
import pkgutil
from pathlib import Path

import pytest
from textual.dom import DOMNode

from pix_inspect import ui
from pix_inspect.base.settings_file import SettingsFile
from pix_inspect.session.session import Session
from pix_inspect.ui.app import user_keys
from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.app.help import Help, HelpText
from pix_inspect.ui.app.keys import sections
from pix_inspect.ui.app.user_keys import CHAINS, PLACES, actions, keymap, written
from pix_inspect.ui.widgets.keys_footer import KeysFooter
from pix_inspect.ui.widgets.lines import Lines
from pix_inspect.ui.widgets.path_dialog import PathDialog
from tests.support.places import RECORDINGS
from tests.support.screens import SCENES, SIZE, browse, lines_of, settled, until


def choosing(folder: Path, *lines: str) -> SettingsFile:
    path = folder / "settings.toml"
    path.write_text("\n".join(["[keys]", *lines]))
    return SettingsFile.read(path)


def test_every_binding_can_be_chosen() -> None:
    known = actions()
    places = {cls for classes in PLACES.values() for cls in classes}
    for module in pkgutil.walk_packages(ui.__path__, "pix_inspect.ui."):
        for cls in vars(importlib.import_module(module.name)).values():
            if isinstance(cls, type) and issubclass(cls, DOMNode) and "BINDINGS" in vars(cls):
                ours = cls.__module__.startswith("pix_inspect.ui.")
                assert not ours or cls in places, cls
                bindings = cls._merged_bindings or ()
                assert {each.id for _, each in bindings if each.id and ours} <= set(known)
    assert {cls for chain in CHAINS for cls in chain} >= places - {Inspector, Lines}


def test_usual_keys_are_right_and_names_are_no_tables_of_others() -> None:
    known = actions()
    for name, action in known.items():
        for key in action.keys:
            assert user_keys._wrong(key, action) is None, (name, key)
            assert user_keys._canonical(written(key)) == key
        assert not any(other.startswith(f"{name}.") for other in known)


def test_what_is_usual_clashes_with_nothing(tmp_path: Path) -> None:
    lines = [
        f"{each.name} = {json.dumps(','.join(map(written, each.keys)))}"
        for each in actions().values()
    ]
    file = choosing(tmp_path, *lines)
    assert keymap(file) == {each.name: ",".join(each.keys) for each in actions().values()}
    assert file.mistakes == []


WRONG = {
    'hlep.back = "x"': "keys.hlep.back: there is no such key to choose; did you mean help.back?",
    "quit = 3": 'keys.quit: write keys between quotes, as in "f5", several as "f5,g"',
    'quit = ""': "keys.quit: names no key; take the line out for the usual one",
    'quit = "f5,"': "keys.quit: names no key; take the line out for the usual one",
    'quit = "F5"': "keys.quit: there is no key 'F5'; did you mean \"f5\"?",
    'quit = "ctrl-x"': "keys.quit: there is no key 'ctrl-x'; did you mean \"ctrl+x\"?",
    'quit = "esc"': "keys.quit: there is no key 'esc'; did you mean \"escape\"?",
    'quit = "cmd+x"': "keys.quit: there is no key 'cmd+x'; ",
    'quit = "ctrl+i"': 'keys.quit: terminals send tab for ctrl+i: write "tab"',
    'quit = "shift+a"': 'keys.quit: terminals send A for it: write "A"',
    'quit = "ctrl+A"': 'keys.quit: terminals send the small letter: write "ctrl+a"',
    'bar.apply = "g"': "keys.bar.apply: g is text where one writes; choose one with ctrl or alt",
    'app.quit = "space"': "keys.app.quit: space is text where one writes; ",
    'path.next = "+"': "keys.path.next: + is text where one writes; ",
}


@pytest.mark.parametrize("line", WRONG)
def test_what_cannot_be_chosen_is_said_and_stays_as_usual(tmp_path: Path, line: str) -> None:
    file = choosing(tmp_path, "", line, 'view.bytes = "f7"')
    assert keymap(file) == {"view.bytes": "f7"}
    [said] = file.mistakes
    assert said.startswith(f"{tmp_path}/settings.toml:3: {WRONG[line]}")


CLASHES: list[tuple[list[str], list[str]]] = [
    (
        ['view.log = "e"'],
        ["2: keys.view.log: e is also view.explain (Explain, on the main screen)"],
    ),
    (
        ['timeline.follow = "slash"'],
        ["2: keys.timeline.follow: / is also filter.write (Filter, on the main screen)"],
    ),
    (['quit = "j"'], ["2: keys.quit: j is also line.next (Next line, in a pane of lines)"]),
    (
        ['quit = "ctrl+l"'],
        ["2: keys.quit: ctrl+l is also repl.clear (Clear what was said, in the REPL)"],
    ),
    (
        ['screen.back = "f"'],
        ["2: keys.screen.back: f is also findings.filter (Show all of this kind, in the findings)"],
    ),
    (
        ['quit = "f5"', 'view.log = "f5"'],
        [
            "3: keys.view.log: f5 is also quit (Quit, on the main screen)",
            "2: keys.quit: f5 is also view.log "
            "(Log in place of the fields, and back, on the main screen)",
        ],
    ),
    (  # what should have made room cannot
        ['view.log = "e"', 'view.explain = "esc"'],
        [
            "3: keys.view.explain: there is no key 'esc'; did you mean \"escape\"?",
            "2: keys.view.log: e is also view.explain (Explain, on the main screen)",
        ],
    ),
    (['view.log = "e"', 'view.explain = "L"'], []),  # they change places
    (['fields.copy = "minus"', 'fields.close_all = "y"'], []),  # - is the screen's, too, as usual
    (['timeline.mark = "a"', 'payload.save = "a"'], []),  # in different panes
    (['help.back = "l"', 'leaving.stay = "f"'], []),  # nothing else works there
]  # fmt: skip


@pytest.mark.parametrize(("lines", "said"), CLASHES, ids=range(len(CLASHES)))
def test_clashes_are_said_with_both_names_and_where(
    tmp_path: Path, lines: list[str], said: list[str]
) -> None:
    file = choosing(tmp_path, *lines)
    found = keymap(file)
    begins = [mistake.partition("settings.toml:")[2] for mistake in file.mistakes]
    assert sorted(text.partition("; change")[0] for text in begins) == sorted(said)
    assert len(found) == len(lines) - len(said)


async def test_they_drive_the_screen_and_what_follows_is_for_the_line(tmp_path: Path) -> None:
    file = choosing(
        tmp_path, 'filter.write = "f"', 'timeline.follow = "f5"', 'search.write = "g"',
        'line.first = "home"', 'app.help = "f2"', 'view.repl = "alt+r"', 'app.statistics = "s"',
        'timeline.sort = "S"', 'payload.save = "S"', 'line.next = "n,down"', 'search.next = "j"',
    )  # fmt: skip
    app = Inspector(Session(RECORDINGS / "queries.pcapng"))
    app.configure(file)
    assert file.mistakes == []
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("n", "n")
        assert browse(pilot).timeline.chosen == 2
        await pilot.press(*"fop", "space", *"=", "space", *"QueryPathInfo", "enter")
        await settled(pilot)
        assert browse(pilot).filter.text == "op = QueryPathInfo"
        await pilot.press(*"gj", "escape", "slash", "escape")
        await settled(pilot)
        assert browse(pilot).filter.text == "", "the slash did nothing, escape took the filter away"
        footer = {key.does: key.written for key in browse(pilot).query_one(KeysFooter).keys}
        assert footer["Filter"] == "f"
        assert footer["Follow"] == "f5"
        await pilot.press("f2")
        await until(pilot, SCENES[0], lambda: isinstance(app.screen, Help))
        told = {name: pressed for _, keys in sections(browse(pilot)) for pressed, _, name in keys}
        assert told["line.next"] == "n ↓"
        assert told["filter.write"] == "f"
        assert "  f5             Follow" in lines_of(app.screen.query_one(HelpText))[4]
        await pilot.press("escape", "s")
        await settled(pilot)
        assert app.screen.id is None
        assert type(app.screen).__name__ == "StatisticsScreen"


PLENTY = [f"{with_}+{letter}" for with_ in ("alt", "ctrl+alt", "alt+super", "hyper", "meta")
          for letter in "abcdefghijklmnopqrstuvwxyz0123456789"]  # fmt: skip


async def test_with_every_key_changed_none_of_the_usual_is_shown(tmp_path: Path) -> None:
    lines = [f'{name} = "{key}"' for name, key in zip(actions(), PLENTY, strict=False)]
    file = choosing(tmp_path, *lines)
    app = Inspector(Session(RECORDINGS / "queries.pcapng"))
    app.configure(file)
    assert file.mistakes == []
    assert len(app._keymap) == len(actions())
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        shown = [key.key for key in browse(pilot).query_one(KeysFooter).keys]
        assert shown
        assert all("+" in key for key in shown), shown
        await pilot.press(app._keymap["app.help"])
        await until(pilot, SCENES[0], lambda: isinstance(app.screen, Help))
        for _, keys in sections(browse(pilot)):
            assert all("+" in pressed for pressed, _, _ in keys), keys


async def test_a_dialog_names_the_users_keys(tmp_path: Path) -> None:
    file = choosing(
        tmp_path, 'path.cancel = "f8"', 'path.complete = "ctrl+t"', 'columns.flip = "u"'
    )
    app = Inspector(Session(RECORDINGS / "queries.pcapng"))
    app.configure(file)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("ctrl+o")
        await pilot.pause()
        assert isinstance(app.screen, PathDialog)
        said = str(app.screen.query_one("#path-keys").render())
        assert said == "enter take  ^t complete  ↓↑ choose  f8 cancel"
        await pilot.press("f8", "c")
        await pilot.pause()
        said = str(app.screen.query_one("#column-keys").render())
        assert said == "u show  enter sort  b group  esc back"
