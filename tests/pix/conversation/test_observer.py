"""Who speaks when: pipelining, ends of streams at every byte, gaps, lockstep, memory."""

from __future__ import annotations

import pytest

from pix.codec.gates import SERVE, Protocol
from pix.codec.payload import EXPORT_MAGIC
from pix.codec.wire import pack_u64
from pix.conversation import CLIENT, DAEMON, Conversation, Limits
from pix.conversation.exchange import Exchange
from pix.conversation.notes import Note, Reason
from pix.protocol import operations_of, serve
from pix.protocol.handshake import DaemonHello
from pix.protocol.logging import STDERR_ERROR, StderrError, StderrLast, StderrNext, StderrRead
from pix.protocol.operations import (
    AddToStore,
    AddToStoreNar,
    Done,
    ImportPaths,
    IsValidPath,
    NarFromPath,
    Paths,
    QueryPathInfo,
    SetOptions,
)
from pix.protocol.types import BasicDerivation, BuildStatus, UnkeyedValidPathInfo
from tests.support.nars import nar
from tests.support.playbook import EOF, Playbook, said, seen, unblamed
from tests.support.words import PATH, text, word

HASH = "15e3c560894cbb27085cf65b5a2ecb18488c999497f4531b6907a7581ce6d527"
V38 = Protocol(38)
NAR = nar({b"file": b"contents" * 100, b"other": b"more"})
INFO = UnkeyedValidPathInfo(nar_hash=HASH, references=frozenset({PATH}), nar_size=len(NAR))
VALID = IsValidPath(path=PATH)
YES = IsValidPath.Reply(valid=True)


def session(minor: int) -> Playbook:
    """A session with a bit of everything."""
    talk = Playbook(Protocol(minor)).greet()
    talk >> SetOptions(overrides={"cores": "0"}) << StderrLast()
    talk >> VALID << StderrNext(text="asking\n") << StderrLast() << YES
    talk >> QueryPathInfo(path=PATH) << StderrLast() << QueryPathInfo.Reply(info=INFO)
    talk >> AddToStoreNar(path=PATH, nar_hash=HASH, nar_size=len(NAR), nar=NAR)
    if 21 <= minor < 23:
        for part in (NAR[:100], NAR[100:]):
            talk << StderrRead(length=32768) >> text(part)
    talk << StderrLast()
    talk >> NarFromPath(path=PATH) << StderrLast() << NAR
    return talk >> VALID << StderrError(message="no") << StderrError(message="no")


def test_whole_session() -> None:
    for minor in (18, 21, 30, 38):
        talk = session(minor)
        exchanges = talk.exchanges()
        assert [e.name for e in exchanges] == [
            "handshake",
            "SetOptions",
            "IsValidPath",
            "QueryPathInfo",
            "AddToStoreNar",
            "NarFromPath",
            "IsValidPath",
            "orphan",
        ]
        assert all(e.complete for e in exchanges)
        accounted(exchanges, talk.size)


def accounted(exchanges: list[Exchange], size: tuple[int, int]) -> None:
    """Hold every byte of both sides to belong to exactly one exchange, in order."""
    at = [0, 0]
    for e in exchanges:
        if e.kind == "orphan" or (e.kind == "opaque" and e.side == DAEMON):
            continue
        assert e.start == at[CLIENT], e
        assert e.request_end is not None, e
        at[CLIENT] = e.request_end
    spans = [(e.daemon_start, e.daemon_end) for e in exchanges if e.daemon_start is not None]
    for start, end in sorted(spans, key=lambda span: span[0]):
        assert start == at[DAEMON], (start, at)
        assert end is not None
        at[DAEMON] = end
    assert tuple(at) == size


def cut(talk: Playbook, at: tuple[int, int]) -> list[tuple[int, bytes]]:
    """Return the turns up to these many bytes of either side."""
    left = list(at)
    turns = []
    for side, data in talk.turns:
        assert data is not None
        part = data[: left[side]]
        left[side] -= len(part)
        if part:
            turns.append((side, part))
    return turns


