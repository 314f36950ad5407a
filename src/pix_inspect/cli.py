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
import sys
from pathlib import Path
from typing import NoReturn

import pix
from pix.problem import Problem
from pix_inspect.base.crash_report import STATUS, report
from pix_inspect.base.narrate import say
from pix_inspect.base.standard_streams import is_of_output, let_go_of_output, open_closed

COMMANDS: dict[str, tuple[str, str]] = {
    "watch": ("watch", "relay on --listen SOCKET and watch the traffic live (the default)"),
    "run": ("run", "run a command with its daemon traffic recorded, then sum it up"),
    "record": ("record", "relay and record, without a screen"),
    "open": ("open", "browse a recording, finished or still growing"),
    "attach": ("attach", "watch a relay that runs already"),
    "status": ("status", "say who waits for whom, in running relays or in a recording"),
    "list": ("list", "show running relays and recent recordings"),
    "stdio": ("stdio", "relay standard input and output: remote-program of ssh-ng"),
    "dump": ("dump", "print a recording as text or JSON"),
    "payload": ("payload", "list the files that were sent along, and save them"),
    "import": ("import_", "make a recording of raw streams"),
    "replay": ("replay", "play one side of a recording to the other side, live"),
    "send": ("send", "send hand-built operations to a daemon"),
    "demo": ("demo", "see all of it at work, without any Nix"),
    "daemon": ("daemon", "serve a small Nix store of our own: a daemon where no Nix is"),
    "repl": ("repl", "send operations one line at a time, with completion and history"),
    "analyse": ("analyse", "say where the time went, and what a distant daemon would cost"),
    "check": ("check", "hold a recording to expectations, for continuous integration"),
    "excerpt": ("excerpt", "write some exchanges as Markdown, ready for an issue tracker"),
    "diff": ("diff", "say what two recordings do not have in common"),
    "explain": ("explain", "say what an operation, type, field or version is"),
    "tour": ("tour", "take a guided walk through recorded sessions"),
    "manual": ("manual", "write the protocol manual as a folder of pages"),
    "decode": ("decode", "read a value of a type from bytes"),
    "encode": ("encode", "write a value of a type as bytes"),
}
"""By name: the module in `pix_inspect.commands`, and one line of help."""

INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        raise Problem(f"{message}; see {self.prog} --help")


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
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if words[0] in ("-V", "--version"):
        print(f"pix-inspect {pix.__version__}")
        return 0
    name, rest = _chosen(words)
    module_name, line = COMMANDS[name]
    module = importlib.import_module(f"pix_inspect.commands.{module_name}")
    parser = _Parser(
        prog=f"pix-inspect {name}", description=f"{line[0].upper()}{line[1:]}.", allow_abbrev=False
    )
    module.arguments(parser)
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
        return "watch", words
    if Path(first).exists() or Path(first).suffix in (".pcapng", ".gz", ".xz", ".zst"):
        return "open", words
    near = difflib.get_close_matches(first, COMMANDS, 1)
    hint = f"did you mean {near[0]}?" if near else "pix-inspect --help lists the commands"
    raise Problem(f"{first!r} is neither a command nor a file; {hint}")


def _help() -> str:
    lines = [
        "pix-inspect: watch, record and take apart the Nix daemon protocol",
        "",
        "  pix-inspect --listen /tmp/sock        relay and watch live",
        "  pix-inspect run -- nix-build foo.nix  record one command",
        "  pix-inspect FILE                      browse a recording",
        "",
        "commands (each has --help):",
    ]
    width = max(map(len, COMMANDS))
    lines += [f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(lines)
