"""Themes of one's own: what a table may say, and that all that is drawn follows it."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.color import Color
from textual.theme import BUILTIN_THEMES

from pix_inspect.base.settings_file import SettingsFile
from pix_inspect.ui.app.user_themes import themes
from pix_inspect.ui.widgets.lines import Toned
from tests.support.screens import SIZE, browse, recorded, settled

PAPER = """
[themes.paper]
primary = "#004578"
accent = "#aa5500"
background = "#fffdf5"
foreground = "#202020"
dark = false
text_alpha = 0.9
[themes.paper.variables]
footer-key-foreground = "#f00 50%"
block-cursor-text-style = "bold reverse"
"""


def choosing(folder: Path, text: str) -> SettingsFile:
    path = folder / "settings.toml"
    path.write_text(text)
    return SettingsFile.read(path)


def test_a_table_is_a_theme(tmp_path: Path) -> None:
    file = choosing(tmp_path, PAPER)
    [theme] = themes(file)
    assert file.mistakes == []
    assert (theme.name, theme.primary, theme.dark) == ("paper", "#004578", False)
    assert theme.variables["block-cursor-text-style"] == "bold reverse"


def test_whatever_a_theme_of_textual_says_may_be_said(tmp_path: Path) -> None:
    for name, theme in BUILTIN_THEMES.items():
        for variable, value in theme.variables.items():
            text = f'[themes.x]\nprimary = "red"\n[themes.x.variables]\n{variable} = "{value}"\n'
            file = choosing(tmp_path, text)
            assert themes(file), (name, file.mistakes)


WRONG = {
    "": "2: themes.x: has no primary, the colour of what stands out",
    'primary = "reddish"': "3: themes.x.primary: 'reddish' is not a colour, as \"#0178d4\" or",
    "primary = 3": '3: themes.x.primary: is a colour between quotes, as "#0178d4" or "teal"',
    'primary = "#12"': "3: themes.x.primary: '#12' is not a colour",
    'primary = "red"\nprimry = "red"': "4: themes.x.primry: a theme has no such setting; did you",
    'primary = "red"\ndark = 1': "4: themes.x.dark: is true or false",
    'primary = "red"\ntext_alpha = 2': "4: themes.x.text_alpha: is a number from 0 to 1",
    'primary = "red"\nvariables = 2': "4: themes.x.variables: is not a table of variables",
    'primary = "red"\nvariables.footer-key-foregrund = "red"': "4: themes.x.variables.footer-key-"
    "foregrund: there is no such variable; did you mean footer-key-foreground?",
    'primary = "red"\nvariables.scrollbar = "bold"': "4: themes.x.variables.scrollbar: 'bold' is"
    " not a colour, as ",
    'primary = "red"\nvariables.link-style = "red; display: none"': "4: themes.x.variables.link-"
    "style: 'red; display: none' is not a text style, as 'underline' is",
}


@pytest.mark.parametrize("lines", WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_said_and_the_theme_left_out(tmp_path: Path, lines: str) -> None:
    file = choosing(tmp_path, f'\n[themes.x]\n{lines}\n[themes.y]\nprimary = "teal"\n')
    assert [theme.name for theme in themes(file)] == ["y"]
    [said] = file.mistakes
    assert said.startswith(f"{tmp_path}/settings.toml:{WRONG[lines]}")


async def test_all_that_is_drawn_follows_it(tmp_path: Path) -> None:
    app = recorded("build-failure")
    app.configure(choosing(tmp_path, PAPER), "paper")
    paper = Color.parse("#fffdf5").rgb
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        for widget in browse(pilot).query(Toned):
            if widget.size.height and widget.styles.background.a and widget.id != "status":
                ground = widget.tone.ground.bgcolor
                assert ground is not None
        timeline = browse(pilot).timeline.lines
        ground = timeline.tone.ground.bgcolor
        assert ground is not None
        assert ground.get_truecolor() == paper
        for tone in ("text", "good", "bad", "accent", "label", "client"):
            color = timeline.tone(tone).color
            assert color is not None
            assert Color(*color.get_truecolor()).brightness < 0.6, f"{tone} is light on light"
