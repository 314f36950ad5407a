"""The catalogue: every command is a module of the package, and every module of it a command."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from pix_inspect.commands import catalogue
from pix_inspect.commands.catalogue import COMMANDS, module_of, parser_of


def test_commands_are_modules() -> None:
    for name in COMMANDS:
        module = module_of(name)
        assert callable(module.main)
        assert parser_of(name).prog == f"pix-inspect {name}"
    modules = {path.stem for path in Path(catalogue.__file__).parent.glob("*.py")}
    beside = {"__init__", "catalogue", "demo_story", "man_pages"}
    assert modules - beside == {command.module for command in COMMANDS.values()}


def test_every_argument_says_what_it_is() -> None:
    for name in COMMANDS:
        parsers = [parser_of(name)]
        while parsers:
            for action in parsers.pop()._actions:
                if isinstance(action, argparse._SubParsersAction):
                    parsers += action.choices.values()
                else:
                    assert action.help, (name, action.dest)


def test_names_with_hyphens_stay_whole() -> None:
    for name in COMMANDS:
        assert not re.search(r"\w-$", parser_of(name).format_help(), re.MULTILINE), name
