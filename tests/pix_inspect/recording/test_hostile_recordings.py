"""Files made to mislead: reading ends, allocates little, and raises nothing but Problem."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pix.conversation import CLIENT
from pix.problem import Problem
from pix_inspect.expectations.expectation import expectation
from pix_inspect.expectations.verdicts import verdicts
from pix_inspect.export.excerpt import excerpt
from pix_inspect.findings.collector import Findings
from pix_inspect.recording import pcapng, tcp_headers
from pix_inspect.recording.reader import Item, RecordingReader
from pix_inspect.session.session import Session
from tests.support.packets import block, chunks, conversation, items_of, save, stream
from tests.support.recording import Recording, section
from tests.support.typical import TypicalPlaybook

FILES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


# Hostile


@pytest.mark.parametrize(
    "bad",
    [
        block(6, b"", total=0),
        block(6, b"", total=8),
        block(6, bytes(28), total=41),
        block(6, bytes(28), again=44),
        block(0x0BAD, bytes(28), again=44),
        block(pcapng.SECTION_HEADER, b"\x1a\x2b\x3c\x4d" + bytes(12)),
        block(pcapng.SECTION_HEADER),
        bytes(64),
        b"\xff" * 64,
    ],
)
def test_damage_ends_the_reading_where_it_is(tmp_path: Path, bad: bytes) -> None:
    made = conversation()
    good = items_of(made.save(tmp_path / "a.pcapng"))
    reader = RecordingReader(save(tmp_path / "b.pcapng", made.data + bad + made.data))
    assert reader.poll() == good
    assert reader.poll() == []
    if reader.truncated is not None and reader.warnings:
        assert reader.truncated == (len(made.data), len(bad) + len(made.data))
        assert f"damaged at offset {len(made.data)}" in reader.warnings[0]
    assert list(reader.read_from(0)) == good


@pytest.mark.parametrize("kind", [6, 0x0BAD])
def test_a_wild_length_is_waited_for_and_allocates_nothing(tmp_path: Path, kind: int) -> None:
    made = conversation()
    good = items_of(made.save(tmp_path / "a.pcapng"))
    wild = block(kind, bytes(64), total=0xFFFFFFFC)
    reader = RecordingReader(save(tmp_path / "b.pcapng", made.data + wild))
    assert reader.poll() == good
    assert reader.truncated == (len(made.data), len(wild))


def test_large_blocks_of_other_kinds_are_not_loaded(tmp_path: Path) -> None:
    made = conversation()
    good = items_of(made.save(tmp_path / "a.pcapng"))
    path = tmp_path / "b.pcapng"
    size = 1 << 31
    first = section()
    with path.open("wb") as file:
        file.write(first + pcapng.BLOCK.pack(0x0BAD, size))
        file.seek(len(first) + size - 4)
        file.write(pcapng.U32.pack(size) + made.data)
    reader = RecordingReader(path)
    items = reader.poll()
    assert [item[:6] for item in chunks(items)] == [item[:6] for item in chunks(good)]
    assert list(reader.read_from(0)) == items


def test_packets_of_unknown_interfaces_or_of_others_are_left_out(tmp_path: Path) -> None:
    made = conversation()
    others = [
        pcapng.packet(77, 0, bytes(60), 60, 1),
        pcapng.packet(0xFFFFFFFF, 0, bytes(60), 60, 1),
        pcapng.packet(0, 0, b"", 0, 1),
        pcapng.packet(0, 0, b"\x45" + bytes(39), 40, 1),
        block(6, bytes(4)),
        block(6, pcapng.U32.pack(0) * 3 + pcapng.U32.pack(0xFFFFFFFF) * 2 + bytes(60)),
    ]
    reader = RecordingReader(save(tmp_path / "s.pcapng", made.data + b"".join(others)))
    assert reader.poll() == items_of(made.save(tmp_path / "a.pcapng"))
    assert reader.truncated is None
    assert "left out" in reader.warnings[0]


@pytest.mark.parametrize("name", [b"eth0", b"conn-", b"conn-x", b"conn-99999999999", b"\xff"])
def test_interfaces_of_others_are_left_out(tmp_path: Path, name: bytes) -> None:
    made = conversation()
    made.blocks.append(pcapng.interface_description(101, [(pcapng.IF_NAME, name)]))
    good = tcp_headers.Way(0, 50_000).headers(tcp_headers.ACK, 1, 1, 4) + b"data"
    made.blocks.append(pcapng.packet(2, made.now(), good, 44, 2))
    items = items_of(made.save(tmp_path / "s.pcapng"))
    assert {item.connection for item in items} == {1, 2}


def test_wild_offsets_in_comments_are_not_believed(tmp_path: Path) -> None:
    for offsets in (["a", 1], [-1, 0], [1 << 80, 0], [0], None, {"a": 1}, [True, 1.5]):
        made = Recording()
        talk = made.open(continues={"offsets": offsets})
        talk.chunk(CLIENT, b"data")
        assert stream(items_of(made.save(tmp_path / "s.pcapng")), 1, CLIENT) == (b"data", 4)


@pytest.mark.parametrize("times", [(1 << 64) - 100, (1 << 63) - 7, 0])
def test_times_beyond_all_years(times: int, tmp_path: Path) -> None:
    """A record of the index holds times up to 2262; what is said to be later is as late as that."""
    made = Recording(time=times)
    for minor in (16, 37):
        talk = made.open()
        for side, data in TypicalPlaybook(minor).turns:
            talk.chunk(side, data or b"")
        talk.close()
        made.time = (1 << 64) - 50 if times < 1 << 62 else 0
    session = Session(made.save(tmp_path / "late.pcapng")).read_all()
    assert [session.row(i).state for i in range(len(session))] == ["ok", "ok"]
    assert Findings(session).finish().counts.total() == 0
    assert "handshake" in excerpt(session, 1, 2)
    assert verdicts(session, [expectation("max(took) < 10s")])[0].holds


def test_interfaces_without_end_are_refused(tmp_path: Path) -> None:
    many = pcapng.interface_description(101, [(pcapng.IF_NAME, b"conn-1")]) * 100_100
    reader = RecordingReader(save(tmp_path / "s.pcapng", section() + many))
    assert reader.poll() == []
    assert "interfaces without end" in reader.warnings[0]


def read_all(path: Path) -> tuple[RecordingReader, list[Item]] | None:
    """Read whatever it is, as often as there is something; check the promises."""
    try:
        reader = RecordingReader(path)
    except Problem:
        return None
    items: list[Item] = []
    while some := reader.poll(7):
        items += some
    size = path.stat().st_size
    assert reader.consumed <= size
    left = size - reader.consumed
    assert reader.truncated == ((reader.consumed, left) if left else None)
    assert sum(len(chunk.data) for chunk in chunks(items)) <= size
    assert all(chunk.length >= len(chunk.data) for chunk in chunks(items))
    assert all(0 <= item.position < size for item in items)
    list(reader.read_from(0))
    reader.close()
    return reader, items


MADE = conversation().data


@FILES
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(MADE) - 1),
            st.sampled_from(["set", "insert", "delete", "word"]),
            st.binary(min_size=1, max_size=9),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_mutated_recordings(tmp_path: Path, changes: list[tuple[int, str, bytes]]) -> None:
    data = bytearray(MADE)
    # Most of the file is one long payload; the interesting bytes are near its two ends.
    for place, how, value in changes:
        at = place % 2600 if place % 3 else len(data) - 1 - place % 1500
        if how == "set":
            data[at : at + len(value)] = value
        elif how == "word":
            data[at & ~3 : (at & ~3) + 4] = (value * 4)[:4]
        elif how == "insert":
            data[at:at] = value
        else:
            del data[at : at + len(value)]
    read_all(save(tmp_path / "s.pcapng", bytes(data)))


@FILES
@given(
    st.lists(
        st.tuples(
            st.sampled_from([1, 5, 6, 6, 6, 9, 0x0A0D0D0A, 0xBAD]),
            st.binary(max_size=120),
            st.sampled_from([None, None, None, 0, 4, 1 << 31]),
        ),
        max_size=12,
    )
)
@example([(6, bytes(8), None), (1, b"", None)])
def test_arbitrary_blocks(tmp_path: Path, blocks: list[tuple[int, bytes, int | None]]) -> None:
    data = section() + b"".join(block(kind, body, total) for kind, body, total in blocks)
    assert read_all(save(tmp_path / "s.pcapng", data))


@FILES
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(0, 1),
            st.integers(0, 31),
            st.integers(0, 0xFFFFFFFF) | st.integers(0, 40),
            st.binary(max_size=20),
            st.integers(0, 0xFFFFFFFF) | st.integers(0, 80),
            st.sampled_from(
                [
                    None,
                    {"event": "close"},
                    {"event": "close", "unended": ["x"]},
                    {"event": ["reset"]},
                    {"event": "half-close"},
                    {"lost": 1},
                    {"recorder": None},
                    {"event": "open", "connection": 1, "continues": {"offsets": [5, 1 << 40]}},
                    {"event": "open", "connection": "x", "continues": [1]},
                ]
            ),
        ),
        max_size=20,
    )
)
def test_arbitrary_packets(
    tmp_path: Path,
    packets: list[tuple[int, int, int, int, bytes, int, dict[str, object] | None]],
) -> None:
    names = [b"conn-1", b"conn-1", b"conn-5"]
    parts = [section(), *(pcapng.interface_description(101, [(2, name)]) for name in names)]
    for interface, side, flags, seq, data, original, note in packets:
        head = tcp_headers.Way(side, 50_000).headers(flags, seq, 0, len(data))
        comments = [pcapng.comment(note)] if note else []
        parts.append(pcapng.packet(interface, 0, head + data, original, 1, comments))
    found = read_all(save(tmp_path / "s.pcapng", b"".join(parts)))
    assert found is not None
    ends: dict[tuple[int, int], int] = {}
    for chunk in chunks(found[1]):
        flow = (chunk.connection, chunk.side)
        assert ends.get(flow, chunk.offset) == chunk.offset
        ends[flow] = chunk.offset + chunk.length
