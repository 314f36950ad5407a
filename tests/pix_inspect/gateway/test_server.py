"""What hostile clients do leaves the gateway alive, and the daemon's connections closed."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from pix.worker_service import WorkerServiceClient
from pix_inspect.gateway.server import LARGEST_MESSAGE, Gateway
from pix_store import EmbeddedDaemon
from tests.pix_inspect.gateway.test_pool import until
from tests.support.worker_service import SECONDS, channel, generated, serving

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Gateway, Path]]:
    with (
        EmbeddedDaemon() as daemon,
        serving(daemon.path, tmp_path / "grpc") as (gateway, address, said),
    ):
        yield gateway, tmp_path / "grpc"
        with WorkerServiceClient(address, timeout=SECONDS) as client:  # alive
            assert client.query_all_valid_paths() == set()
        until(lambda: not gateway.pool._used)
        assert gateway.pool.open <= 1
        assert said == []


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """An HTTP/2 frame."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def text(word: str) -> bytes:
    """A header's name or value, as HPACK has it uncompressed."""
    assert len(word) < 127
    return bytes([len(word)]) + word.encode()


def headers(method: str) -> bytes:
    """The headers of a call."""
    said = {
        ":method": "POST", ":scheme": "http", ":path": f"/nix.proto.WorkerService/{method}",
        ":authority": "x", "te": "trailers", "content-type": "application/grpc",
    }  # fmt: skip
    return b"".join(b"\0" + text(name) + text(value) for name, value in said.items())


