"""`pix-inspect repl`: lines typed at a prompt, with editing, history and completion.

Piped input is carried out line by line. Ctrl-C ends a wait, Ctrl-D the REPL. What is sent
is recorded, as `run` does it, unless a relay does so already.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence

from pix.problem import Problem
from pix_inspect.base.line_history import MOST_LINES, history_file
from pix_inspect.base.narrate import narrate, say
from pix_inspect.base.safe_text import inert
from pix_inspect.base.terminal_text import room
from pix_inspect.base.units import size
from pix_inspect.capture.own_relay import OwnRelay
from pix_inspect.commands.send import carried_out, connection_arguments, session_of
from pix_inspect.options.output import output_arguments
from pix_inspect.repl.completion import complete, signature
from pix_inspect.repl.repl import Session
from pix_inspect.repl.text import shown
from pix_inspect.repl.values import Answer, plain
from pix_inspect.teach.entry_text import WIDTH

PROMPT = ">>> "
NARROWEST = 20
LONGEST = 64 << 20
"""Characters of a line of piped input: an upload may stand in it."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    connection_arguments(parser, "the recording (default: a new one in the state directory)")
    parser.add_argument("--no-recording", action="store_true", help="record nothing")
    output_arguments(parser, "for each line")


def main(args: argparse.Namespace) -> int:
    """Read lines until there are no more. Piped input that fails gives status 1 at the end."""
    if args.no_recording and args.output is not None:
        raise Problem("--no-recording and -o exclude each other")
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    relay = None
    if not args.no_recording:
        relay = OwnRelay(args.output, payload=args.payload, always=args.output is not None, say=say)
    session = session_of(args, relay, _tell if terminal else lambda line: None)
    session.dangerous = _ask
    failed = False
    try:
        with _editing(session) if terminal else contextlib.nullcontext():
            for line in _typed(terminal):
                failed |= not _carry_out(session, line, args.format, paged=terminal)
    finally:
        session.close()
        recorded = relay.close() if relay is not None else None
    if recorded is not None:
        say(f"recorded in {recorded}")
    return 1 if failed and not terminal else 0


def _tell(line: str) -> None:
    narrate(f"({line})")


def _typed(terminal: bool) -> Iterator[str]:
    if terminal:
        print(
            'Operations are functions: IsValidPath(path="…"). Tab completes, help() explains,'
            " Ctrl-D leaves."
        )
    while True:
        try:
            line = input(PROMPT) if terminal else _piped()
        except EOFError:
            if terminal:
                print()
            return
        except KeyboardInterrupt:
            if not terminal:
                raise
            print()
            continue
        except UnicodeDecodeError as error:
            narrate(f"this line is not UTF-8: {error.reason}")
            yield "?"
            continue
        if line.strip() and not line.lstrip().startswith("#"):
            yield line


def _piped() -> str:
    """Return the next line of the input. Raises EOFError, and Problem for one without end."""
    line = sys.stdin.readline(LONGEST)
    if not line:
        raise EOFError
    if len(line) == LONGEST:
        raise Problem(f"a line of the input is longer than {size(LONGEST)}: it was not read")
    return line.rstrip("\n")


def _carry_out(session: Session, line: str, form: str, *, paged: bool) -> bool:
    """Print what comes of a line; whatever is wrong costs one line, and the REPL goes on."""
    try:
        value = carried_out(session, line)
        if form == "json":
            print(json.dumps(plain(value)))
        elif value is not None:
            _print(shown(value, room(WIDTH)), paged=paged)
    except Problem as problem:
        narrate(str(problem))
        return False
    except KeyboardInterrupt:
        if not paged:
            raise
        if session.connection is not None and session.connection.failure is not None:
            narrate("interrupted: the connection was closed, the next line makes a new one")
        else:
            narrate("interrupted")
        return False
    return not (isinstance(value, Answer) and value.error is not None)


def _print(lines: Iterable[str], *, paged: bool) -> None:
    """Print lines; on a terminal a page at a time."""
    width, height = shutil.get_terminal_size()
    room = height - 1
    for line in lines:
        taken = 1 + max(len(line) - 1, 0) // max(width, NARROWEST)
        if paged and taken > room:
            try:
                answer = input("── more: Enter a page, a all, q enough ── ").strip().lower()
            except EOFError:
                answer = "q"
                print()
            if answer.startswith("q"):
                return
            paged = not answer.startswith("a")
            room = height - 1
        print(line)
        room -= taken


def _ask(what: str) -> bool:
    if not sys.stdin.isatty():
        raise Problem(f"{what}: not done without a terminal; use send --yes")
    return input(f"{what}; go on? [y/N] ").strip().lower() in ("y", "yes")


@contextlib.contextmanager
def _editing(session: Session) -> Iterator[None]:
    """Line editing, completion, and a history file that only its owner can read."""
    try:
        import readline
    except ImportError:  # not every Python has it: lines can still be typed
        yield
        return
    history = history_file("history")
    with contextlib.suppress(OSError):
        if history.is_file():  # not a pipe that nobody writes to
            readline.read_history_file(history)
    readline.set_history_length(MOST_LINES)
    completer = _Completer(session)
    # whole lines are completed: what a word is depends on what stands before it
    readline.set_completer_delims("")
    readline.set_completer(completer.complete)
    readline.set_completion_display_matches_hook(completer.display)
    readline.parse_and_bind("tab: complete")
    readline.parse_and_bind("set bell-style none")
    readline.parse_and_bind("set enable-bracketed-paste on")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if history.is_file():
                readline.write_history_file(history)
                history.chmod(0o600)


class _Completer:
    """What readline asks for: the ways to go on, and how to show them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._found: list[str] = []

    def complete(self, text: str, state: int) -> str | None:
        """Return the `state`-th way to complete what stands before the cursor."""
        import readline

        if state == 0:
            completion = complete(self._session, text)
            self._found = [text[: completion.start] + each.text for each in completion.suggestions]
            if len(self._found) == 1 and hasattr(readline, "set_completion_append_character"):
                readline.set_completion_append_character("")
        return self._found[state] if state < len(self._found) else None

    def display(self, substitution: str, matches: Sequence[str], longest: int) -> None:
        """Show the ways to go on, with types, gates and docs, and the signature."""
        import readline

        line = readline.get_line_buffer()[: readline.get_endidx()]
        print()
        width, height = shutil.get_terminal_size()
        called = signature(self._session, line)
        if called is not None:
            print(called[0])
        suggestions = complete(self._session, line).suggestions
        for each in suggestions[: max(height - 4, 5)]:
            said = "  ".join(word for word in (each.said, each.doc) if word)
            print(f"  {inert(each.text):<28} {inert(said)}"[: width - 1])
        if len(suggestions) > height - 4:
            print(f"  … {len(suggestions) - max(height - 4, 5):,} more")
        print(PROMPT + readline.get_line_buffer(), end="", flush=True)
        readline.redisplay()