def ended(turns: list[tuple[int, bytes]], first: int) -> list[Exchange]:
    conversation = Conversation(detail=True)
    for side, data in turns:
        conversation.feed(side, data)
    conversation.eof(first)
    conversation.eof(1 - first)
    return conversation.exchanges


@pytest.mark.slow
@pytest.mark.parametrize("minor", [18, 21, 38])
@pytest.mark.parametrize("side", [CLIENT, DAEMON])
def test_end_at_every_single_byte(minor: int, side: int) -> None:
    """One side ends anywhere; the other said what it had said by then."""
    talk = session(minor)
    so_far = [0, 0]
    for speaker, data in talk.turns:
        assert data is not None
        if speaker != side:
            so_far[speaker] += len(data)
            continue
        for i in range(len(data)):
            at = (
                (so_far[CLIENT] + i, so_far[DAEMON])
                if side == CLIENT
                else (so_far[CLIENT], so_far[DAEMON] + i)
            )
            turns = cut(talk, at)
            one, other = ended(turns, side), ended(turns, 1 - side)
            assert [unblamed(e) for e in one] == [unblamed(e) for e in other]
            assert all(e.ended is not None for e in one)
            assert all(e.complete or e.notes for e in one), at
            if at != (0, 0):
                accounted(one, at)
        so_far[speaker] += len(data)


def test_both_sides_say_nothing() -> None:
    conversation = Conversation()
    conversation.close()
    assert conversation.exchanges == []


def test_pipelined_operations() -> None:
    """No known client does it, daemons from Nix 1.8 on take it."""
    talk = Playbook(V38).greet() >> VALID >> QueryPathInfo(path=PATH) >> VALID
    talk << StderrLast() << YES << StderrNext(text="x\n") << StderrError(message="no")
    talk << StderrLast() << YES
    _, one, two, three = talk.exchanges()
    assert all(e.complete for e in (one, two, three))
    assert two.error is not None
    assert (one.daemon_end, two.daemon_end) == (two.daemon_start, three.daemon_start)
    accounted(talk.exchanges(), talk.size)


def test_pipelined_with_frames_in_between() -> None:
    talk = Playbook(V38).greet() >> AddToStore(name="x", method="fixed:sha256", dump=b"x")
    talk >> VALID << StderrLast() << AddToStore.Reply(path=PATH, info=INFO) << StderrLast() << YES
    assert all(e.complete for e in talk.exchanges())


def test_all_that_was_pipelined_is_answered_in_one_chunk() -> None:
    """Both sides say everything at once: the daemon's answers wait for the requests."""
    talk = Playbook(V38).greet() >> VALID >> VALID << StderrLast() << YES << StderrLast() << YES
    expected = [seen(e) for e in talk.exchanges()]
    streams = [b"".join(data or b"" for s, data in talk.turns if s == side) for side in (0, 1)]
    conversation = Conversation(detail=True)
    for side in (CLIENT, DAEMON):
        conversation.feed(side, streams[side])
    assert [seen(e) for e in conversation.exchanges] == expected


def test_next_operation_behind_pulled_payload_in_advance() -> None:
    talk = Playbook(Protocol(21)).greet()
    add = AddToStoreNar(path=PATH, nar_hash=HASH, nar_size=1, nar=b"")
    talk >> said(add, Protocol(21)) + said(VALID, Protocol(21))
    talk << said(StderrLast(), Protocol(21)) * 2 + said(YES, Protocol(21))
    _, added, asked = talk.exchanges()
    assert added.complete
    assert asked.complete


def test_client_half_closes_and_still_hears_the_answer() -> None:
    talk = Playbook(V38).greet() >> VALID >> EOF << StderrNext(text="…\n") << StderrLast() << YES
    handshake, asked = talk.exchanges()
    assert handshake.complete
    assert asked.complete
    assert not asked.notes


