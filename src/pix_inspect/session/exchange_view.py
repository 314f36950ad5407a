"""One exchange, looked at: its bytes, its log frames and its trees.

The recording is read again from the exchange's first packet, with a conversation that goes
on where the exchange begins; nothing of this is kept by the index. Every field knows its
side and its span in the stream, so that fields and bytes are one selection.
"""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pix.codec.cursor import Limits
from pix.codec.declare import OPERATIONS, STDERR_FRAMES
from pix.codec.errors import DecodeError
from pix.codec.gates import WORKER, Family, Protocol
from pix.codec.lazy import Made
from pix.codec.records import Record
from pix.codec.values import Tree, tree
from pix.codec.wire import Node, Wire
from pix.conversation import Conversation
from pix.conversation.exchange import CLIENT, DAEMON, Exchange, LogFrame, exchange_of
from pix.conversation.notes import Note
from pix.conversation.round_trips import before_reply
from pix.dataclass import dataclass, field
from pix.protocol.handshake import HELLOS
from pix.protocol.logging import STDERR_ERROR
from pix_inspect.recording.notes import GrpcCall
from pix_inspect.recording.reader import Chunk, RecordingReader
from pix_inspect.session import standard_error
from pix_inspect.session.kept_bytes import Kept

if TYPE_CHECKING:
    from pix_inspect.session.session import Row, Session

NEVER = 1 << 62
MAGIC = 8
"""Bytes of a side's first word."""
LONGEST_TREE = 64 << 20
"""Bytes of one request or reply that are turned into a tree."""
FEW = 10_000
"""Log frames of an exchange that are kept decoded; more are decoded anew each time."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is known of an exchange before it is read: by side, where it ends (-1 unknown, None
    not yet known).

    Nothing is known of packets at the position `until` or behind. `notes` is what was remarked
    on it when it passed, in the light of what came before it.
    """

    row: Row
    protocol: Protocol | None
    daemon_nix: str | None
    ends: tuple[int | None, int | None]
    until: int = NEVER
    notes: tuple[Note, ...] = ()


@dataclass(slots=True)
class Part:
    """One decoded part of an exchange: a request, a log frame, a reply, an error, a hello.

    `error` says where and why decoding stopped short.
    """

    name: str
    side: int
    start: int
    end: int | None
    node: Node | None
    error: DecodeError | None = None
    time: int | None = None
    frame: LogFrame | None = None


@dataclass(slots=True)
class PayloadView:
    """The payload of an exchange: bytes of its content on the wire, and how many were kept.

    `spans` are where the content stands: side, start, length; `runs` what in it is bulk: of a
    NAR that stands bare in the stream, the contents of its files.
    """

    name: str
    content: str
    carriage: str
    side: int
    bytes: int
    kept: int
    spans: list[tuple[int, int, int]] = field(default_factory=list)
    runs: list[tuple[int, int, int]] = field(default_factory=list)


