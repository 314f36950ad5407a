"""import: raw streams and other tools' captures become recordings with the same exchanges."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from struct import pack
from typing import Any

import pytest

from pix.conversation.exchange import CLIENT
from pix_inspect import cli
from pix_inspect.session.session import Session
from tests.support import captures
from tests.support.captures import Connection, Run
from tests.support.recorded import by_connection, direct, steps

STORIES = (
    "2.34.8-2.34.8/add-many",
    "2.26.3-2.26.3/build-fail",
    "2.3.7-2.3.7/export-import",
    "2.34.8-2.34.8/raw-bad-magic",
)


@pytest.fixture(params=STORIES)
def connection(request: pytest.FixtureRequest, captured_runs: tuple[Run, ...]) -> Connection:
    return captures.run(request.param).connections[0]


def spans(session: Session, connection: int = 1) -> list[Any]:
    found = []
    for i in by_connection(session).get(connection, []):
        row, view = session.row(i), session.exchange(i)
        found.append((row.kind, row.code, row.up, row.down, row.state, row.frames))
        assert view.row.complete == (row.state in ("ok", "error") and view.row.complete)
    return found


def expected(connection: Connection) -> list[Any]:
    found = []
    for e in direct(connection):
        request = e.request_end - e.start if e.side == CLIENT and e.request_end is not None else 0
        reply = (
            e.daemon_end - e.daemon_start
            if e.daemon_start is not None and e.daemon_end is not None
            else 0
        )
        if e.kind == "opaque":
            state = "opaque"
        elif e.failed:
            state = "error"
        else:
            state = "ok" if e.complete else "cut"
        found.append((e.kind, e.code, request, reply, state, e.frames))
    return found


def streams(connection: Connection, tmp_path: Path) -> list[str]:
    (tmp_path / "c2s.bin").write_bytes(connection.c2s)
    (tmp_path / "s2c.bin").write_bytes(connection.s2c)
    lines = "".join(json.dumps(event) + "\n" for event in connection.events)
    (tmp_path / "events.jsonl").write_text(lines)
    return ["--client", str(tmp_path / "c2s.bin"), "--daemon", str(tmp_path / "s2c.bin")]


def imported(tmp_path: Path, *words: str) -> Session:
    path = tmp_path / "made.pcapng"
    path.unlink(missing_ok=True)
    assert cli.main(["import", *words, "-o", str(path)]) == 0
    return Session(path).read_all()


def test_streams_with_and_without_events_give_the_same_exchanges(
    connection: Connection, tmp_path: Path
) -> None:
    files = streams(connection, tmp_path)
    without = spans(imported(tmp_path, *files))
    events = imported(tmp_path, *files, "--events", str(tmp_path / "events.jsonl"))
    assert without == spans(events) == expected(connection)
    assert [events.row(i).took for i in range(len(events))] == [e.took for e in direct(connection)]


def test_nixwire_gives_the_same_exchanges(connection: Connection, tmp_path: Path) -> None:
    path = tmp_path / "x.nixwire"
    data = pack("<8sHHQI", b"NIXWREC\0", 1, 0, 10**18, 0)
    for step in steps(connection):
        if step.what == "data":
            data += pack("<QBI", step.time % 10**15, step.side, len(step.data)) + step.data
    path.write_bytes(data)
    assert spans(imported(tmp_path, str(path))) == expected(connection)


def test_strace_gives_the_same_exchanges(connection: Connection, tmp_path: Path) -> None:
    path = tmp_path / "log"
    lines = []
    for step in steps(connection):
        if step.what == "data":
            call = "write" if step.side == CLIENT else "read"
            text = "".join(f"\\x{byte:02x}" for byte in step.data)
            lines.append(f'{call}(3, "{text}", 65536) = {len(step.data)}\n')
    path.write_text("".join(lines))
    if connection.c2s[:4] != b"cxin":
        assert cli.main(["import", str(path), "-o", str(tmp_path / "no.pcapng")]) == 2
        assert not (tmp_path / "no.pcapng").exists()
        return
    assert spans(imported(tmp_path, str(path))) == expected(connection)


def test_strings_that_strace_cut_off_are_bytes_not_kept(
    captured_runs: tuple[Run, ...], tmp_path: Path
) -> None:
    connection = captures.run("2.34.8-2.34.8/add-150k").connections[0]
    path = tmp_path / "log"
    lines = []
    for step in steps(connection):
        if step.what == "data":
            call = "write" if step.side == CLIENT else "read"
            text = "".join(f"\\x{byte:02x}" for byte in step.data[:4096])
            cut = "..." if len(step.data) > 4096 else ""
            lines.append(f'{call}(3, "{text}"{cut}, 65536) = {len(step.data)}\n')
    path.write_text("".join(lines))
    session = imported(tmp_path, str(path))
    assert sum(session.row(i).up for i in range(len(session))) > 150_000
    assert session.row(0).state == "ok"


def test_several_captures_become_one_recording(
    captured_runs: tuple[Run, ...], tmp_path: Path
) -> None:
    words = []
    for i, story in enumerate(STORIES[:2]):
        path = tmp_path / f"{i}.nixwire"
        data = pack("<8sHHQI", b"NIXWREC\0", 1, 0, 10**18, 0)
        for step in steps(captures.run(story).connections[0]):
            if step.what == "data":
                data += pack("<QBI", 0, step.side, len(step.data)) + step.data
        path.write_bytes(data)
        words.append(str(path))
    session = imported(tmp_path, *words)
    for number, story in enumerate(STORIES[:2], 1):
        assert spans(session, number) == expected(captures.run(story).connections[0])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "say what to import"),
        (["--client", "x"], "say what to import"),
        (["x", "--port", "65536"], "'65536' is not a port"),
        (["--port", "9999"], "--port is for captures of TCP: name them, FILE…"),
        (["none"], "cannot read none"),
        (["--client", "none", "--daemon", "none"], "cannot read none"),
        (["x", "--client", "y"], "give either captures or --client and --daemon, not both"),
        (
            [__file__],
            "neither a capture of packets (pcap, pcapng), a .nixwire file nor a log of strace",
        ),
        (["--client", __file__, "--daemon", __file__, "--events", __file__], "not JSON"),
    ],
)
def test_what_cannot_be_imported_is_said_and_leaves_no_file(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.main(["import", *words, "-o", str(tmp_path / "made.pcapng")]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_payload_is_elided_as_asked(captured_runs: tuple[Run, ...], tmp_path: Path) -> None:
    connection = captures.run("2.34.8-2.34.8/add-150k").connections[0]
    files = streams(connection, tmp_path)
    kept = {}
    for limit in ("none", "1K", "full"):
        session = imported(tmp_path, *files, "--payload", limit)
        views = [session.exchange(i) for i in range(len(session))]
        (payload,) = (v.payload for v in views if v.payload is not None and v.payload.bytes > 99999)
        kept[limit] = payload.kept, payload.bytes
    total = kept["full"][1]
    assert kept == {"none": (0, total), "1K": (1024, total), "full": (total, total)}


def test_a_recording_that_does_not_fit_is_not_made(tmp_path: Path) -> None:
    said = pack("<QQ", 0x6E697863, 0x126)
    (tmp_path / "c2s").write_bytes(said + bytes(9000))
    (tmp_path / "s2c").write_bytes(said)
    words = ["import", "--client", "c2s", "--daemon", "s2c", "-o", "r.pcapng"]
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 4; exec "$@"', "sh", sys.executable, "-m", "pix_inspect", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},  # half of it would stay
    )
    assert (done.returncode, done.stderr) == (
        2,
        "pix-inspect: cannot write r.pcapng: File too large\n",
    )
    assert not (tmp_path / "r.pcapng").exists()
