"""What a call ends with: a status for each thing that can go wrong, and the log that goes along.

INVALID_ARGUMENT   what was asked is missing, malformed, or too large to be asked
UNIMPLEMENTED      the protocol spoken with this daemon cannot carry it
PERMISSION_DENIED  no daemon does that
INTERNAL           the daemon answered with an error: its text, and its traces as details
UNAVAILABLE        there is no daemon, or the connection to it broke
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from pix.codec.declare import is_record
from pix.codec.errors import DecodeError, EncodeError, GateError
from pix.daemon import NixDaemonError
from pix.dataclass import dataclass
from pix.problem import Problem
from pix.worker_service import status_details
from pix.worker_service.extra import need

grpc = need("grpc")

LONGEST_TEXT = 400
"""Bytes of a status's own text: on the wire each may take three."""
MOST_LOG = 2560
"""Bytes of log frames that go into trailing metadata; clients take 8 KiB of all there is."""
LOG, LEFT_OUT = "nix-log", "nix-log-left-out"
"""Metadata: a log frame as JSON, in order; how many before them did not fit."""
ENTRY = 32 + len(LOG)
"""Bytes that a value takes beside its own, as HTTP/2 counts."""


@dataclass(eq=False)
class Failure(Exception):
    """How a call ends that cannot be answered. `traces` are the daemon's, innermost first."""

    code: Any
    text: str
    traces: tuple[str, ...] = ()
    daemon: bool = False

    def metadata(self) -> list[tuple[str, bytes]]:
        """Return the details, where they are the daemon's."""
        if not self.daemon:
            return []
        number = self.code.value[0]
        return [(status_details.KEY, status_details.written(number, self.text, self.traces))]

    def short(self) -> str:
        """Return the text as it fits a status."""
        raw = self.text.encode("utf-8", "replace")
        more = "…" if len(raw) > LONGEST_TEXT else ""
        return raw[:LONGEST_TEXT].decode("utf-8", "ignore") + more


class Unreachable(Problem):
    """There is no daemon; says where none is."""


def failure_of(error: Exception) -> Failure:
    """Return what a call ends with that failed so."""
    code = grpc.StatusCode
    if isinstance(error, Failure):
        return error
    if isinstance(error, grpc.RpcError):  # the stream of requests broke off
        return Failure(code.CANCELLED, "the client broke off")
    if isinstance(error, GateError):
        return Failure(code.UNIMPLEMENTED, str(error))
    if isinstance(error, EncodeError):
        return Failure(code.INVALID_ARGUMENT, str(error))
    if isinstance(error, NixDaemonError) and error.frame is not None:
        return Failure(code.INTERNAL, error.message, error.traces, daemon=True)
    if isinstance(error, NixDaemonError) and isinstance(error.__context__, DecodeError):
        return Failure(code.INTERNAL, error.message)
    if isinstance(error, (NixDaemonError, Problem)):
        return Failure(code.UNAVAILABLE, str(error))
    return Failure(code.INTERNAL, f"a mistake of the gateway: {type(error).__name__}")


class CallLog:
    """The last log frames of a call, as far as trailing metadata has room for them."""

    def __init__(self) -> None:
        self._frames: deque[str] = deque()
        self._room = MOST_LOG
        self._left_out = 0

    def take(self, frame: Any) -> None:
        """Keep a frame in place of the oldest ones."""
        text = json.dumps({"frame": frame.frame.name, **plain(frame)}).replace("\x7f", "\\u007f")
        self._frames.append(text)
        self._room -= len(text) + ENTRY
        while self._room < 0:
            self._room += len(self._frames.popleft()) + ENTRY
            self._left_out += 1

    def metadata(self) -> list[tuple[str, str]]:
        """Return the frames, and how many are not among them."""
        left_out = [(LEFT_OUT, str(self._left_out))] if self._left_out else []
        return [*left_out, *((LOG, text) for text in self._frames)]


def plain(value: Any) -> Any:
    """Return a frame or a field of one as JSON has it."""
    if isinstance(value, tuple):
        return list(map(plain, value))
    if is_record(type(value)):
        return {part.name: plain(getattr(value, part.name)) for part in type(value).wire.fields}
    return value
