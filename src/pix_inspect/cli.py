"""The command line: which command was meant, and one clear line when something is wrong.

Commands are modules of `pix_inspect.commands`, imported when chosen, so that capture starts
without the screen's library. Exit status: 0 done, 1 a comparison or check failed, 2 something
is wrong that the message names, 70 a mistake of our own, of which a report is written, 130
interrupted; `run` returns its command's.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pix
from pix.problem import Problem
from pix_inspect.base.crash_report import crashed
from pix_inspect.base.narrate import say
from pix_inspect.base.standard_streams import (
    is_of_output,
    let_go_of_output,
    let_go_of_unsaid,
    open_closed,
    write_every_character,
)
from pix_inspect.base.state_directory import RECORDINGS
from pix_inspect.base.terminal_text import Tone, Toned, show
from pix_inspect.commands.catalogue import COMMANDS, GROUPS, module_of, parser_of
from pix_inspect.options.declarations import declare_always

INTERRUPTED = 130


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    open_closed()
    write_every_character()
    status = 0
    try:
        status = _status(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except BrokenPipeError:  # who read our output has seen enough
        let_go_of_output()
    except OSError as error:
        if not is_of_output(error):
            return crashed(error)
        let_go_of_output()
        say(f"cannot write: {error.strerror}")
        return 2
    except Exception as error:
        return crashed(error)
    finally:
        let_go_of_unsaid()
    return status


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
    declare_always()
    gc.disable()
    module, parser = module_of(name), parser_of(name)
    _freeze()
    gc.enable()
    intermixed = getattr(module, "INTERMIXED", False)
    parse = parser.parse_intermixed_args if intermixed else parser.parse_args
    status: int = module.main(parse(rest))
    return status


@cache
def _freeze() -> None:
    """Have the collector leave alone what modules made; of several lines in one process, once."""
    gc.freeze()


def _chosen(words: list[str]) -> tuple[str, list[str]]:
    """Return the command that was meant and its arguments."""
    first = words[0]
    if first in COMMANDS:
        return first, words[1:]
    if first.startswith("-"):
        return _behind_options(words)
    if _is_recording(first):
        return "open", words

    import difflib

    near = difflib.get_close_matches(first, COMMANDS, 1)
    hint = f"did you mean {near[0]}?" if near else "pix-inspect --help lists the commands"
    raise Problem(f"{first!r} is neither a command nor a file; {hint}")


def _behind_options(words: list[str]) -> tuple[str, list[str]]:
    """Return what a line means that begins with an option.

    Without `--listen` there is nothing to watch, and what is meant stands behind the options.
    """
    if not any(word.partition("=")[0] == "--listen" for word in words):
        for i, word in enumerate(words):
            if words[i - 1] == "--declare":
                continue
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
    yield "pix-inspect help COMMAND says more of each, with an example. Sizes and times are written"
    yield "with their unit: 512B, 64K, 10M; 50ms, 2s, 5min."
    width = max(map(len, COMMANDS))
    for group, commands in GROUPS.items():
        yield ""
        yield Toned(group, Tone.HEADING)
        yield from (f"  {name:<{width}}  {each.summary}" for name, each in commands.items())
