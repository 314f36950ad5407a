"""`pix-inspect decode`: bytes as a value of a declared type, as text with offsets or as JSON.

`encode` is the way back.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from pix.codec.errors import PixError
from pix.codec.lists import ListOf, MapOf
from pix.codec.message import Carried, Opening
from pix.codec.values import Tree, encode, tree
from pix.codec.wire import Named, Node
from pix.problem import Problem
from pix_inspect.base.narrate import say
from pix_inspect.base.safe_text import inert
from pix_inspect.base.terminal_text import show
from pix_inspect.base.units import count
from pix_inspect.options.output import output_arguments
from pix_inspect.options.types import ALL, Wanted, declare, wanted


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    declare(parser, "a file of bytes")
    output_arguments(parser, "a value, for `encode`")


def main(args: argparse.Namespace) -> int:
    """Print the values."""
    want = wanted(args)
    as_json = args.format == "json"
    number = 1 if want.count is None else want.count
    view = memoryview(want.data)
    width = len(str(len(view)))
    at = done = 0
    while at < len(view) if number == ALL else done < number:
        found = tree(want.wire, view[at:], want.protocol, base=at)
        if found.error is not None:
            if not as_json:
                _print_text(found, width)
            raise _problem(found, want, done)
        if found.end == at and number == ALL:
            raise Problem(f"{want.wire.name} takes no bytes in {want.protocol}: give a number")
        if as_json:
            plain = found.nodes[0].plain()
            print(json.dumps(plain))
            _check_way_back(want, plain, view[at : found.end], done, at)
        else:
            _print_text(found, width)
        at = found.end
        done += 1
    if at < len(view):
        left = count(len(view) - at, "byte")
        raise Problem(
            f"{want.source}: {left} left over from byte {at} on: --count reads more values,"
            " `--count all` all that are there"
        )
    return 0


def _problem(found: Tree, want: Wanted, done: int) -> Problem:
    inside = ".".join(_path(found.nodes[0])) if found.nodes else want.wire.name
    which = f"value {done + 1}, " if want.count is not None else ""
    return Problem(
        f"{want.source}: {which}{inside} {found.error}; read as {want.protocol}:"
        " check the type, --version and --features"
    )


def _path(node: Node) -> list[str]:
    """The names down to the node that was not finished."""
    path = [node.name]
    while node.children and node.children[-1].end is None:
        node = node.children[-1]
        path.append(node.name)
    return path


def _check_way_back(want: Wanted, plain: Any, data: memoryview, done: int, at: int) -> None:
    """Say on stderr when `encode` could not give these bytes back."""
    try:
        again = encode(want.wire, want.wire.value_of(plain), want.protocol)
        if again == data:
            return
        pairs = enumerate(zip(again, data, strict=False))
        where = next((i for i, (ours, theirs) in pairs if ours != theirs), len(again))
        why = f"byte {at + where} is not as Nix writes it"
    except PixError as error:
        why = str(error)
    say(f"value {done + 1}: encode will not give these bytes back: {why}")


def _print_text(found: Tree, width: int) -> None:
    for node in found.nodes:
        show(_lines(node, 0, width))


def _lines(top: Node, depth: int, width: int) -> Iterator[str]:
    stack = [(top, depth)]
    while stack:
        node, depth = stack.pop()
        end = "…" if node.end is None else str(node.end)
        label = inert(node.name) or '""'
        value = _value(node)
        note = f"  ! {inert(str(node.irregular))}" if node.irregular else ""
        text = f"{label}: {value}" if value else label
        yield f"[{node.start:>{width}}, {end:>{width}})  {'  ' * depth}{text}{note}"
        stack.extend((child, depth + 1) for child in reversed(node.children or ()))


def _value(node: Node) -> str:
    value = node.value
    if isinstance(value, Carried):
        return f"{count(value.size, 'byte')} of payload in {count(len(value.parts), 'part')}"
    if isinstance(node.wire, Opening):
        return node.wire.text
    if isinstance(node.wire, (ListOf, MapOf)):
        return count(len(node.children or ()), "element")
    if node.children is not None:
        return ""
    if isinstance(value, Named):
        return f"{value.label} ({int(value)})"
    if isinstance(value, str):
        return f'"{inert(value)}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    return "none" if value is None else str(value)
