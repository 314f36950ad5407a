"""Runs: the same operation again and again, each after the answer to the last."""

from __future__ import annotations

from pathlib import Path

from pix.codec.declare import wire_of
from pix.codec.gates import Protocol
from pix.codec.values import encode
from pix.codec.wire import pack_u64
from pix.protocol.operations import IsValidPath
from pix_inspect.analysis.round_trips import Analyst
from pix_inspect.analysis.runs import SHORTEST_RUN
from pix_inspect.recording.notes import Peer
from pix_inspect.recording.writer import RecordingWriter

START = 1_700_000_000_000_000_000
V35 = Protocol(35)


def recorded(path: Path, paths: list[str]) -> Path:
    writer = RecordingWriter(path, about={})
    log = writer.open(Peer(), {}, time=START)
    time = START

    def say(side: int, data: bytes) -> None:
        nonlocal time
        time += 100_000
        log.chunk(side, time, data, len(data))

    say(0, pack_u64(0x6E697863) + pack_u64(0x123))
    say(1, pack_u64(0x6478696F) + pack_u64(0x123))
    say(0, pack_u64(0) * 2)
    say(1, pack_u64(6) + b"2.18.0\0\0" + pack_u64(1) + pack_u64(0x616C7473))
    for name in paths:
        say(0, pack_u64(1) + encode(wire_of(IsValidPath), IsValidPath(path=name), V35))
        say(1, pack_u64(0x616C7473) + pack_u64(1))
    log.close(time)
    writer.close()
    return path


def test_a_run_is_found_with_its_advice(tmp_path: Path) -> None:
    names = [f"/nix/store/{i}" for i in range(40)] + ["/nix/store/0"] * 10
    found = Analyst(recorded(tmp_path / "s.pcapng", names)).read()
    (run,) = found.runs
    assert (run.operation, run.count, run.distinct) == ("IsValidPath", 50, 40)
    assert run.advice == "one QueryValidPaths (operation 31) does it"
    assert run.time == 50 * 100_000
    assert run.thinking == 49 * 100_000
    assert found.repeated == 10


def test_a_few_in_a_row_are_no_run(tmp_path: Path) -> None:
    names = [f"/nix/store/{i}" for i in range(SHORTEST_RUN - 1)]
    assert Analyst(recorded(tmp_path / "s.pcapng", names)).read().runs == []
