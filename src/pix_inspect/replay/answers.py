"""Recorded answers, found by the value of the request.

Requests are compared in their newest form, so that it does not matter which version they were
recorded in; what differs from run to run by its nature is left out (times, process numbers,
temporary folders), and payload counts by its contents. The same request
asked again and again gets the recorded answers in their order, then the last one for ever.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import tempfile
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from pix.codec.declare import Operation
from pix.codec.errors import DecodeError, EncodeError
from pix.codec.records import MISSING
from pix.conversation.exchange import CLIENT
from pix.dataclass import dataclass
from pix.problem import Problem
from pix.protocol import operations as ops
from pix_inspect.base.units import count
from pix_inspect.compare.changes import VOLATILE, Change, Unordered, changes
from pix_inspect.compare.volatile import steady
from pix_inspect.replay.recorded import RecordedExchange, RecordedSession
from pix_inspect.replay.translate import newest

MOST_COMPARED = 500
"""Recorded requests among which the nearest one is looked for."""

LINKS = ("link", "gc_root")
"""Fields of requests that name a link outside of the store."""

_TEMPORARY = re.compile(
    rf"^((?:{'|'.join(map(re.escape, ('/tmp', '/var/tmp', tempfile.gettempdir())))})/)[^/]+/"
)

SAME_AS = {ops.AddTextToStore.__name__: ops.AddToStore.__name__}
"""Operations whose newest form is another operation."""


class Digest:
    """Size and hash of payload that passes by."""

    def __init__(self) -> None:
        self.size = 0
        self._hash = hashlib.blake2b(digest_size=16)

    def add(self, data: bytes) -> None:
        """Take in the next bytes."""
        self.size += len(data)
        self._hash.update(data)

    def of(self, pieces: Iterable[bytes]) -> Digest:
        """Take in all bytes and return self."""
        for piece in pieces:
            self.add(piece)
        return self

    @property
    def value(self) -> tuple[int, str]:
        """What two equal payloads have in common."""
        return self.size, self._hash.hexdigest()


@dataclass(slots=True)
class Candidate:
    """A recorded exchange (from 0) whose request has the same fields, and its payload's digest.

    The digest is None where payload was elided; `size` is known all the same.
    """

    index: int
    size: int
    digest: tuple[int, str] | None


class Repertoire:
    """The answers of a recording, for several clients at once."""

    def __init__(self, recorded: RecordedSession) -> None:
        self.recorded = recorded
        self._lock = threading.Lock()
        self._played: dict[tuple[str, object], int] = {}
        self._known: dict[str, dict[str, list[int]]] = {}
        self._by_operation: dict[str, list[int]] = {}
        for i in range(len(recorded.session)):
            row = recorded.session.row(i)
            if row.kind == "operation" and row.operation is not None:
                name = SAME_AS.get(row.operation, row.operation)
                self._by_operation.setdefault(name, []).append(i)

    # Looking for answers ----------------------------------------------------------------

    def candidates(self, request: Any) -> list[Candidate]:
        """Return the recorded exchanges whose request has these fields, in their order.

        `request` is in its newest form, its payload left aside.
        """
        operation: Operation = request.operation
        indexes = self._requests(operation.name).get(key(request), [])
        if not indexes and operation.name == "SetOptions":
            indexes = self._by_operation.get("SetOptions", [])
        return [self._candidate(i) for i in indexes]

    def chosen(self, request: Any, found: list[Candidate], payload: Digest) -> int | None:
        """Return the exchange (from 0) whose answer is the next one to that request."""
        fitting = [
            each.index
            for each in found
            if (each.digest == payload.value if each.digest else each.size == payload.size)
        ]
        if not fitting:
            return None
        which = (key(request), payload.value)
        with self._lock:
            place = self._played.get(which, 0)
            self._played[which] = place + 1
        return fitting[min(place, len(fitting) - 1)]

    def _requests(self, name: str) -> dict[str, list[int]]:
        """Return the recorded requests of an operation, by what they ask."""
        with self._lock:
            known = self._known.get(name)
            if known is None:
                known = self._known[name] = {}
                for i in self._by_operation.get(name, ()):
                    request = self._request(self.recorded.exchange(i))
                    if request is not None:
                        known.setdefault(key(request), []).append(i)
            return known

    def _request(self, exchange: RecordedExchange) -> Any:
        """Return a recorded request in its newest form, None where it cannot be understood."""
        try:
            request, _ = newest(exchange.request(), lambda: iter(()), exchange.protocol)
        except (DecodeError, EncodeError, Problem):
            return None
        return request

    def _candidate(self, i: int) -> Candidate:
        exchange = self.recorded.exchange(i)
        size, lacking = exchange.content_size(CLIENT)
        if lacking:
            return Candidate(i, size, None)
        digest = Digest().of(self._content(exchange))
        return Candidate(i, digest.size, digest.value)

    def _content(self, exchange: RecordedExchange) -> Iterator[bytes]:
        _, content = newest(exchange.request(), lambda: exchange.content(CLIENT), exchange.protocol)
        return content

    # Not found ---------------------------------------------------------------------------

    def regrets(self, request: Any) -> str:
        """Return why there is no answer to a request, and what would have been the nearest."""
        operation: Operation = request.operation
        recorded = self._by_operation.get(operation.name, [])
        asked = plain(request)
        said = f"{operation.name}({_short(plain(request, whole=True))})"
        if not recorded:
            return f"the recording has no answer to {said}: it has no {operation.name} at all"
        nearest: tuple[int, int, str] | None = None
        for i in recorded[:MOST_COMPARED]:
            other = self._request(self.recorded.exchange(i))
            if other is None:
                continue
            found = list(changes(plain(other), asked))
            if nearest is None or len(found) < nearest[0]:
                nearest = (len(found), i, _expected(found))
        near = f"; the nearest is #{nearest[1] + 1}, where {nearest[2]}" if nearest else ""
        return f"the recording has no answer to {said}{near}"


def key(request: Any) -> str:
    """Return what two requests that ask the same have in common."""
    return repr((request.operation.name, plain(request)))


def plain(value: Any, *, whole: bool = False) -> Any:
    """Return a value as plain data, sets in order, without what is volatile or not there.

    `whole`: texts as they are, else without what differs from run to run.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        wire = getattr(type(value), "wire", None)
        payload = wire.payload.name if wire is not None and wire.payload is not None else None
        return {
            part.name: _place(item)
            if part.name in LINKS and not whole
            else plain(item, whole=whole)
            for part in dataclasses.fields(value)
            if part.name not in VOLATILE
            and part.name != payload
            and (item := getattr(value, part.name)) is not MISSING
        }
    if isinstance(value, (frozenset, set)):
        return Unordered(sorted((plain(item, whole=whole) for item in value), key=repr))
    if isinstance(value, (list, tuple)):
        return [plain(item, whole=whole) for item in value]
    if isinstance(value, dict):
        return {plain(name, whole=whole): plain(value[name], whole=whole) for name in sorted(value)}
    if isinstance(value, str):
        return value if whole else steady(value)
    return int(value) if isinstance(value, int) else value


def _place(link: str) -> str:
    """Return a link with the temporary folder it is in left open, which differs between runs."""
    return _TEMPORARY.sub(r"\1…/", steady(link))


def _expected(differing: list[Change]) -> str:
    """Return what a recorded request says instead; without differences it is the payload."""
    if not differing:
        return "the payload differs"
    first = differing[0]
    name = first.path.partition("[")[0]
    there = (
        f"{name} is {_text(first.first)}"
        if first.first is not None
        else f"{name} lacks one of these"
    )
    more = len(differing) - 1
    return there + (f" and {count(more, 'more difference')}" if more else "")


def _short(fields: Any) -> str:
    shown = ", ".join(f"{name}={_text(item)}" for name, item in list(fields.items())[:4])
    return shown + (", …" if len(fields) > 4 else "")


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 100 else text[:99] + "…"
