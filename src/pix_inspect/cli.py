"""The command line: which command was meant, and one clear line when something is wrong.

Commands are modules of `pix_inspect.commands`, imported when chosen, so that capture starts
without the screen's library. Exit status: 0 done, 1 a comparison or check failed, 2 something
is wrong that the message names, 70 a mistake of our own, of which a report is written, 130
interrupted; `run` returns its command's.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

import pix
from pix.problem import Problem
from pix_inspect.base.crash_report import STATUS, report
from pix_inspect.base.narrate import say
from pix_inspect.base.standard_streams import is_of_output, let_go_of_output, open_closed
from pix_inspect.base.terminal_text import Tone, Toned, show


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
            "strace.log -o session.pcapng",
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
    },
}
"""What there is, by what it is for."""

COMMANDS = {name: command for group in GROUPS.values() for name, command in group.items()}

RECORDINGS = (".pcapng", ".gz", ".xz", ".zst")
"""How the names of recordings end."""

INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        raise Problem(f"{message}; see {self.prog} --help")


class _Formatter(argparse.HelpFormatter):
    """Fills paragraphs, and leaves indented lines as they are: examples can be copied."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(
            line
            if line.startswith(" ")
            else super(_Formatter, self)._fill_text(line, width, indent)
            for line in text.splitlines()
        )


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    open_closed()
    status = 0
    try:
        status = _status(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except BrokenPipeError:  # who read our output has seen enough
        let_go_of_output()
    except OSError as error:
        if not is_of_output(error):
            return _crashed(error)
        let_go_of_output()
        say(f"cannot write: {error.strerror}")
        return 2
    except Exception as error:
        return _crashed(error)
    return status


def _crashed(error: Exception) -> int:
    """Say that we made a mistake: the last resort, without a traceback that might tell much."""
    say(report(error))
    return STATUS


def _status(words: list[str]) -> int:
    try:
        return _run(words)
    except Problem as problem:
        say(str(problem))
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as done:  # --help
        return int(done.code or 0)


def _run(words: list[str]) -> int:
    if words[:1] == ["help"] and len(words) > 1:
        words = [*words[1:], "--help"]
    if not words or words[0] in ("-h", "--help", "help"):
        show(_help())
        return 0
    if words[0] in ("-V", "--version"):
        print(f"pix-inspect {pix.__version__}")
        return 0
    name, rest = _chosen(words)
    module_name, summary, example = COMMANDS[name]
    module = importlib.import_module(f"pix_inspect.commands.{module_name}")
    parser = _Parser(
        prog=f"pix-inspect {name}",
        description=f"{summary[0].upper()}{summary[1:]}.",
        allow_abbrev=False,
        formatter_class=_Formatter,
    )
    module.arguments(parser)
    more = f"{parser.epilog}\n\n" if parser.epilog else ""
    parser.epilog = f"{more}example:\n  pix-inspect {name} {example}"
    intermixed = getattr(module, "INTERMIXED", False)
    parse = parser.parse_intermixed_args if intermixed else parser.parse_args
    status: int = module.main(parse(rest))
    return status


def _chosen(words: list[str]) -> tuple[str, list[str]]:
    """Return the command that was meant and its arguments."""
    first = words[0]
    if first in COMMANDS:
        return first, words[1:]
    if first.startswith("-"):
        return _behind_options(words)
    if _is_recording(first):
        return "open", words
    near = difflib.get_close_matches(first, COMMANDS, 1)
    hint = f"did you mean {near[0]}?" if near else "pix-inspect --help lists the commands"
    raise Problem(f"{first!r} is neither a command nor a file; {hint}")


def _behind_options(words: list[str]) -> tuple[str, list[str]]:
    """Return what a line means that begins with an option.

    Without `--listen` there is nothing to watch, and what is meant stands behind the options.
    """
    if not any(word.partition("=")[0] == "--listen" for word in words):
        for i, word in enumerate(words):
            if word in COMMANDS:
                return word, words[:i] + words[i + 1 :]
            if not word.startswith("-") and _is_recording(word):
                return "open", words
    return "watch", words


def _is_recording(word: str) -> bool:
    return Path(word).suffix in RECORDINGS or os.path.lexists(word)


def _help() -> Iterator[str]:
    yield "pix-inspect: watch, record and take apart the Nix daemon protocol"
    yield ""
    yield "  pix-inspect --listen /tmp/sock        relay and watch live"
    yield "  pix-inspect run -- nix-build foo.nix  record one command"
    yield "  pix-inspect FILE                      browse a recording"
    yield ""
    yield "pix-inspect help COMMAND says more of each, with an example."
    width = max(map(len, COMMANDS))
    for group, commands in GROUPS.items():
        yield ""
        yield Toned(group, Tone.HEADING)
        yield from (f"  {name:<{width}}  {each.summary}" for name, each in commands.items())