def test_client_half_closes_behind_pulled_payload() -> None:
    talk = Playbook(Protocol(21)).greet() >> ImportPaths() << StderrRead(length=32768)
    talk >> text(bytes(8)) >> EOF << StderrLast() << ImportPaths.Reply(paths=())
    _, imported = talk.exchanges()
    assert imported.complete
    assert not imported.notes


def test_daemon_half_closes_and_the_client_goes_on() -> None:
    talk = Playbook(V38).greet() >> VALID << StderrLast() << YES << EOF >> VALID >> VALID >> EOF
    _, one, two, three = talk.exchanges()
    assert one.complete
    assert not two.complete
    assert not three.complete
    assert [note.reason for note in two.notes + three.notes] == [Reason.NO_ANSWER] * 2


def test_client_ends_inside_a_request_and_the_daemon_complains() -> None:
    talk = Playbook(V38).greet() >> said(VALID, V38)[:20] >> EOF
    talk << StderrError(message="unexpected end-of-file") << EOF
    _, asked = talk.exchanges()
    assert asked.error is not None
    assert not asked.complete
    assert asked.notes[0].reason is Reason.REQUEST_CUT


def test_bytes_behind_the_last_operation() -> None:
    talk = Playbook(V38).greet() >> VALID << StderrLast() << YES >> b"abc" >> EOF << EOF
    _, asked, strange = talk.exchanges()
    assert asked.complete
    assert (strange.kind, strange.start, strange.request_end) == (
        "opaque",
        asked.request_end,
        talk.size[CLIENT],
    )


def test_orphan_that_breaks_off() -> None:
    error = StderrError(message="no")
    talk = Playbook(V38).greet() >> VALID << error << said(error, V38)[:-5] << EOF >> EOF
    _, failed, orphan = talk.exchanges()
    assert failed.complete
    assert not orphan.complete
    assert orphan.daemon_end == talk.size[DAEMON]


def gapped(talk: Playbook, keep: int) -> Conversation:
    """Play a session as it is read from a recording that elided payload beyond `keep` bytes."""
    full = talk.play()
    elided: list[tuple[int, int, int]] = []
    for e in full.exchanges:
        position = 0
        for side, start, length in e.payload_runs or ():
            kept = min(max(keep - position, 0), length)
            if kept < length:
                elided.append((side, start + kept, start + length))
            position += length
    conversation = Conversation(detail=True)
    at = [0, 0]
    for side, data in talk.turns:
        assert data is not None
        stop = at[side] + len(data)
        start = at[side]
        while at[side] < stop:
            here = at[side]
            inside = [(a, b) for s, a, b in elided if s == side and a <= here < b]
            if inside:
                end = min(inside[0][1], stop)
                conversation.gap(side, end - here)
            else:
                ahead = [a for s, a, _ in elided if s == side and a > here]
                end = min([stop, *ahead])
                conversation.feed(side, data[here - start : end - start])
            at[side] = end
    return conversation


@pytest.mark.parametrize("minor", [18, 21, 38])
@pytest.mark.parametrize("keep", [0, 50, 1 << 20])
def test_elided_payload_changes_nothing(minor: int, keep: int) -> None:
    talk = session(minor)
    expected = [seen(e) for e in talk.play().exchanges]
    assert [seen(e) for e in gapped(talk, keep).exchanges] == expected


def test_gap_is_stepped_over_to_the_next_operation() -> None:
    """The request whose end is not there was answered: what the client says next is another."""
    talk = Playbook(V38).greet()
    asked = said(IsValidPath(path=PATH), V38)
    answer = said(StderrLast(), V38) + pack_u64(1)
    for answers, behind, whole in ((answer, asked, 2), (b"", asked, 1), (answer, bytes(64), 1)):
        conversation = talk.play()
        conversation.feed(CLIENT, asked[:12])
        conversation.gap(CLIENT, len(asked) - 12)
        if answers:
            conversation.feed(DAEMON, answers)
        conversation.feed(CLIENT, behind)
        conversation.feed(DAEMON, answer)
        conversation.close()
        done = [each for each in conversation.exchanges if each.complete]
        assert len(done) == whole
        assert conversation.is_opaque(CLIENT) == (whole == 1)
        assert {Reason.UNASKED, Reason.NO_FRAME}.isdisjoint(
            note.reason for each in conversation.exchanges for note in each.notes
        )


