"""Calls answered by the daemon in the box, and how they end where they cannot be answered."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty

from pix.codec.gates import NEWEST, Protocol
from pix.codec.wire import pack_u64
from pix.daemon import DaemonConnection, NixDaemonError
from pix.protocol.handshake import DaemonHello
from pix.protocol.logging import StderrLast
from pix.protocol.types import TrustedFlag
from pix.sockets import listen
from pix.worker_service import status_details
from pix.worker_service.descriptors import class_of
from pix.worker_service.messages import read, request_of
from pix.worker_service.methods import METHODS
from pix_store import EmbeddedDaemon
from tests.real_nix.test_daemon import Drv
from tests.support.every_method import ask_all
from tests.support.playbook import said
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


def test_what_the_version_cannot_do_is_unimplemented(tmp_path: Path) -> None:
    with EmbeddedDaemon(version="1.18") as daemon, service(daemon.path, tmp_path / "grpc") as asked:
        code, text = status(lambda: asked.stub.QueryMissing(asked.pb.StorePaths()))
        assert code is grpc.StatusCode.UNIMPLEMENTED
        assert text == "QueryMissing cannot be asked in 1.18, which this daemon speaks"


def test_the_daemons_error_has_its_text_and_its_log(asked: Service, daemon: EmbeddedDaemon) -> None:
    with DaemonConnection(daemon.path) as direct:
        drv = Drv(direct, "echo the reason; exit 7")
        with pytest.raises(NixDaemonError) as directly:
            direct.build_paths([f"{drv.path}^*"])
    with pytest.raises(grpc.RpcError) as ended:
        asked.stub.BuildPaths(asked.pb.BuildPathsRequest(drvs=[drv.path]), timeout=SECONDS)
    error: Any = ended.value
    assert error.code() is grpc.StatusCode.INTERNAL
    said = list(error.trailing_metadata())
    (details,) = [value for key, value in said if key == status_details.KEY]
    assert status_details.read(details) == (directly.value.message, directly.value.traces)
    frames = [json.loads(value) for key, value in said if key == "nix-log"]
    assert any(frame.get("fields") == ["the reason"] for frame in frames)


def test_the_log_comes_with_an_answer_too(asked: Service, daemon: EmbeddedDaemon) -> None:
    with DaemonConnection(daemon.path) as direct:
        drv = Drv(direct, "echo hello; echo > $out")
    _, call = asked.stub.BuildPaths.with_call(
        asked.pb.BuildPathsRequest(drvs=[drv.path]), timeout=SECONDS
    )
    assert any('"hello"' in value for key, value in call.trailing_metadata() if key == "nix-log")


def test_ignore_liveness_is_refused_and_nothing_is_sent(
    asked: Service, daemon: EmbeddedDaemon
) -> None:
    with DaemonConnection(daemon.path) as direct:
        path = direct.add_text_to_store("x", "y")
    request = asked.pb.CollectGarbageRequest(
        action=asked.pb.DeleteSpecific, paths_to_delete=[path], ignore_liveness=True
    )
    code, text = status(lambda: asked.stub.CollectGarbage(request))
    assert code is grpc.StatusCode.PERMISSION_DENIED
    assert text.startswith("you are not allowed to ignore liveness")
    assert asked.stub.IsValidPath(asked.pb.StorePath(path=path)).is_valid


def test_no_daemon_is_unavailable(tmp_path: Path) -> None:
    with service(tmp_path / "none", tmp_path / "grpc") as asked:
        code, text = status(lambda: asked.stub.SyncWithGC(Empty()))
        assert code is grpc.StatusCode.UNAVAILABLE
        assert text.startswith(f"cannot reach the daemon at {tmp_path}/none: No such file")


def test_the_nar_of_what_is_not_there(asked: Service) -> None:
    path = "/nix/store/" + "0" * 32 + "-x"
    code, text = status(lambda: asked.stub.NarFromPath(asked.pb.StorePath(path=path)))
    assert code is grpc.StatusCode.INTERNAL
    assert path in text
    assert asked.gateway.pool.open == 0


def test_an_impure_hash_and_digits_reach_the_daemon(asked: Service, daemon: EmbeddedDaemon) -> None:
    layout = next(method for method in METHODS if method.name == "BuildDerivation")
    pb = asked.pb
    for held, digits in ((b"\1" * 32, "01" * 32), (b"AB" * 16, "ab" * 16), (b"impure", "impure")):
        made = pb.Derivation(platform="x", builder=pb.StorePath(path="builtin:fetchurl"))
        made.outputs["out"].hash = held
        request = pb.BuildDerivationRequest(
            drv_path=pb.StorePath(path="/nix/store/" + "0" * 32 + "-x.drv"), derivation=made
        )
        values = read(
            layout.request,
            class_of("BuildDerivationRequest").FromString(request.SerializeToString()),
        )
        asks = request_of(layout, layout.ways[0], values, None, NEWEST)
        assert asks.derivation.outputs["out"].hash == digits
        assert asks.derivation.builder == "builtin:fetchurl"


@contextmanager
def answering(folder: Path, answer: bytes) -> Iterator[Path]:
    """A daemon that greets, takes the options, answers the first question so, and goes."""
    protocol = Protocol(37)
    hello = DaemonHello(version=0x125, daemon_nix_version="2.20.0", trusted=TrustedFlag.TRUSTED)
    last = said(StderrLast(), protocol)
    listener = listen(folder / "daemon")

    def serve() -> None:
        sock, _ = listener.sock.accept()
        with sock:
            sock.sendall(said(hello, protocol) + last)
            sock.recv(32, socket.MSG_WAITALL)
            for words in (last, answer):
                sock.recv(1 << 16)
                sock.sendall(words)

    thread = threading.Thread(target=serve)
    thread.start()
    yield folder / "daemon"
    thread.join()
    listener.close()


BUILT = said(StderrLast(), Protocol(37)) + pack_u64(1 << 40) + bytes(8 * 9)


@pytest.mark.parametrize(
    ("answer", "code", "text"),
    [
        (b"", grpc.StatusCode.UNAVAILABLE, "the daemon closed the connection"),
        (b"\xff" * 64, grpc.StatusCode.INTERNAL, "the daemon's answer cannot be read"),
        (BUILT, grpc.StatusCode.INTERNAL, "the daemon's answer does not fit"),
    ],
)
def test_a_daemon_that_makes_no_sense(
    answer: bytes, code: grpc.StatusCode, text: str, tmp_path: Path
) -> None:
    with answering(tmp_path, answer) as daemon, service(daemon, tmp_path / "grpc") as asked:
        request = asked.pb.BuildDerivationRequest(derivation={})
        request.drv_path.path = "/nix/store/" + "0" * 32 + "-x.drv"
        told, why = status(lambda: asked.stub.BuildDerivation(request, timeout=SECONDS))
    assert told is code
    assert text in why
