"""The service with stubs that protoc makes of the shared `nix.proto`, and a gateway to ask.

Knows nothing of our own descriptors: what is generated from the file stands in protobuf's own
pool, ours in another.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import grpc_tools
from grpc_tools import protoc

from pix_inspect.capture.relayed_connection import Tap
from pix_inspect.capture.upstream import SocketUpstream
from pix_inspect.gateway.listening import Address, bound
from pix_inspect.gateway.server import Gateway
from tests.support.captures import Missing, shared
from tests.support.surroundings import lacking

SECONDS = 120
"""How long a call may take."""


def protoc_made(folder: Path, *options: str) -> None:
    """Have protoc read the shared file; skips where that is missing."""
    try:
        file = shared("nix.proto")
    except Missing as why:
        lacking(str(why))
    known = Path(grpc_tools.__file__).parent / "_proto"
    words = ["protoc", f"-I{file.parent}", f"-I{known}", *options, file.name]
    assert protoc.main([word.replace("OUT", str(folder)) for word in words]) == 0


@cache
def generated() -> tuple[ModuleType, ModuleType]:
    """The messages and the stubs that are generated from the file."""
    folder = Path(tempfile.mkdtemp(prefix="pix-stubs-"))
    protoc_made(folder, "--python_out=OUT", "--grpc_python_out=OUT")
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module("nix_pb2"), importlib.import_module("nix_pb2_grpc")
    finally:
        sys.path.remove(str(folder))
        shutil.rmtree(folder)


@dataclass
class Service:
    """A gateway that runs, where it listens, and a stub of the generated kind to ask it with."""

    gateway: Gateway
    address: str
    pb: ModuleType
    stub: Any
    said: list[str]


@contextmanager
def serving(
    daemon: Path, where: Path | str, *, open_tap: Callable[[], Tap] | None = None
) -> Iterator[tuple[Gateway, str, list[str]]]:
    """A gateway to the daemon's socket; gives what it is, its address, and what it said."""
    said: list[str] = []
    listener, address, _ = bound(Address.parse(str(where)), 0o600, remote=False)
    gateway = Gateway(
        listener,
        SocketUpstream(daemon),
        allowed=frozenset({os.getuid()}) if address.path else None,
        open_tap=open_tap,
        say=said.append,
    )
    try:
        yield gateway, str(address), said
    finally:
        gateway.close()


@contextmanager
def channel(address: str, *options: tuple[str, Any]) -> Iterator[Any]:
    """A connection of its own."""
    made = grpc.insecure_channel(address, options=(("grpc.use_local_subchannel_pool", 1), *options))
    try:
        yield made
    finally:
        made.close()


@contextmanager
def service(daemon: Path, where: Path | str) -> Iterator[Service]:
    """A gateway to the daemon's socket, and a generated stub connected to it."""
    pb, stubs = generated()
    with serving(daemon, where) as (gateway, address, said), channel(address) as made:
        yield Service(gateway, address, pb, stubs.WorkerServiceStub(made), said)
