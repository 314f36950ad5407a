"""`pix-inspect repl`: lines typed at a prompt, with editing, history and completion.

Piped input is carried out line by line. Ctrl-C ends a wait, Ctrl-D the REPL. Knows prompts.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from pix.protocol import OPERATIONS_BY_NAME
from pix_inspect.commands.send import carried_out, connection_arguments, session_of, shown
from pix_inspect.problem import Problem
from pix_inspect.repl import Answer, Session, signature
from pix_inspect.state import state_directory

PROMPT = ">>> "
MOST_HISTORY = 10_000
arguments = connection_arguments


def main(args: argparse.Namespace) -> int:
    """Read lines until there are no more. Piped input that fails gives status 1 at the end."""
    session = session_of(args)
    session.dangerous = _ask
    terminal = sys.stdin.isatty()
    failed = False
    with _editing(session) if terminal else contextlib.nullcontext():
        for line in _typed(terminal):
            failed |= not _carry_out(session, line)
    session.close()
    return 1 if failed and not terminal else 0


def _typed(terminal: bool) -> Iterator[str]:
    if terminal:
        print('Operations are functions: IsValidPath(path="…"). help("…"), Tab, Ctrl-D to leave.')
    while True:
        try:
            line = input(PROMPT if terminal else "")
        except EOFError:
            if terminal:
                print()
            return
        except KeyboardInterrupt:
            print()
            continue
        if line.strip() and not line.lstrip().startswith("#"):
            yield line


def _carry_out(session: Session, line: str) -> bool:
    """Print what comes of a line; whatever is wrong costs one line, and the REPL goes on."""
    try:
        value = carried_out(session, line)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return False
    except KeyboardInterrupt:
        session.close()
        print("interrupted; the next line connects again", file=sys.stderr)
        return False
    if value is not None:
        print("\n".join(shown(value)))
    return not (isinstance(value, Answer) and value.error is not None)


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
    history = state_directory() / "history"
    _private(history)
    with contextlib.suppress(OSError):
        readline.read_history_file(history)
    readline.set_history_length(MOST_HISTORY)
    readline.set_completer_delims(" \t\n()[]{},=")
    readline.set_completer(lambda text, state: _completion(session, text, state))
    readline.parse_and_bind("tab: complete")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            readline.write_history_file(history)
            history.chmod(0o600)


def _private(path: Path) -> None:
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY | os.O_NOFOLLOW, 0o600))
        path.chmod(0o600)


def _completion(session: Session, text: str, state: int) -> str | None:
    """Return the `state`-th way to complete `text`."""
    names = [*session.evaluator.functions, *session.evaluator.variables]
    found = sorted(name for name in names if name.startswith(text))
    if len(found) == 1 and found[0] == text and text in OPERATIONS_BY_NAME:
        found = [signature(OPERATIONS_BY_NAME[text])]
    return found[state] if state < len(found) else None
