"""Calls answered by the daemon in the box, and how they end where they cannot be answered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from pix.daemon import DaemonConnection
from pix_store import EmbeddedDaemon
from tests.support.every_method import ask_all
from tests.support.worker_service import SECONDS, Service, service


@pytest.fixture
def daemon() -> Iterator[EmbeddedDaemon]:
    with EmbeddedDaemon(allow_build=True, require_sigs=False) as made:
        yield made


@pytest.fixture
def asked(daemon: EmbeddedDaemon, tmp_path: Path) -> Iterator[Service]:
    with service(daemon.path, tmp_path / "grpc") as made:
        yield made
        assert made.said == []


def test_every_method_answers_as_the_daemon_does(
    asked: Service, daemon: EmbeddedDaemon, tmp_path: Path
) -> None:
    with DaemonConnection(daemon.path, timeout=SECONDS) as direct:
        declared = asked.pb.DESCRIPTOR.services_by_name["WorkerService"].methods
        assert ask_all(asked, direct, tmp_path) == {each.name for each in declared}


def status(ask: Any) -> tuple[grpc.StatusCode, str]:
    """What a call ends with that is not answered."""
    with pytest.raises(grpc.RpcError) as ended:
        ask()
    error: Any = ended.value
    return error.code(), error.details()


def test_what_is_missing_or_malformed_is_an_invalid_argument(asked: Service) -> None:
    pb, stub = asked.pb, asked.stub
    for path in ("", "nonsense", "/nix/store/short-name", "/nix/store/" + "e" * 32 + "-x"):
        code, text = status(lambda path=path: stub.IsValidPath(pb.StorePath(path=path)))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert text.startswith("path: ")
    for ask in (
        lambda: stub.QueryPathFromHashPart(pb.HashPart(hash_part="abc")),
        lambda: stub.AddIndirectRoot(pb.StorePath(path="relative/link")),
        lambda: stub.BuildDerivation(pb.BuildDerivationRequest()),
        lambda: stub.AddToStore(iter(())),
        lambda: stub.AddToStore(iter((pb.AddToStoreRequest(data=b"x"),))),
        lambda: stub.AddToStoreNar(iter((pb.AddToStoreNarRequest(path_info=pb.PathInfo()),))),
        lambda: stub.AddToStore(
            iter((pb.AddToStoreRequest(meta={"fixed": True, "base_name": "x"}),))
        ),
        lambda: stub.AddToStore(
            iter(
                (
                    pb.AddToStoreRequest(
                        meta={"fixed": True, "hash_type": pb.SHA1, "base_name": "x"}
                    ),
                    pb.AddToStoreRequest(data=b"this is not a NAR of a file"),
                )
            )
        ),
    ):
        assert status(ask)[0] is grpc.StatusCode.INVALID_ARGUMENT
    assert asked.gateway.pool.open <= 1