def sent(path: Path, *parts: bytes) -> None:
    """Send bytes on a connection of their own, and hang up when the gateway has heard them."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(2)
        sock.connect(str(path))
        try:
            for part in parts:
                sock.sendall(part)
            while sock.recv(65536):
                pass
        except OSError:  # it had enough, or waits for more
            pass


START = PREFACE + frame(SETTINGS, 0, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x63\x78\x69\x6e\0\0\0\0" * 4,
        PREFACE,
        START + frame(DATA, 0, 1, b"x" * 100),
        START + frame(HEADERS, 4, 1, b"\xff" * 50),
        START + frame(HEADERS, 4, 1, headers("IsValidPath")),
        START + frame(HEADERS, 4, 1, headers("AddToStoreNar")) + frame(DATA, 0, 1, b"\0\xff\xff"),
        START + frame(HEADERS, 4, 1, headers("AddToStoreNar")) + frame(DATA, 1, 1, b"\0\0\0\0\5ab"),
        START + frame(HEADERS, 4, 1, headers("FindRoots")) + frame(RESET, 0, 1, bytes(4)),
        START + frame(HEADERS, 4, 1, headers("FindRoots")) + frame(DATA, 1, 1, b"\1\0\0\0\1x"),
        START + b"".join(frame(PING, 0, 0, bytes(8)) for _ in range(5000)),
        START + b"".join(frame(SETTINGS, 0, 0, b"\0\3\0\0\0\0") for _ in range(5000)),
        START + b"\xff" * 100_000,
    ],
    ids=range(14),
)
def test_bad_frames(data: bytes, served: tuple[Gateway, Path]) -> None:
    sent(served[1], data)


def test_random_frames(served: tuple[Gateway, Path]) -> None:
    chance = random.Random(17)
    parts = [
        frame(
            chance.randrange(11), chance.randrange(256), chance.randrange(6), chance.randbytes(20)
        )
        for _ in range(50)
    ]
    for part in parts:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(served[1]))
            sock.sendall(START + frame(HEADERS, 4, 1, headers("AddToStore")) + part)


def test_a_flood_of_resets(served: tuple[Gateway, Path]) -> None:
    calls = [
        frame(HEADERS, 4, stream, headers("AddToStore")) + frame(RESET, 0, stream, bytes(4))
        for stream in range(1, 2001, 2)
    ]
    sent(served[1], START, *calls)


def test_a_flood_of_metadata(served: tuple[Gateway, Path]) -> None:
    piece = b"\0" + text("x" * 100) + text("y" * 100)
    flood = [frame(CONTINUATION, 0, 1, piece * 50) for _ in range(500)]
    sent(served[1], START, frame(HEADERS, 0, 1, headers("FindRoots")), *flood)
    with channel(f"unix://{served[1]}") as made, pytest.raises(grpc.RpcError) as refused:
        made.unary_unary("/nix.proto.WorkerService/FindRoots")(
            b"", timeout=SECONDS, metadata=[("k", "v" * 1000)] * 1000
        )
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_half_streams(served: tuple[Gateway, Path]) -> None:
    pb, stubs = generated()
    path = pb.StorePath(path="/nix/store/" + "0" * 32 + "-x")
    info = pb.PathInfo(path=path, nar_hash=b"x" * 32, nar_size=1 << 40)

    def half() -> Iterator[Any]:
        yield pb.AddToStoreNarRequest(path_info=info)
        yield pb.AddToStoreNarRequest(chunk=b"\x0d" + bytes(7) + b"nix-archive-1" + bytes(3))
        raise OSError("the client breaks off")

    with channel(f"unix://{served[1]}") as made:
        stub = stubs.WorkerServiceStub(made)
        for _ in range(20):
            with pytest.raises(grpc.RpcError):
                stub.AddToStoreNar(half(), timeout=SECONDS)
        meta = pb.AddToStoreRequest(meta=pb.AddToStoreRequest.Metadata(base_name="x"))
        for messages in ([], [meta], [meta, meta], [pb.AddToStoreRequest()]):
            with pytest.raises(grpc.RpcError):
                stub.AddToStore(iter(messages), timeout=SECONDS)


def test_a_message_that_is_too_large(served: tuple[Gateway, Path]) -> None:
    with channel(f"unix://{served[1]}") as made, pytest.raises(grpc.RpcError) as refused:
        made.unary_unary("/nix.proto.WorkerService/IsValidPath")(
            bytes(LARGEST_MESSAGE + 1), timeout=SECONDS
        )
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_methods_that_are_not_there_and_bytes_that_are_no_message(
    served: tuple[Gateway, Path],
) -> None:
    with channel(f"unix://{served[1]}") as made:
        for name, data, code in (
            ("NoSuchMethod", b"", grpc.StatusCode.UNIMPLEMENTED),
            ("IsValidPath", b"\xff\xff\xff", grpc.StatusCode.INVALID_ARGUMENT),
            ("IsValidPath", b"\x0a\x02\xff\xff", grpc.StatusCode.INVALID_ARGUMENT),
        ):
            with pytest.raises(grpc.RpcError) as refused:
                made.unary_unary(f"/nix.proto.WorkerService/{name}")(data, timeout=SECONDS)
            assert refused.value.code() is code


def test_reflection_tells_what_the_service_is(served: tuple[Gateway, Path]) -> None:
    from google.protobuf import descriptor_pb2
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    ask = reflection_pb2.ServerReflectionRequest
    with channel(f"unix://{served[1]}") as made:
        questions = (
            ask(list_services=""),
            ask(file_containing_symbol="nix.proto.PathInfo"),
            ask(file_containing_symbol="google.rpc.DebugInfo"),
            ask(file_containing_symbol="nix.proto.WorkerService.AddToStore"),
            ask(file_containing_symbol="nix.proto.Nothing"),
        )
        listed, file, *known, unknown = reflection_pb2_grpc.ServerReflectionStub(
            made
        ).ServerReflectionInfo(iter(questions), timeout=SECONDS)
    assert [each.name for each in listed.list_services_response.service] == [
        "nix.proto.WorkerService"
    ]
    names = [
        descriptor_pb2.FileDescriptorProto.FromString(each).name
        for each in file.file_descriptor_response.file_descriptor_proto
    ]
    assert "nix.proto" in names
    for details in known:  # so that clients can show them
        assert details.HasField("file_descriptor_response")
    assert unknown.HasField("error_response")
