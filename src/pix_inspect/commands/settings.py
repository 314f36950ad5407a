"""`pix-inspect settings`: what the screen begins with, and the file in which to choose it.

What is printed can be such a file: what is as by default stands there as a comment.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from pix.problem import Problem
from pix_inspect.base.narrate import say
from pix_inspect.base.new_files import PRIVATE, save
from pix_inspect.base.settings_file import SettingsFile, flat, settings_file
from pix_inspect.options.output import output_arguments

HEAD = """\
# What the screens of pix-inspect begin with. Take away a # and change what stands behind it;
# `pix-inspect settings` says what is wrong with it, where and what to do. What is not chosen here
# is as it was left the last time.
"""
KEYS = """\
# One key or several: "f5", "g,ctrl+g"; a comma is called "comma". The name says for what."""
THEME = """\
# Themes of your own: only primary is needed, and the name is for theme = above, or --theme.
# Colours: primary secondary accent warning error success foreground background surface panel boost.
# Besides: dark (false for a light one), luminosity_spread, text_alpha, ansi, and a table, such as
# themes.paper.variables, with variables of Textual's style sheets."""
EXAMPLE = """\
# [themes.paper]
# primary = "#004578"
# background = "#fffdf5"
# dark = false"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--edit", action="store_true",
        help="open the file in $VISUAL or $EDITOR, a new one with all there is as comments",
    )  # fmt: skip
    what.add_argument(
        "--keys", action="store_true", help="print all that a key can be chosen for, as Markdown"
    )
    output_arguments(parser, "in all")


def main(args: argparse.Namespace) -> int:
    """Print what is chosen, or have it edited; 2 when something is wrong with it."""
    from pix_inspect.ui.app.user_settings import UserSettings

    if args.keys:
        print("\n".join(table()))
        return 0
    path = settings_file()
    if args.edit:
        edit(path)
    file = SettingsFile.read(path)
    chosen = UserSettings.of(file)
    if args.format == "json":
        print(json.dumps(as_json(path, file, chosen)))
    elif not args.edit:
        print(f"# {path}" + ("" if path.exists() else " (not there yet: --edit makes it)"))
        print("\n".join(listing(file.values, chosen)))
    for mistake in file.mistakes:
        say(mistake)
    return 2 if file.mistakes else 0


def as_json(path: Path, file: SettingsFile, chosen: Any) -> dict[str, Any]:
    """Return what is chosen and makes sense, the keys that are in force, and the mistakes."""
    from pix_inspect.ui.app.user_keys import actions, written
    from pix_inspect.ui.app.user_settings import LOOKS

    looks = {"theme": "theme"} | {name: look.remembered for name, look in LOOKS.items()}
    keys = {}
    for action in actions().values():
        ours = chosen.keymap.get(action.name)
        keys[action.name] = list(map(written, action.keys if ours is None else ours.split(",")))
    return {
        "file": str(path),
        "chosen": {
            name: value
            for name, value in flat(file.values)
            if name in looks and looks[name] in chosen.looks
        },
        "keys": keys,
        "themes": [theme.name for theme in chosen.themes],
        "mistakes": file.mistakes,
    }


def edit(path: Path) -> None:
    """Have the user edit the file, with all there is in it where it is new. Raises Problem."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    if not os.path.lexists(path):
        from pix_inspect.ui.app.user_settings import UserSettings

        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Problem(f"cannot make {path.parent}: {error.strerror}") from None
        lines = listing({}, UserSettings({}, [], {}))
        save(path, ["\n".join([*lines, ""]).encode()], mode=PRIVATE)
    try:
        status = subprocess.run([*shlex.split(editor), str(path)]).returncode
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise Problem(f"cannot start {editor}: {why}; set EDITOR, or edit {path}") from None
    if status:
        raise Problem(f"{editor} ended with status {status}; the settings are in {path}")


def listing(values: dict[str, Any], chosen: Any) -> Iterator[str]:
    """Yield a settings file: what was chosen and makes sense, all else as comments."""
    from pix_inspect.ui.app.user_keys import actions, written
    from pix_inspect.ui.app.user_settings import LOOKS

    said = dict(flat(values))

    def setting(name: str, usual: str, how: str, is_chosen: bool) -> str:
        last = name.rpartition(".")[2]
        line = f"{last} = {toml(said[name])}" if is_chosen else f"# {last} = {usual}"
        return f"# {how}\n{line}"

    yield HEAD
    how = "one of Textual's themes, or one of your own below"
    yield setting("theme", '"textual-dark"', how, "theme" in chosen.looks)
    for table, looks in groupby(LOOKS.items(), lambda item: item[0].rpartition(".")[0]):
        if table:
            yield f"\n[{table}]"
        for name, look in looks:
            yield setting(name, look.usual, look.written, look.remembered in chosen.looks)
    yield f"\n[keys]\n{KEYS}"
    for where, group in groupby(actions().values(), lambda action: action.where):
        yield f"\n# {where}"
        for action in group:
            keys = chosen.keymap.get(action.name)
            mark, keys = ("# ", action.keys) if keys is None else ("", keys.split(","))
            line = f"{mark}{action.name} = {toml(','.join(map(written, keys)))}"
            yield f"{line:<34}  # {action.does}"
    yield f"\n{THEME}"
    for theme in chosen.themes:
        yield f"[themes.{toml(theme.name)}]"
        for name, value in flat(values["themes"][theme.name]):
            yield f"{name} = {toml(value)}"
    if not chosen.themes:
        yield EXAMPLE


def table() -> Iterator[str]:
    """Yield the names of `[keys]` as a table in Markdown."""
    from pix_inspect.ui.app.user_keys import actions, written

    yield "| name | key | what it does | where |"
    yield "| --- | --- | --- | --- |"
    for each in actions().values():
        keys = " ".join(f"`{written(key)}`" for key in each.keys)
        yield f"| `{each.name}` | {keys} | {each.does} | {each.where} |"


def toml(value: Any) -> str:
    """Return a value as TOML writes it, which for what settings hold is as JSON does."""
    return json.dumps(value, ensure_ascii=False)
