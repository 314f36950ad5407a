"""What the relay tells a recording: chunks, with the bulk of payload left out.

A tap scans both directions of one connection as they pass, only to know which bytes are
payload. Up to `payload_limit` bytes of each payload are kept, of the rest the length.
Everything that is not payload is always kept. When the recording cannot keep up, payload is
left out altogether.

Called from the relay's two threads, each for its own side.
"""

from __future__ import annotations

import threading
import time as clock
from array import array
from collections.abc import Callable
from typing import Any

from pix.codec.cursor import Limits
from pix.conversation import Asked, Conversation, Exchange
from pix_inspect.capture.payload_limit import DEFAULT_PAYLOAD
from pix_inspect.recording.notes import Comment, LeftOut, PayloadLeftOut, ScannerFailed, State
from pix_inspect.recording.writer import SLOW, ConnectionLog

WORTH_ELIDING = 256
"""Bytes: to leave out less than this would cost the recording more than it saves."""

EVERYTHING = 1 << 64

SHORT = 4096
"""Bytes of a chunk that are copied first: in `bytes` the conversation knows a round trip."""

MOST_BOUNDARIES = 2048
"""Boundaries that are remembered, then the newer half of them: the recording may lag that many
exchanges behind. 16 bytes each."""


LIMITS = Limits(waiting=256 << 10, pending=1024)
"""What a hostile client may make us hold; beyond it nothing of its direction is elided."""


