"""`pix-inspect send 'LINE'`: one line of the REPL from the shell.

Exit status 0 when the daemon did what was asked, 1 when it answered with an error, 2 when the
line or the connection is wrong. Knows how values look as text and as JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from pix.daemon import NixDaemonError
from pix.errors import EncodeError
from pix_inspect.commands.explain import text as entry_text
from pix_inspect.explain import Entry
from pix_inspect.expressions import ExpressionError
from pix_inspect.inert import inert
from pix_inspect.inert import plain as colourless
from pix_inspect.problem import Problem
from pix_inspect.repl import Answer, Saved, Session, plain
from pix_inspect.units import count, duration, size

MOST_ELEMENTS = 50


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "lines", nargs="+", metavar="LINE", help="such as 'IsValidPath(path=\"…\")'"
    )
    connection_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, one line for each LINE")
    parser.add_argument("--yes", action="store_true", help="do not ask before deleting")


def connection_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare which daemon is meant, and how to speak with it."""
    parser.add_argument(
        "--upstream", metavar="SOCKET", help="the daemon (default: $NIX_DAEMON_SOCKET_PATH)"
    )
    parser.add_argument("--version", default="1.38", metavar="1.N", help="speak at most this")
    parser.add_argument("--features", default="", metavar="A,B", help="offer these features")
    parser.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="give up after so much silence"
    )


def session_of(args: argparse.Namespace) -> Session:
    """Return the session that the arguments mean."""
    features = tuple(word for word in args.features.split(",") if word)
    return Session(args.upstream, args.version, features, args.timeout)


def main(args: argparse.Namespace) -> int:
    """Carry out the lines in order, on one connection."""
    session = session_of(args)
    session.dangerous = lambda what: args.yes or _refuse(what)
    status = 0
    try:
        for line in args.lines:
            value = carried_out(session, line)
            if isinstance(value, Answer) and value.error is not None:
                status = 1
            if args.json:
                print(json.dumps(plain(value)))
            elif value is not None:
                print("\n".join(shown(value)))
    finally:
        session.close()
    return status


def _refuse(what: str) -> bool:
    raise Problem(f"{what}: add --yes if that is meant")


def carried_out(session: Session, line: str) -> Any:
    """Return the value of a line. Raises Problem for all that can be wrong with it."""
    try:
        return session.run(line)
    except ExpressionError as error:
        raise Problem(f"{error.message} (column {error.column + 1})") from None
    except EncodeError as error:
        raise Problem(str(error)) from None
    except NixDaemonError as error:
        raise Problem(inert(str(error))) from None


def shown(value: Any) -> Iterator[str]:
    """Yield a value as lines for people, inert."""
    if isinstance(value, Entry):
        yield from entry_text(value)
    elif isinstance(value, Saved):
        yield f"{size(value.size)} written to {inert(value.path)}"
    elif isinstance(value, Answer):
        yield from _answer(value)
    else:
        yield from _lines(plain(value), "", 0)


def _answer(answer: Answer) -> Iterator[str]:
    log = f", {count(len(answer.log), 'log frame')}" if answer.log else ""
    took = duration(int(answer.took * 1e9))
    if answer.error is not None:
        yield f"{answer.operation}: the daemon refused, {took}{log}"
        for line in colourless(answer.error.message).splitlines():
            yield f"  {inert(line)}"
        for trace in answer.error.traces:
            yield f"  … {inert(colourless(trace.hint))}"
        return
    yield f"{answer.operation}: done, {took}{log}"
    yield from _lines(plain(answer.reply, answer.protocol), "", 1)


def _lines(value: Any, label: str, depth: int) -> Iterator[str]:
    pad = "  " * depth
    head = f"{label}: " if label else ""
    if isinstance(value, dict):
        if label:
            yield f"{pad}{label}" + ("" if value else ": nothing")
        for key, inner in value.items():
            yield from _lines(inner, inert(str(key), 200), depth + bool(label))
    elif isinstance(value, list):
        yield f"{pad}{head}{count(len(value), 'element')}"
        for inner in value[:MOST_ELEMENTS]:
            yield from _lines(inner, "", depth + 1)
        if len(value) > MOST_ELEMENTS:
            yield f"{pad}  … {len(value) - MOST_ELEMENTS:,} more"
    elif isinstance(value, bool) or value is None:
        yield f"{pad}{head}{'none' if value is None else str(value).lower()}"
    elif isinstance(value, str):
        yield f"{pad}{head}{inert(value, 2000)}"
    else:
        yield f"{pad}{head}{value}"
