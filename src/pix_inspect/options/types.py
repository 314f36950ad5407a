"""What `decode` and `encode` are told: a type, a version, features, a file."""

from __future__ import annotations

import argparse
import difflib
import json
import shlex
import sys
from pathlib import Path

from pix.codec.gates import FAMILIES, WORKER, Protocol, newest
from pix.codec.wire import Wire
from pix.dataclass import dataclass
from pix.problem import Problem
from pix.protocol.names import UnknownName, family_called, wire_called
from pix.protocol.types import FEATURES
from pix.untrusted import natural, rest_of

MOST_DATA = 256 << 20
"""Bytes of values that are held in memory."""

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
        help="the negotiated protocol version, 2.N of the serve protocol (default: the newest)",
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
    protocol = _protocol(args.type, args.version, args.features)
    count = None if args.count is None else _count(args.count)
    source, data = _read(args.file)
    return Wanted(wire, protocol, count, source, data)


def _protocol(kind: str, version: str | None, features: str) -> Protocol:
    names = [name.strip() for name in features.split(",") if name.strip()]
    for name in names:
        if name not in FEATURES:
            near = difflib.get_close_matches(name, FEATURES, 1) or sorted(FEATURES)
            raise Problem(f"no feature is called {name!r}; known: {', '.join(near)}")
    owner = family_called(kind)
    text = version or newest(owner or WORKER).text
    protocol = Protocol.parse(text, frozenset(names), FAMILIES)
    family = protocol.family
    if owner is not None and owner is not family:
        mine = f"{owner.version(owner.oldest)} to {owner.version(owner.newest)}"
        raise Problem(
            f"{text} is a version of the {family} protocol, {kind} is of the {owner}"
            f" protocol: {mine}"
        )
    if protocol.minor < family.oldest:
        oldest = family.version(family.oldest)
        raise Problem(f"{text} is older than {oldest}, the oldest version described")
    return protocol


def _count(text: str) -> int:
    if text == "all":
        return ALL
    number = natural(text)
    if not number:
        raise Problem(f"--count {text}: write a number from 1 on, or all")
    return number


def _read(name: str) -> tuple[str, bytes]:
    try:
        if name == "-":
            return "standard input", rest_of(sys.stdin.buffer, MOST_DATA)
        with Path(name).open("rb") as file:  # or a pipe
            return name, rest_of(file, MOST_DATA)
    except OSError as error:
        hint = f"; - reads standard input: echo {shlex.quote(name)} | …" if _is_json(name) else ""
        raise Problem(f"cannot read {name}: {error.strerror}{hint}") from None


def _is_json(text: str) -> bool:
    """Whether a text is a value rather than the name of a file."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
