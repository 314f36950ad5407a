"""`pix-inspect completion SHELL`: what bash, zsh or fish needs to complete our command lines.

The script is made of the parsers by shtab when a wheel is built; it asks for what is only known
at the time (names, running relays, recordings) by `completion --words`.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pix.problem import Problem
from pix_inspect.commands.catalogue import COMMANDS, parser_of

PLACES = {
    "bash": "share/bash-completion/completions/pix-inspect",
    "zsh": "share/zsh/site-functions/_pix-inspect",
    "fish": "share/fish/vendor_completions.d/pix-inspect.fish",
}
"""By shell: where below a prefix its scripts are looked for."""
SHELLS = tuple(PLACES)
FILES = {"bash": "_shtab_compgen_files", "zsh": "_files", "fish": "(__fish_complete_path)"}
WORDS = {"SOCKET": "relays", "TYPE": "types", "LINE": "operations", "EXPR": "fields"}
"""By the name of an argument: what it may be."""
NAMED = {("explain", "name"): "names", ("tour", "name"): "tours", ("attach", "relay"): "relays",
         ("stop", "relay"): "relays", ("status", "what"): "relays"}  # fmt: skip
"""By command and argument, where the name alone does not tell."""
PATHS = ("recording", "recordings", "file", "files", "FILE", "OUT", "DIR", "REC", "PATH", "STORE")

PREAMBLE = {
    "bash": """\
_pix_inspect_words() { compgen -W "$(pix-inspect completion --words "$1" 2>/dev/null)" -- "$2"; }
""",
    "zsh": """\
_pix_inspect_words() {
  local -a found
  found=(${(f)"$(pix-inspect completion --words $1 2>/dev/null)"})
  compadd -a found
}
""",
    "fish": "",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("shell", nargs="?", choices=SHELLS, help="the shell that is to complete")
    parser.add_argument("--words", metavar="KIND", help=argparse.SUPPRESS)


def main(args: argparse.Namespace) -> int:
    """Print the script of a shell, or words of a kind, one a line."""
    if args.words is not None:
        print("\n".join(words(args.words)))
        return 0
    if args.shell is None:
        raise Problem(f"for which shell? pix-inspect completion {'|'.join(SHELLS)}")
    # of a wheel, it lies in the prefix that the package was installed to: PREFIX/lib/python3/*/
    installed = Path(__file__).parents[5] / PLACES[args.shell]
    print(
        installed.read_text(encoding="utf-8") if installed.is_file() else script(args.shell), end=""
    )
    return 0


def words(kind: str) -> Iterable[str]:
    """Return what an argument of this kind may be; nothing for a kind that there is not."""
    if kind == "relays":
        from pix_inspect.machine.running_relays import relays

        return [relay.listen for relay in relays() if relay.listen]
    if kind == "operations":
        from pix.protocol import OPERATIONS_BY_NAME

        return OPERATIONS_BY_NAME
    if kind == "types":
        from pix.protocol.names import names

        return names()
    if kind == "names":
        from pix_inspect.teach.entries import names as entries

        return [name for name in entries() if " " not in name]
    if kind == "tours":
        from pix_inspect.teach.tours import names as tours

        return tours()
    if kind == "fields":
        from pix_inspect.filter.fields import INDEXED, PARTS, fields

        return [*INDEXED, *PARTS, *fields()]
    return ()


def script(shell: str) -> str:
    """Return the script of a shell. Raises Problem where shtab, which makes it, is not there."""
    try:
        shtab: Any = importlib.import_module("shtab")
    except ImportError:
        raise Problem(
            "the scripts are made when a wheel is built; in a checkout shtab makes them: pip"
            " install shtab"
        ) from None
    root = argparse.ArgumentParser("pix-inspect", parents=[_hinted("watch")], add_help=False)
    root.add_argument("--version", action="store_true", help="say which version this is")
    commands = root.add_subparsers()
    for name, command in COMMANDS.items():
        # no %: it would be taken for a format
        summary = command.summary.replace("%", "%%")
        commands.add_parser(name, parents=[_hinted(name)], add_help=False, help=summary)
    preamble = {each: "".join([PREAMBLE[each], *_functions(each)]) for each in SHELLS}
    made: str = shtab.complete(root, shell, preamble=preamble)
    return made


def _functions(shell: str) -> Iterable[str]:
    """Yield a function for each kind of words: shtab calls them with the word alone."""
    for kind in sorted({*WORDS.values(), *NAMED.values()}):
        word = (
            ""
            if shell == "fish"
            else f'_pix_inspect_{kind}() {{ _pix_inspect_words {kind} "$1"; }}\n'
        )
        yield word


def _hinted(name: str) -> argparse.ArgumentParser:
    """Return the parser of a command whose arguments say how they are completed."""
    parser = parser_of(name)
    _hint(name, parser)
    return parser


def _hint(command: str, parser: argparse.ArgumentParser) -> None:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                _hint(command, inner)
            continue
        called = action.metavar or action.dest
        called = called if isinstance(called, str) else called[0]
        kind = NAMED.get((command, action.dest)) or WORDS.get(called)
        if kind is not None:
            asked = {"fish": f"(pix-inspect completion --words {kind})"}
            asked |= dict.fromkeys(("bash", "zsh"), f"_pix_inspect_{kind}")
            action.complete = asked  # type: ignore[attr-defined]
        elif action.choices is None and (action.type is Path or called in PATHS):
            action.complete = FILES  # type: ignore[attr-defined]
