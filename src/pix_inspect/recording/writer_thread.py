"""The writer thread's half of a recording: from the queue through packets to the file.

Blocks that could not be written wait in the sink and are tried again first, so nothing is
lost until the queue is full.
"""

import contextlib
import time as clock
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pix
from pix_inspect.recording import pcapng
from pix_inspect.recording.notes import FORMAT, OURS, RECORDER, Section, State, Unrecorded
from pix_inspect.recording.sinks import Sink
from pix_inspect.recording.stream_writer import Loss, Parts, Track
from pix_inspect.recording.tcp_headers import CLIENT_PORTS, LARGEST_SEGMENT

if TYPE_CHECKING:
    from pix_inspect.recording.writer import ConnectionLog, RecordingWriter

Entry = tuple["ConnectionLog", int, int, bytes | None, Any]
"""Log, side, time, kept bytes, length; or log, EVENT, time, None, (event, about, size)."""

EVENT = -1

OVERHEAD = 200
"""Bytes that an entry of the queue takes beside its data."""

NEEDS = 1
"""The oldest version of a reader that can read it."""

_BATCH = 1 << 20
_MANY_PARTS = 8192
_LOSS_PIECE = 1024 * LARGEST_SEGMENT
_LOOK = 1.0
"""Seconds between looks at whether the file is still there, and between tries to rotate."""


