"""What a daemon answers when it cannot do what it was asked: STDERR_ERROR.

Source: Nix `error.cc`, `daemon.cc`, and recorded sessions.
"""

from __future__ import annotations

from collections.abc import Iterable

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
    return "\x1b[31;1merror:\x1b[0m " + f"\n{MARGIN}".join(first.split("\n"))


def quoted(text: str) -> str:
    """Return a name in a message, in quotes and magenta."""
    return f"'{magenta(text)}'"


def magenta(value: object) -> str:
    """Return what a message is about, without quotes."""
    return f"\x1b[35;1m{value}\x1b[0m"


def bold_red(text: str) -> str:
    """Return the heart of a message in red."""
    return f"\x1b[31;1m{text}\x1b[0m"


def bold(text: str) -> str:
    """Return a command in a message."""
    return f"\x1b[1m{text}\x1b[0m"


def not_valid(path: str) -> Refusal:
    """Return the error for a path that is not in the store."""
    return Refusal(f"path {quoted(path)} is not valid")
