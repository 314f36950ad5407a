"""`pix-inspect encode`: the JSON that `decode` prints, back to bytes on standard output."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

from pix.codec.errors import EncodeError
from pix.codec.values import encode
from pix.problem import Problem
from pix_inspect.options.output import output_arguments
from pix_inspect.options.types import ALL, declare, wanted


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    declare(parser, "a file of JSON values, as `decode --json` prints them")
    output_arguments(parser, "with the bytes in hexadecimal")


def main(args: argparse.Namespace) -> int:
    """Write the bytes of every value."""
    as_json = args.format == "json"
    if sys.stdout.isatty() and not as_json:
        raise Problem("bytes are not for a terminal: write `> FILE` behind it, or --json")
    want = wanted(args)
    out = bytearray()
    done = 0
    for plain in _values(want.data, want.source):
        done += 1
        try:
            out += encode(want.wire, want.wire.value_of(plain), want.protocol)
        except EncodeError as error:
            raise Problem(
                f"{want.source}: value {done}: {want.wire.name}: {error} ({want.protocol})"
            ) from None
    if want.count not in (None, ALL, done) or not done:
        raise Problem(f"{want.source}: {done} values, wanted {want.count or 'one at least'}")
    if as_json:
        protocol = want.protocol.text
        about = {"type": want.wire.name, "protocol": protocol, "values": done, "bytes": len(out)}
        print(json.dumps(about | {"hex": out.hex()}))
        return 0
    sys.stdout.buffer.write(out)
    sys.stdout.buffer.flush()
    return 0


def _values(data: bytes, source: str) -> Iterator[Any]:
    """Yield the JSON values of a file, one after the other. Raises Problem."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Problem(f"{source}: byte {error.start} is not UTF-8: JSON is wanted here") from None
    decoder = json.JSONDecoder()
    at = _blank(text, 0)
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            where = f"line {error.lineno}, column {error.colno}"
            raise Problem(f"{source}: {where}: not JSON: {error.msg}") from None
        except (RecursionError, ValueError):
            what = "a number is too long, or nested too deeply"
            raise Problem(f"{source}: JSON that cannot be read: {what}") from None
        yield value
        at = _blank(text, at)


def _blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at
