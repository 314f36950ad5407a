"""Plain round trips: told as numbers, they are what the scanners find as well."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from pix.codec.declare import OPERATIONS
from pix.codec.gates import SERVE, WORKER, Protocol
from pix.codec.wire import pack_u64
from pix.conversation import CLIENT, DAEMON, Asked, Conversation, Exchange, Limits
from pix.conversation.notes import Reason
from pix.conversation.round_trips import Passed, before_reply
from pix.protocol import operations_of, serve
from pix.protocol.logging import StderrError, StderrLast, StderrNext
from pix.protocol.operations import (
    AddBuildLog,
    AddToStore,
    IsValidPath,
    QueryPathInfo,
    QueryValidPaths,
)
from tests.fuzz.sessions import Session, corpus, mutated
from tests.support.nars import nar
from tests.support.playbook import EOF, Playbook, said, seen
from tests.support.words import PATH

V38 = Protocol(38)
TREE = nar(b"file")
TIMES = ("started", "request_done", "answered", "ended")


class Slow:
    """All that an observer is told, the exchanges as they were when it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.trips = 0

    def started(self, exchange: Exchange) -> None:
        self.told.append(("started", _all_of(exchange)))

    def ended(self, exchange: Exchange) -> None:
        self.told.append(("ended", _all_of(exchange)))


class Fast(Slow):
    """The same from round trips, of which it is told as numbers."""

    protocol: Protocol | None = None

    def round_trip(self, asked: Asked, start: int, end: int, time: int) -> None:
        number, operation, client_start, client_end, started = asked
        exchange = Exchange(
            number, "operation", CLIENT, client_start, started, self.protocol,
            operation.code, operation,
        )  # fmt: skip
        self.started(exchange)
        exchange.request_end, exchange.request_done = client_end, started
        exchange.answered, exchange.daemon_start, exchange.daemon_end = time, start, end
        assert exchange.protocol is not None
        exchange.reply = (start + len(before_reply(exchange.protocol)), end)
        exchange.settled = exchange.complete = True
        exchange.ended = time
        self.ended(exchange)
        self.trips += 1

    def ended(self, exchange: Exchange) -> None:
        self.protocol = exchange.protocol or self.protocol
        super().ended(exchange)


def _all_of(exchange: Exchange) -> dict[str, Any]:
    return seen(exchange) | {name: getattr(exchange, name) for name in TIMES}


def played(
    conversation: Conversation, session: Session, size: int | None = None, seed: str | None = None
) -> Conversation:
    """Play a session in pieces of `size` bytes; with a seed also gaps, ends and looks at it."""
    random = Random(seed)
    for time, (side, data) in enumerate(session):
        for at in range(0, len(data), size or len(data)):
            piece = data[at : at + (size or len(data))]
            chance = random.random() if seed is not None else 1
            if chance < 0.01:
                conversation.gap(side, len(piece), time)
            elif chance < 0.02:
                conversation.eof(side, time)
            elif chance < 0.1:
                conversation.feed(side, memoryview(piece), time)
            else:
                conversation.feed(side, piece, time)
            if chance > 0.95 and seed is not None:
                conversation.announce()
    conversation.close(len(session))
    return conversation


class AtOnce(Conversation):
    """A conversation that is given the chunks between two other things at once."""

    def __init__(self, observer: Fast) -> None:
        super().__init__(observer)
        self._seen = observer
        self._passed: list[Passed] = []

    def feed(self, side: int, data: bytes | bytearray | memoryview, time: int = 0) -> bool:
        self._passed.append((side, time, 0, bytes(data), len(data), 0))
        return False

    def take(self) -> None:
        """Take what was given, as the reader of a recording does."""
        passed, self._passed, at = self._passed, [], 0
        while at < len(passed):
            starts = self.received(CLIENT), self.received(DAEMON)
            asked = self.round_trips(passed, at)
            for number, operation in enumerate(asked, self._ledger.count - len(asked) + 1):
                (_, time, _, _, up, _), (_, then, _, _, down, _) = passed[at : at + 2]
                ends = starts[CLIENT] + up, starts[DAEMON] + down
                question = number, operation, starts[CLIENT], ends[CLIENT], time
                self._seen.round_trip(question, starts[DAEMON], ends[DAEMON], then)
                starts, at = ends, at + 2
            if not asked:
                side, time, _, data, _, _ = passed[at]
                super().feed(side, data, time)
                at += 1

    def announce(self) -> None:
        if self._passed:
            self.take()
        super().announce()

    def gap(self, side: int, length: int, time: int = 0) -> None:
        self.take()
        super().gap(side, length, time)

    def eof(self, side: int, time: int = 0) -> None:
        self.take()
        super().eof(side, time)


