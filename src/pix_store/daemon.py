"""The daemon: a socket, a thread for each client, and one store.

One client's trouble is its own: whatever happens on a connection ends that connection at
most.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pix import __version__
from pix.codec.gates import Protocol
from pix.problem import Problem
from pix.protocol.types import FEATURES
from pix.serving import Refusal
from pix.sockets import Listener, listen, peer_ids
from pix_store.build import plan
from pix_store.connection.client import ANSWERS, Caller, House
from pix_store.connection.protocol import OLDEST_CLIENT, Connection, Offer, Streams
from pix_store.connection.serve import ServeConnection
from pix_store.derivations import realisations
from pix_store.operations import adding, building, maintenance, queries, roots, serving
from pix_store.store.signatures import public_keys
from pix_store.store.store import Store

OPERATIONS = (adding, building, roots, plan, queries, realisations, maintenance, serving)
"""The modules that answer; importing them fills the table."""

NIX_VERSION = f"{__version__} (pix-inspect)"
"""What the daemon says where others say their Nix release."""

NEWEST = "1.38"
DIRECTORY = "/nix/store"
MOST_FAULTS = 100
SHORT = 0.05
"""Seconds between tries while descriptors, threads or memory are short; clients wait meanwhile."""

PATIENCE = 10.0
"""Seconds that threads have to end when the daemon does."""


class EmbeddedDaemon:
    """A Nix daemon on a socket of its own, used in a `with` statement or by `start` and `close`.

    `path` is the socket to listen on, by default one in a private temporary folder. `store`
    is a Store, a folder that survives restarts, or None for one in memory; `store_dir` is
    what its paths begin with. `allow_users` are uids besides our own, None for all. `version`
    and `features` are what it speaks at most. Builders run only with `allow_build`, and
    for our own user. `trusted_keys` are public keys, `NAME:BASE64`, whose signatures are
    taken. `faults` are the exceptions that should not have been.

    Raises Problem for arguments that make no daemon, and where it cannot listen.
    """

    def __init__(
        self,
        path: Path | str | None = None,
        *,
        store: Store | Path | None = None,
        store_dir: str = DIRECTORY,
        version: str = NEWEST,
        features: Iterable[str] = (),
        allow_build: bool = False,
        trusted: bool = True,
        require_sigs: bool = True,
        trusted_keys: Iterable[str] = (),
        mode: int = 0o600,
        allow_users: frozenset[int] | None = frozenset(),
    ) -> None:
        self.protocol = _protocol(version, frozenset(features))
        self._own_store = not isinstance(store, Store)
        self._wanted = None if path is None else Path(path)
        self._mode = mode
        self._allowed = None if allow_users is None else allow_users | {os.getuid()}
        self._folder: Path | None = None
        self._listener: Listener | None = None
        self._threads: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        self.faults: list[BaseException] = []
        self.store = store if isinstance(store, Store) else Store(store, _directory(store_dir))
        self.house = House(self.store, trusted, require_sigs, allow_build, _keys(trusted_keys))

    @property
    def path(self) -> Path:
        """The socket it listens on."""
        if self._listener is None or self._listener.path is None:
            raise Problem("the embedded daemon is not listening: use `with`, or start()")
        return self._listener.path

    def __enter__(self) -> EmbeddedDaemon:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> EmbeddedDaemon:
        """Listen, and serve clients from now on; return self. Raises Problem."""
        path = self._wanted
        if path is None:
            self._folder = Path(tempfile.mkdtemp(prefix="pix-"))
            path = self._folder / "socket"
        try:
            self._listener = listen(path, self._mode)
        except BaseException:
            self.close()
            raise
        thread = threading.Thread(target=self._accept, args=(self._listener.sock,), daemon=True)
        with self._lock:
            self._threads[thread] = self._listener.sock
        thread.start()
        return self

    def close(self) -> None:
        """Stop listening, end connections and builds, wait for them, and let go of the store."""
        self.house.stopping = True
        with self._lock:
            threads = dict(self._threads)
        for sock in threads.values():
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(PATIENCE)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._own_store:
            self.store.close()

    def socketpair(self) -> socket.socket:
        """Return a socket that a client of its own is served on."""
        ours, theirs = socket.socketpair()
        self._serve(theirs)
        return ours

    def serve(self, streams: Streams, *, write: bool) -> None:
        """Serve one client in the serve protocol, on its streams, until it is gone.

        Without `write` nothing is added or built. Raises Refusal for a version that is not spoken.
        """
        offer = Offer(self.protocol, NIX_VERSION, self.house.trusted)
        connection = ServeConnection(streams, offer, ANSWERS, write=write)
        caller = Caller(self.house, connection)
        try:
            connection.converse(caller.answer)
        finally:
            caller.leave()

    @property
    def clients(self) -> int:
        """How many clients are connected."""
        return len(self.house.temporary)

    def _accept(self, listening: socket.socket) -> None:
        while not self.house.stopping:
            try:
                sock, _ = listening.accept()
            except (OSError, MemoryError):  # or the client has given up
                if self.house.stopping or listening.fileno() < 0:
                    return
                time.sleep(SHORT)
                continue
            try:
                _, uid, _ = peer_ids(sock)
                known = self._allowed is None or uid is None or uid in self._allowed
                if known:
                    self._serve(sock)
                else:
                    sock.close()
            except (OSError, MemoryError, RuntimeError):
                sock.close()
                time.sleep(SHORT)

    def _serve(self, sock: socket.socket) -> None:
        thread = threading.Thread(target=self._client, args=(sock,), daemon=True)
        with self._lock:
            if self.house.stopping:
                sock.close()
                return
            self._threads[thread] = sock
        try:
            thread.start()
        except BaseException:  # no more threads
            with self._lock:
                del self._threads[thread]
            raise

    def _client(self, sock: socket.socket) -> None:
        pid, uid, _ = peer_ids(sock)
        ours = uid is None or uid in (os.getuid(), 0)
        offer = Offer(self.protocol, NIX_VERSION, self.house.trusted and ours)
        connection = Connection(sock, offer, ANSWERS)
        caller = Caller(self.house, connection, pid, ours=ours)
        try:
            connection.converse(caller.answer)
        except Refusal:
            pass  # of a version that is not spoken
        except BaseException as error:  # of this connection only, whatever it was
            if len(self.faults) < MOST_FAULTS:
                self.faults.append(error)
        finally:
            caller.leave()
            sock.close()
            with self._lock:
                self._threads.pop(threading.current_thread(), None)


def _protocol(version: str, features: frozenset[str]) -> Protocol:
    protocol = Protocol.parse(version, features)
    newest = Protocol.parse(NEWEST)
    if not OLDEST_CLIENT <= protocol.minor <= newest.minor:
        raise Problem(f"the embedded daemon speaks 1.{OLDEST_CLIENT} to {NEWEST}, not {version}")
    unknown = sorted(features - FEATURES.keys())
    if unknown:
        raise Problem(f"{unknown[0]!r} is not a feature; known are {', '.join(sorted(FEATURES))}")
    if features and protocol.minor < newest.minor:
        raise Problem(f"features exist from {NEWEST} on, not in {version}")
    return protocol


def _keys(keys: Iterable[str]) -> tuple[str, ...]:
    for key in (keys := tuple(keys)):
        try:
            public_keys((key,))
        except Refusal:
            raise Problem(f"{key!r} is not a public key: NAME:BASE64, of 32 bytes") from None
    return keys


def _directory(text: str) -> str:
    if not text.startswith("/") or os.path.normpath(text) != text or text == "/":
        raise Problem(f"{text!r} is not a store directory: an absolute path is needed")
    return text
