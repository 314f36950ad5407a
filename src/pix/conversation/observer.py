"""Two byte streams in, exchanges out: who speaks when, and what answers what.

`Conversation` is a passive observer, sans I/O. Feed it what passed in either direction, in
any chunking; it scans each direction with a generator of its own and joins them by a queue
of operations that wait for their reply.

    Rule 1. Bytes are never changed, kept or waited for by anyone but the observer. What is
            not understood makes that direction opaque to its end; the other goes on.
    Rule 2. A direction depends on the other in these places only: the negotiated version
            and features; payload that the daemon pulls; which operation a reply answers.
            There it waits, bounded by `Limits.waiting`.
    Rule 3. Chunks come in the order in which they were seen, so a reply is never fed before
            its request. Where the order between the directions is not known, `lockstep`
            makes one up: it holds each request back until the one before it is answered.

The parts: `handshake` hears the handshake, `requests` and `answers` what comes after it,
`open_exchanges` keeps the exchanges; here the two directions take their turns.
Nothing decodes a field; spans say where they are.
"""

from __future__ import annotations

from collections import deque
from functools import partial

from pix.codec.cursor import Limits, Program, Scan, behind
from pix.codec.declare import OPERATIONS, Operation
from pix.codec.errors import DecodeError
from pix.codec.gates import Family, Protocol
from pix.conversation.answers import DaemonSide
from pix.conversation.direction import Lane
from pix.conversation.exchange import CLIENT, DAEMON, Asked, Exchange
from pix.conversation.handshake import Handshake
from pix.conversation.notes import GUIX, Note, Reason, note_of
from pix.conversation.open_exchanges import (
    TOGETHER,
    Collector,
    Ledger,
    Observer,
    PayloadSeen,
)
from pix.conversation.requests import ClientSide
from pix.conversation.round_trips import (
    Passed,
    Plain,
    RoundTripSeen,
    Shape,
    before_reply,
    glance,
    plain,
)

AT_ONCE = 512
"""Chunks among which round trips are looked for at a time."""
MOST_REMEMBERED = 4096
"""Bytes of an answer that is remembered to know it again."""