def test_answers_to_what_a_gap_held_are_nobodys() -> None:
    """A client that pipelines said more than one request in what was stepped over."""
    conversation = Playbook(V38).greet().play()
    asked = said(IsValidPath(path=PATH), V38)
    conversation.feed(CLIENT, asked[:12])
    conversation.gap(CLIENT, 3 * len(asked) - 12)
    for each in (StderrLast(), YES, StderrNext(text="copying\n"), StderrLast(), YES):
        conversation.feed(DAEMON, said(each, V38))
    conversation.feed(CLIENT, asked)
    conversation.close()
    *_, told, answered, _ = conversation.exchanges
    assert (told.kind, answered.kind) == ("orphan", "opaque")
    assert [each.notes[0].reason for each in (told, answered)] == [Reason.ASKED_UNSEEN] * 2


def test_nothing_begins_behind_a_gap_at_the_end_of_a_stream() -> None:
    conversation = Playbook(V38).greet().play()
    conversation.eof(DAEMON)
    conversation.feed(CLIENT, said(IsValidPath(path=PATH), V38)[:12])
    conversation.gap(CLIENT, 100)
    conversation.eof(CLIENT)
    conversation.gap(CLIENT, 8)
    conversation.feed(CLIENT, bytes(16))
    conversation.close()
    assert all(each.ended is not None for each in conversation.exchanges)


@pytest.mark.parametrize("is_answered", [False, True])
def test_what_follows_a_gap_begins_anew_once_the_daemon_has_said_something(
    is_answered: bool,
) -> None:
    """Before, a request that came in pieces goes on, perhaps with what is an operation, too."""
    conversation = Playbook(V38).greet().play()
    asked = said(IsValidPath(path=PATH), V38)
    conversation.feed(CLIENT, asked)
    conversation.gap(DAEMON, 16)  # from here on its answers cannot be read
    conversation.feed(CLIENT, asked[:12])
    conversation.gap(CLIENT, len(asked) - 12)
    if is_answered:
        conversation.feed(DAEMON, bytes(16))
    conversation.feed(CLIENT, asked)
    conversation.close()
    assert conversation.is_opaque(CLIENT) != is_answered


def test_gap_in_structure_is_opaque() -> None:
    talk = Playbook(V38).greet()
    conversation = talk.play()
    conversation.feed(CLIENT, pack_u64(1))
    conversation.gap(CLIENT, 8)
    conversation.feed(CLIENT, bytes(100))
    conversation.gap(CLIENT, 50)
    assert conversation.is_opaque(CLIENT)
    assert not conversation.is_opaque(DAEMON)
    assert conversation.received(CLIENT) == talk.size[CLIENT] + 166
    conversation.close()
    strange = conversation.exchanges[-1]
    assert strange.notes == (Note(Reason.NOT_RECORDED, length=8),)
    assert strange.request_end == talk.size[CLIENT] + 166


@pytest.mark.parametrize("kept", [8, 3])
def test_what_answers_a_gap_is_said_to_do_so(kept: int) -> None:
    """Log lines as well as replies, and half a word: of neither is known what was asked."""
    conversation = Playbook(V38).greet().play()
    conversation.gap(CLIENT, 8)
    conversation.feed(CLIENT, bytes(40))
    conversation.feed(DAEMON, said(StderrNext(text="copying\n"), V38))
    conversation.feed(DAEMON, said(StderrLast(), V38)[:kept])
    conversation.close()
    *_, told, answered = conversation.exchanges
    assert (told.kind, answered.kind) == ("orphan", "opaque")
    assert [each.notes[0].reason for each in (told, answered)] == [Reason.ASKED_UNSEEN] * 2


