"""What commands there are, by what they are for, and the parser of each.

Commands are modules of this package, imported when chosen, so that capture starts without the
screen's library.
"""

from __future__ import annotations

import argparse
import importlib
import textwrap
from types import ModuleType
from typing import Any, NamedTuple, NoReturn

from pix.problem import Problem
from pix_inspect.options.declarations import declare_argument


class Command(NamedTuple):
    """A command: its module in `pix_inspect.commands`, a line of help, an example's arguments."""

    module: str
    summary: str
    example: str


GROUPS: dict[str, dict[str, Command]] = {
    "capture": {
        "watch": Command(
            "watch",
            "relay on --listen SOCKET and watch the traffic live (the default)",
            "--listen /tmp/sock",
        ),
        "run": Command(
            "run",
            "run a command with its daemon traffic recorded, then sum it up",
            "-o build.pcapng -- nix-build foo.nix",
        ),
        "record": Command(
            "record",
            "relay and record, without a screen",
            "--listen /tmp/sock -o session.pcapng",
        ),
        "stdio": Command(
            "stdio",
            "relay standard input and output: remote-program of ssh-ng",
            "-o session.pcapng --upstream-command 'nix-daemon --stdio'",
        ),
        "attach": Command("attach", "watch a relay that runs already", "/tmp/sock"),
        "list": Command("list", "show running relays and recent recordings", "--json"),
        "stop": Command("stop", "end a running relay", "/tmp/sock"),
        "import": Command(
            "import_",
            "make a recording of what other tools captured",
            "capture.pcap --port 9999 -o session.pcapng",
        ),
    },
    "look": {
        "open": Command("open", "browse a recording, finished or still growing", "session.pcapng"),
        "dump": Command(
            "dump",
            "print a recording as text or JSON",
            "session.pcapng --filter 'op = BuildPaths and took > 1s'",
        ),
        "payload": Command(
            "payload",
            "list the files that were sent along, and save them",
            "session.pcapng 12:bin/hello -o hello",
        ),
        "excerpt": Command(
            "excerpt",
            "write some exchanges as Markdown, ready for an issue tracker",
            "session.pcapng 5..9",
        ),
        "export": Command(
            "export",
            "write a recording for OpenTelemetry, Perfetto or SQL",
            "session.pcapng --to chrome -o trace.json",
        ),
        "wireshark": Command(
            "wireshark",
            "teach Wireshark the protocol, and to capture it live",
            "install",
        ),
        "settings": Command(
            "settings", "print or edit your keys, colours, columns and panes", "--edit"
        ),
    },
    "find out": {
        "status": Command(
            "status",
            "say who waits for whom, in running relays or in a recording",
            "/tmp/sock",
        ),
        "check": Command(
            "check",
            "hold a recording to expectations, for continuous integration",
            "session.pcapng 'p95(took) < 50ms' 'no error'",
        ),
        "analyse": Command(
            "analyse",
            "say where the time went, and what a distant daemon would cost",
            "session.pcapng --at-rtt 50ms",
        ),
        "diff": Command(
            "diff", "say what two recordings do not have in common", "before.pcapng after.pcapng"
        ),
    },
    "ask a daemon": {
        "send": Command(
            "send",
            "send hand-built operations to a daemon",
            "'IsValidPath(path=\"/nix/store/…-hello\")'",
        ),
        "repl": Command(
            "repl",
            "send operations one line at a time, with completion and history",
            "--upstream /tmp/sock",
        ),
        "replay": Command(
            "replay",
            "play one side of a recording to the other side, live",
            "client session.pcapng --upstream /tmp/sock",
        ),
        "daemon": Command(
            "daemon",
            "serve a small Nix store of our own: a daemon where no Nix is",
            "--listen /tmp/daemon --store ./store",
        ),
        "grpc": Command(
            "grpc",
            "serve a daemon as the gRPC service that nix.proto describes",
            "--listen unix:///tmp/grpc.sock",
        ),
    },
    "learn": {
        "demo": Command("demo", "see all of it at work, without any Nix", "--text"),
        "tour": Command("tour", "take a guided walk through recorded sessions", "build"),
        "explain": Command(
            "explain", "say what an operation, type, field or version is", "QueryPathInfo"
        ),
        "manual": Command("manual", "write the protocol manual as a folder of pages", "-o manual"),
    },
    "implement": {
        "decode": Command(
            "decode", "read a value of a type from bytes", "BuildResult reply.bin --version 1.37"
        ),
        "encode": Command(
            "encode", "write a value of a type as bytes", "BuildResult reply.json > reply.bin"
        ),
        "spec": Command(
            "spec", "print commands, operations, fields and findings as one JSON document", "--json"
        ),
        "completion": Command(
            "completion", "complete command lines in bash, zsh or fish", "bash > pix-inspect.bash"
        ),
    },
}
"""What there is, by what it is for."""

COMMANDS = {name: command for group in GROUPS.values() for name, command in group.items()}


STATUSES = {
    0: "done",
    1: "a comparison or check failed",
    2: "something is wrong that the message names",
    70: "a mistake of pix-inspect; the message names a report",
    130: "interrupted",
}
"""What exit statuses mean; that of `run` is its command's."""


class Parser(argparse.ArgumentParser):
    """Takes options by their whole names, and says what is wrong in one line."""

    def __init__(self, **about: Any) -> None:
        about.setdefault("formatter_class", Formatter)
        super().__init__(allow_abbrev=False, **about)

    def error(self, message: str) -> NoReturn:
        raise Problem(f"{message}; see {self.prog} --help")


class Formatter(argparse.HelpFormatter):
    """Fills paragraphs, and leaves indented lines as they are: examples can be copied. Names with
    hyphens stay whole."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(
            line if line.startswith(" ") else super(Formatter, self)._fill_text(line, width, indent)
            for line in text.splitlines()
        )


def module_of(name: str) -> ModuleType:
    """Return the module of a command."""
    return importlib.import_module(f"pix_inspect.commands.{COMMANDS[name].module}")


def parser_of(name: str) -> Parser:
    """Return the parser of a command's arguments."""
    _, summary, example = COMMANDS[name]
    parser = Parser(prog=f"pix-inspect {name}", description=_sentence(summary))
    module_of(name).arguments(parser)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action._choices_actions:
                action.choices[each.dest].description = _sentence(each.help or "")
    declare_argument(parser)
    more = f"{parser.epilog}\n\n" if parser.epilog else ""
    parser.epilog = f"{more}example:\n  pix-inspect {name} {example}"
    return parser


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
