"""What `decode` and `encode` are told: a type, a version, features, a file."""

from __future__ import annotations

import argparse
import difflib
import sys
from dataclasses import dataclass
from pathlib import Path

from pix.codec.gates import NEWEST, OLDEST_MINOR, Protocol
from pix.codec.wire import Wire
from pix.problem import Problem
from pix.protocol.names import UnknownName, wire_called
from pix.protocol.types import FEATURES
from pix.untrusted import natural

ALL = -1
"""As a count: until there are no more."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A type in a version, how many values of it, and the file's contents under its name."""

    wire: Wire
    protocol: Protocol
    count: int | None
    source: str
    data: bytes


def declare(parser: argparse.ArgumentParser, file_help: str) -> None:
    """Declare the arguments that both commands share."""
    parser.add_argument(
        "type",
        metavar="TYPE",
        help="such as BuildResult, List<StorePath>, QueryPathInfo.request or .reply, STDERR_ERROR;"
        " `pix-inspect explain` lists the names",
    )
    parser.add_argument("file", metavar="FILE", help=f"{file_help}; - for standard input")
    parser.add_argument(
        "--version",
        metavar="1.N",
        default=NEWEST.text,
        help="the negotiated protocol version (default %(default)s)",
    )
    parser.add_argument(
        "--features", metavar="A,B", default="", help="the negotiated features, by name"
    )
    parser.add_argument(
        "--count",
        metavar="N",
        help="how many values stand one after the other, `all` for as many as there are",
    )


def wanted(args: argparse.Namespace) -> Wanted:
    """Return what the arguments mean. Raises Problem."""
    try:
        wire = wire_called(args.type)
    except UnknownName as error:
        hint = "" if error.near else "; `pix-inspect explain` lists the names"
        raise Problem(f"{error}{hint}") from None
    protocol = _protocol(args.version, args.features)
    count = None if args.count is None else _count(args.count)
    source, data = _read(args.file)
    return Wanted(wire, protocol, count, source, data)


def _protocol(version: str, features: str) -> Protocol:
    names = [name.strip() for name in features.split(",") if name.strip()]
    for name in names:
        if name not in FEATURES:
            near = difflib.get_close_matches(name, FEATURES, 1) or sorted(FEATURES)
            raise Problem(f"no feature is called {name!r}; known: {', '.join(near)}")
    protocol = Protocol.parse(version, frozenset(names))
    if protocol.minor < OLDEST_MINOR:
        raise Problem(f"{version} is older than 1.{OLDEST_MINOR}, the oldest version described")
    return protocol


def _count(text: str) -> int:
    if text == "all":
        return ALL
    number = natural(text)
    if not number:
        raise Problem(f"--count {text}: write a number from 1 on, or all")
    return number


def _read(name: str) -> tuple[str, bytes]:
    if name == "-":
        return "standard input", sys.stdin.buffer.read()
    try:
        return name, Path(name).read_bytes()
    except OSError as error:
        raise Problem(f"cannot read {name}: {error.strerror}") from None
