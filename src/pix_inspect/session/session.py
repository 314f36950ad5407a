"""A recording, finished or growing, as rows: one for each exchange.

The index takes 59 bytes an exchange; beside it stands one conversation for each connection
that is still open. `poll` reads what was appended, a bounded amount at a time, so that a
screen stays responsive while a large file is read. What an exchange says is decoded when
someone looks at it (`pix_inspect.session.exchange_view`).

Threads: one thread polls (`poll`, `read_all`) and closes; on a screen that is the screen's own.
Meanwhile any thread may ask what is known: `row`, `rows`, `exchange`, `again`, `column`,
`going_on`, `under_way`, `remarks`, `len`. It holds without a lock because

- what was read is only added to, and the interpreter runs one thread at a time: an operation on
  one dict, list or array is whole; what is gone through is copied first, in one such operation;
- an exchange is `open` until its record is whole, and a number counts once the exchange is there:
  who asks `open` first and reads the record after finds one or the other;
- an answer is made from one look: of an exchange that ends meanwhile it says that it goes on;
- packets behind what the index knows (`reader.consumed`) are not shown.

A view belongs to the thread that asked for it until it is handed over, and is not changed after:
`again` returns another. Only one thread at a time may take up the same view.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pix.conversation.exchange import CLIENT
from pix.conversation.notes import Note, Reason
from pix_inspect.recording.notes import (
    Called,
    CommandEnded,
    Continuation,
    Made,
    Opening,
    Refused,
    StandardError,
    State,
    lost_bytes,
    made_of,
    note_of,
)
from pix_inspect.recording.reader import Event, RecordingReader
from pix_inspect.recording.stall_notes import take
from pix_inspect.recording.stream_reader import ChunksSeen
from pix_inspect.session.connection_follower import ConnectionRow, Watcher
from pix_inspect.session.exchange_view import ExchangeView, Place
from pix_inspect.session.index import Index
from pix_inspect.session.row import Row

__all__ = ["ConnectionRow", "Row", "Session"]

BATCH = 500
MOST_NOTES = 10_000


class Session:
    """The exchanges of a recording. Raises Problem when the file is not a recording."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.reader = RecordingReader(self.path)
        self.made: Made = made_of(self.reader.about)
        """What it says of how it was made."""
        self.connections: dict[int, ConnectionRow] = {}
        self.started = 0
        """When the first packet passed, nanoseconds since 1970; 0 before there is one."""
        self.last = 0
        """When the newest packet passed."""
        self.lost = 0
        """Bytes that the recording says it could not keep."""
        self.notes: list[tuple[int, dict[str, Any]]] = []
        """What the recorder remarked: connection (0 for none) and the remark."""
        self._watchers: dict[int, Watcher] = {}
        self._unsettled: list[Watcher] = []
        """Those that may have to guess how their connection began."""
        self._index = Index()

    def close(self) -> None:
        self.reader.close()

    def __len__(self) -> int:
        return self._index.length

    @property
    def about(self) -> dict[str, Any]:
        """What the recording says about itself."""
        return self.reader.about

    @property
    def size(self) -> int:
        """Bytes of the file, as far as is known."""
        return self.reader.size

    @property
    def consumed(self) -> int:
        return self.reader.consumed

    @property
    def truncated(self) -> tuple[int, int] | None:
        """Where the last whole block ends and how many bytes follow it, if any do."""
        return self.reader.truncated

    @property
    def errors(self) -> int:
        """How many exchanges ended in an error."""
        return self._index.errors

    @property
    def open_connections(self) -> int:
        """How many connections have not ended."""
        return len(self._watchers)

    def poll(self, seconds: float = 0.02) -> bool:
        """Read what was appended, for about `seconds` at most; True when anything was."""
        until = clock.monotonic() + seconds
        changed = False
        while self.reader.follow(self, BATCH):
            changed = True
            self.last = self.reader.latest
            if clock.monotonic() >= until:
                break
        else:  # no more is known for now
            while self._unsettled:
                changed |= self._unsettled.pop().settle()
        return changed

    def read_all(self) -> Session:
        """Read to the end of the file as it is now and return self."""
        while self.poll(1.0):
            pass
        return self

    # What passes ----------------------------------------------------------------------

    def connection(self, number: int, time: int, position: int) -> ChunksSeen:
        """Return what takes the chunks of a connection, which may not have been seen before."""
        return (self._watchers.get(number) or self._watch(number, time, position)).chunks

    def event(self, event: Event) -> None:
        """Take what happened to a connection or to the recording."""
        time = event.time
        if not self.started:
            self.started = time
        number = event.connection
        note = event.note or {}
        watcher = self._watchers.get(number)
        if event.kind == "note" or number == 0:
            self._note(number, note, watcher, time)
        elif event.kind == "open":
            self._watch(number, time, event.position, note)
        elif watcher is None or event.kind == "continue":
            return  # a recording that was rotated and is read on goes on as if it were one file
        elif event.kind == "close":
            watcher.close(time)
            self.connections[number].closed = time
            del self._watchers[number]
        elif event.side is not None:
            watcher.eof(event.side, time)

    def _note(self, number: int, note: dict[str, Any], watcher: Watcher | None, time: int) -> None:
        said = note_of(note)
        if watcher is not None and isinstance(said, State):
            watcher.boundary(said)
            return
        if number in self.connections:
            if isinstance(said, Refused) and watcher is not None:
                watcher.failed(Note(Reason.UNREACHED, found=said.why))
            elif isinstance(said, CommandEnded) and watcher is not None:
                watcher.failed(Note(Reason.COMMAND_ENDED, found=said.how))
            elif isinstance(said, StandardError):
                pieces = self.connections[number].standard_error
                if len(pieces) < MOST_NOTES:
                    pieces.append((time, said.text))
                return
            elif isinstance(said, Called):
                if watcher is not None:
                    self.connections[number].calls.begin(watcher.received(CLIENT), said.call)
                return
            elif take(self.connections[number].stalls, said, time):
                return
        if len(self.notes) < MOST_NOTES:
            self.notes.append((number, note))
        lost = lost_bytes(note)
        self.lost += lost
        if number in self.connections:
            self.connections[number].lost += lost

    def _watch(
        self, number: int, time: int, position: int, opened: dict[str, Any] | None = None
    ) -> Watcher:
        if not self.started:
            self.started = time
        opened = opened or {}
        opening = Opening.read(opened) or Opening("open")
        row = self.connections[number] = ConnectionRow(number, time, peer=opening.peer)
        watcher = self._watchers[number] = Watcher(row, position, self._index)
        if "continues" in opened or opening.missing is not None:
            watcher.resume(opening.continues or Continuation(), time, opening.missing)
            self._unsettled.append(watcher)
        return watcher

    # What is known --------------------------------------------------------------------

    def row(self, i: int) -> Row:
        """Return the exchange of index `i` (its number minus 1). Raises IndexError."""
        return self._index.row(i)

    def rows(self, first: int, last: int) -> Iterator[Row]:
        """Yield the exchanges `[first, last)` from 0, quickly, for looking through."""
        return self._index.rows(first, last)

    def column(self, name: str) -> Callable[[int], int]:
        """Return what reads a column of an exchange to sort by; see `Index.column`."""
        return self._index.column(name)

    def under_way(self) -> dict[int, int]:
        """Return, by open connection, the index of the earliest exchange that is not over."""
        found: dict[int, int] = {}
        for i, live in sorted(self._index.open.copy().items()):
            found.setdefault(live[1], i)
        return found

    def going_on(self, i: int) -> bool:
        """Return whether exchange `i` (from 0) is not over."""
        return i in self._index.open

    def exchange(self, i: int) -> ExchangeView:
        """Return exchange `i` decoded, as far as it has come. Raises IndexError."""
        view = ExchangeView(self.reader, self._place(i))
        view.session = self
        return view

    def again(self, view: ExchangeView) -> ExchangeView:
        """Return a view brought up to date; the same one if its exchange was over.

        The one given stays as it was, for whoever shows it.
        """
        if view.row.took is not None:
            return view
        return view.go_on(self._place(view.row.number - 1))

    def _place(self, i: int) -> Place:
        until = self.reader.consumed  # before the rest: a thread may look while another reads on
        row, exchange = self._index.look(i)
        connection = self.connections[row.connection]
        return Place(
            row=row,
            protocol=connection.protocol,
            daemon_nix=connection.daemon_nix,
            ends=row.ends if exchange is None else (exchange.request_end, exchange.daemon_end),
            until=until,
            notes=self._index.notes(i),
        )

    def remarks(self, i: int) -> tuple[Note, ...]:
        """Return what was remarked on exchange `i` when it passed, without decoding it."""
        return self._index.notes(i)
