"""`pix-inspect list`: what runs, what was recorded, and what of it is stale."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pix_inspect.machine.running_relays import birth
from tests.support.processes import pix, recording
from tests.support.relaying import until


def test_nothing_yet(tmp_path: Path) -> None:
    assert pix("list", cwd=tmp_path).stdout == "no relay runs\n"
    assert json.loads(pix("list", "--json", cwd=tmp_path).stdout) == {
        "relays": [],
        "recordings": [],
    }


def test_a_relay_with_its_connections(tmp_path: Path) -> None:
    with recording(tmp_path) as relay:
        until(lambda: bool(json.loads(pix("list", "--json", cwd=tmp_path).stdout)["relays"]))
        pairs = [relay.pair() for _ in range(3)]
        pairs[0][0].close()
        pairs[0][1].close()
        expected = {
            "pid": relay.process.pid,
            "listen": str(tmp_path / "s"),
            "upstream": str(tmp_path / "d"),
            "recording": str(tmp_path / "r.pcapng"),
            "connections": 2,
            "suspended": False,
        }
        until(
            lambda: json.loads(pix("list", "--json", cwd=tmp_path).stdout)["relays"] == [expected]
        )
        text = pix("list", cwd=tmp_path).stdout
        assert text.splitlines() == [
            f"relay {relay.process.pid}: {tmp_path}/s ⇄ {tmp_path}/d  2 connections",
            f"    {tmp_path}/r.pcapng",
        ]
        for client, server in pairs[1:]:
            client.close()
            server.close()
        assert relay.stop() == 0
    assert pix("list", cwd=tmp_path).stdout == "no relay runs\n"


def test_what_a_killed_relay_left_is_cleared_away(tmp_path: Path) -> None:
    running = tmp_path / "state" / "pix-inspect" / "running"
    with recording(tmp_path) as relay:
        until(lambda: len(list(running.glob("*.json"))) == 1)
        relay.process.kill()
        relay.process.wait()
    assert pix("list", cwd=tmp_path).stdout == "no relay runs\n"
    assert list(running.iterdir()) == []


def test_a_number_given_to_another_process_is_no_relay(tmp_path: Path) -> None:
    running = tmp_path / "state" / "pix-inspect" / "running"
    running.mkdir(parents=True)
    said = {"pid": os.getpid(), "listen": "/s", "upstream": "/d", "recording": "/r"}
    born = birth(os.getpid())
    assert born is not None
    (running / "1.json").write_text(json.dumps(said | {"born": born}))
    (running / "2.json").write_text(json.dumps(said | {"born": born - 1}))
    (running / "3.json").write_text("{")
    (running / "4.json").write_text("[1]")
    (running / "5.json").write_text(json.dumps(said | {"born": born, "listen": 7}))
    listed = json.loads(pix("list", "--json", cwd=tmp_path).stdout)["relays"]
    assert [relay["pid"] for relay in listed] == [os.getpid()]
    assert [path.name for path in running.iterdir()] == ["1.json"]


def test_recordings_the_newest_first_and_their_names_shown_not_sent(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "pix-inspect" / "recordings"
    folder.mkdir(parents=True)
    for age, name in enumerate(("new.pcapng", "evil\x1b[31m.pcapng", "old.pcapng")):
        (folder / name).write_bytes(b"x" * 2048)
        os.utime(folder / name, (1_700_000_000 - age, 1_700_000_000 - age))
    lines = pix("list", cwd=tmp_path).stdout.splitlines()
    assert lines[:2] == ["no relay runs", "recordings:"]
    assert [line.rpartition("/")[2] for line in lines[2:]] == [
        "new.pcapng",
        "evil␛[31m.pcapng",
        "old.pcapng",
    ]
    assert "2 KiB" in lines[2]
    recordings = json.loads(pix("list", "--json", cwd=tmp_path).stdout)["recordings"]
    assert recordings[0] == {
        "path": str(folder / "new.pcapng"),
        "bytes": 2048,
        "changed": 1_700_000_000,
    }


def test_a_state_directory_that_cannot_be_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for command in ("list", "attach"):
        done = pix(command, cwd=tmp_path, env={"XDG_STATE_HOME": str(tmp_path / "file")})
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "set XDG_STATE_HOME" in done.stderr
