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
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from pix.codec.cursor import Limits
from pix.conversation import Conversation
from pix.conversation.exchange import CLIENT, SIDES, Exchange
from pix.conversation.round_trips import Shape, Trips
from pix_inspect.capture.payload_limit import DEFAULT_PAYLOAD
from pix_inspect.recording.writer import SLOW, ConnectionLog

WORTH_ELIDING = 256
"""Bytes: to leave out less than this would cost the recording more than it saves."""

EVERYTHING = 1 << 64

SHORT = 4096
"""Bytes of a chunk that may be a plain request or answer."""

MOST_BOUNDARIES = 4096
"""Boundaries that are remembered: the recording may lag that many exchanges behind."""


LIMITS = Limits(waiting=256 << 10, pending=1024)
"""What a hostile client may make us hold; beyond it nothing of its direction is elided."""

_trips = lru_cache(maxsize=64)(Trips)


class RecordingTap:
    """Feeds one connection's log. `payload_limit` None keeps all payload."""

    def __init__(
        self,
        log: ConnectionLog,
        payload_limit: int | None = DEFAULT_PAYLOAD,
        pressed: Callable[[], bool] = lambda: False,
    ) -> None:
        self.log = log
        self._keeps = self._limit = EVERYTHING if payload_limit is None else payload_limit
        self._pressed = pressed
        self._spared = 0
        """Bytes of payload that would have been kept, had the recording kept up."""
        self._time = 0
        self._lock = threading.Lock()
        self._skips: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
        self._offsets = [0, 0]
        self._open = 0
        self._latest: Exchange | None = None
        self._boundaries: deque[tuple[int, int]] = deque(maxlen=MOST_BOUNDARIES)
        self._owes_boundary = False
        self.conversation = Conversation(self, limits=LIMITS, on_payload=self._payload)
        self._blind = False
        self._trips: Trips | None = None
        """While the conversation is at rest: what passes is plain, and is not fed to it."""
        self._asked: tuple[bytes, int, Shape] | None = None
        """The plain request that waits for its answer: bytes, time, what answers it."""
        log.resume = self.resume

    # A recording that is rotated goes on in mid-connection; these say where it can be decoded.

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
        self._passed(
            (exchange.request_end, exchange.daemon_end), exchange.ended or exchange.started
        )

    def _passed(self, boundary: tuple[int, int], time: int) -> None:
        """Take note of a boundary, and note it where one is owed."""
        self._boundaries.append(boundary)
        if self._owes_boundary:
            self._owes_boundary = False
            self.log.note(self._state(boundary), time)

    def resume(self) -> dict[str, Any]:
        """Return what a reader needs who begins at the log's present offsets.

        `boundary` holds the stream offsets, by side, of the first place between two
        operations from there on, None when that has not passed yet; it is noted when it does.
        """
        with self._lock:
            client, daemon = self.log.track.offsets
            for boundary in self._boundaries:
                if boundary[0] >= client and boundary[1] >= daemon:
                    return self._state(boundary)
            self._owes_boundary = True
            if self._asked is not None:
                self._catch_up()
            return self._state(None)

    def _state(self, boundary: tuple[int, int] | None) -> dict[str, Any]:
        talk = self.conversation
        protocol = talk.protocol
        state: dict[str, Any] = {
            "protocol": protocol.text if protocol is not None else None,
            "features": sorted(protocol.features) if protocol is not None else [],
            "daemon_nix": talk.daemon_nix,
            "boundary": list(boundary) if boundary is not None else None,
        }
        if boundary is None and self._open and self._latest is not None:
            state["exchange"] = self._latest.name
        return state

    def _payload(self, side: int, start: int, length: int, position: int) -> None:
        """Mark for elision what of this run lies beyond the limit."""
        limit = self._keeps
        kept = 0 if position >= limit else min(limit - position, length)
        if length - kept >= WORTH_ELIDING or (limit == 0 and kept < length):
            self._skips[side].append((start + kept, start + length))
            if limit < self._limit and position < self._limit:
                if not self._spared:
                    self.log.note({"payload left out": {"why": SLOW}}, self._time)
                self._spared += min(self._limit - position, length) - kept

    def chunk(self, side: int, data: bytes | memoryview, time: int) -> None:
        """Record a chunk that is about to be passed on."""
        length = len(data)
        if length <= SHORT:
            data = bytes(data)
        with self._lock:
            trips = self._trips
            if trips is not None and isinstance(data, bytes):
                # most of what passes, so nothing is called here that need not be
                if side == CLIENT:
                    if self._asked is None:
                        answer = trips.asked(data)
                        if answer is not None:
                            self._asked = (data, time, answer)
                            self._offsets[0] += length
                            self.log.chunk(0, time, data, length)
                            return
                elif self._asked is not None and trips.answered(self._asked[2], data):
                    self._asked = None
                    offsets = self._offsets
                    offsets[1] += length
                    self._passed((offsets[0], offsets[1]), time)
                    self.log.chunk(1, time, data, length)
                    return
            self._scan(side, data, time)
            start = self._offsets[side]
            self._offsets[side] = start + length
            skips = self._skips[side]
            if skips:
                self._elided(side, memoryview(data), start, time, skips)
            else:
                self.log.chunk(side, time, bytes(data), length)

    def _scan(self, side: int, data: bytes | memoryview, time: int) -> None:
        """Have the conversation look at a chunk."""
        if self._blind:
            return
        talk = self.conversation
        self._keeps = 0 if self._pressed() else self._limit
        self._time = time
        try:
            if self._trips is not None:
                self._catch_up()
            talk.feed(side, data, time)
            if not self._open and talk.at_rest:
                assert talk.protocol is not None
                self._trips = _trips(talk.protocol, talk.limits)
        except Exception as error:
            # decoding must never matter to the traffic: from here on keep all bytes
            self._blind = True
            self._skips[0].clear()
            self._skips[1].clear()
            self.log.note({"scanner failed": repr(error), "side": SIDES[side]}, time)

    def _catch_up(self) -> None:
        """Tell the conversation of what was plain."""
        asked, self._asked, self._trips = self._asked, None, None
        client, daemon = self._offsets
        if asked is None:
            self.conversation.skip(client, daemon)
        else:
            self.conversation.skip(client - len(asked[0]), daemon)
            self.conversation.feed(CLIENT, asked[0], asked[1])

    def gap(self, side: int, length: int, time: int) -> None:
        """Record that `length` bytes passed of which nothing is known."""
        with self._lock:
            if self._trips is not None:
                self._catch_up()
            if not self._blind:
                self.conversation.gap(side, length, time)
            self._offsets[side] += length
            self.log.chunk(side, time, b"", length)

    def _elided(
        self, side: int, view: memoryview, start: int, time: int, skips: list[tuple[int, int]]
    ) -> None:
        """Record the chunk as packets, each a kept beginning and an elided rest."""
        end = start + len(view)
        at = start
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
                self.log.note({"payload left out": {"why": SLOW, "bytes": self._spared}}, time)
            self.log.close(time)

    def note(self, note: dict[str, Any], time: int | None = None) -> None:
        """Record something about the connection."""
        with self._lock:
            self.log.note(note, clock.time_ns() if time is None else time, at_once=True)
