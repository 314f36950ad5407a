"""`pix-inspect grpc` as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pix.daemon import DaemonConnection
from pix.worker_service import WorkerServiceClient
from pix_inspect.cli import main
from pix_store import EmbeddedDaemon
from tests.support.worker_service import SECONDS, serving


@contextmanager
def running(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command; gives the process, and what it said first."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pix_inspect", "grpc", *words],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        yield process, process.stderr.readline()
    finally:
        process.terminate()
        process.communicate()


def test_it_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    socket = tmp_path / "grpc"
    with (
        EmbeddedDaemon() as daemon,
        running("--listen", f"unix://{socket}", "--upstream", str(daemon.path)) as (process, said),
    ):
        assert said == (
            f"pix-inspect: nix.proto.WorkerService on unix://{socket}, for the daemon at"
            f" {daemon.path}; ask it with\n"
        )
        with WorkerServiceClient(f"unix://{socket}", timeout=SECONDS) as client:
            path = client.add_text_to_store("x", "y")
            assert client.is_valid_path(path)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
        assert not socket.exists()


def test_a_port_is_said_and_who_may_connect(tmp_path: Path) -> None:
    with (
        EmbeddedDaemon() as daemon,
        running("--listen", "127.0.0.1:0", "--upstream", str(daemon.path), "--quiet") as (_, said),
    ):
        address = said.split()[9]
        assert said == (
            f"pix-inspect: every user of this machine can connect to {address} and has the daemon"
            f" as user {os.getuid()} would, unencrypted and without a password\n"
        )
        with WorkerServiceClient(address, timeout=SECONDS) as client:
            assert client.find_roots() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to listen on: give --listen"),
        (["--listen", "nonsense"], "'nonsense' is not an address"),
        (["--listen", "/tmp/x", "--upstream", "/nowhere"], "cannot reach the daemon at /nowhere"),
    ],
)
def test_what_cannot_be(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grpc", *words]) == 2
    assert said in capsys.readouterr().err


def test_other_machines(capsys: pytest.CaptureFixture[str]) -> None:
    with EmbeddedDaemon() as daemon:
        words = ["--listen", "0.0.0.0:0", "--upstream", str(daemon.path)]
        assert main(["grpc", *words]) == 2
        assert "add --allow-remote if that is meant" in capsys.readouterr().err
        with running(*words, "--allow-remote", "--quiet") as (_, warning):
            assert "every machine that reaches 0.0.0.0:" in warning


def test_what_it_asks_is_recorded_with_the_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording, address = tmp_path / "grpc.pcapng", f"unix://{tmp_path}/grpc"
    with (
        EmbeddedDaemon() as daemon,
        running(
            *("--listen", address, "--upstream", str(daemon.path), "--record", str(recording))
        ) as (process, _),
    ):
        with WorkerServiceClient(address, timeout=SECONDS) as client:
            client.query_all_valid_paths()
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0
        assert process.stderr is not None
        assert process.stderr.read().endswith(
            f"1 connection to the daemon recorded in {recording}\n"
        )
    assert main(["dump", str(recording), "--filter", "grpc.method = QueryAllValidPaths"]) == 0
    assert "QueryAllValidPaths (23)" in capsys.readouterr().out


def test_send_asks_a_service(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with EmbeddedDaemon() as daemon, serving(daemon.path, tmp_path / "grpc") as (_, address, _):
        with DaemonConnection(daemon.path) as direct:
            path = direct.add_text_to_store("x", "y")
        ask = ["send", "--grpc", address]
        assert main([*ask, f'IsValidPath(path="{path}").reply.valid', "--json"]) == 0
        assert main([*ask, f'QueryPathInfo(path="{path}").reply.info.nar_size', "--json"]) == 0
        assert capsys.readouterr().out == "true\n120\n"
        for words, said in (
            (['QueryRealisation(id="x")'], "QueryRealisation"),
            (['IsValidPath(path="x")'], "'x' is not a store path"),
            (["CollectGarbage(action=2)"], "add --yes if that is meant"),
            (["raw(u64(1))"], "needs a connection to a daemon"),
            (["FindRoots()", "--upstream", "/x"], "leave out --upstream"),
        ):
            assert main([*ask, *words]) == 2
            assert said in capsys.readouterr().err
        with DaemonConnection(daemon.path) as direct:
            assert direct.is_valid_path(path)
    assert main([*ask, "FindRoots()"]) == 2
    assert "UNAVAILABLE" in capsys.readouterr().err
