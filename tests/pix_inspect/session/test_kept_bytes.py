"""What was kept of a stream is found again, whether it was held or not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pix.conversation import CLIENT, DAEMON
from pix_inspect.recording.reader import Chunk, RecordingReader
from pix_inspect.session import kept_bytes
from pix_inspect.session.kept_bytes import Kept
from tests.support.recording import Recording

packets = st.lists(
    st.tuples(st.sampled_from([CLIENT, DAEMON]), st.binary(max_size=9), st.integers(0, 5)).filter(
        lambda packet: packet[1] or packet[2]
    ),
    max_size=9,
)


@given(packets, st.sampled_from([0, 5, 1 << 20]), st.integers(0, 60), st.integers(0, 60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_kept_bytes_are_those_of_the_stream(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    passed: list[tuple[int, bytes, int]],
    room: int,
    start: int,
    end: int,
) -> None:
    monkeypatch.setattr(kept_bytes, "MOST_HELD", room)
    monkeypatch.setattr(kept_bytes, "READ_AGAIN", 7)
    made = Recording()
    other, talk = made.open(), made.open()
    stream = bytearray()
    known: set[int] = set()
    for side, data, elided in passed:
        other.chunk(side, data, len(data) + elided)
        talk.chunk(side, data, len(data) + elided)
        if side == CLIENT:
            known |= set(range(len(stream), len(stream) + len(data)))
            stream += data + bytes(elided)
    reader = RecordingReader(made.save(tmp_path / "x.pcapng"))
    found = Kept(reader, 2, CLIENT)
    for item in reader.poll():
        if isinstance(item, Chunk) and (item.connection, item.side) == (2, CLIENT):
            found.add(item.offset, item.data, item.length, item.position)
    assert found.end == len(stream)
    end = max(start, min(end, len(stream)))
    start = min(start, end)
    at = start
    pieces = found.read(start, end)
    for offset, piece in pieces:
        assert offset == at
        if piece is None:
            following = [o for o, _ in pieces if o > offset]
            at = following[0] if following else end
            assert not known & set(range(offset, at))
        else:
            assert piece == stream[offset : offset + len(piece)]
            at += len(piece)
    assert at == end
    assert found.count(start, end) == len(known & set(range(start, end)))
    whole = found.whole(start, end)
    assert (whole is None) == (not set(range(start, end)) <= known)
    first = found.first(start, end)
    assert first == stream[start : start + len(first)]
    assert len(first) == end - start or start + len(first) not in known
    reader.close()
