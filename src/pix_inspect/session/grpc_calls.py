"""For which gRPC calls a connection was used, as the gateway noted before each.

A connection carries one call at a time: what begins in the client's stream behind a note is
asked for that call, up to the next note.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right

from pix.dataclass import dataclass, field
from pix_inspect.recording.notes import GrpcCall


@dataclass(slots=True)
class GrpcCalls:
    """The calls of one connection, by where they begin in the client's stream (bytes).

    Written by the thread that reads the recording; any may look meanwhile.
    """

    _known: dict[tuple[str, str | None], GrpcCall] = field(default_factory=dict)
    _calls: list[GrpcCall] = field(default_factory=list)
    _starts: array[int] = field(default_factory=lambda: array("Q"))

    def begin(self, start: int, call: GrpcCall) -> None:
        """Take a call that begins."""
        self._calls.append(self._known.setdefault((call.method, call.caller), call))
        self._starts.append(start)  # last: what stands here has its call

    def at(self, start: int) -> GrpcCall | None:
        """Return the call for which was asked what begins there; None before the first."""
        i = bisect_right(self._starts, start) if start >= 0 else 0
        return self._calls[i - 1] if i else None
