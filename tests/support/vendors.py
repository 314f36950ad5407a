"""The example of a vendor's declarations, put into the tables for one test, and a daemon of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pix.codec.declare import DECLARED, OPERATION_NAMES, OPERATIONS, Operation
from pix.codec.errors import DecodeError
from pix.codec.payload import WRITTEN
from pix.codec.values import encode
from pix.conversation import round_trips
from pix.protocol import OPERATIONS_BY_NAME, names, types, vendors
from pix.protocol.handshake import DaemonHello
from pix.protocol.logging import StderrError, StderrNext, StderrWrite
from pix.protocol.types import TrustedFlag
from pix.serving import LAST, Refusal, ServedConnection
from pix.sockets import listen
from pix_inspect.compare import fingerprints
from pix_inspect.filter import compiled, fields
from pix_inspect.session import row
from pix_inspect.teach import entries
from tests.support.nars import nar
from tests.support.relaying import WAIT

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/vendor.toml"
TABLES: tuple[dict[Any, Any], ...] = (
    DECLARED, OPERATIONS, OPERATION_NAMES, OPERATIONS_BY_NAME, types.FEATURES, types.OF_VENDORS,
)  # fmt: skip
REMEMBERED = (
    *(names.declared, names.records, names.enumerations, names.scalars, names.names),
    *(fields.fields, fields.maps, fields.named_values, fields.values_by_path, fields.paths_of),
    compiled.codes_by_name,
    *(entries.names, row._ranks, fingerprints._plain, round_trips.plain),
)

LEAF = "/nix/store/g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-leaf"
TREE = nar({b"vein": b"green"})
PRESSED = b"pressed " * 2000


def request(name: str, **values: Any) -> Any:
    """Return a request of an operation by its name."""
    return OPERATIONS_BY_NAME[name].request.kind(**values)


def reply(name: str, **values: Any) -> Any:
    """Return a reply of an operation by its name."""
    return OPERATIONS_BY_NAME[name].reply.kind(**values)


@contextmanager
def declared(path: Path = EXAMPLE) -> Iterator[None]:
    """Inside, what a file declares is known."""
    with kept():
        vendors.load(path)
        _forget()
        yield


@contextmanager
def kept() -> Iterator[None]:
    """What is declared inside is not declared after."""
    before = [dict(table) for table in TABLES]
    try:
        yield
    finally:
        for table, was in zip(TABLES, before, strict=True):
            table.clear()
            table.update(was)
        _forget()


def _forget() -> None:
    for remembered in REMEMBERED:
        remembered.cache_clear()


class VendorDaemon(ServedConnection):
    """Answers the operations of the example, and no others; nothing is done."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(lambda: sock.recv(1 << 16), sock.sendall)

    def answer(self, request: Any) -> Any:
        name = request.operation.name
        leaf = types.OF_VENDORS["Leaf"].kind(colour=7, weight=3)  # type: ignore[attr-defined]
        self.say(StderrNext(text=f"looking at {name}\n"))
        if name == "QueryColour":
            if "absent" in request.path:
                raise Refusal("this path has no colour")
            return reply(name, colour=7)
        if name == "QueryLeaves":
            return reply(name, leaves=dict.fromkeys(sorted(request.paths), (leaf, leaf)))
        if name == "QueryLeaf":
            return reply(name, leaf=leaf, fallen=1_700_000_000)
        if name in ("AddLeaf", "AddLeafLog", "ImportLeaf"):
            size = sum(map(len, self.payload()))
            if name == "ImportLeaf":
                return reply(name, paths=frozenset([f"{LEAF}-{size}"]))
            return reply(name, done=True) if name == "AddLeafLog" else reply(name, path=LEAF)
        if name == "LeafFromPath":
            return reply(name, nar=TREE)
        if name == "ExportLeaf":
            for start in range(0, len(PRESSED), 4096):
                self.say(StderrWrite(data=PRESSED[start : start + 4096].decode()))
            return reply(name, pages=4, pressed=PRESSED)
        assert name == "Paint", name
        return reply(name)

    def reply(self, operation: Operation, answer: Any) -> bool:
        payload = operation.reply.payload
        out = bytearray(LAST + encode(operation.reply, answer, self.protocol))
        carriage = None if payload is None else payload.carriage(self.protocol)
        if payload is not None and carriage is not None and carriage is not WRITTEN:
            carriage.write(getattr(answer, payload.name), out)
        self.send(bytes(out))
        return True

    def refuse(self, refusal: Refusal) -> None:
        self.say(StderrError(message=refusal.message))

    def unreadable(self, operation: Operation, error: DecodeError) -> Refusal:
        raise AssertionError(f"{operation.name}: {error}")


@contextmanager
def serving(path: Path) -> Iterator[None]:
    """Serve clients at a socket, one after the other, with the feature of the example."""
    listener = listen(path)
    ended = threading.Event()
    hello = DaemonHello(
        version=0x126,
        features=("example-shades",),
        daemon_nix_version="3.1 (Example Nix)",
        trusted=TrustedFlag.TRUSTED,
    )

    def accept() -> None:
        while True:
            sock, _ = listener.sock.accept()
            with sock:
                if ended.is_set():
                    return
                sock.settimeout(WAIT)
                with suppress(OSError):  # who leaves may leave something unread
                    VendorDaemon(sock).serve(hello)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(str(path))
        thread.join(WAIT)
        listener.close()