def test_resumed_between_two_operations() -> None:
    talk = Playbook(V38).greet() >> VALID << StderrLast() << YES
    behind = len(talk.turns)
    at = talk.size
    talk >> QueryPathInfo(path=PATH) << StderrLast() << QueryPathInfo.Reply(info=INFO)
    expected = talk.play().exchanges[-1]
    resumed = Conversation(detail=True, protocol=V38, offsets=at)
    for side, data in talk.turns[behind:]:
        assert data is not None
        resumed.feed(side, data)
    (found,) = resumed.exchanges
    assert {**seen(found), "number": expected.number} == seen(expected)


@pytest.mark.parametrize("minor", [18, 21, 38])
def test_lockstep_makes_up_an_order(minor: int) -> None:
    talk = session(minor)
    conversation = Conversation(lockstep=True, limits=Limits(waiting=1 << 40), detail=True)
    for side in (CLIENT, DAEMON):
        conversation.feed(side, b"".join(d or b"" for s, d in talk.turns if s == side))
    conversation.close()
    assert [seen(e) for e in conversation.exchanges] == [seen(e) for e in talk.exchanges()]
    for side in (CLIENT, DAEMON):
        assert max(upto for who, upto in conversation.turns if who == side) == talk.size[side]


def test_waiting_is_bounded() -> None:
    """A client that talks on before the daemon answered the greeting."""
    conversation = Conversation(limits=Limits(waiting=1 << 16))
    conversation.feed(CLIENT, said(VALID, V38)[:0] + pack_u64(0x6E697863) + pack_u64(0x126))
    for _ in range(100):
        conversation.feed(CLIENT, bytes(4096))
    assert conversation.is_opaque(CLIENT)
    conversation.close()
    assert conversation.exchanges[-1].notes[0].length == 65536


def test_buffer_may_be_reused() -> None:
    talk = session(38)
    expected = [seen(e) for e in talk.play().exchanges]
    conversation = Conversation(detail=True)
    buffer = bytearray(7)
    for time, (side, data) in enumerate(talk.turns):
        assert data is not None
        for i in range(0, len(data), 7):
            piece = data[i : i + 7]
            buffer[: len(piece)] = piece
            conversation.feed(side, memoryview(buffer)[: len(piece)], time)
            buffer[:] = b"\xee" * 7
    assert [seen(e) for e in conversation.exchanges] == expected


def test_observer_is_told_once_of_each_beginning_and_end() -> None:
    told: list[tuple[str, int]] = []

    class Listener:
        def started(self, exchange: Exchange) -> None:
            told.append(("started", exchange.number))

        def ended(self, exchange: Exchange) -> None:
            told.append(("ended", exchange.number))

    talk = session(38)
    conversation = Conversation(Listener())
    for side, data in talk.turns:
        conversation.feed(side, data or b"")
    conversation.close()
    conversation.close()
    numbers = range(1, 9)
    assert sorted(told) == sorted([(what, n) for what in ("started", "ended") for n in numbers])
    assert conversation.exchanges == []


SERVED = Protocol(7, family=SERVE)
TREE = nar(b"hello")
EXPORT = (
    pack_u64(1) + TREE + pack_u64(EXPORT_MAGIC)
    + text(PATH.encode()) + word(0) + text(b"") + word(0) + word(0)
)  # fmt: skip


