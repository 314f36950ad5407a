"""A recording, finished or growing, as rows: one for each exchange.

The index is columns of numbers, some 60 bytes an exchange, and one conversation for each
connection that is still open. `poll` reads what was appended, a bounded amount at a time, so
that a screen stays responsive while a large file is read. What an exchange says is decoded
when someone looks at it (`pix_inspect.view`).

Knows recordings and conversations; nothing of screens, text or JSON.
"""

from __future__ import annotations

import time as clock
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from pix.conversation import Conversation
from pix.exchange import CLIENT, DAEMON, Exchange, Kind
from pix.gates import Protocol
from pix.schema import OPERATIONS
from pix_inspect.reader import Chunk, Event, RecordingReader
from pix_inspect.view import ExchangeView, Place

State: TypeAlias = Literal["open", "ok", "error", "cut", "opaque"]
STATES: tuple[State, ...] = ("open", "ok", "error", "cut", "opaque")
KINDS: tuple[Kind, ...] = ("handshake", "operation", "orphan", "opaque")
OPEN, OK, ERROR, CUT, OPAQUE = range(5)
NO_CODE = 0xFFFF
NOWHERE = -1
LONGEST = 0xFFFFFFFF
BATCH = 2000


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


@dataclass(slots=True)
class ConnectionRow:
    """One connection: when it was, who made it, what was agreed.

    Times in nanoseconds since 1970; `closed` is None while it is open.
    """

    number: int
    opened: int
    closed: int | None = None
    peer: dict[str, Any] | None = None
    about: dict[str, Any] | None = None
    protocol: Protocol | None = None
    daemon_nix: str | None = None
    exchanges: int = 0
    errors: int = 0
    lost: int = 0


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
        self.errors = 0
        self.lost = 0
        """Bytes that the recording says it could not keep."""
        self.notes: list[tuple[int, dict[str, Any]]] = []
        """What the recorder remarked: connection (0 for none) and the remark."""
        self._watchers: dict[int, _Watcher] = {}
        self._connection: array[int] = array("I")
        self._kind = bytearray()
        self._state = bytearray()
        self._code: array[int] = array("H")
        self._started: array[int] = array("q")
        self._took: array[int] = array("q")
        self._starts: tuple[array[int], array[int]] = (array("q"), array("q"))
        self._sizes: tuple[array[int], array[int]] = (array("I"), array("I"))
        self._log: array[int] = array("I")
        self._position: array[int] = array("Q")
        self._long: dict[tuple[int, int], int] = {}
        self._odd_codes: dict[int, int] = {}

    def close(self) -> None:
        """Close the file."""
        self.reader.close()

    def __len__(self) -> int:
        return len(self._kind)

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
        """Bytes read so far."""
        return self.reader.consumed

    @property
    def truncated(self) -> tuple[int, int] | None:
        """Where the last whole block ends and how many bytes follow it, if any do."""
        return self.reader.truncated

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
            for item in items:
                if type(item) is Chunk:
                    self._chunk(item)
                else:
                    self._event(item)  # type: ignore[arg-type]  # the other of two types
            if clock.monotonic() >= until:
                break
        return changed

    def read_all(self) -> Session:
        """Read to the end of the file as it is now and return self."""
        while self.poll(1.0):
            pass
        return self

    # What passes ----------------------------------------------------------------------

    def _chunk(self, chunk: Chunk) -> None:
        connection, side, time, _, data, length, position = chunk
        self.last = time
        if not self.started:
            self.started = time
        watcher = self._watchers.get(connection)
        if watcher is None:
            watcher = self._watch(connection, time)
        watcher.position = position
        if data:
            watcher.conversation.feed(side, data, time)
        missing = length - len(data)
        if missing:
            watcher.conversation.gap(side, missing, time)

    def _event(self, event: Event) -> None:
        time = event.time
        self.last = max(self.last, time)
        if not self.started:
            self.started = time
        number = event.connection
        note = event.note or {}
        if event.kind == "note" or number == 0:
            self.notes.append((number, note))
            self.lost += _lost(note)
            if number in self.connections:
                self.connections[number].lost += _lost(note)
            return
        if event.kind == "open":
            self._watch(number, time, note)
            return
        watcher = self._watchers.get(number)
        if watcher is None:
            return
        if event.kind == "half-close" and event.side is not None:
            watcher.conversation.eof(event.side, time)
        elif event.kind in ("close", "continue"):
            watcher.conversation.close(time)
            watcher.row.closed = time
            del self._watchers[number]
        elif event.kind == "reset" and event.side is not None:
            watcher.conversation.eof(event.side, time)

    def _watch(self, number: int, time: int, opened: dict[str, Any] | None = None) -> _Watcher:
        opened = opened or {}
        row = ConnectionRow(number, time, peer=opened.get("peer"), about=opened.get("about"))
        self.connections[number] = row
        watcher = _Watcher(self, row, opened.get("continues"))
        self._watchers[number] = watcher
        return watcher

    # Columns --------------------------------------------------------------------------

    def _add(self, watcher: _Watcher, exchange: Exchange) -> int:
        row = len(self._kind)
        code = exchange.code
        self._connection.append(watcher.row.number)
        self._kind.append(KINDS.index(exchange.kind))
        self._state.append(OPAQUE if exchange.kind == "opaque" else OPEN)
        if code is None:
            self._code.append(NO_CODE)
        elif code < NO_CODE:
            self._code.append(code)
        else:
            self._odd_codes[row] = code
            self._code.append(NO_CODE)
        self._started.append(exchange.started)
        self._took.append(-1)
        client = exchange.start if exchange.side == CLIENT else NOWHERE
        daemon = exchange.start if exchange.side == DAEMON else NOWHERE
        if exchange.kind == "handshake":
            client = daemon = 0
        self._starts[CLIENT].append(client)
        self._starts[DAEMON].append(daemon)
        self._sizes[CLIENT].append(0)
        self._sizes[DAEMON].append(0)
        self._log.append(0)
        self._position.append(watcher.position)
        watcher.row.exchanges += 1
        return row

    def _finish(self, row: int, exchange: Exchange) -> None:
        took = exchange.took
        self._took[row] = -1 if took is None else took
        self._log[row] = min(exchange.frames, LONGEST)
        if exchange.request_end is not None:
            self._set_size(row, CLIENT, exchange.request_end - exchange.start)
        if exchange.daemon_start is not None and exchange.daemon_end is not None:
            self._starts[DAEMON][row] = exchange.daemon_start
            self._set_size(row, DAEMON, exchange.daemon_end - exchange.daemon_start)
        if exchange.kind != "opaque":
            if exchange.error is not None:
                self._state[row] = ERROR
                self.errors += 1
                self.connections[self._connection[row]].errors += 1
            else:
                self._state[row] = OK if exchange.complete else CUT

    def _set_size(self, row: int, side: int, size: int) -> None:
        if size > LONGEST:
            self._long[row, side] = size
            size = LONGEST
        self._sizes[side][row] = max(size, 0)

    def _size(self, row: int, side: int) -> int:
        size = self._sizes[side][row]
        return self._long.get((row, side), size) if size == LONGEST else size

    # What is known --------------------------------------------------------------------

    def row(self, i: int) -> Row:
        """Return the exchange of index `i` (its number minus 1). Raises IndexError."""
        kind = KINDS[self._kind[i]]
        number = self._code[i]
        code = self._odd_codes.get(i) if number == NO_CODE else number
        operation = OPERATIONS.get(code) if code is not None else None
        took = self._took[i]
        request, reply = self._size(i, CLIENT), self._size(i, DAEMON)
        if took < 0:
            request, reply = self._sizes_so_far(i, request, reply)
        return Row(
            i + 1,
            self._connection[i],
            kind,
            operation.name if operation is not None else None,
            code,
            self._started[i],
            None if took < 0 else took,
            request,
            reply,
            STATES[self._state[i]],
            self._log[i],
        )

    def _sizes_so_far(self, i: int, request: int, reply: int) -> tuple[int, int]:
        """Sizes of an exchange that is still going on, from its conversation."""
        watcher = self._watchers.get(self._connection[i])
        exchange = watcher.open.get(i) if watcher is not None else None
        if watcher is None or exchange is None:
            return request, reply
        talk = watcher.conversation
        if exchange.side == CLIENT and exchange.kind != "orphan":
            end = exchange.request_end
            request = (talk.received(CLIENT) if end is None else end) - exchange.start
        start = exchange.start if exchange.side == DAEMON else exchange.daemon_start
        if start is not None:
            end = exchange.daemon_end
            reply = (talk.received(DAEMON) if end is None else end) - start
        return max(request, 0), max(reply, 0)

    def exchange(self, i: int) -> ExchangeView:
        """Return exchange `i` decoded, as far as it has come. Raises IndexError."""
        number = self._connection[i]
        connection = self.connections[number]
        starts = (self._starts[CLIENT][i], self._starts[DAEMON][i])
        ends: list[int | None] = [None, None]
        finished = self._took[i] >= 0
        for side in (CLIENT, DAEMON):
            if finished:
                ends[side] = starts[side] + self._size(i, side) if starts[side] >= 0 else NOWHERE
        watcher = self._watchers.get(number)
        live = watcher.open.get(i) if watcher is not None else None
        if live is not None:
            if live.daemon_start is not None:
                starts = (starts[0], live.daemon_start)
            ends[CLIENT] = live.request_end
            ends[DAEMON] = live.daemon_end
        place = Place(
            row=self.row(i),
            protocol=connection.protocol,
            daemon_nix=connection.daemon_nix,
            starts=starts,
            ends=(ends[CLIENT], ends[DAEMON]),
            position=self._position[i],
            finished=finished,
        )
        return ExchangeView(self.reader, place)