class RecordingTap:
    """Feeds one connection's log. `payload_limit` None keeps all payload."""

    def __init__(
        self,
        log: ConnectionLog,
        payload_limit: int | None = DEFAULT_PAYLOAD,
        pressed: Callable[[], bool] = lambda: False,
    ) -> None:
        self.log = log
        self._limit = EVERYTHING if payload_limit is None else payload_limit
        self._pressed = pressed
        self._spared = 0
        """Bytes of payload that would have been kept, had the recording kept up."""
        self._time = 0
        self._lock = threading.Lock()
        self._skips: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
        self._open = 0
        self._latest: Exchange | None = None
        self._boundaries = array("Q")
        """The client's offset and the daemon's, in turn."""
        self._owes_boundary = False
        self.conversation = Conversation(self, limits=LIMITS, on_payload=self._payload)
        self._blind = False
        log.resume = self.resume

    # A recording that is rotated goes on in mid-connection; these say where it can be decoded.

    @property
    def number(self) -> int:
        """The connection's number in the recording."""
        return self.log.number

    def started(self, exchange: Exchange) -> None:
        """Take note of an exchange that begins."""
        self._open += 1
        self._latest = exchange

    def ended(self, exchange: Exchange) -> None:
        """Take note of an exchange that is over: perhaps a boundary between two operations."""
        self._open -= 1
        if self._open or not exchange.complete or exchange.notes or exchange.kind == "orphan":
            return
        if exchange.request_end is None or exchange.daemon_end is None:
            return
        self._boundary(
            exchange.request_end, exchange.daemon_end, exchange.ended or exchange.started
        )

    def round_trip(self, asked: Asked, start: int, end: int, time: int) -> None:
        """Take note of a plain round trip: nothing else is under way."""
        known = self._boundaries  # as in _boundary: this runs for every round trip
        known.append(asked[3])
        known.append(end)
        if self._owes_boundary or len(known) > 2 * MOST_BOUNDARIES:
            self._boundary(known.pop(-2), known.pop(), time)

    def _boundary(self, client: int, daemon: int, time: int) -> None:
        """Remember a boundary, and note it if one is owed."""
        known = self._boundaries
        known.append(client)
        known.append(daemon)
        if len(known) > 2 * MOST_BOUNDARIES:
            del known[:MOST_BOUNDARIES]
        if self._owes_boundary:
            self._owes_boundary = False
            self.log.note(self._state((client, daemon)), time)

    def resume(self) -> dict[str, Any]:
        """Return what a reader needs who begins at the log's present offsets.

        `boundary` holds the stream offsets, by side, of the first place between two
        operations from there on, None when that has not passed yet; it is noted when it does.
        """
        with self._lock:
            client, daemon = self.log.track.offsets
            known = self._boundaries
            for boundary in zip(known[::2], known[1::2], strict=True):
                if boundary[0] >= client and boundary[1] >= daemon:
                    return self._state(boundary).json()
            self._owes_boundary = True
            self.conversation.announce()
            return self._state(None).json()

    def _state(self, boundary: tuple[int, int] | None) -> State:
        talk = self.conversation
        protocol = talk.protocol
        under_way = self._latest if boundary is None and self._open else None
        return State(
            protocol=protocol.text if protocol is not None else None,
            features=tuple(sorted(protocol.features)) if protocol is not None else (),
            daemon_nix=talk.daemon_nix,
            boundary=boundary,
            exchange=under_way.name if under_way is not None else None,
        )

    def _payload(self, side: int, start: int, length: int, position: int) -> None:
        """Mark for elision what of this run lies beyond the limit."""
        if position >= self._limit and length >= WORTH_ELIDING:  # nearly all of an upload
            self._skips[side].append((start, start + length))
            return
        limit = 0 if self._pressed() else self._limit
        kept = 0 if position >= limit else min(limit - position, length)
        if length - kept >= WORTH_ELIDING or (limit == 0 and kept < length):
            self._skips[side].append((start + kept, start + length))
            if limit < self._limit and position < self._limit:
                if not self._spared:
                    self.log.note(PayloadLeftOut(LeftOut(SLOW)), self._time)
                self._spared += min(self._limit - position, length) - kept

    def chunk(self, side: int, data: bytes | memoryview, time: int) -> None:
        """Record a chunk that is about to be passed on."""
        if type(data) is not bytes and len(data) <= SHORT:
            data = bytes(data)
        self._lock.acquire()  # `with` costs twice as much, at every chunk
        try:
            if not self._blind:
                self._time = time
                try:
                    self.conversation.feed(side, data, time)
                except Exception as error:
                    self._go_blind(error, side)
            if skips := self._skips[side]:
                self._elided(side, memoryview(data), time, skips)
            else:
                kept = data if type(data) is bytes else bytes(data)
                self.log.chunk(side, time, kept, len(kept))
        finally:
            self._lock.release()

    def _go_blind(self, error: Exception, side: int) -> None:
        """Keep all bytes from here on: decoding must never matter to the traffic."""
        self._blind = True
        self._skips[0].clear()
        self._skips[1].clear()
        self.log.note(ScannerFailed(repr(error), side), self._time)

    def gap(self, side: int, length: int, time: int) -> None:
        """Record that `length` bytes passed of which nothing is known."""
        with self._lock:
            if not self._blind:
                self.conversation.gap(side, length, time)
            self.log.chunk(side, time, b"", length)

    def _elided(self, side: int, view: memoryview, time: int, skips: list[tuple[int, int]]) -> None:
        """Record the chunk as packets, each a kept beginning and an elided rest."""
        end = self.conversation.received(side)
        at = start = end - len(view)
        done = 0
        note = self.log.chunk
        for skip_start, skip_end in skips:
            if skip_start >= end:
                break
            stop = min(end, skip_end)
            kept = view[at - start : skip_start - start] if skip_start > at else b""
            note(side, time, bytes(kept), stop - at)
            at = stop
            if skip_end > end:
                break
            done += 1
        del skips[:done]
        if at < end:
            note(side, time, bytes(view[at - start :]), end - at)

    def half_close(self, side: int, time: int) -> None:
        """Record that a side sends no more."""
        with self._lock:
            self.log.half_close(side, time)

    def reset(self, side: int, time: int) -> None:
        """Record that a side hung up."""
        with self._lock:
            self.log.reset(side, time)

    def closed(self, time: int) -> None:
        """Record that the connection is over."""
        with self._lock:
            if self._spared:
                self.log.note(PayloadLeftOut(LeftOut(SLOW, self._spared)), time)
            self.log.close(time)

    def note(self, note: Comment, time: int | None = None) -> None:
        """Record something about the connection."""
        with self._lock:
            self.log.note(note, clock.time_ns() if time is None else time, at_once=True)
