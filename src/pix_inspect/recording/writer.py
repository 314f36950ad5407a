"""Writing a recording: connections say what they saw, a thread puts it into a pcapng file.

Nothing a relay thread calls here blocks, wakes a thread or raises. A writer thread wakes by
itself every `interval` seconds and writes what there is. Over half of the bound `pressed`
turns true, so that payload is elided; over the bound what passes is counted, not kept, and
stands in the recording as packets without data whose comment says how much and why.
"""

import threading
import time as clock
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from pix.problem import Problem
from pix_inspect.base.new_files import PRIVATE
from pix_inspect.recording import pcapng
from pix_inspect.recording.notes import NOTE, RECORDER, Comment, Opening, Peer
from pix_inspect.recording.sinks import RecordingFile, RecordingStream
from pix_inspect.recording.stream_writer import Loss, Track
from pix_inspect.recording.tcp_headers import CLIENT_PORTS
from pix_inspect.recording.writer_thread import EVENT, OVERHEAD, Entry, Scribe

_SMALLEST = 4096
_LAST_TRY = 1.0
"""Seconds that a file which takes nothing is tried again when the recording ends."""
SLOW = "the recording could not be written as fast as the traffic came"

Resume = Callable[[], dict[str, Any]]


class ConnectionLog:
    """What one connection's relay threads call; each side from one thread at a time."""

    __slots__ = ("_append", "_losing", "_writer", "number", "resume", "track")

    number: int

    def __init__(self, writer: "RecordingWriter", track: Track, resume: Resume | None) -> None:
        self.number = track.number
        self.track = track
        self.resume = resume
        self._writer = writer
        self._append = writer.queue.append
        self._losing: list[Loss | None] = [None, None]

    def chunk(self, side: int, time: int, kept: bytes, length: int) -> None:
        """Record that `length` bytes of `side` pass at `time` (ns); `kept` are the first ones."""
        writer = self._writer
        put = writer.put + len(kept) + OVERHEAD
        if put - writer.taken > writer.queue_limit:
            self._lose(side, time, len(kept), length)
            return
        if self._losing[side] is not None:
            self._losing[side] = None
        writer.put = put
        self._append((self, side, time, kept, length))

    def half_close(self, side: int, time: int) -> None:
        """Record that `side` sends no more."""
        self._put(time, "half-close", side)

    def reset(self, side: int, time: int) -> None:
        """Record that `side` hung up."""
        self._put(time, "reset", side)

    def note(self, note: Comment, time: int, *, at_once: bool = False) -> None:
        """Record something about the connection, as a comment of its next packet.

        What has to be seen `at_once`, though nothing passes, gets a packet of its own.
        """
        text = pcapng.comment({NOTE: note.json()})
        if self._writer.queued + len(text) <= self._writer.queue_limit:
            self._put(time, "remark" if at_once else "note", text, len(text))

    def close(self, time: int) -> None:
        """Record that the connection is over; nothing is recorded after it."""
        self._put(time, "close", None)

    def _put(self, time: int, event: str, about: object, size: int = 0) -> None:
        self._writer.put += size + OVERHEAD
        self._append((self, EVENT, time, None, (event, about, size + OVERHEAD)))

    def _lose(self, side: int, time: int, kept: int, length: int) -> None:
        writer = self._writer
        with writer.losses:
            writer.lost += kept
            loss = self._losing[side]
            if loss is not None and not loss.sealed:
                loss.kept += kept
                loss.length += length
                loss.chunks += 1
                loss.last = time
                return
            loss = Loss(kept, length, 1, time, time, writer.failure or SLOW)
            self._losing[side] = loss
            writer.put += OVERHEAD
            self._append((self, EVENT, time, None, ("loss", (side, loss), OVERHEAD)))


class Unrecorded(ConnectionLog):
    """A connection that began when the queue was so full that not even its opening fits."""

    __slots__ = ()

    def chunk(self, side: int, time: int, kept: bytes, length: int) -> None:
        """Count the bytes as lost."""
        with self._writer.losses:
            self._writer.lost += len(kept)

    def _put(self, time: int, event: str, about: object, size: int = 0) -> None:
        pass


