"""`pix-inspect stop`: a relay ends as by Ctrl-C, by whatever name `list` has for it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.support.processes import RelayProcess, pix, recording
from tests.support.relaying import WAIT, until


def registered(relay: RelayProcess) -> None:
    """Wait until `list` shows the relay."""
    until(lambda: bool(json.loads(pix("list", "--json", cwd=relay.place).stdout)["relays"]))


@pytest.mark.parametrize("name", [None, "s", "r", "r.pcapng", "pid"])
def test_a_relay_is_ended_by_its_names(tmp_path: Path, name: str | None) -> None:
    with recording(tmp_path) as relay:
        registered(relay)
        named = [] if name is None else [str(relay.process.pid) if name == "pid" else name]
        done = pix("stop", *named, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert f"relay {relay.process.pid} has ended; recorded in {relay.recording}" in done.stderr
        assert relay.process.wait(WAIT) == 0
        assert not relay.path.exists()


def test_a_recording_that_somebody_took_goes_on_in_a_file_that_is_named(tmp_path: Path) -> None:
    with recording(tmp_path) as relay:
        registered(relay)
        relay.recording.unlink()
        relay.recording.write_text("somebody's own")
        relay.says("it goes on in")
        done = pix("stop", "r-2", cwd=tmp_path)
        assert f"recorded in {tmp_path / 'r-2.pcapng'}" in done.stderr
        assert relay.process.wait(WAIT) == 0
        relay.says("0 connections recorded in r-2.pcapng")
    assert relay.recording.read_text() == "somebody's own"


def test_clients_are_waited_for_unless_it_is_now(tmp_path: Path) -> None:
    with recording(tmp_path) as relay:
        registered(relay)
        client, server = relay.pair()
        done = pix("stop", cwd=tmp_path)
        assert "takes no more clients, and waits for 1 connected client" in done.stderr
        client.sendall(b"still there")
        assert server.recv(100) == b"still there"
        assert "has ended" in pix("stop", "--now", cwd=tmp_path).stderr
        assert client.recv(100) == b""
        client.close()
        server.close()


def test_one_that_is_suspended_is_said_to_be(tmp_path: Path) -> None:
    with recording(tmp_path) as relay:
        registered(relay)
        pid = relay.process.pid
        os.kill(pid, signal.SIGSTOP)
        os.waitpid(pid, os.WUNTRACED)
        assert pix("list", cwd=tmp_path).stdout.splitlines()[0].endswith("  suspended")
        assert f"suspended: `kill -CONT {pid}`" in pix("status", cwd=tmp_path).stdout
        done = pix("stop", cwd=tmp_path)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert f"relay {pid} is suspended and hears nothing: `kill -CONT {pid}`" in done.stderr
        os.kill(pid, signal.SIGCONT)
        assert relay.process.wait(WAIT) == 0


def test_what_runs_for_a_command_ends_with_that(tmp_path: Path) -> None:
    with recording(tmp_path) as relay:
        registered(relay)
        (entry,) = (tmp_path / "state").rglob("*.json")
        entry.write_text(json.dumps({**json.loads(entry.read_text()), "stoppable": False}))
        done = pix("stop", cwd=tmp_path)
        assert done.returncode == 2
        assert "belongs to a command or session" in done.stderr
        assert relay.process.poll() is None
        assert relay.stop() == 0
