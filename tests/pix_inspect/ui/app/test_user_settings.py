"""How the screen begins by the user's choice: before what is remembered, and never in the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pix.problem import Problem
from pix_inspect.base.settings import Settings
from pix_inspect.base.settings_file import SettingsFile
from pix_inspect.session.session import Session
from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.app.user_settings import LOOKS, UserSettings
from tests.support.places import RECORDINGS
from tests.support.screens import SIZE, after, browse, recorded, settled

CHOSEN = """\
theme = "paper"
clock = "delta"
columns = ["time", "frames"]

[panes]
beside = "log"
explanation = true

[keys]
quit = "f10"

[themes.paper]
primary = "#004578"
secondary = "#7a3e9d"
accent = "#aa5500"
background = "#fffdf5"
surface = "#f4efe0"
panel = "#e8e0cc"
foreground = "#202020"
error = "#b00020"
success = "#1a7f37"
warning = "#9a6700"
dark = false
"""


def choosing(folder: Path, text: str) -> SettingsFile:
    path = folder / "settings.toml"
    path.write_text(text)
    return SettingsFile.read(path)


async def test_the_screen_begins_as_chosen_and_what_was_remembered_stays(tmp_path: Path) -> None:
    known: dict[str, Any] = {"theme": "nord", "explain": False, "bytes": False, "clock": "absolute"}
    (tmp_path / "state.json").write_text(json.dumps(known))
    for theme, expected in ((None, "paper"), ("gruvbox", "gruvbox")):
        settings = Settings.read(tmp_path / "state.json")
        app = Inspector(Session(RECORDINGS / "queries.pcapng"), settings=settings)
        app.configure(choosing(tmp_path, CHOSEN), theme)
        async with app.run_test(size=SIZE) as pilot:
            await settled(pilot)
            main = browse(pilot)
            assert app.theme == expected
            assert main.panes.side == "log"
            assert main.has_class("-explaining")
            assert main.has_class("-no-bytes") is not known["bytes"]
            assert main.timeline.painter.clock == "delta"
            hidden = main.timeline.painter.hidden
            assert hidden == {"connection", "took", "up", "down", "lane"}
            assert not app._notifications
            await pilot.press("x", "f10")
        kept = json.loads((tmp_path / "state.json").read_text())
        assert kept["bytes"] != known["bytes"], "what is not chosen is remembered"
        assert {name: kept[name] for name in ("theme", "explain", "clock")} == {
            name: known[name] for name in ("theme", "explain", "clock")
        }
        known = kept
        assert "side" not in kept, "nor is anything kept of what is chosen"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('theme = "nrod"', "1: theme: there is no theme 'nrod'; did you mean nord?"),
        ("theme = [1]", "1: theme: there is no theme [1]; there are textual-dark, "),
        ('clok = "delta"', "1: clok: there is no such setting; did you mean clock?"),
        ('clock = "marked"', '1: clock: is one of "relative", "delta", "absolute"'),
        ('columns = ["tme"]', '1: columns: is a list of some of "time", "connection", "took"'),
        ("columns = [[1]]", "1: columns: is a list of some of "),
        ("panes = 3", "1: panes: there is no such setting; did you mean panes."),
        ("[panes]\nbytes = 1", "2: panes.bytes: is true or false"),
        ('panes.beside = "bytes"', '1: panes.beside: is one of "fields", "log", "payload"'),
    ],
    ids=range(9),
)
def test_what_makes_no_sense_is_said_and_left_out(tmp_path: Path, line: str, said: str) -> None:
    file = choosing(tmp_path, line)
    assert UserSettings.of(file) == ({}, [], {})
    [mistake] = file.mistakes
    assert mistake.startswith(f"{tmp_path}/settings.toml:{said}")


def test_what_is_usual_may_be_chosen(tmp_path: Path) -> None:
    text = "\n".join(f"{name} = {look.usual}" for name, look in LOOKS.items())
    file = choosing(tmp_path, text)
    assert UserSettings.of(file).looks == {
        "clock": "relative", "hidden columns": ["frames"], "side": "fields", "bytes": True,
        "explain": False,
    }  # fmt: skip
    assert file.mistakes == []


async def test_mistakes_are_said_on_the_screen(tmp_path: Path) -> None:
    app = recorded("queries")
    app.configure(choosing(tmp_path, '[keys]\nquit = "F1"\nhelp.back = 3\nview.bytes = "f7"\n'))
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        [said] = [note.message for note in app._notifications]
        assert f"{tmp_path}/settings.toml:2: keys.quit: " in said
        assert said.endswith("(and 1 more: `pix-inspect settings` says all)")
        await pilot.press("f7")
        assert browse(pilot).has_class("-no-bytes"), "what is right holds"


def test_a_theme_that_there_is_not() -> None:
    with pytest.raises(Problem, match="there is no theme 'nrod'; did you mean nord"):
        recorded("queries").configure(None, "nrod")


def test_a_theme_of_ones_own(snap_compare: Callable[..., bool], tmp_path: Path) -> None:
    app = recorded("build-failure")
    app.configure(choosing(tmp_path, CHOSEN))
    run = after("ctrl+down", "ctrl+down", "L", "tab", "j", "j")
    assert snap_compare(app, terminal_size=(120, 40), run_before=run)