class Conversation:
    """The exchanges of one connection, as its bytes pass by.

    `detail` keeps log frames and payload runs on the exchanges (memory grows with them);
    `on_payload` is told of payload as it is announced. With a `protocol` the conversation goes
    on between two operations, at these stream offsets, the client's first. Without an observer
    the exchanges are collected in `exchanges`. With `lockstep`, `turns` is the order that was
    made up: side, and up to which stream offset it spoke; both streams are then best fed whole.

    An observer that has `round_trip` is told of a plain one by that alone, when it is over,
    and no Exchange is made: a request in one chunk of `bytes` while nothing else is under
    way, and then its reply in one chunk, without log, error or payload. Who has many chunks at
    once takes those of plain round trips by `round_trips` and feeds the rest.
    """

    def __init__(
        self,
        observer: Observer | None = None,
        *,
        detail: bool = False,
        lockstep: bool = False,
        limits: Limits | None = None,
        on_payload: PayloadSeen | None = None,
        protocol: Protocol | None = None,
        daemon_nix: str | None = None,
        offsets: tuple[int, int] = (0, 0),
    ) -> None:
        self.exchanges: list[Exchange] = []
        self.lockstep = lockstep
        self.limits = limits or Limits()
        self.turns: list[tuple[int, int]] = []
        self._missing = (0, 0)
        """Bytes that were stepped over, and what the daemon had said then: once it answers, the
        client's next chunk begins anew."""
        self._ledger = Ledger(
            observer or Collector(self.exchanges), detail, self.limits, on_payload, offsets
        )
        self._lanes = (self._ledger.client, self._ledger.daemon)
        self._asking, self._answering = (lane.cursor for lane in self._lanes)
        self._handshake = Handshake(self._ledger)
        self.versions = self._handshake.versions
        """By side, the version word that it said, such as 0x126."""
        self.features = self._handshake.features
        """By side, the feature strings that it understands."""
        self._requests = ClientSide(self._ledger, lockstep)
        self._answers = DaemonSide(self._ledger, lockstep)
        self._ledger.protocol = protocol
        self._ledger.family = None if protocol is None else protocol.family
        self._ledger.daemon_nix = daemon_nix
        begins = protocol is None
        self._ledger.client.scanner = self._client(begins=begins)
        self._ledger.daemon.scanner = self._daemon(begins=begins)
        if not lockstep:
            for lane in self._lanes:
                lane.gives_way = partial(self._go_first, self._lanes[1 - lane.side])
        self.asked: Asked | None = None
        """The plain request that waits for its answer, and of which nobody was told."""
        self._answer: Shape = (0, None, None)
        self._plain: Plain = {}
        self._before_reply = b""
        self._program: Program = ()
        self._walked = b""
        """The last answer that was walked through to its end, by this program."""
        self._round_trip: RoundTripSeen | None = None
        if not (detail or lockstep):
            self._round_trip = getattr(observer, "round_trip", None)
        self._tell: RoundTripSeen | None = None
        """The same, while nothing is under way: the next thing is a new operation."""

    def _client(self, *, begins: bool) -> Scan:
        if begins:
            yield from self._handshake.client()
        yield from self._requests.scan()

    def _daemon(self, *, begins: bool) -> Scan:
        if begins:
            yield from self._handshake.daemon()
            yield from self._answers.handshake()
        yield from self._answers.scan()

    # What is known -------------------------------------------------------------------

    @property
    def protocol(self) -> Protocol | None:
        """What was negotiated, None until it was."""
        return self._ledger.protocol

    @property
    def family(self) -> Family | None:
        """Which protocol is spoken, None until a first word has said it."""
        return self._ledger.family

    @property
    def daemon_nix(self) -> str | None:
        """The daemon's release, as it says (1.33)."""
        return self._ledger.daemon_nix

    @property
    def handshake(self) -> Exchange | None:
        """The handshake, once somebody spoke."""
        return self._ledger.handshake

    @property
    def count(self) -> int:
        """How many exchanges began."""
        return self._ledger.count

    @property
    def pending(self) -> deque[Exchange]:
        """The operations that wait for their answer, oldest first."""
        self.announce()
        return self._ledger.pending

    def received(self, side: int) -> int:
        """Return how many bytes of a side have passed."""
        return self._lanes[side].cursor.received

    def is_opaque(self, side: int) -> bool:
        """Return whether a side is no longer understood."""
        return self._lanes[side].opaque is not None

    # What passes by ------------------------------------------------------------------

    def feed(self, side: int, data: bytes | bytearray | memoryview, time: int = 0) -> bool:
        """Take the next bytes of a side. The buffer may be reused afterwards.

        Bytes behind the end of the side's stream are counted and nothing else. Returns whether
        they are a message of a plain round trip: a request that is now `asked`, or its answer.
        """
        # most of what passes is plain, so nothing is called here that need not be
        if (tell := self._tell) is not None and type(data) is bytes:
            size = len(data)
            asked = self.asked
            if asked is not None:
                length, program, _ = self._answer
                if (side == DAEMON and data.startswith(self._before_reply)) and (
                    length == size or (program and self._is_whole(data, program))
                ):
                    start = self._answering.base
                    self._answering.base = end = start + size
                    self.asked = None
                    tell(asked, start, end, time)
                    return True
            elif side == CLIENT and (found := self._plain.get(data[:8])) is not None:
                operation, (length, program, _), answer = found
                if length == size or (program and behind(data, 8, program, self.limits) == size):
                    ledger = self._ledger
                    ledger.count = number = ledger.count + 1
                    start = self._asking.base
                    self._asking.base = end = start + size
                    self.asked = (number, operation, start, end, time)
                    self._answer = answer
                    return True
        if side == DAEMON and (taken := self._answers.frames(data, time)):
            if taken == len(data):
                return False
            data = data[taken:]
        self._scan(side, data, time)
        return False

    def round_trips(self, passed: list[Passed], at: int) -> list[Operation]:
        """Take the plain round trips that stand next, each a request and its answer.

        Returns what was asked; the observer is not told. This is `feed`, for many at once.
        """
        if self._tell is None or self.asked is not None:
            return []
        found, up, down = glance(
            passed[at : at + AT_ONCE], self._plain, self._before_reply, self.limits
        )
        self._ledger.count += len(found)
        self._asking.base += up
        self._answering.base += down
        return found

    def _is_whole(self, answer: bytes, program: Program) -> bool:
        """Whether an answer ends where its data does.

        Many repeat the one before, word for word: those need no walk through what they hold.
        """
        if program is self._program and answer == self._walked:
            return True
        size = len(answer)
        if behind(answer, len(self._before_reply), program, self.limits) != size:
            return False
        if size <= MOST_REMEMBERED:
            self._program, self._walked = program, answer
        return True

    def _scan(self, side: int, data: bytes | bytearray | memoryview, time: int) -> None:
        """Have a side's scanner look at its next bytes."""
        lane = self._lanes[side]
        cursor = lane.cursor
        self.announce()
        self._ledger.now = time
        if side == DAEMON and self._ledger.heard:
            self._ledger.hear()
        cursor.feed(data)
        if side == CLIENT and self._missing[0] and not lane.eof:
            (length, said), self._missing = self._missing, (0, 0)
            number = int.from_bytes(data[:8], "little")
            known = self._ledger.in_force().family.code(number) in OPERATIONS
            answered = not self._ledger.pending and self._answering.received > said
            if not (answered and number and known):
                self._ledger.give_up(side, cursor.offset, Note(Reason.NOT_RECORDED, length=length))
        if lane.opaque is not None or lane.eof:
            cursor.pos = cursor.end
            cursor.settle()
            return
        self._advance(side)
        if side == DAEMON and lane.waiting and not self.lockstep and not self._ledger.heard:
            self._ledger.heard.append((cursor.offset, self._ledger.client.cursor.received))
        elif self._ledger.heard and self._ledger.daemon.is_at_rest:
            self._ledger.heard.clear()
        cursor.settle()
        if lane.waiting and not self.lockstep and cursor.end > self.limits.waiting:
            note = Note(Reason.TOO_FAR_AHEAD, side=1 - side, length=self.limits.waiting)
            self._ledger.give_up(side, cursor.offset, note)
            cursor.settle()
        if self._round_trip is not None:
            self._look_out()

    def gap(self, side: int, length: int, time: int = 0) -> None:
        """Account for bytes of a side that passed but were not kept."""
        self.announce()
        self._tell = None
        lane = self._lanes[side]
        cursor = lane.cursor
        self._ledger.now = time
        if lane.opaque is None and not lane.eof and not cursor.gap(length):
            if side == CLIENT and self._ledger.step_over(length):
                # a call that was not kept to its end; once it is answered, the next one is whole
                lane.scanner = self._requests.scan()
                self._missing = (length, self._answering.received)
                self._advance(DAEMON)
                return
            self._ledger.give_up(side, cursor.received, Note(Reason.NOT_RECORDED, length=length))
        if lane.opaque is not None or lane.eof:
            cursor.pos = cursor.end + length
            cursor.gap(length)
        else:
            self._advance(side)
            cursor.settle()

    def announce(self) -> None:
        """Tell the observer of what is `asked` now, as of an exchange that began."""
        if self.asked is None:
            return
        _, operation, start, end, self._ledger.now = self.asked
        self.asked = None
        self._tell = None
        self._ledger.count -= 1  # it is counted again
        self._ledger.requested(self._ledger.asked(start, operation.code), end)

    def _look_out(self) -> None:
        """Have `feed` look out for round trips while nothing is under way."""
        ledger = self._ledger
        handshake = ledger.handshake
        self._tell = None
        if (
            not (ledger.pending or ledger.requesting or ledger.orphan or ledger.at_sea)
            and ledger.protocol is not None
            and (handshake is None or handshake.ended is not None)
            and ledger.client.is_at_rest
            and ledger.daemon.is_at_rest
        ):
            self._tell = self._round_trip
            if not self._plain:
                self._plain = plain(ledger.protocol)
                self._before_reply = before_reply(ledger.protocol)

    def eof(self, side: int, time: int = 0) -> None:
        """Take note that a side will send nothing more."""
        lane = self._lanes[side]
        if lane.eof:
            return
        self.announce()
        self._tell = None
        lane.eof = True
        ledger = self._ledger
        if ledger.first_left is None:
            ledger.first_left = side
        ledger.now = time
        if side == DAEMON:
            self._answers.ended()
        self._advance(1 - side)
        if side == CLIENT:
            if not lane.waiting:
                ledger.client_ended()
        else:
            lane.over = True
            ledger.no_more_answers()
        if self._lanes[1 - side].eof:
            ledger.client_ended()
            self._handshake.ended()
            ledger.both_ended()

    def close(self, time: int = 0) -> None:
        """Take note that the connection is gone in both directions."""
        if self._ledger.first_left is None:
            self._ledger.first_left = TOGETHER
        self.eof(CLIENT, time)
        self.eof(DAEMON, time)

    def _go_first(self, lane: Lane) -> None:
        """Run a side's scanner if it waits: what it said was before what the other says now."""
        if lane.waiting:
            self._run(lane.side)
            lane.cursor.settle()

    def _advance(self, side: int) -> None:
        """Run a side's scanner, then the other's if it waited for what happened, and so on."""
        ledger = self._ledger
        other = 1 - side
        ledger.changed = self._lanes[other].eof
        self._run(side)
        while ledger.changed and self._lanes[other].waiting:
            ledger.changed = False
            self._run(other)
            lane = self._lanes[other]
            lane.cursor.settle()
            ledger.changed |= not lane.waiting  # which the other may have waited for
            other = 1 - other

    def _run(self, side: int) -> None:
        lane = self._lanes[side]
        if lane.opaque is not None or lane.over:
            return
        try:
            next(lane.scanner)
        except DecodeError as error:
            note = note_of(error)
            if note.reason in GUIX:  # neither side can be understood as Nix
                for each in self._lanes:
                    self._ledger.give_up(each.side, min(16, each.cursor.offset), note)
            self._ledger.give_up(side, error.offset, note)
        except StopIteration:
            pass
        if self.lockstep:
            cursor = lane.cursor
            self.turns.append((side, min(cursor.offset, cursor.received)))