class RecordingWriter:
    """A recording being written: to a file it creates, or to a stream (standard output).

    `about` (JSON) goes into the section header. `queue_limit` bounds, in bytes, what waits to
    be written. With `max_size` (bytes) a path rotates as `recording_file` says and the last
    `keep` files stay. `mode`: permissions of the files. Raises Problem when the file cannot be
    created.
    """

    def __init__(
        self,
        target: Path | IO[bytes],
        *,
        about: dict[str, object],
        queue_limit: int = 64 << 20,
        interval: float = 0.03,
        max_size: int | None = None,
        keep: int = 4,
        mode: int = PRIVATE,
    ) -> None:
        self.queue: deque[Entry] = deque()
        self.queue_limit = queue_limit
        self.put = 0
        """Bytes ever queued, and `taken`: bytes that left the queue for the file. Threads add to
        `put` without a lock; what that may lose is made good whenever the queue runs empty."""
        self.taken = 0
        self.lost = 0
        """Bytes that should have been recorded and were not, because queue or file failed."""
        self.vanished = 0
        """Bytes of the file that were written, and that somebody deleted, cut off or wrote over."""
        self.losses = threading.Lock()
        self._interval = interval
        self._opening = threading.Lock()
        self._opened = 0
        self._closing = threading.Event()
        if isinstance(target, Path):
            if max_size is not None and max_size < _SMALLEST:
                raise Problem(f"a recording of {max_size} bytes is too small: use {_SMALLEST}")
            if keep < 1:
                raise Problem(f"cannot keep {keep} recordings: keep at least 1")
            sink = RecordingFile(target, keep if max_size is not None else 1, mode)
            self._scribe = Scribe(self, sink, about, max_size)
        else:
            self._scribe = Scribe(self, RecordingStream(target), about, None)
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        """Bytes that wait to be written."""
        return self.put - self.taken

    @property
    def pressed(self) -> bool:
        """Whether the queue is more than half full: time to elide payload."""
        return self.put - self.taken > self.queue_limit >> 1

    @property
    def path(self) -> Path | None:
        """The file that is being written, None where it is a stream."""
        return self._scribe.path

    @property
    def files(self) -> list[Path]:
        """The files that hold what was recorded, the one being written first; [] of a stream."""
        return self._scribe.files

    @property
    def failure(self) -> str | None:
        """One line while the recording cannot be written, else None."""
        return self._scribe.failure

    def open(
        self,
        peer: Peer,
        about: dict[str, Any],
        *,
        time: int | None = None,
        resume: Resume | None = None,
        missing: str | None = None,
    ) -> ConnectionLog:
        """Record a new connection, numbered from 1, at `time` (ns since 1970, default now).

        `resume` is asked, in the writer's thread, when a new file begins in mid-connection. It
        returns JSON: what a reader needs to decode from there on, and to which stream offsets
        that applies; these may lie beyond the file's first bytes, which were queued already.
        `missing` is what nobody saw of it.
        """
        with self._opening:
            self._opened += 1
            number = self._opened
            opened = Opening("open", number, peer, about, missing=missing).json()
            full = self.queued > self.queue_limit * 2
            port = None if full else self._scribe.free_port(number)
            track = Track(number, port or CLIENT_PORTS[0], opened, str(peer))
            if port is None:
                self._scribe.unrecorded += 1
                return Unrecorded(self, track, resume)
            log = ConnectionLog(self, track, resume)
            size = len(pcapng.comment(opened)) + 1000
            log._put(clock.time_ns() if time is None else time, "open", None, size)
            return log

    def note(self, note: str | dict[str, Any]) -> None:
        """Record something that belongs to no connection, as a comment of the next packet."""
        self._scribe.notes.append(pcapng.comment({RECORDER: note}))

    def close(self, timeout: float = 10.0) -> None:
        """Write what waits and close; give up where nothing takes any for `timeout` seconds."""
        self._closing.set()
        taken = -1
        while self._thread.is_alive() and taken != self.taken:
            taken = self.taken
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._closing.wait(self._interval):
            self._scribe.turn()
        deadline = clock.monotonic() + _LAST_TRY
        while not self._scribe.turn() and clock.monotonic() < deadline:
            clock.sleep(self._interval)
        self._scribe.finish()