def same(session: Session, size: int | None = None, seed: str | None = None) -> int:
    """Hold what is told with and without round trips, one by one and many at once, against each
    other; return their number.
    """
    fast, slow, many = Fast(), Slow(), Fast()
    one = played(Conversation(fast), session, size, seed)
    other = played(Conversation(slow), session, size, seed)
    third = played(AtOnce(many), session, size, seed)
    assert fast.told == slow.told
    assert many.told == slow.told
    assert many.trips >= fast.trips
    for side in (CLIENT, DAEMON):
        assert one.received(side) == other.received(side) == third.received(side)
    return fast.trips


def test_recorded_sessions_are_told_alike_in_any_chunking() -> None:
    trips = 0
    sessions = corpus()
    for i, session in enumerate(sessions):
        found = same(session)
        trips += found
        for size in (1, 3, 8, 40) if i % 8 == 0 else ():
            assert same(session, size) <= found
        same(session, None, f"{i}")
    assert trips > len(sessions)


@pytest.mark.slow
def test_broken_sessions_are_told_alike_in_any_chunking() -> None:
    sessions = corpus()
    trips = 0
    for i in range(1500):
        random = Random(f"trip {i}")
        session = mutated(random.choice(sessions), sessions, random)
        trips += same(session)
        trips += same(session, random.choice((1, 5, 8, 64, None)), f"{i}")
    assert trips > 500


def trips_of(playbook: Playbook, **options: Any) -> int:
    """How many round trips are told as numbers; all else is held to be the same."""
    fast = Fast()
    conversation = Conversation(fast, **options)
    for side, data in playbook.turns:
        if data is None:
            conversation.eof(side)
        else:
            conversation.feed(side, data)
    playbook.exchanges()
    return fast.trips


def test_whole_and_nothing_else() -> None:
    info = said(QueryPathInfo(path=PATH), V38)
    last = said(StderrLast(), V38) + bytes(8)
    for asked, answered in ((info[:-8], last), (info + info, last), (info, last + bytes(8))):
        assert trips_of(Playbook(V38).greet() >> asked << answered) == 0
    for cut in range(8, len(last)):
        assert trips_of(Playbook(V38).greet() >> info << last[:cut] << last[cut:]) == 0
    assert trips_of(Playbook(V38).greet() >> info << last >> info << last) == 2
    assert trips_of(Playbook(V38).greet() >> info >> info << last << last) == 0


def test_lists_and_flags_are_plain() -> None:
    talk = Playbook(V38).greet()
    talk >> QueryValidPaths(paths=frozenset({PATH}), substitute=False)
    last = said(StderrLast(), V38)
    talk << last + said(QueryValidPaths.Reply(paths=frozenset({PATH})), V38)
    talk >> IsValidPath(path=PATH) << last + said(IsValidPath.Reply(valid=True), V38)
    assert trips_of(talk) == 2
    assert trips_of(talk, detail=True) == trips_of(talk, lockstep=True) == 0


