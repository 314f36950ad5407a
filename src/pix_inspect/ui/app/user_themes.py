"""Themes of the user's own: tables of the settings as Textual's themes, and their mistakes."""

from __future__ import annotations

import dataclasses
import difflib
from functools import cache
from typing import Any

from textual.app import App
from textual.color import Color, ColorParseError
from textual.css.errors import StylesheetError
from textual.css.stylesheet import Stylesheet
from textual.theme import BUILTIN_THEMES, Theme

from pix_inspect.base.settings_file import SettingsFile

USUAL = {field.name: field.default for field in dataclasses.fields(Theme) if field.name != "name"}
"""The settings of a theme, and what they are when left out: colours, where it is None."""


def themes(file: SettingsFile) -> list[Theme]:
    """Return the themes that the settings have; what is wrong is noted, and that theme left out."""
    found = []
    for name, fields in file.table("themes").items():
        before = len(file.mistakes)
        called = f"themes.{name}"
        if not isinstance(fields, dict):
            file.wrong(called, f"is not a table: write [{called}], and its colours below")
            continue
        if "primary" not in fields:
            file.wrong(called, 'has no primary, the colour of what stands out: primary = "#0178d4"')
        for field, value in fields.items():
            if wrong := _wrong(field, value):
                file.wrong(f"{called}.{field}", wrong)
        variables = fields.get("variables", {})
        for variable, value in variables.items() if isinstance(variables, dict) else ():
            if wrong := _wrong_variable(variable, value):
                file.wrong(f"{called}.variables.{variable}", wrong)
        if len(file.mistakes) == before:
            found.append(Theme(name, **fields))
    return found


def _wrong(field: str, value: Any) -> str | None:
    if field not in USUAL:
        return f"a theme has no such setting; {_near(field, USUAL)}"
    usual = USUAL[field]
    if field == "variables":
        return None if isinstance(value, dict) else "is not a table of variables"
    if isinstance(usual, bool):
        return None if isinstance(value, bool) else "is true or false"
    if isinstance(usual, float):
        fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
        return None if fits else "is a number from 0 to 1"
    return _wrong_color(value)


def _wrong_color(value: Any) -> str | None:
    if not isinstance(value, str):
        return 'is a colour between quotes, as "#0178d4" or "teal"'
    try:
        Color.parse(value)
    except ColorParseError as error:
        hint = f"; did you mean {error.suggested_color}?" if error.suggested_color else ""
        return f'{value!r} is not a colour, as "#0178d4" or "teal" is{hint}'
    return None


def _wrong_variable(name: str, value: Any) -> str | None:
    usual = _variables()
    if name not in usual:
        return f"there is no such variable; {_near(name, usual)}"
    rule = "color" if _fits("color", usual[name]) else "text-style"
    if not isinstance(value, str) or not _fits(rule, value):
        kind = "colour" if rule == "color" else "text style"
        return f"{value!r} is not a {kind}, as {usual[name]!r} is"
    return None


def _near(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean {near[0]}?" if near else "there are " + ", ".join(list(known)[:12])


@cache
def _variables() -> dict[str, str]:
    """Return all variables that style sheets may use, with values of one theme."""
    theme = BUILTIN_THEMES["textual-dark"].to_color_system()
    return {**theme.generate(), **App[None]().get_theme_variable_defaults()}


def _fits(rule: str, value: str) -> bool:
    if set(value) & set(";:{}$/*"):
        return False
    sheet = Stylesheet()
    sheet.add_source(f"X {{ {rule}: {value}; }}")
    try:
        sheet.parse()
    except StylesheetError:
        return False
    return True
