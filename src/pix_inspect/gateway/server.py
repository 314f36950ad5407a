"""The gateway as a whole: clients of gRPC on one side, a daemon on the other.

client ── relay (who may connect) ── gRPC's own server ── calls ── pool ── daemon
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pix.problem import Problem
from pix.sockets import Listener
from pix.worker_service.descriptors import pool as descriptors
from pix.worker_service.extra import need
from pix.worker_service.methods import METHODS, PACKAGE, SERVICE
from pix_inspect.capture.relay import Relay
from pix_inspect.capture.relayed_connection import Tap
from pix_inspect.capture.upstream import Upstream
from pix_inspect.gateway.calls import Calls
from pix_inspect.gateway.listening import Caller, Callers
from pix_inspect.gateway.pool import Pool

grpc = need("grpc")
reflection = need("grpc_reflection.v1alpha.reflection")

MOST_CALLS = 512
"""Calls at a time; more are refused."""
LARGEST_MESSAGE = 32 << 20
"""Bytes of a message that a client may send: what does not stream has to fit."""
GRACE = 2.0
"""Seconds that calls have to end in when the gateway does."""

_NAME = f"{PACKAGE}.{SERVICE}"
_OPTIONS = (
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),
)


class Symbols:
    """A descriptor pool as reflection asks it, which finds methods too: with their service."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    def FindFileContainingSymbol(self, symbol: str) -> Any:  # noqa: N802 - protobuf's name
        """Return the file that has a symbol. Raises KeyError."""
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            return self._pool.FindFileContainingSymbol(symbol.rpartition(".")[0])


class Gateway:
    """Serves on `listener` what `upstream` answers.

    `allowed` are the ids of the users that may connect, None for all. `open_tap` records each
    connection to the daemon; `say` gets one line for people now and then. To be closed.
    """

    def __init__(
        self,
        listener: Listener,
        upstream: Upstream,
        *,
        allowed: frozenset[int] | None = None,
        open_tap: Callable[[], Tap] | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._say = say
        self._closing = False
        try:
            # a temporary folder of the user's own may be too long a path for a socket
            self._folder = Path(tempfile.mkdtemp(prefix="pix-grpc-", dir="/tmp"))
        except OSError as error:
            raise Problem(f"cannot make a folder for the socket: {error}") from None
        self.pool = Pool(upstream, open_tap)
        self.callers = Callers(self._folder / "s", self._left)
        logging.getLogger("grpc").addHandler(logging.NullHandler())
        logging.getLogger("grpc").propagate = False  # what a hostile client does is no news
        self._server = grpc.server(
            ThreadPoolExecutor(MOST_CALLS, thread_name_prefix="call"),
            handlers=(self._handlers(say),),
            options=_OPTIONS,
            maximum_concurrent_rpcs=MOST_CALLS,
        )
        reflection.enable_server_reflection([_NAME], self._server, pool=Symbols(descriptors()))
        self._server.add_insecure_port(f"unix:{self._folder / 's'}")
        self._server.start()
        self._relay = Relay(
            listener, self.callers, self.callers.open_tap, allowed=allowed, say=self._tell
        )
        self._thread = threading.Thread(target=self._relay.serve, name="gRPC clients", daemon=True)
        self._thread.start()

    def _handlers(self, say: Callable[[str], None]) -> object:
        calls = Calls(self.callers, self.pool, say)
        return grpc.method_handlers_generic_handler(
            _NAME, {method.name: calls.handler(method) for method in METHODS}
        )

    def _left(self, caller: Caller) -> None:
        with caller.lock:
            self.pool.let_go(caller)

    def _tell(self, line: str) -> None:
        """Pass on what the relay has to say, but not that it winds up: we told it to."""
        if not self._closing:
            self._say(line)

    def close(self) -> None:
        """Let no one in any more, let calls end, and let go of the daemon."""
        self._closing = True
        self._relay.stop()
        self._server.stop(GRACE).wait()
        self._relay.stop()
        self._thread.join(GRACE)
        self.pool.close()
        shutil.rmtree(self._folder, ignore_errors=True)