class _Watcher:
    """One open connection: its conversation, and the rows of its unfinished exchanges."""

    __slots__ = ("conversation", "open", "position", "row", "session")

    def __init__(
        self, session: Session, row: ConnectionRow, continues: dict[str, Any] | None
    ) -> None:
        self.session = session
        self.row = row
        self.position = session.reader.consumed
        self.open: dict[int, Exchange] = {}
        self.conversation = Conversation(self)
        if continues:
            self.conversation = _continued(self, continues)

    def started(self, exchange: Exchange) -> None:
        row = self.session._add(self, exchange)
        exchange.row = row  # type: ignore[attr-defined]  # where this observer keeps it
        self.open[row] = exchange

    def ended(self, exchange: Exchange) -> None:
        row: int = exchange.row  # type: ignore[attr-defined]  # put there by `started`
        del self.open[row]
        if exchange.kind == "handshake":
            self.row.protocol = exchange.protocol
            self.row.daemon_nix = self.conversation.daemon_nix
        self.session._finish(row, exchange)


def _continued(watcher: _Watcher, continues: dict[str, Any]) -> Conversation:
    """Return the conversation of a connection that began in an earlier file."""
    offsets = continues.get("offsets") or [0, 0]
    state = continues.get("state") or {}
    try:
        protocol = Protocol.parse(str(state["protocol"]), frozenset(state.get("features", ())))
        client, daemon = (int(offset) for offset in state.get("boundary") or offsets)
    except (KeyError, TypeError, ValueError):
        return watcher.conversation
    watcher.row.protocol = protocol
    watcher.row.daemon_nix = state.get("daemon_nix")
    return Conversation.resumed(
        protocol, client, daemon, watcher, daemon_nix=watcher.row.daemon_nix
    )


def _lost(note: dict[str, Any]) -> int:
    lost = note.get("lost")
    if isinstance(lost, dict):
        lost = lost.get("bytes")
    return lost if isinstance(lost, int) and not isinstance(lost, bool) and lost > 0 else 0