class ExchangeView:
    """An exchange with everything that can be known of it; decoded when first asked."""

    def __init__(self, reader: RecordingReader, place: Place) -> None:
        self.place = place
        self.row = place.row
        self.protocol = place.protocol
        self.session: Session | None = None
        """Where it was looked up, for what can be said of it only in its surroundings."""
        self.lacks = False
        """Whether bytes that were counted once are not there: the file was cut or rotated since."""
        self._shown: Callable[[Node], Node] | None = None
        self._said: Callable[[str], str] = str
        self._reader = reader
        self._begin()

    def go_on(self, place: Place) -> ExchangeView:
        """Return the view with what passed since; `place` says where the exchange stands now.

        This one is left to those who look at it; it cannot be gone on with again.
        """
        view = copy.copy(self)
        view.place = place
        view.row = place.row
        view._seen = list(self._seen)
        view._forget()
        if self.row.starts != place.row.starts:
            view._begin()  # a side has said its first word: only now its offsets are known
        else:
            view._read()
        return view

    def shown_by(self, shown: Callable[[Node], Node], said: Callable[[str], str]) -> ExchangeView:
        """Return a view of the same exchange with the trees and lines that these make of them."""
        view = copy.copy(self)
        view._shown = shown
        view._said = said
        view._forget()
        return view

    def _forget(self) -> None:
        for name in ("log", "_heads"):
            self.__dict__.pop(name, None)

    def _begin(self) -> None:
        connection = self.row.connection
        reader = self._reader
        self.kept = (Kept(reader, connection, CLIENT), Kept(reader, connection, DAEMON))
        self.exchange: Exchange | None = None
        self._talk: Conversation | None = None
        self._seen = list(self.row.starts)
        self._read_to = -1
        """The position of the last packet that was read."""
        if not self._read_plain():
            self._talk = self._conversation()
            self._read()

    def _conversation(self) -> Conversation | None:
        place = self.place
        row = place.row
        limits = Limits(waiting=NEVER)
        if row.kind == "handshake":
            return Conversation(detail=True, limits=limits)
        if row.kind == "opaque" or place.protocol is None:
            return None
        client, daemon = (max(start, 0) for start in row.starts)
        return Conversation(
            detail=True,
            limits=limits,
            protocol=place.protocol,
            daemon_nix=place.daemon_nix,
            offsets=(client, daemon),
        )

    def _read_plain(self) -> bool:
        """Read a round trip of which the index says all but its bytes, if it is two packets."""
        place = self.place
        row, protocol = place.row, place.protocol
        if row.state != "ok" or row.code is None or row.frames or place.notes:
            return False
        operation = OPERATIONS.get(row.code)
        if operation is None or protocol is None:
            return False
        if operation.request.payload is not None or operation.reply.payload is not None:
            return False
        packets: list[Chunk] = []
        for item in self._reader.read_from(row.position):
            if item.connection != row.connection:
                continue
            side = len(packets)
            if (
                not isinstance(item, Chunk)
                or item.side != side
                or item.offset != row.starts[side]
                or item.offset + item.length != place.ends[side]
                or len(item.data) != item.length
                or item.position >= place.until
            ):
                return False
            packets.append(item)
            if side == DAEMON:
                break
        else:
            return False
        asked, answer = packets
        for kept, item in zip(self.kept, packets, strict=True):
            kept.add(item.offset, item.data, item.length, item.position)
        number, start, end = 1, asked.offset, asked.offset + asked.length
        exchange = exchange_of((number, operation, start, end, asked.time), protocol)
        exchange.daemon_start, exchange.daemon_end = answer.offset, answer.offset + answer.length
        exchange.reply = (answer.offset + len(before_reply(protocol)), exchange.daemon_end)
        exchange.answered = exchange.ended = answer.time
        exchange.settled = exchange.complete = True
        exchange.log, exchange.payload_runs = [], []
        self.exchange = exchange
        return True

    def _read(self) -> None:
        place, talk, seen = self.place, self._talk, self._seen
        ends = [NEVER if end is None else end for end in place.ends]
        for side in (CLIENT, DAEMON):
            if self.row.starts[side] < 0 or ends[side] < 0:  # it says nothing here, or not yet
                seen[side], ends[side] = NEVER, -1
        connection = place.row.connection
        latest = -1
        for item in self._reader.read_from(max(self.row.position, self._read_to)):
            if item.position >= place.until:
                break
            if item.connection != connection or item.position <= self._read_to:
                continue
            if not isinstance(item, Chunk):
                if item.kind == "close":
                    if talk is not None and self.row.took is None:
                        talk.close(item.time)
                    break
                if talk is not None and item.side is not None:
                    talk.eof(item.side, item.time)
                continue
            _, side, time, offset, data, length, position = item
            first, last, cut = offset, offset + length, data
            if first < seen[side] or last > ends[side]:
                first, last = max(first, seen[side]), min(last, ends[side])
                cut = data[max(first - offset, 0) : max(last - offset, 0)]
            if first < last:
                self.kept[side].add(first, cut, last - first, position)
                if talk is not None:
                    if len(cut):
                        talk.feed(side, cut, time)
                    if missing := last - first - len(cut):
                        talk.gap(side, missing, time)
                seen[side] = last
                latest = position
            if seen[CLIENT] >= ends[CLIENT] and seen[DAEMON] >= ends[DAEMON]:
                break
        self._read_to = max(self._read_to, latest)
        self.lacks = self.row.took is not None and any(
            known < end != NEVER for known, end in zip(seen, ends, strict=True)
        )
        if talk is None:
            return
        if self.row.took is not None:
            talk.close(self.row.started + self.row.took)
        wanted = place.row.kind
        for exchange in talk.exchanges:
            if exchange.kind == wanted:
                self.exchange = exchange
                exchange.notes = place.notes
                self.protocol = exchange.protocol or self.protocol
                break

    @property
    def family(self) -> Family | None:
        """Which protocol is spoken, as far as is known."""
        if self.protocol is not None:
            return self.protocol.family
        return None if self._talk is None else self._talk.family

    # Decoding -------------------------------------------------------------------------

    @property
    def parts(self) -> Iterator[Part]:
        """The decoded parts in the order of the conversation."""
        return self.parts_with(self.log)

    def parts_with(self, log: Iterable[Part]) -> Iterator[Part]:
        """Yield the parts in their order, of the log frames these alone."""
        asked = [part for part in self._heads if part.name == "request"]
        rest = [part for part in self._heads if part.name != "request"]
        return itertools.chain(asked, log, rest)

    def part(self, name: str) -> Part | None:
        """Return the part called `request`, `reply` or `error`."""
        for part in self._heads:
            if part.name == name:
                return part
        return None

    def field(self, part: str, name: str) -> Node | None:
        """Return a field of the part called so, None where it is not there."""
        found = self.part(part)
        return found.node.find(name) if found is not None and found.node is not None else None

    @functools.cached_property
    def log(self) -> Sequence[Part]:
        """The log frames, decoded as they are asked for; of few, each stays the same object."""
        frames = (self.exchange.log if self.exchange is not None else None) or []
        known: dict[int, Part] = {}

        def decoded(frame: LogFrame) -> Part:
            part = known.get(frame.start) or self._log_part(frame)
            if len(frames) <= FEW:
                known[frame.start] = part
            return part

        return Made(frames, decoded)

    def _log_part(self, frame: LogFrame) -> Part:
        part = self._part(
            frame.frame.name,
            DAEMON,
            frame.start + 8,
            frame.end,
            frame.frame.fields,
            self.protocol or Protocol(0),
        )
        part.start = frame.start
        part.time = frame.time
        part.frame = frame
        return part

    @functools.cached_property
    def _heads(self) -> list[Part]:
        """The decoded parts without the log."""
        exchange = self.exchange
        if exchange is None:
            return []
        protocol = self.protocol or Protocol(0, family=self.family or WORKER)
        parts: list[Part] = []
        if exchange.kind == "handshake":
            parts.append(self._hello("request", CLIENT, exchange.request_end, protocol))
        elif exchange.kind == "operation" and exchange.operation is not None:
            end = exchange.payload_start or exchange.request_end
            parts.append(
                self._part(
                    "request", CLIENT, exchange.start + 8, end, exchange.operation.request, protocol
                )
            )
        if exchange.kind == "handshake":
            if exchange.daemon_start is not None:
                end = exchange.reply[1] if exchange.reply is not None else exchange.daemon_end
                parts.append(self._hello("reply", DAEMON, end, protocol))
        elif exchange.reply is not None and exchange.operation is not None:
            start, end = exchange.reply
            if exchange.reply_payload_start is not None:
                end = exchange.reply_payload_start
            parts.append(
                self._part("reply", DAEMON, start, end, exchange.operation.reply, protocol)
            )
        if exchange.error is not None:
            start, end = exchange.error
            fields = STDERR_FRAMES[STDERR_ERROR].fields
            part = self._part("error", DAEMON, start + 8, end, fields, protocol)
            part.start = start
            parts.append(part)
        return parts

    def _hello(self, name: str, side: int, end: int | None, protocol: Protocol) -> Part:
        """Return a side's part of the handshake; behind a wrong magic nothing is a field."""
        hello, first = HELLOS[protocol.family][side], self.kept[side].first(0, MAGIC)
        if len(first) < MAGIC or int.from_bytes(first, "little") == protocol.family.magics[side]:
            return self._part(name, side, 0, end, hello, protocol)
        alone = Record(hello.name, hello.doc, hello.kind, hello.fields[:1], None)
        return self._part(name, side, 0, MAGIC, alone, protocol)

    def _part(
        self, name: str, side: int, start: int, end: int | None, wire: Wire, protocol: Protocol
    ) -> Part:
        kept = self.kept[side]
        stop = kept.end if end is None else end
        data = kept.first(start, min(stop, start + LONGEST_TREE))
        decoded: Tree = tree(wire, data, protocol, name=name, base=start)
        node = decoded.nodes[0] if decoded.nodes else None
        error = decoded.error
        if error is None and end is not None and decoded.end != end and name != "error":
            error = DecodeError(
                decoded.end, f"the end of the {name}", f"{end - decoded.end} more bytes"
            )
        return Part(name, side, start, end, None if node is None else self.shown(node), error)

    def shown(self, node: Node) -> Node:
        """Return what is to be seen of a decoded value."""
        return node if self._shown is None else self._shown(node)

    @property
    def payload(self) -> PayloadView | None:
        """The exchange's payload, None when its operation has none in this version."""
        exchange = self.exchange
        if exchange is None or exchange.operation is None or self.protocol is None:
            return None
        for side, record in (
            (CLIENT, exchange.operation.request),
            (DAEMON, exchange.operation.reply),
        ):
            declared = record.payload
            carriage = declared.carriage(self.protocol) if declared is not None else None
            if declared is None or carriage is None:
                continue
            if exchange.payload_side is None and not exchange.payload_bytes:
                return None
            runs = list(self._passed(exchange.payload_runs or []))
            spans = self._bare(exchange, side) if carriage.bare else [run for run in runs if run[2]]
            kept = sum(self.kept[where].count(at, at + length) for where, at, length in spans)
            return PayloadView(
                declared.name,
                declared.content,
                carriage.name,
                side,
                sum(length for _, _, length in spans),
                kept,
                spans,
                runs,
            )
        return None

    def _passed(self, runs: Iterable[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
        """Yield the runs of a payload as far as they passed; a frame's head announces more."""
        for side, at, length in runs:
            if (passed := min(length, self.kept[side].end - at)) > 0 or not length:
                yield side, at, passed

    def _bare(self, exchange: Exchange, side: int) -> list[tuple[int, int, int]]:
        """Return where a payload stands that is neither framed nor pulled."""
        start, end = exchange.payload_start, exchange.request_end
        if side == DAEMON:
            start, end = exchange.reply_payload_start, exchange.daemon_end
            if exchange.error is not None:
                end = exchange.error[0]
        if start is None:
            return []
        length = (self.kept[side].end if end is None else end) - start
        return [(side, start, length)] if length > 0 else []

    @property
    def standard_error(self) -> list[str]:
        """The lines that the daemon wrote to its standard error meanwhile, as it wrote them."""
        if self.session is None:
            return []
        return [self._said(line) for line in standard_error.lines(self.session, self.row)]

    @property
    def grpc(self) -> GrpcCall | None:
        """The call of the gateway for which it was asked, None where it was for none."""
        if self.session is None:
            return None
        return self.session.connections[self.row.connection].calls.at(self.row.client_start)

    def bytes(self, side: int, start: int, end: int) -> list[tuple[int, bytes | None]]:
        """Return the kept bytes `[start, end)` of a side, None for an elided piece."""
        return self.kept[side].read(start, end)

    def span(self, side: int) -> tuple[int, int]:
        """Return `[start, end)` of this exchange in a side's stream; equal when it has none."""
        start = self.row.starts[side]
        exchange = self.exchange
        if start < 0 and exchange is not None and side == DAEMON:
            start = exchange.daemon_start if exchange.daemon_start is not None else -1
        if start < 0:
            return (0, 0)
        end = self.place.ends[side]
        return (start, max(start, self.kept[side].end if end is None else end))

    @property
    def notes(self) -> tuple[str, ...]:
        """What is irregular about the exchange, with offsets; of a long log, about its first
        FEW frames."""
        found = list(map(str, self.place.notes))
        for part in self.parts_with(self.log[:FEW] if self.row.frames else ()):
            if part.error is not None:
                found.append(f"{part.name}: {part.error}")
            if part.node is not None:
                found += irregular(part.node, part.name)
        return tuple(found)


def irregular(node: Node, path: str) -> list[str]:
    """Return what is irregular in a tree, in words, each with its place."""
    found: list[str] = []
    stack = [] if node.is_usual else [(node, path)]
    while stack:
        node, path = stack.pop()
        if node.irregular is not None:
            found.append(f"{path} at byte {node.start}: {node.irregular}")
        stack.extend(
            (child, f"{path}.{child.name}")
            for child in node.children or ()
            if child.children is not None or child.irregular is not None
        )
    return found
