"""A recording, finished or growing, as rows: one for each exchange.

The index takes 60 bytes an exchange; beside it stands one conversation for each connection
that is still open. `poll` reads what was appended, a bounded amount at a time, so that a
screen stays responsive while a large file is read. What an exchange says is decoded when
someone looks at it (`pix_inspect.session.exchange_view`).

Threads: one thread polls (`poll`, `read_all`) and closes; on a screen that is the screen's own.
Meanwhile any thread may ask what is known: `row`, `exchange`, `again`, `records`, `finished`,
`column`, `going_on`, `under_way`, `remarks`, `start_of`, `len`. It holds without a lock because

- what was read is only added to, and the interpreter runs one thread at a time: an operation on
  one dict, list or array is whole; what is gone through is copied first, in one such operation;
- an exchange is `open` until its record is whole, and a number counts once the exchange is there:
  who asks `open` first and reads the record after finds one or the other;
- an answer is made from one look: of an exchange that ends meanwhile it says that it goes on;
- packets behind what the index knows (`_taken`) are not shown.

A view belongs to the thread that asked for it until it is handed over, and is not changed after:
`again` returns another. Only one thread at a time may take up the same view.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pix.codec.declare import OPERATIONS
from pix.conversation.exchange import CLIENT, DAEMON, Exchange, Kind
from pix.conversation.notes import Note
from pix_inspect.recording.reader import Chunk, Event, Item, RecordingReader
from pix_inspect.recording.stall_notes import take
from pix_inspect.session.connection_follower import ConnectionRow, Watcher
from pix_inspect.session.exchange_view import ExchangeView, Place
from pix_inspect.session.index import NOWHERE, STATES, Entry, Finished, Index, Record, State

__all__ = ["STATES", "ConnectionRow", "Row", "Session", "State"]

BATCH = 500
MOST_NOTES = 10_000


class Row(NamedTuple):
    """One exchange, as far as the index knows it. Times in nanoseconds, sizes in bytes.

    `number` counts the recording's exchanges from 1 in order of start; `started` is since
    1970; `took` is None while it lasts; `log` is the number of log frames.
    """

    number: int
    connection: int
    kind: Kind
    operation: str | None
    code: int | None
    started: int
    took: int | None
    request_bytes: int
    reply_bytes: int
    state: State
    log: int


class Session:
    """The exchanges of a recording. Raises Problem when the file is no recording."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.reader = RecordingReader(self.path)
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
        self._index = Index()
        self._taken = 0
        """Bytes of the file whose packets the index knows."""

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
        while items := self.reader.poll(BATCH):
            changed = True
            self._take(items)
            self._taken = self.reader.consumed
            if clock.monotonic() >= until:
                break
        return changed

    def read_all(self) -> Session:
        """Read to the end of the file as it is now and return self."""
        while self.poll(1.0):
            pass
        return self

    # What passes ----------------------------------------------------------------------

    def _take(self, items: Iterable[Item]) -> None:
        watchers = self._watchers
        for item in items:
            if type(item) is Chunk:
                watcher = watchers.get(item[0])
                if watcher is None:
                    watcher = self._watch(item.connection, item.time, item.position)
                watcher.chunk(item)
                self.last = item[2]
            else:
                self._event(item)  # type: ignore[arg-type]  # the other of two types

    def _event(self, event: Event) -> None:
        time = event.time
        self.last = max(self.last, time)
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
        said = note.get("note")
        if watcher is not None and isinstance(said, dict) and "boundary" in said:
            watcher.boundary(said)
            return
        if number in self.connections and take(self.connections[number].stalls, said, time):
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
        peer, about = opened.get("peer"), opened.get("about")
        row = ConnectionRow(
            number,
            time,
            peer=peer if isinstance(peer, dict) else None,
            about=about if isinstance(about, dict) else None,
        )
        self.connections[number] = row
        watcher = self._watchers[number] = Watcher(row, position, self._index)
        if "continues" in opened:
            watcher.resume(opened["continues"], time)
        return watcher

    # What is known --------------------------------------------------------------------

    def row(self, i: int) -> Row:
        """Return the exchange of index `i` (its number minus 1). Raises IndexError."""
        return self._row(i, *self._index.look(i))

    def _row(self, i: int, entry: Entry, exchange: Exchange | None) -> Row:
        operation = OPERATIONS.get(entry.code) if entry.code is not None else None
        request, reply, took = entry.request_bytes, entry.reply_bytes, entry.took
        if exchange is not None:
            request, reply = self._sizes_so_far(exchange, entry.connection)
        return Row(
            i + 1,
            entry.connection,
            entry.kind,
            operation.name if operation is not None else None,
            entry.code,
            entry.started,
            None if took < 0 else took,
            request,
            reply,
            entry.state,
            entry.log,
        )

    def finished(self, first: int, last: int, going_on: list[int]) -> Iterator[Finished]:
        """Yield what is over of the exchanges `[first, last)` from 0, quickly, for counting.

        The numbers of those that go on are added to `going_on`.
        """
        return self._index.finished(first, last, going_on)

    def records(self, first: int, last: int) -> Iterator[tuple[int, Record | None]]:
        """Yield the exchanges `[first, last)` from 0 with their records, None where one says less
        than `row` would."""
        return self._index.records(first, last)

    def column(self, name: str) -> Callable[[int], int]:
        """Return what reads one value of an exchange that is over; see `Index.column`."""
        return self._index.column(name)

    def under_way(self) -> dict[int, int]:
        """Return, by open connection, the index of the earliest exchange that is not over."""
        found: dict[int, int] = {}
        for i, (_, connection, _) in sorted(self._index.open.copy().items()):
            found.setdefault(connection, i)
        return found

    def going_on(self, i: int) -> bool:
        """Return whether exchange `i` (from 0) is not over."""
        return i in self._index.open

    @staticmethod
    def name_of(code: int | None, kind: str) -> str:
        """Return what an exchange is counted as: its operation, or what else it is."""
        operation = OPERATIONS.get(code) if code is not None else None
        if operation is not None:
            return operation.name
        return kind if code is None else f"operation {code}"

    def _sizes_so_far(self, exchange: Exchange, connection: int) -> tuple[int, int]:
        watcher = self._watchers.get(connection)  # None: it has been closed since
        request = reply = 0
        if exchange.side == CLIENT:
            end = exchange.request_end
            if end is None and watcher is not None:
                end = watcher.received(CLIENT)
            request = (end or 0) - exchange.start
        start = exchange.start if exchange.side == DAEMON else exchange.daemon_start
        if start is not None:
            end = exchange.daemon_end
            if end is None and watcher is not None:
                end = watcher.received(DAEMON)
            reply = (end or 0) - start
        return max(request, 0), max(reply, 0)

    def exchange(self, i: int) -> ExchangeView:
        """Return exchange `i` decoded, as far as it has come. Raises IndexError."""
        view = ExchangeView(self.reader, self._place(i))
        view.session = self
        return view

    def again(self, view: ExchangeView) -> ExchangeView:
        """Return a view brought up to date; the same one if its exchange was over.

        The one given stays as it was, for whoever shows it.
        """
        if view.place.finished:
            return view
        return view.go_on(self._place(view.row.number - 1))

    def _place(self, i: int) -> Place:
        until = self._taken  # before the rest: a thread may look while another reads on
        entry, exchange = self._index.look(i)
        connection = self.connections[entry.connection]
        starts = (entry.client_start, entry.daemon_start)
        ends: list[int | None] = [NOWHERE, NOWHERE]
        if exchange is None:
            for side, size in ((CLIENT, entry.request_bytes), (DAEMON, entry.reply_bytes)):
                if starts[side] >= 0:
                    ends[side] = starts[side] + size
        else:
            ends = [exchange.request_end, exchange.daemon_end]
        return Place(
            row=self._row(i, entry, exchange),
            protocol=connection.protocol,
            daemon_nix=connection.daemon_nix,
            starts=starts,
            ends=(ends[CLIENT], ends[DAEMON]),
            position=entry.position,
            finished=exchange is None,
            until=until,
            complete=entry.complete,
            notes=self._index.notes(i),
        )

    def remarks(self, i: int) -> tuple[Note, ...]:
        """Return what was remarked on exchange `i` when it passed, without decoding it."""
        return self._index.notes(i)

    def start_of(self, i: int, side: int = CLIENT) -> int | None:
        """Return where exchange `i` begins in a side's stream, None where it says nothing."""
        entry = self._index.entry(i)
        start = entry.client_start if side == CLIENT else entry.daemon_start
        return start if start >= 0 else None


def lost_bytes(note: dict[str, Any]) -> int:
    """Return how many bytes a remark says were lost."""
    lost = note.get("lost")
    if isinstance(lost, dict):
        lost = lost.get("bytes")
    return lost if isinstance(lost, int) and not isinstance(lost, bool) and lost > 0 else 0
