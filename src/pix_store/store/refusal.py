"""What a daemon answers when it cannot do what it was asked: STDERR_ERROR.

Source: Nix `error.cc`, `daemon.cc`, and recorded sessions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pix.codec.gates import Protocol
from pix.daemon.errors import without_colours
from pix.protocol.logging import StderrError
from pix.protocol.types import Trace
from pix.serving import Refusal

STRUCTURED = 26
"""From 1.26 on an error is a record, before it a text and a status."""

COLOURED = 22
"""Daemons from Nix 2.4 on (which speak 1.22 and more) colour their messages."""

MARGIN = " " * 7
"""As wide as `error: `: the further lines of a message stand under its first."""


def error_frame(refusal: Refusal, protocol: Protocol, own_minor: int) -> StderrError:
    """Return the error as it is sent; `own_minor` is the daemon's own version."""
    message = refusal.message if own_minor >= COLOURED else without_colours(refusal.message)
    if protocol.minor >= STRUCTURED:
        return StderrError(
            message=message, traces=tuple(Trace(hint=hint) for hint in refusal.traces)
        )
    if own_minor >= COLOURED:
        message = rendered(message, refusal.traces)
    return StderrError(message=message, status=refusal.status)


def rendered(message: str, traces: Iterable[str] = ()) -> str:
    """Return a message as Nix 2.4 and later print it."""
    told = [f"… {hint}\n\n" for hint in reversed(tuple(traces))]
    first = "".join(told) + ("error: " if told else "") + message
    begin, *rest = first.split("\n")
    return "\n".join(
        (f"\x1b[31;1merror:\x1b[0m {begin}", *(f"{MARGIN}{line}".rstrip() for line in rest))
    )


def quoted(text: str) -> str:
    """Return a name in a message, in quotes and magenta."""
    return f"'{magenta(text)}'"


def shown(path: object) -> str:
    """Return a path in a message, as newer releases put it."""
    return magenta(f'"{path}"')


def magenta(value: object) -> str:
    """Return what a message is about, without quotes."""
    return f"\x1b[35;1m{value}\x1b[0m"


def bold_red(text: str) -> str:
    """Return the heart of a message in red."""
    return f"\x1b[31;1m{text}\x1b[0m"


def bold(text: str) -> str:
    """Return a command in a message."""
    return f"\x1b[1m{text}\x1b[0m"


@contextmanager
def meant(**how: Any) -> Iterator[None]:
    """Let refusals inside be of another kind: `ends`, `times` or `astray` as given."""
    try:
        yield
    except Refusal as refusal:
        for name, value in how.items():
            setattr(refusal, name, value)
        raise


def too_large(number: int, bits: int) -> str:
    """Return the message for a number that a reader of so many bits refuses."""
    kind = {1: "b", 8: "h", 32: "j", 63: "l"}[bits]
    return f"serialised integer {number} is too large for type '{kind}'"


def died(why: str) -> Refusal:
    """Return what ends a connection without a word, where Nix fails an assertion."""
    return Refusal(why, ends=True, times=0)


def not_enabled(feature: str, about: str = "") -> Refusal:
    """Return the error for what is behind an experimental feature, none of which is enabled."""
    return Refusal(
        f"experimental Nix feature '{feature}' is disabled{about}; add"
        f" '--extra-experimental-features {feature}' to enable it"
    )


def not_valid(path: str) -> Refusal:
    """Return the error for a path that is not in the store."""
    return Refusal(f"path {quoted(path)} is not valid")
