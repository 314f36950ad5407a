"""Raw streams: the events file, and the order that is made up without one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pix.conversation.exchange import CLIENT, DAEMON
from pix.problem import Problem
from pix_inspect.importing.raw_streams import CHUNK, made_up, raw_streams
from tests.support.captures import Run
from tests.support.typical import TypicalPlaybook


def files(tmp_path: Path, client: bytes, daemon: bytes, *events: dict[str, Any]) -> list[Path]:
    (tmp_path / "c").write_bytes(client)
    (tmp_path / "d").write_bytes(daemon)
    (tmp_path / "e").write_text("\n".join(map(json.dumps, events)) + "\n\n")
    return [tmp_path / "c", tmp_path / "d", tmp_path / "e"]


def test_events_say_when_what_passed(tmp_path: Path) -> None:
    paths = files(
        tmp_path, b"abc", b"xy",
        {"t": 0.5, "ev": "open"},
        {"t": 1, "dir": "c2s", "off": 0, "len": 3},
        {"t": 2, "dir": "s2c", "off": 0, "len": 2},
        {"t": 1.5, "dir": "c2s", "ev": "eof"},
        {"t": 2.5, "dir": "c2s", "ev": "hangup"},
        {"t": 2.5, "ev": "send-error"},
        {"t": 3, "ev": "close"},
    )  # fmt: skip
    start = paths[0].stat().st_mtime_ns
    found = [(e.time - start, e.what, e.side, e.data) for e in raw_streams(*paths)]
    assert found == [
        (0, "open", None, b""),
        (10**9, "data", CLIENT, b"abc"),
        (2 * 10**9, "data", DAEMON, b"xy"),
        (2 * 10**9, "half-close", CLIENT, b""),
        (2_500_000_000, "reset", CLIENT, b""),
        (3 * 10**9, "close", None, b""),
    ]


def test_bytes_that_no_event_speaks_of_are_not_lost_and_nobody_is_said_to_close(
    tmp_path: Path,
) -> None:
    paths = files(tmp_path, b"abc", b"xy", {"t": 1, "dir": "c2s", "off": 0, "len": 1})
    found = [(e.what, e.side, e.data) for e in raw_streams(*paths)]
    assert found[1:] == [
        ("data", CLIENT, b"a"), ("data", CLIENT, b"bc"), ("data", DAEMON, b"xy"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"t": 1, "dir": "c2s", "off": 1, "len": 1}, "line 1: expected offset 0 of c2s"),
        ({"t": 1, "dir": "c2s", "off": 0, "len": "x"}, "`len` is not a number of bytes"),
        ({"t": 1, "dir": "c2s", "off": 0, "len": True}, "`len` is not a number of bytes"),
        ({"t": 1, "dir": "c2s", "off": 0.0, "len": 1}, "expected offset 0"),
        ({"t": 1, "dir": "c2s", "off": 0, "len": 9}, "that stream has only 3 bytes"),
        ({"t": 1, "ev": "dance"}, "neither a chunk nor open, eof, hangup or close"),
        ({"ev": "open"}, "no time `t` in seconds"),
        ({"t": float("nan")}, "no time `t` in seconds"),
        ({"t": 1e300}, "no time `t` in seconds"),
        ({"t": 1, "dir": [], "ev": []}, "neither a chunk nor open"),
        ([], "no time `t` in seconds"),
    ],
)
def test_events_that_do_not_fit(event: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(Problem, match=said):
        list(raw_streams(*files(tmp_path, b"abc", b"", event)))


def test_what_breaks_off_is_said_in_one_turn_and_behind_what_it_answers() -> None:
    talk = TypicalPlaybook(38)
    hello = [b"".join(data or b"" for who, data in talk.turns if who == side) for side in (0, 1)]
    talk.whole("IsValidPath", "QueryPathInfo")
    said = [b"".join(data or b"" for who, data in talk.turns if who == side) for side in (0, 1)]
    for cut in (1, 7, 9, 20):
        for streams in ((said[CLIENT][:-cut], said[DAEMON]), (said[CLIENT], said[DAEMON][:-cut])):
            passed = [e for e in made_up((streams[CLIENT], streams[DAEMON]), 0) if e.data]
            assert [e.side for e in passed[-4:]] == [CLIENT, DAEMON] * 2
    for cut in range(1, len(hello[CLIENT])):
        events = list(made_up((hello[CLIENT][:cut], b""), 0))
        assert b"".join(e.data for e in events) == hello[CLIENT][:cut]


def test_made_up_order_has_every_byte_once(captured_runs: tuple[Run, ...]) -> None:
    for run in captured_runs[::40]:
        for connection in run.connections:
            streams = (connection.c2s, connection.s2c)
            events = list(made_up(streams, 0))
            for side, stream in enumerate(streams):
                assert b"".join(e.data for e in events if e.side == side) == stream, run.name
            assert all(len(e.data) <= CHUNK for e in events)
            assert [e.what for e in (events[0], events[-1])] == ["open", "close"]