def test_bytes_that_answered_one_operation_are_no_answer_to_another() -> None:
    asked = QueryValidPaths(paths=frozenset({PATH}), substitute=False)
    answer = said(StderrLast(), V38) + said(QueryValidPaths.Reply(paths=frozenset({PATH})), V38)
    talk = Playbook(V38).greet()
    for _ in range(3):
        talk >> asked << answer
    assert trips_of(talk) == 3
    assert trips_of(talk >> asked << answer + bytes(8)) == 3
    talk = Playbook(V38).greet() >> asked << answer >> QueryPathInfo(path=PATH) << answer
    assert trips_of(talk) == 1


def test_serve_replies_have_nothing_before_them() -> None:
    v7 = Protocol(7, family=SERVE)
    talk = Playbook(v7).greet()
    found = serve.QueryValidPaths.Reply(paths=frozenset({PATH}))
    for _ in range(2):
        talk >> serve.QueryValidPaths(paths=frozenset({PATH})) << said(found, v7)
    talk >> serve.QueryClosure(include_outputs=True, paths=frozenset({PATH}))
    closure = said(serve.QueryClosure.Reply(paths=frozenset({PATH})), v7)
    assert trips_of(talk << closure) == 3
    talk >> serve.QueryClosure(include_outputs=True, paths=frozenset()) << closure[:8]
    assert trips_of(talk << closure[8:]) == 3
    talk >> serve.DumpStorePath(path=PATH) << TREE
    assert trips_of(talk) == 3


def test_log_payload_and_wild_lengths_are_not_plain() -> None:
    talk = Playbook(V38).greet()
    talk >> AddToStore(name="x", dump=b"")
    assert trips_of(talk) == 0
    last = said(StderrLast(), V38) + bytes(8)
    talk = Playbook(V38).greet() >> IsValidPath(path=PATH)
    assert trips_of(talk << said(StderrNext(text="asking\n"), V38) + last) == 0
    wild = pack_u64(1) + pack_u64(2**63)
    assert trips_of(Playbook(V38).greet() >> wild) == 0
    long = Playbook(V38).greet() >> IsValidPath(path=PATH) << last
    assert trips_of(long, limits=Limits(string=8)) == 0


def test_a_daemon_out_of_step_and_an_orphan_under_way_leave_nothing_plain() -> None:
    log = said(AddBuildLog(drv="x.drv", log=b"l"), V38)
    error = StderrError(message="no")
    plain = said(IsValidPath(path=PATH), V38)
    last = said(StderrLast(), V38) + bytes(8)
    lost = Playbook(V38).greet() >> log[:-17] << error >> log[-17:] >> plain << last
    stray = said(error, V38)[:32]  # what follows is the length of a string, however long
    for talk in (lost, Playbook(V38).greet() << stray >> plain << last):
        session = [(side, data or b"") for side, data in talk.turns]
        assert same(session) == 0


def test_what_is_asked_is_known_and_told_when_the_stream_ends() -> None:
    fast = Fast()
    conversation = Conversation(fast)
    talk = Playbook(V38).greet() >> IsValidPath(path=PATH)
    for time, (side, data) in enumerate(talk.turns):
        conversation.feed(side, data or b"", time)
    start, end = conversation.handshake.request_end if conversation.handshake else 0, talk.size[0]
    assert conversation.asked == (2, OPERATIONS[1], start, end, len(talk.turns) - 1)
    assert [name for name, _ in fast.told] == ["started", "ended"]
    assert [exchange.number for exchange in conversation.pending] == [2]
    assert conversation.asked is None
    assert fast.told[2][1]["request_done"] is None
    conversation.close(9)
    assert [note.reason for note in fast.told[-1][1]["notes"]] == [Reason.NO_ANSWER]


@pytest.mark.parametrize("minor", [10, 20, 38])
def test_every_operation_without_payload_may_be_plain(minor: int) -> None:
    protocol = Protocol(minor)
    for code, operation in operations_of(WORKER).items():
        if not operation.request.program(protocol) and not operation.reply.program(protocol):
            talk = Playbook(protocol).greet() >> pack_u64(code) << StderrLast()
            plain = operation.request.payload is None and operation.reply.payload is None
            assert trips_of(talk << EOF) == plain
