"""TCP connections put together: whatever the order, what is doubled, what is lost."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from pix.conversation.exchange import CLIENT, DAEMON
from pix_inspect.importing.raw_streams import Passed
from pix_inspect.importing.tcp_segments import Segment
from pix_inspect.importing.tcp_streams import Connection
from pix_inspect.recording.tcp_headers import ACK, FIN, RST, SYN
from tests.support.tcp_packets import CLIENT_END, ENDS, STARTS, Talk

UNKNOWN = b"?"


class Told(NamedTuple):
    """What was told: both streams, bytes that are not known as `?`, and how they went on."""

    client: bytes
    daemon: bytes
    whats: list[tuple[str, int | None]]
    turns: str
    """Who spoke: `c` and `d`, one for each run of bytes of a side."""


def told(segments: Sequence[Segment]) -> Told:
    connection = Connection(0, ENDS)
    for found in segments:
        connection.note(side_of(found), found)
    connection.settle()
    events = [connection.open(0)]
    for number, found in enumerate(segments):
        events += connection.take(side_of(found), found, number, found.time)
    return of([*events, *connection.finish(0)])


def of(events: Iterable[Passed]) -> Told:
    streams = [bytearray(), bytearray()]
    whats: list[tuple[str, int | None]] = []
    turns = ""
    for event in events:
        if event.what == "data":
            assert event.side is not None
            streams[event.side] += event.data + UNKNOWN * event.missing
            turns += "cd"[event.side] if turns[-1:] != "cd"[event.side] else ""
        else:
            whats.append((event.what, event.side))
    return Told(bytes(streams[CLIENT]), bytes(streams[DAEMON]), whats, turns)


def side_of(found: Segment) -> int:
    return CLIENT if found.source == CLIENT_END else DAEMON


WHOLE = [("open", None), ("half-close", CLIENT), ("half-close", DAEMON), ("close", None)]


def talk(turns: Iterable[tuple[int, bytes]], pieces: int = 1 << 16) -> Talk:
    """Shake hands, say these, each in pieces of at most so many bytes, and close."""
    made = Talk()
    made.open()
    for side, data in turns:
        for at in range(0, len(data), pieces):
            made.say(side, data[at : at + pieces])
    made.close()
    return made


SPOKEN = [(CLIENT, b"ask" * 100), (DAEMON, b"answer" * 50), (CLIENT, b"more"), (DAEMON, b"done")]
STREAMS = (b"ask" * 100 + b"more", b"answer" * 50 + b"done")


def test_in_order_it_is_told_at_once() -> None:
    found = told(talk(SPOKEN, 64).segments)
    assert (found.client, found.daemon) == STREAMS
    assert (found.whats, found.turns) == (WHOLE, "cdcd")


@given(st.data())
def test_any_order_doubled_and_overlapping_gives_the_same_streams(data: st.DataObject) -> None:
    pieces = data.draw(st.integers(1, 200))
    segments = list(talk(SPOKEN, pieces).segments)
    for found in data.draw(st.lists(st.sampled_from(segments), max_size=20)):
        if found.length:  # sent again, with what is before or behind it, perhaps not whole
            side, start = side_of(found), found.seq - STARTS[side_of(found)] - 1 & 0xFFFFFFFF
            first = data.draw(st.integers(max(start - 100, 0), start))
            last = data.draw(st.integers(first, min(first + 300, len(STREAMS[side]))))
            body = STREAMS[side][first:last]
            seq = STARTS[side] + 1 + first & 0xFFFFFFFF
            captured = body[: data.draw(st.integers(0, len(body)))]
            segments.append(found._replace(seq=seq, data=captured, length=len(body)))
    shuffled = data.draw(st.permutations(segments))
    assert told(shuffled)[:3] == (*STREAMS, told(segments).whats)


@given(st.randoms(use_true_random=False), st.integers(1, 100))
def test_no_reply_stands_before_its_request(chance: random.Random, pieces: int) -> None:
    segments = list(talk(SPOKEN, pieces).segments)
    chance.shuffle(segments)
    assert told(segments).turns == "cdcd"


@given(st.data())
def test_what_is_lost_is_a_gap_of_known_length_in_its_place(data: st.DataObject) -> None:
    segments = talk(SPOKEN, data.draw(st.integers(1, 200))).segments
    lost = data.draw(st.sets(st.sampled_from(range(3, len(segments) - 2))))
    expected = [bytearray(stream) for stream in STREAMS]
    for each in (segments[i] for i in lost):
        start = each.seq - STARTS[side_of(each)] - 1 & 0xFFFFFFFF
        expected[side_of(each)][start : start + each.length] = UNKNOWN * each.length
    found = told([each for i, each in enumerate(segments) if i not in lost])
    assert found[:3] == (*map(bytes, expected), WHOLE)
    if len(lost) == 1:
        assert found.turns == "cdcd"


def test_an_end_that_the_capture_missed_is_known_from_what_was_acknowledged() -> None:
    segments = talk(SPOKEN).segments
    made = Talk()
    made.open()
    made.say(CLIENT, b"ask")
    closing = made.say(CLIENT, flags=FIN | ACK)
    made.say(DAEMON, b"answer")
    made.say(DAEMON, flags=FIN | ACK)
    found = told([each for each in made.segments if each is not closing])
    assert (found.client, found.daemon) == (b"ask", b"answer")
    assert sorted(map(str, found.whats)) == sorted(map(str, WHOLE))
    assert told(segments[:-1]).whats == WHOLE[:2]


def test_what_was_cut_off_by_the_snapshot_length_is_missing_unless_sent_again() -> None:
    segments = list(talk(SPOKEN).segments)
    whole = next(each for each in segments if each.length == 300)
    cut = whole._replace(data=whole.data[:10])
    lacking = [cut if each is whole else each for each in segments]
    found = told(lacking)
    assert found.client == whole.data[:10] + UNKNOWN * 290 + b"more"
    assert found.turns == "cdcd"
    assert told([*lacking, whole])[:2] == STREAMS


def test_a_capture_that_begins_in_the_middle() -> None:
    segments = talk(SPOKEN, 100).segments
    for begin in range(1, len(segments) - 2):
        found = told(segments[begin:])
        assert STREAMS[CLIENT].endswith(found.client)
        assert STREAMS[DAEMON].endswith(found.daemon)
        assert found.whats == [("join" if begin > 1 else "open", None), *WHOLE[1:]]


def test_one_direction_only_is_gaps_in_the_other() -> None:
    segments = talk(SPOKEN, 100).segments
    for side in (CLIENT, DAEMON):
        found = told([each for each in segments if side_of(each) == side])
        assert found[side] == STREAMS[side]
        assert found[1 - side] == UNKNOWN * len(STREAMS[1 - side])
        assert found.turns == "cdcd"


def test_a_reset_says_who_hung_up_and_waits_for_what_is_before_it() -> None:
    made = Talk()
    made.open()
    made.say(CLIENT, b"ask")
    made.say(DAEMON, b"answer")
    made.say(CLIENT, flags=RST | ACK)
    expected = Told(b"ask", b"answer", [("open", None), ("reset", CLIENT), ("close", None)], "cd")
    assert told(made.segments) == expected
    *before, data, reset = made.segments
    assert told([*before, reset, data]) == expected
    assert told([*before, data, reset._replace(seq=0, flags=RST)]) == expected


def test_who_closes_first_is_told_first() -> None:
    for side in (CLIENT, DAEMON):
        made = Talk()
        made.open()
        made.close(side)
        closed = [what for what, _ in told(made.segments).whats]
        assert closed == ["open", "half-close", "half-close", "close"]
        assert told(made.segments).whats[1][1] == side


def test_numbers_far_away_are_of_no_matter() -> None:
    segments = talk(SPOKEN).segments
    stray = segments[3]._replace(seq=segments[3].seq + (1 << 31) & 0xFFFFFFFF)
    assert told([*segments[:5], stray, *segments[5:]])[:2] == STREAMS


def test_a_syn_of_other_numbers_is_of_the_next_connection() -> None:
    first, second = talk(SPOKEN), Talk(starts=(77, 88))
    syn = second.say(CLIENT, flags=SYN)
    for seen in (first.segments, first.segments[4:]):
        connection = Connection(0, ENDS)
        for found in seen:
            connection.note(side_of(found), found)
        assert connection.again(first.segments[0])
        assert not connection.again(syn._replace(seq=first.segments[-1].seq))
