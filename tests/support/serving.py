"""An embedded daemon for a test, clients of it, and derivations to build.

    with serving(version="1.21", allow_build=True) as daemon, client(daemon) as c: ...

A test fails when anything happened in the daemon that should not have.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pix.conversation import Conversation
from pix.conversation.exchange import CLIENT, DAEMON
from pix.conversation.notes import Reason
from pix.daemon import DaemonConnection
from pix.protocol.types import BasicDerivation, DerivationOutput
from pix_store import EmbeddedDaemon
from pix_store.build.scheduler import SYSTEM
from pix_store.derivations.derivation import Derivation, Output
from pix_store.derivations.hash_modulo import output_hashes
from pix_store.store.store_paths import StorePaths, output_name
from tests.support.nars import nar

WAIT = 60.0
"""Seconds that a test waits for anything."""

VERSIONS = ("1.18", "1.20", "1.21", "1.22", "1.24", "1.25", "1.27", "1.30", "1.34", "1.38")
ABSENT = "/nix/store/00000000000000000000000000000000-absent"
TREE = nar(
    {b"a": b"x" * 100, b"dir": {b"link": ("symlink", b"../a")}, b"run": ("executable", b"#")}
)


@contextmanager
def serving(path: Any = None, **options: Any) -> Iterator[EmbeddedDaemon]:
    daemon = EmbeddedDaemon(path, **options)
    with daemon:
        yield daemon
    assert not daemon.faults, daemon.faults


@contextmanager
def client(daemon: EmbeddedDaemon, **options: Any) -> Iterator[DaemonConnection]:
    with DaemonConnection(daemon.path, timeout=WAIT, **options) as connection:
        yield connection


@contextmanager
def talking(version: str = "1.38", **options: Any) -> Iterator[DaemonConnection]:
    """A client of a daemon of that version."""
    features = options.get("features", ())
    with (
        serving(version=version, **options) as daemon,
        client(daemon, features=features) as connection,
    ):
        yield connection


@contextmanager
def watched(version: str = "1.38", **options: Any) -> Iterator[DaemonConnection]:
    """A client as `talking` gives it; a passive observer has to understand all that is said."""
    conversation = Conversation()
    lock = threading.Lock()

    def pump(source: socket.socket, target: socket.socket, side: int) -> None:
        with suppress(OSError):  # who leaves may leave something unread
            while data := source.recv(1 << 16):
                with lock:
                    conversation.feed(side, data, 0)
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    features = options.get("features", ())
    ours, near = socket.socketpair()
    with serving(version=version, **options) as daemon, ours, near, daemon.socketpair() as far:
        threads = [
            threading.Thread(target=pump, args=(near, far, CLIENT)),
            threading.Thread(target=pump, args=(far, near, DAEMON)),
        ]
        for thread in threads:
            thread.start()
        connection = DaemonConnection("/nowhere", features=features, timeout=WAIT)
        try:
            with connection.over(ours):
                yield connection
        finally:
            ours.close()
            for thread in threads:
                thread.join(WAIT)
    wrong = [
        one
        for one in conversation.exchanges
        if not one.complete or {note.reason for note in one.notes} - {Reason.BUILD_FAILED}
    ]
    assert not wrong, [(one.kind, one.operation, one.notes) for one in wrong]


class Drv:
    """A derivation in the store of `client` that runs a script with /bin/sh."""

    path: str
    outputs: dict[str, str]
    known: dict[str, Derivation]

    def __init__(
        self,
        client: DaemonConnection,
        script: str,
        name: str = "thing",
        *,
        needs: tuple[Drv, ...] = (),
        sources: tuple[str, ...] = (),
        outputs: tuple[str, ...] = ("out",),
        fixed: tuple[str, str] | None = None,
        system: str = SYSTEM,
        env: dict[str, str] | None = None,
        builder: str = "/bin/sh",
        store_dir: str = "/nix/store",
    ) -> None:
        paths = StorePaths(store_dir)
        known: dict[str, Derivation] = {}
        for need in needs:
            known |= need.known
        derivation = Derivation(
            outputs=dict.fromkeys(outputs, Output()),
            inputs={need.path: tuple(need.outputs) for need in needs},
            sources=frozenset(sources),
            system=system,
            builder=builder,
            args=("-c", script),
            env={"name": name, "PATH": "/usr/bin:/bin"} | dict.fromkeys(outputs, "") | (env or {}),
        )
        if fixed is not None:
            from pix_store.store.content_address import ContentAddress, Method
            from pix_store.store.hashes import Digest

            algorithm, digest = fixed
            method = Method.of_derivation(algorithm)
            address = ContentAddress(method, Digest.parse(digest, method.algorithm))
            path = address.path(paths, name, ())
            derivation.outputs = {"out": Output(path, algorithm, digest)}
        else:
            hashes = output_hashes(derivation, known.__getitem__, {})
            derivation.outputs = {
                output: Output(paths.output(hashes[output], name, output)) for output in outputs
            }
        self.outputs = {output: told.path for output, told in derivation.outputs.items()}
        derivation.env |= self.outputs
        self.out = self.outputs.get("out", "")
        self.derivation = derivation
        references = {*sources, *derivation.inputs}
        self.path = client.add_text_to_store(f"{name}.drv", derivation.text(), references)
        self.known = known | {self.path: derivation}
        assert all(path.endswith(output_name(name, out)) for out, path in self.outputs.items())

    @property
    def all(self) -> str:
        return f"{self.path}^*"

    @property
    def basic(self) -> BasicDerivation:
        told = self.derivation
        return BasicDerivation(
            outputs={
                name: DerivationOutput(path=o.path, hash_algo=o.algorithm, hash=o.hash)
                for name, o in told.outputs.items()
            },
            input_srcs=told.sources,
            platform=told.system,
            builder=told.builder,
            args=told.args,
            env=told.env,
        )
