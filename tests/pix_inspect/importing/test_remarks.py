"""What is said of captures: a clock that was set back, whatever the file; little steps are none."""

from __future__ import annotations

import json
from pathlib import Path
from struct import pack

import pytest

from pix_inspect.cli import main
from pix_inspect.importing.remarks import Remarks

S = 10**9
SET_BACK = "the clock was set back by up to 59 min 01 s: times stand still until it has caught up"


def test_a_step_back_is_the_clock_from_a_second_on() -> None:
    remarks = Remarks()
    remarks.clock(5 * S, 4 * S + 1)
    assert not list(remarks.lines("log"))
    remarks.clock(3600 * S, 59 * S)
    remarks.clock(3600 * S, 3598 * S)
    assert list(remarks.lines("log")) == [f"log: {SET_BACK}"]


def test_nixwire_files_and_events_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hello, data = b"cxin" + bytes(4), bytes(8)
    old, new = tmp_path / "old.nixwire", tmp_path / "new.nixwire"
    old.write_bytes(
        pack("<8sHHQI", b"NIXWREC\0", 1, 0, S, 0)
        + b"".join(pack("<QBI", at * S, 0, 8) + each for at, each in ((3600, hello), (59, data)))
    )
    new.write_bytes(
        b"NIXWIRE1"
        + b"".join(pack("<cQQ", b"C", at * S, 8) + each for at, each in ((3600, hello), (59, data)))
    )
    streams = tmp_path / "c", tmp_path / "d", tmp_path / "events"
    streams[0].write_bytes(hello + data)
    streams[1].write_bytes(b"")
    events = [
        {"t": 3600, "dir": "c2s", "off": 0, "len": 8},
        {"t": 59, "dir": "c2s", "off": 8, "len": 8},
    ]
    streams[2].write_text("\n".join(map(json.dumps, events)))
    for i, words in enumerate(
        (
            [str(old)],
            [str(new)],
            ["--client", str(streams[0]), "--daemon", str(streams[1]), "--events", str(streams[2])],
        )
    ):
        assert main(["import", *words, "-o", str(tmp_path / f"{i}.pcapng")]) == 0
        said = capsys.readouterr().err.splitlines()
        assert f"pix-inspect: {words[-1]}: {SET_BACK}" in said
