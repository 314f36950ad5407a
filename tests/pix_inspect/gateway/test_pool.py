"""Connections to the daemon: one a call, kept, given the caller's options, closed when in doubt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from pix.daemon import DaemonConnection, NixDaemonError
from pix.worker_service import WorkerServiceClient
from pix_inspect.gateway.server import Gateway
from pix_store import EmbeddedDaemon
from tests.real_nix.test_daemon import Drv
from tests.support.worker_service import SECONDS, channel, generated, serving


@pytest.fixture
def daemon() -> Iterator[EmbeddedDaemon]:
    with EmbeddedDaemon(allow_build=True) as made:
        yield made


@pytest.fixture
def served(daemon: EmbeddedDaemon, tmp_path: Path) -> Iterator[tuple[Gateway, str]]:
    with serving(daemon.path, tmp_path / "grpc") as (gateway, address, said):
        yield gateway, address
        assert said == []


def until(holds: Callable[[], Any]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end
        threading.Event().wait(0.005)


def endless(direct: DaemonConnection, folder: Path, name: str = "endless") -> tuple[Drv, Path]:
    """A derivation whose build does not end, and a file that is there when it has begun."""
    begun = folder / f"{name}.begun"
    return Drv(direct, f"echo > {begun}; while :; do :; done", name), begun


def test_a_connection_is_used_again(served: tuple[Gateway, str]) -> None:
    gateway, address = served
    with WorkerServiceClient(address, timeout=SECONDS) as client:
        for _ in range(20):
            client.query_all_valid_paths()
    assert gateway.pool.open == 1


def test_two_hundred_calls_at_once(served: tuple[Gateway, str], daemon: EmbeddedDaemon) -> None:
    gateway, address = served
    pb, stubs = generated()
    with DaemonConnection(daemon.path) as direct:
        path = direct.add_text_to_store("x", "y")
    with channel(address) as made:
        stub = stubs.WorkerServiceStub(made)
        calls = [
            stub.IsValidPath.future(pb.StorePath(path=path), timeout=SECONDS) for _ in range(200)
        ]
        assert all(call.result().is_valid for call in calls)
    assert gateway.pool.open <= 200


def test_two_hundred_calls_that_wait_at_once(
    served: tuple[Gateway, str], daemon: EmbeddedDaemon
) -> None:
    gateway, address = served
    pb, stubs = generated()
    path = "/nix/store/" + "0" * 32 + "-x"
    head = pb.AddToStoreNarRequest(
        path_info=pb.PathInfo(path=pb.StorePath(path=path), nar_hash=b"x" * 32, nar_size=112)
    )
    going = threading.Event()

    def half() -> Iterator[Any]:
        yield head
        going.wait(SECONDS)

    with channel(address) as made:
        stub = stubs.WorkerServiceStub(made)
        calls = [stub.AddToStoreNar.future(half(), timeout=SECONDS) for _ in range(200)]
        until(lambda: gateway.pool.open == 200)
        assert not stub.IsValidPath(pb.StorePath(path=path), timeout=SECONDS).is_valid
        for call in calls:
            call.cancel()
        going.set()
        until(lambda: len(gateway.pool._used) == 0)
    until(lambda: gateway.pool.open == 1)


@pytest.mark.parametrize("how", ["cancelled", "deadline", "hung up"])
def test_a_call_that_is_over_ends_the_daemons_work(
    how: str, served: tuple[Gateway, str], daemon: EmbeddedDaemon, tmp_path: Path
) -> None:
    gateway, address = served
    pb, stubs = generated()
    with DaemonConnection(daemon.path) as direct, channel(address) as made:
        drv, begun = endless(direct, tmp_path, how.replace(" ", "-"))
        call = stubs.WorkerServiceStub(made).BuildPaths.future(
            pb.BuildPathsRequest(drvs=[drv.path]), timeout=1 if how == "deadline" else SECONDS
        )
        if how != "deadline":  # that may pass before the build begins
            until(begun.exists)
            assert gateway.pool.open == 1
        if how == "cancelled":
            call.cancel()
        elif how == "hung up":
            made.close()
        else:
            assert call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        until(lambda: gateway.pool.open == 0)
        until(lambda: len(daemon._threads) == 2)  # who listens, and the direct connection


def test_options_are_the_callers_own(
    served: tuple[Gateway, str], daemon: EmbeddedDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, address = served
    told: list[tuple[int, int]] = []
    call = DaemonConnection.call

    def spied(self: DaemonConnection, request: Any, write: Any = None) -> Any:
        if type(request).__name__ == "SetOptions":
            told.append((id(self), request.keep_going))
        return call(self, request, write)

    monkeypatch.setattr(DaemonConnection, "call", spied)
    with (
        WorkerServiceClient(address, timeout=SECONDS) as one,
        WorkerServiceClient(address, timeout=SECONDS) as other,
    ):
        one.query_all_valid_paths()
        assert [keep for _, keep in told] == [0]
        one.set_options(keep_going=1)
        one.query_all_valid_paths()
        assert [keep for _, keep in told] == [0, 1]
        other.query_all_valid_paths()
        assert [keep for _, keep in told] == [0, 1, 0]
        one.query_all_valid_paths()
        assert [keep for _, keep in told] == [0, 1, 0, 1]
    assert gateway.pool.open == 1


def test_temporary_roots_last_as_long_as_the_callers_connection(
    served: tuple[Gateway, str], daemon: EmbeddedDaemon
) -> None:
    gateway, address = served
    with DaemonConnection(daemon.path) as direct:
        path = direct.add_text_to_store("x", "y")
    with DaemonConnection(daemon.path) as direct:
        with WorkerServiceClient(address, timeout=SECONDS) as client:
            client.add_temp_root(path)
            client.query_all_valid_paths()
            until(lambda: [root.target for root in direct.find_roots()] == [path])
            assert gateway.pool.open == 2
        until(lambda: direct.find_roots() == [])
    until(lambda: gateway.pool.open == 1)  # the daemon sees the end of the other one first


def test_a_daemon_that_went_away(tmp_path: Path) -> None:
    with EmbeddedDaemon(tmp_path / "daemon") as daemon:
        serves = serving(daemon.path, tmp_path / "grpc")
        gateway, address, _ = serves.__enter__()
        client = WorkerServiceClient(address, timeout=SECONDS).connect()
        client.query_all_valid_paths()
    with pytest.raises(NixDaemonError, match=r"is the daemon running.*UNAVAILABLE"):
        client.query_all_valid_paths()
    with EmbeddedDaemon(tmp_path / "daemon"):
        assert client.query_all_valid_paths() == set()
    client.close()
    serves.__exit__(None, None, None)
    assert gateway.pool.open == 0


def test_at_the_end_calls_are_over(daemon: EmbeddedDaemon, tmp_path: Path) -> None:
    with DaemonConnection(daemon.path) as direct:
        drv, begun = endless(direct, tmp_path)
    ended: list[str] = []

    def build(address: str) -> None:
        with WorkerServiceClient(address, timeout=SECONDS) as client:
            try:
                client.build_paths([f"{drv.path}^*"])
            except NixDaemonError as error:
                ended.append(str(error))

    with (
        ThreadPoolExecutor() as threads,
        serving(daemon.path, tmp_path / "grpc") as (gateway, address, _),
    ):
        threads.submit(build, address)
        until(begun.exists)
    assert len(ended) == 1
    assert gateway.pool.open == 0