def serve_session() -> Playbook:
    """Every command of the serve protocol, once."""
    talk = Playbook(SERVED).greet()
    talk >> serve.QueryValidPaths(paths=frozenset([PATH])) << Paths(paths=frozenset())
    talk >> serve.QueryPathInfos(paths=frozenset([PATH]))
    info = serve.UnkeyedValidPathInfo(references=frozenset([PATH]), nar_size=len(TREE))
    talk << serve.QueryPathInfos.Reply(infos=(serve.ValidPathInfo(path=PATH, info=info),))
    talk >> serve.DumpStorePath(path=PATH) << serve.DumpStorePath.Reply(nar=TREE)
    talk >> serve.ImportPaths(export=EXPORT) << Done()
    talk >> serve.ExportPaths(paths=(PATH,)) << serve.ExportPaths.Reply(export=EXPORT)
    options = serve.BuildOptions()
    talk >> serve.BuildPaths(paths=(PATH,), options=options)
    failure = serve.Failure(status=1, error_msg="builder failed")
    talk << serve.BuildPaths.Reply(failure=failure)
    talk >> serve.BuildPaths(paths=(PATH,), options=options) << serve.BuildPaths.Reply()
    talk >> serve.QueryClosure(paths=frozenset([PATH])) << Paths(paths=frozenset([PATH]))
    derivation = BasicDerivation(
        outputs={}, input_srcs=frozenset(), platform="x86_64-linux", builder="/bin/sh"
    )
    talk >> serve.BuildDerivation(drv_path=PATH, derivation=derivation, options=options)
    built = serve.BuildResult(status=BuildStatus.BUILT)
    talk << serve.BuildDerivation.Reply(result=built)
    talk >> serve.AddToStoreNar(path=PATH, nar_hash="0" * 64, nar_size=len(TREE), nar=TREE)
    return talk << Done()


def test_a_session_of_the_serve_protocol() -> None:
    handshake, *commands = serve_session().exchanges()
    assert handshake.protocol == SERVED
    assert [exchange.operation.number for exchange in commands if exchange.operation] == [
        1, 2, 3, 4, 5, 6, 6, 7, 8, 9,
    ]  # fmt: skip
    assert {exchange.name for exchange in commands} == {
        operation.name for operation in operations_of(SERVE).values()
    }
    assert all(exchange.complete for exchange in commands)
    reasons = {exchange.start: exchange.notes[0].reason for exchange in commands if exchange.notes}
    assert reasons == {commands[5].start: Reason.BUILD_FAILED}
    assert {exchange.payload_bytes for exchange in commands} == {0, 5}


def test_a_server_that_fails_says_nothing_more() -> None:
    talk = Playbook(SERVED).greet() >> serve.DumpStorePath(path=PATH) << EOF
    _, command = talk.exchanges()
    assert [note.reason for note in command.notes] == [Reason.NO_ANSWER]
    assert command.error is None


def test_a_server_speaks_of_nothing_but_what_was_asked() -> None:
    talk = Playbook(SERVED).greet() << StderrLast()
    _, opaque = talk.exchanges()
    assert opaque.notes[0].reason is Reason.UNASKED
    assert opaque.notes[0].expected == "silence, as nothing was asked"


def test_no_error_frame_stands_in_place_of_a_nar() -> None:
    talk = Playbook(SERVED).greet() >> serve.DumpStorePath(path=PATH)
    talk << word(STDERR_ERROR) + text(b"Error") + bytes(64)
    command = talk.exchanges()[1]
    assert [note.reason for note in command.notes] == [Reason.ANSWER_OPAQUE]


def test_the_first_word_says_which_protocol_it_is() -> None:
    talk = Playbook(SERVED)
    assert talk.play().family is None
    talk.greet()
    conversation = talk.play()
    assert conversation.family is SERVE
    mixed = Playbook(SERVED) >> serve.ClientHello(version=0x207) << DaemonHello(version=0x126)
    assert [e.notes[0].expected for e in mixed.exchanges() if e.kind == "opaque"] == [
        "the daemon's magic 0x5452eecb"
    ]


@pytest.mark.parametrize("number", [0x101, 0x126])
def test_a_version_of_another_major_is_not_the_serve_protocol(number: int) -> None:
    talk = Playbook(SERVED).greet(client=number)
    notes = [e.notes[0] for e in talk.exchanges() if e.kind == "opaque"]
    assert {note.expected for note in notes} == {"a version 2.N of the serve protocol"}


def test_an_unknown_command_is_known_by_its_number() -> None:
    talk = Playbook(SERVED).greet() >> word(26) + text(PATH.encode())
    command = talk.exchanges()[1]
    assert command.name == "serve.operation 26"
    assert command.notes[0].reason is Reason.UNKNOWN_OPERATION
