"""Where clients connect, and who is let in."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import grpc
import pytest

from pix.problem import Problem
from pix.sockets import listen
from pix.worker_service import WorkerServiceClient
from pix_inspect.capture.upstream import SocketUpstream
from pix_inspect.gateway.listening import Address, bound
from pix_inspect.gateway.server import Gateway
from pix_store import EmbeddedDaemon
from tests.support.worker_service import SECONDS, channel, serving


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("unix:///tmp/grpc.sock", "unix:///tmp/grpc.sock"),
        ("unix:/tmp/grpc.sock", "unix:///tmp/grpc.sock"),
        ("/tmp/grpc.sock", "unix:///tmp/grpc.sock"),
        ("127.0.0.1:50051", "127.0.0.1:50051"),
        ("[::1]:0", "[::1]:0"),
        ("localhost:1", "localhost:1"),
    ],
)
def test_addresses(text: str, shown: str) -> None:
    assert str(Address.parse(text)) == shown


@pytest.mark.parametrize("text", ["", "unix:", "unix://", "host", ":1", "host:", "h:99999", "h:-1"])
def test_what_is_not_an_address(text: str) -> None:
    with pytest.raises(Problem, match="is not an address: write it as"):
        Address.parse(text)


@pytest.mark.parametrize("text", ["0.0.0.0:0", "[::]:0"])
def test_other_machines_are_let_in_only_when_that_is_said(text: str) -> None:
    with pytest.raises(Problem, match="--allow-remote"):
        bound(Address.parse(text), 0o600, remote=False)
    listener, address, outside = bound(Address.parse(text), 0o600, remote=True)
    listener.close()
    assert outside
    assert address.port


def test_loopback_and_a_port_in_use() -> None:
    listener, address, outside = bound(Address.parse("localhost:0"), 0o600, remote=False)
    assert not outside
    with pytest.raises(Problem, match=r"cannot listen on .*: Address already in use"):
        bound(address, 0o600, remote=False)
    listener.close()
    with pytest.raises(Problem, match="cannot listen on"):
        bound(Address.parse("no-such-host.invalid:1"), 0o600, remote=False)


def test_the_socket_is_its_owners(tmp_path: Path) -> None:
    with EmbeddedDaemon() as daemon, serving(daemon.path, tmp_path / "grpc") as (gateway, _, _):
        assert stat.S_IMODE((tmp_path / "grpc").stat().st_mode) == 0o600
        inner = Path(gateway.callers._inner)
        assert stat.S_IMODE(inner.parent.stat().st_mode) == 0o700
    assert not (tmp_path / "grpc").exists()
    assert not inner.parent.exists()


def test_another_user_is_refused(tmp_path: Path) -> None:
    said: list[str] = []
    with EmbeddedDaemon() as daemon:
        gateway = Gateway(
            listen(tmp_path / "grpc"),
            SocketUpstream(daemon.path),
            allowed=frozenset({os.getuid() + 1}),
            say=said.append,
        )
        with channel(f"unix://{tmp_path}/grpc") as made, pytest.raises(grpc.RpcError) as refused:
            made.unary_unary("/nix.proto.WorkerService/FindRoots")(b"", timeout=SECONDS)
        gateway.close()
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert said[0] == f"refused a client of user {os.getuid()}; --allow-user lets others in"


def test_who_comes_by_another_way_than_the_relay_is_refused(tmp_path: Path) -> None:
    with EmbeddedDaemon() as daemon, serving(daemon.path, tmp_path / "grpc") as (gateway, _, _):
        inner = f"unix://{gateway.callers._inner}"
        with channel(inner) as made, pytest.raises(grpc.RpcError) as refused:
            made.unary_unary("/nix.proto.WorkerService/FindRoots")(b"", timeout=SECONDS)
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert gateway.pool.open == 0


def test_a_caller_over_a_network_has_its_address(tmp_path: Path) -> None:
    with (
        EmbeddedDaemon() as daemon,
        serving(daemon.path, "127.0.0.1:0") as (gateway, address, _),
        WorkerServiceClient(address, timeout=SECONDS) as client,
    ):
        assert client.query_all_valid_paths() == set()
        (caller,) = gateway.callers._known.values()
        assert str(caller).startswith("127.0.0.1:")