class Scribe:
    """Turns queue entries into blocks and gets them into the sink, one batch at a time."""

    def __init__(
        self,
        writer: "RecordingWriter",
        sink: Sink,
        about: dict[str, object],
        max_size: int | None,
    ) -> None:
        self.notes: deque[bytes] = deque(maxlen=64)
        self.unrecorded = 0
        """Connections of which nothing could be recorded."""
        self._writer = writer
        self._queue = writer.queue
        self._sink = sink
        self._about = about
        self._max_size = max_size
        self._batch = _BATCH if max_size is None else min(_BATCH, max_size // 4)
        self._logs: dict[int, ConnectionLog] = {}
        self._ports: set[int] = set()
        self._out: Parts = []
        self._in_hand = 0
        self._interfaces = 0
        self._files = 0
        self._begun = 0
        self._last_time = clock.time_ns()
        self._next_look = clock.monotonic() + _LOOK
        self._next_rotation = 0.0
        self._begin_file()

    @property
    def path(self) -> Path | None:
        """The file that is being written, None where it is a stream."""
        return self._sink.path

    @property
    def files(self) -> list[Path]:
        """The files that hold what was recorded, the one being written first; [] of a stream."""
        return [] if self._sink.path is None else [self._sink.path, *self._sink.left]

    @property
    def failure(self) -> str | None:
        """One line while the recording cannot be written, else None."""
        return self._sink.failure

    def free_port(self, number: int) -> int | None:
        """Return a client port that no open connection has, and take it; None if there is none."""
        for step in range(len(CLIENT_PORTS)):
            port = CLIENT_PORTS[(number - 1 + step) % len(CLIENT_PORTS)]
            if port not in self._ports:
                self._ports.add(port)
                return port
        return None

    def turn(self) -> bool:
        """Look after the file and write what is queued; return whether nothing is left.

        What there is no memory for is tried again.
        """
        with contextlib.suppress(MemoryError):
            self._turn()
        return not (self._queue or self._out or self._sink.pending)

    def _turn(self) -> None:
        now = clock.monotonic()
        if now >= self._next_look or self._sink.pending or self._sink.missing():
            self._next_look = now + _LOOK
            if self._sink.gone():
                self._replace()
        if self._sink.broken:
            self._drop()
        elif not (self._sink.pending or self._out) or self._flush():
            self._drain()

    def finish(self) -> None:
        """Count what cannot be written any more, leave the last notes, close the file."""
        if self._queue or self._sink.pending:
            self._drop()
        elif notes := self._waiting_notes():
            comments = [(pcapng.COMMENT, note) for note in notes]
            name = (pcapng.IF_NAME, b"recorder")
            block = pcapng.interface_description(pcapng.LINKTYPE_RAW, [name, *comments])
            self._sink.write(block)
        self._sink.close()

    def _drain(self) -> None:
        queue = self._queue
        out = self._out
        size = 0
        limit = self._batch
        left = len(queue)
        if left and (self.notes or self.unrecorded):
            self._leave_notes(queue[0][0].track)
        while left:
            left -= 1
            log, side, time, kept, length = entry = queue.popleft()
            try:
                if kept is None:
                    size += self._event(log, time, *length)
                else:
                    size += len(kept) + OVERHEAD
                    log.track.chunk(side, time, kept, length, out)
            except MemoryError:
                queue.appendleft(entry)
                raise
            if size >= limit or len(out) > _MANY_PARTS:
                self._in_hand += size
                size = 0
                self._last_time = time
                if not self._flush():
                    return
        self._in_hand += size
        if out:
            self._last_time = time
            self._flush()
        elif self._in_hand:
            self._settle()

    def _event(self, log: "ConnectionLog", time: int, event: str, about: Any, size: int) -> int:
        track = log.track
        out = self._out
        if event == "open":
            self._logs[log.number] = log
            track.begin(self._interfaces, time, out)
            self._interfaces += 1
        elif event == "note":
            track.note(about, time, out)
        elif event == "remark":
            track.remark(about, time, out)
        elif event == "half-close":
            track.half_close(about, time, out)
        elif event == "reset":
            track.reset(about, time, out)
        elif event == "loss":
            self._lose(log, time, about)
        elif event == "close":
            track.close(time, out)
            self._forget(log)
        return size

    def _lose(self, log: "ConnectionLog", time: int, about: tuple[int, Loss]) -> None:
        side, loss = about
        with self._writer.losses:
            loss.sealed = True
        while not log.track.lose(side, loss, self._out, _LOSS_PIECE):
            if not self._flush():
                self._queue.appendleft((log, EVENT, time, None, ("loss", about, 0)))
                break

    def _flush(self) -> bool:
        blocks = b"".join(self._out)
        self._out.clear()
        if not self._sink.write(blocks):
            return False
        self._settle()
        if self._max_size is not None:
            self._rotate_if_full(self._max_size)
        return True

    def _settle(self) -> None:
        writer = self._writer
        writer.taken += self._in_hand
        self._in_hand = 0
        if not self._queue:
            writer.taken = writer.put

    def _waiting_notes(self) -> list[bytes]:
        notes = []
        while self.notes:
            notes.append(self.notes.popleft())
        if self.unrecorded:
            count, self.unrecorded = self.unrecorded, 0
            notes.append(pcapng.comment({RECORDER: Unrecorded(count).json()}))
        return notes

    def _leave_notes(self, track: Track) -> None:
        for note in self._waiting_notes():
            track.note(note, self._last_time, self._out)

    def _drop(self) -> None:
        """Empty the queue unwritten; its bytes are lost."""
        lost = len(self._sink.pending)
        self._sink.pending = b""
        while self._queue:
            log, _, _, kept, about = self._queue.popleft()
            if kept is not None:
                lost += len(kept)
            elif about[0] == "close":
                self._forget(log)
        with self._writer.losses:
            self._writer.lost += lost
        self._settle()

    def _replace(self) -> None:
        """Go on in a new file: the old one is gone."""
        pending = len(self._sink.pending)
        lost = self._sink.renew()
        if lost is not None:
            with self._writer.losses:
                self._writer.lost += pending
                self._writer.vanished += lost
            self._begin_file()

    def _rotate_if_full(self, max_size: int) -> None:
        full = self._sink.size + self._batch > max_size and self._sink.size > 2 * self._begun
        if full and clock.monotonic() >= self._next_rotation:
            if self._sink.rotate():
                self._begin_file()
            else:
                self._next_rotation = clock.monotonic() + _LOOK

    def _begin_file(self) -> None:
        """Write what a reader needs from the first byte: the section and the open connections."""
        self._files += 1
        head = Section.of(
            recording=OURS,
            format=FORMAT,
            needs=NEEDS,
            version=pix.__version__,
            file=self._files,
            about=self._about,
        )
        tool = f"pix-inspect {pix.__version__}".encode()
        options = [(pcapng.COMMENT, pcapng.comment(head)), (pcapng.SHB_USERAPPL, tool)]
        self._out.append(pcapng.section_header(options))
        self._interfaces = 0
        for log in self._logs.values():
            log.track.resume(self._interfaces, self._last_time, self._out, self._state(log))
            self._interfaces += 1
        blocks = b"".join(self._out)
        self._out.clear()
        self._begun = len(blocks)
        self._sink.write(blocks)

    def _forget(self, log: "ConnectionLog") -> None:
        self._logs.pop(log.number, None)
        self._ports.discard(log.track.port)

    def _state(self, log: "ConnectionLog") -> dict[str, Any] | None:
        if log.resume is None:
            return None
        try:
            return log.resume()
        except Exception as error:  # the tap's trouble must not end the recording
            return State.of(failed=f"{type(error).__name__}: {error}")
