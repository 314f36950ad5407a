"""The man pages: one for each command, made of its parser, and one on the protocols."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator

from pix_inspect.commands.catalogue import COMMANDS, GROUPS, STATUSES, parser_of
from pix_inspect.teach.manual.blocks import Facts, Heading, Page, Prose
from pix_inspect.teach.manual.roff import man_page, verbatim

WIDTH = 70
"""Columns of a usage line: man pages are read at 80, and indented."""
WAYS = """\
pix-inspect --listen SOCKET
pix-inspect run -- COMMAND
pix-inspect RECORDING
pix-inspect COMMAND [ARGUMENT ...]"""


def man_pages(protocol: list[Page]) -> Iterator[tuple[str, str]]:
    """Yield the name of each file and its text; `protocol`: what is told of the protocols."""
    yield "pix-inspect.1", _overview()
    for name, command in COMMANDS.items():
        called = f"pix-inspect-{name}"
        yield f"{called}.1", man_page([_page(name)], called, 1, command.summary)
    summary = "what Nix clients and daemons say to each other"
    yield "nix-daemon-protocol.7", man_page(protocol, "nix-daemon-protocol", 7, summary)


def _overview() -> str:
    page = Page("pix-inspect", "pix-inspect", "command", "")
    page.blocks += [
        Heading("SYNOPSIS"),
        Prose(verbatim(WAYS)),
        Heading("DESCRIPTION"),
        Prose(
            "A relay between nix clients and the nix-daemon that records what passes, and all that"
            " shows, explains and checks such recordings."
        ),
        Heading("COMMANDS"),
    ]
    for group in GROUPS.values():
        page.blocks.append(Facts(tuple((name, each.summary) for name, each in group.items())))
    page.blocks += [
        Heading("EXIT STATUS"),
        Facts(tuple((str(n), meaning) for n, meaning in STATUSES.items())),
    ]
    page.blocks += [
        Heading("SEE ALSO"),
        Prose("`pix-inspect-COMMAND`(1), `nix-daemon-protocol`(7)"),
    ]
    return man_page([page], "pix-inspect", 1, "watch and take apart the Nix daemon protocol")


def _page(name: str) -> Page:
    parser = parser_of(name)
    formatter = argparse.HelpFormatter(parser.prog, width=WIDTH)
    formatter.add_usage(parser.usage, parser._actions, parser._mutually_exclusive_groups, "")
    usage = formatter.format_help()
    page = Page(name, name, "command", "")
    page.blocks += [Heading("SYNOPSIS"), Prose(verbatim(usage))]
    page.blocks += [Heading("DESCRIPTION"), Prose(parser.description or "")]
    page.blocks += _arguments(parser)
    before, _, example = (parser.epilog or "").rpartition("example:\n")
    page.blocks += _told(before)
    page.blocks += [Heading("EXAMPLE"), Prose(verbatim(example))]
    page.blocks += [Heading("SEE ALSO"), Prose("`pix-inspect`(1)")]
    return page


def _told(text: str) -> Iterator[Prose]:
    """Yield a text as the help has it: indented lines stand as they are, others are filled."""
    for kept, lines in itertools.groupby(text.splitlines(), lambda line: line.startswith(" ")):
        said = "\n".join(lines)
        if said.strip():
            yield Prose(verbatim(said) if kept else said)


def _arguments(parser: argparse.ArgumentParser) -> Iterator[Heading | Facts]:
    formatter = parser._get_formatter()
    for title, wanted in (("ARGUMENTS", False), ("OPTIONS", True)):
        found = [
            (formatter._format_action_invocation(action), formatter._expand_help(action))
            for action in parser._actions
            if bool(action.option_strings) == wanted
            and action.help not in (None, argparse.SUPPRESS)
        ]
        if found:
            yield Heading(title)
            yield Facts(tuple(found))
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield Heading(name.upper())
                yield from list(_arguments(inner))[1::2]
