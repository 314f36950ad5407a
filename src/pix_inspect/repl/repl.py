"""A REPL session: operations sent to a daemon by hand, one line at a time.

    info = QueryPathInfo("/nix/store/…")            every declared operation is a function
    BuildPaths(paths=[…], mode="Check")             more than one field: each by its name
    info.reply.info.references[0]                   results are objects with fields
    [IsValidPath(path=p) for p in info.reply.info.references]
    connect("/path", version="1.21", features=[…])  another daemon, an older protocol
    connect(serve="ssh HOST nix-store --serve")     a program that speaks the serve protocol
    raw(u64(26), "text", hex("00 ff"))              bytes outside the rules, on a new connection
    AddToStore(name="x", dump=nar("./dir"))         payload from files
    save(NarFromPath(path="…").reply.nar, "x.nar")  and to files

Nothing of terminals. One thread carries lines out; `interrupt` may come from another.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from pix.codec.declare import Operation
from pix.codec.errors import EncodeError
from pix.codec.gates import NEWEST, SERVE, WORKER, Family, newest
from pix.codec.gates import Protocol as Version
from pix.codec.values import encode
from pix.codec.wire import pack_u64
from pix.conversation import Conversation
from pix.daemon import DaemonConnection, NixDaemonError
from pix.daemon.handshake import OLDEST_DAEMON
from pix.problem import Problem
from pix.protocol import operations, operations_of
from pix.protocol.deletion import deletes, may_delete
from pix.protocol.types import FEATURES
from pix.sockets import connect
from pix_inspect.base.safe_text import plain as plain_text
from pix_inspect.capture.command_group import GUARD
from pix_inspect.capture.upstream import (
    CommandUpstream,
    SocketUpstream,
    complaint,
    upstream_of,
)
from pix_inspect.machine.relay_chain import sign_client
from pix_inspect.repl.commands import commands
from pix_inspect.repl.expressions import Evaluator, ExpressionError
from pix_inspect.repl.functions import Function, build, function_of, told
from pix_inspect.repl.raw_connection import Heard, RawTalk
from pix_inspect.repl.values import Answer, attribute, plain, store_paths

MOST_LOG = 10_000
"""Log frames kept of one operation."""
MOST_PATHS = 5_000
"""Store paths remembered for completion."""
LAST_WORDS = 0.1
"""Seconds in which a program that hung up may still say why."""
WAITING_TO_CONNECT = 10.0
"""Seconds that a daemon has to accept a connection."""


class Route(Protocol):
    """The way to a daemon: through a relay, or straight."""

    def through(self, daemon: Path) -> Path:
        """Return the socket to connect to in order to reach this daemon. Raises Problem."""


class Client(Protocol):
    """What asks: a connection to a daemon, or to a service that asks one."""

    log: Callable[[Any], None] | None

    @property
    def protocol(self) -> Version:
        """The version and features in force."""

    @property
    def daemon_nix_version(self) -> str | None:
        """The daemon's release, None where it is not said."""

    @property
    def failure(self) -> str | None:
        """Why it is of no further use, None while it is."""

    def call(self, request: Any) -> Any:
        """Ask, and return the reply."""

    def ended(self) -> str | None:
        """Return why it is over, None while it is not."""

    def interrupt(self) -> None:
        """End what another thread waits for."""

    def close(self) -> None:
        """Let go of it."""


class Session:
    """Names, a connection that is made when it is first needed, and what was asked so far.

    `say` is told in one line when the connection changes; `route` is how daemons are reached.
    """

    def __init__(
        self,
        socket_path: str | None = None,
        version: str = NEWEST.text,
        features: tuple[str, ...] = (),
        timeout: float | None = None,
        *,
        say: Callable[[str], None] = lambda line: None,
        route: Route | None = None,
    ) -> None:
        self.socket_path = socket_path
        self.version = version
        self.features = features
        self.program: CommandUpstream | None = None
        """What is started and spoken to in the serve protocol, in place of a daemon."""
        self._said: list[str] = []
        """What it wrote to its standard error."""
        self.timeout = timeout
        self.say = say
        self.route = route
        self.recording: Path | None = None
        """The recording whose payloads `recorded` gives when none is named."""
        self.nowhere = ""
        """Why there is no daemon to connect to until one is named; empty where there is."""
        self.connection: Client | None = None
        self.service: Callable[[], Client] | None = None
        """Connects to a service in the daemon's place."""
        self.talk: RawTalk | None = None
        """A connection that is driven by hand."""
        self.options: dict[str, Any] = {}
        self.paths: dict[str, None] = {}
        """Store paths that replies told of, the newest last."""
        self.paths_in_sight: Callable[[], Iterable[str]] = lambda: ()
        """Store paths that the user has before their eyes besides, for completion."""
        self.dangerous: Callable[[str], bool] = lambda what: False
        """Asked before anything is sent that deletes."""
        self._interrupted = False
        self._hang_up: Callable[[], None] | None = None
        """Ends what is waited for."""
        self.functions: dict[str, Function] = self._functions()
        self.evaluator = Evaluator(self.functions, attribute)

    def _functions(self) -> dict[str, Function]:
        """Return what can be called: the operations of the protocol that is spoken, and more."""
        spoken = operations_of(self.family).values()
        return {op.short: self._operation(op) for op in spoken} | commands(self)

    @property
    def family(self) -> Family:
        """Which protocol is spoken."""
        return WORKER if self.program is None else SERVE

    def run(self, line: str) -> Any:
        """Carry out a line; return its value, None for an assignment.

        Raises ExpressionError, NixDaemonError, EncodeError or Problem: one line each.
        """
        self._interrupted = False
        return self.evaluator.run(line)

    def interrupt(self) -> None:
        """End a wait in another thread: the connection it waits for is hung up on."""
        self._interrupted = True
        hang_up = self._hang_up
        if hang_up is not None:
            with contextlib.suppress(OSError):
                hang_up()

    @contextlib.contextmanager
    def waiting(self, hang_up: Callable[[], None]) -> Iterator[None]:
        """Inside, an interrupt means `hang_up`. Raises Problem behind it if there was one."""
        before, self._hang_up = self._hang_up, hang_up
        try:
            yield
        except (Problem, NixDaemonError):
            if not self._interrupted:
                raise
        finally:
            self._hang_up = before
        if self._interrupted:
            raise Problem("interrupted: this connection was closed; the next line connects again")

    # Connections --------------------------------------------------------------------------

    def connect(
        self,
        path: str | None = None,
        version: str | None = None,
        features: list[str] | tuple[str, ...] = (),
        serve: str | None = None,
    ) -> str:
        """Connect to a daemon, speaking at most `version`; say what was agreed.

        `serve` is a command to start instead, such as `nix-store --serve --write`.
        """
        _check(
            serve is None or (isinstance(serve, str) and path is None),
            'serve: expected a command, such as "nix-store --serve", and no path',
        )
        _check(path is None or isinstance(path, str), "path: expected the path of a socket")
        _check(
            version is None or isinstance(version, str), 'version: expected text, such as "1.38"'
        )
        _check(
            isinstance(features, (list, tuple, frozenset))
            and all(isinstance(each, str) for each in features),
            "features: expected a list of names",
        )
        program = None if serve is None else upstream_of(None, serve)
        assert not isinstance(program, SocketUpstream)
        if serve is None and path is None:
            program = self.program  # the same again
        family = WORKER if program is None else SERVE
        known = self.version if family is self.family else newest(family).text
        wanted = (version or known, tuple(features))
        _parsed(*wanted, family)
        self.close()
        self.program = program
        self.functions.clear()
        self.functions.update(self._functions())
        if path is not None:
            self.socket_path = os.path.expanduser(path)  # noqa: PTH111  (it may not be a path at all)
        self.version, self.features = wanted
        return self._told(self.connected(quiet=True))

    def _told(self, connection: Client) -> str:
        nix = f", Nix {connection.daemon_nix_version}" if connection.daemon_nix_version else ""
        return f"connected to {self.destination}: protocol {connection.protocol}{nix}"

    def close(self) -> None:
        """Close the connection, if there is one, and what is driven by hand."""
        for each in (self.connection, self.talk):
            if each is not None:
                each.close()
        self.connection = self.talk = None

    @property
    def destination(self) -> str:
        """Whom it asks: the path of a socket, or what is started."""
        if self.service is not None:
            return "the service"
        return str(self._daemon() if self.program is None else self.program)

    def _daemon(self) -> Path:
        upstream = upstream_of(self.socket_path, None)
        assert isinstance(upstream, SocketUpstream)
        return upstream.path

    def new_socket(self) -> socket.socket:
        """Return a new connection to the daemon, before any greeting. Raises Problem."""
        if self.program is not None:
            return self._started(self.program)
        if self.nowhere and self.socket_path is None:
            raise Problem(self.nowhere)
        daemon = self._daemon()
        path = daemon if self.route is None else self.route.through(daemon)
        patience = self.timeout or WAITING_TO_CONNECT
        try:
            return connect(path, patience, before=lambda sock: sign_client(sock, "repl"))
        except OSError as error:
            named_with = '--upstream or connect("…")'
            raise Problem(complaint(SocketUpstream(daemon), error, named_with)) from None

    def _started(self, program: CommandUpstream) -> socket.socket:
        """Start a program and return a socket to it; its complaints are said. Raises Problem."""
        try:
            sock, process = program.connect(heard=True)
        except OSError as error:
            raise Problem(complaint(program, error)) from None
        said: list[str] = []
        self._said = said
        threading.Thread(target=_hear, args=(process, said, self.say), daemon=True).start()
        return sock

    def new_connection(self) -> DaemonConnection:
        """Return a new connection that has greeted. Raises Problem, NixDaemonError."""
        if self.service is not None:
            raise Problem("this needs a connection to a daemon, and not to a service")
        protocol = _parsed(self.version, self.features, self.family)
        connection = DaemonConnection(
            self.socket_path,
            version=protocol.text,
            features=self.features,
            timeout=self.timeout,
            family=self.family,
        )
        sock = self.new_socket()
        with self.waiting(lambda: sock.shutdown(socket.SHUT_RDWR)):
            connection.over(sock)
        if protocol.family is WORKER and protocol.minor < OLDEST_DAEMON:
            self.say(f"spoken to as a client of {protocol.text}, older than any daemon takes today")
        return connection

    def connected(self, *, quiet: bool = False) -> Client:
        """Return the connection, made now where there is none. Raises Problem, NixDaemonError."""
        if self.connection is not None and self.connection.failure is not None:
            self.connection.close()
            self.connection = None
        if self.connection is None:
            self.connection = self.new_connection() if self.service is None else self.service()
            if not quiet:
                self.say(self._told(self.connection))
        return self.connection

    @property
    def protocol(self) -> Version:
        """What is spoken, or would be."""
        if self.connection is not None:
            return self.connection.protocol
        return _parsed(self.version, self.features, self.family)

    # Operations ---------------------------------------------------------------------------

    def _operation(self, operation: Operation) -> Function:
        def made(fields: dict[str, Any]) -> Any:
            protocol = self.connected().protocol
            return build(operation.request, fields, offered.signature, protocol)

        def ask(**fields: Any) -> Answer:
            request = made(fields)
            return self.ask(operation, request)

        def request(**fields: Any) -> bytes:
            return self.encoded(operation, made(fields))

        offered = function_of(operation, ask, request)
        return offered

    def _check_deletion(self, deleting: bool, what: str) -> None:
        if deleting and not self.dangerous(what):
            raise ExpressionError("not sent")

    def encoded(self, operation: Operation, request: Any) -> bytes:
        """Return what a request is on the wire, with its payload where that stands inline."""
        protocol = self.connected().protocol
        out = bytearray(pack_u64(operation.number) + encode(operation.request, request, protocol))
        payload = operation.request.payload
        carriage = payload.carriage(protocol) if payload is not None else None
        if payload is not None and carriage is not None and carriage.inline:
            carriage.write(getattr(request, payload.name), out)
        return bytes(out)

    def ask(self, operation: Operation, request: Any) -> Answer:
        """Send a request and return what came of it; a daemon's error is an answer, too."""
        self._check_deletion(deletes(request), "this deletes store paths")
        connection = self._alive()
        answer = Answer(operation.name, connection.protocol, request)

        def keep(frame: Any) -> None:
            if len(answer.log) < MOST_LOG:
                answer.log.append(frame)

        connection.log = keep
        start = time.monotonic()
        try:
            with self.waiting(connection.interrupt):
                answer.reply = connection.call(request)
        except EncodeError as error:
            path = error.path.removeprefix(f"{operation.name}.")
            raise ExpressionError(told(type(error)(path, error.why))) from None
        except NixDaemonError as error:
            over = connection.failure is not None
            if error.frame is None:
                more = "; the connection is over, the next line makes a new one" if over else ""
                if self.program is not None and over:
                    time.sleep(LAST_WORDS)  # the end of a stream comes before what explains it
                    more = "".join(f"; {line}" for line in self._said[-1:]) + more
                raise Problem(f"{error}{more}") from None
            answer.error = error.frame
            if over:
                answer.note = "out of step after this: the next line makes a new connection"
        finally:
            connection.log = None
            answer.took = time.monotonic() - start
        self.remember(answer.request)
        self.remember(answer.reply)
        return answer

    def _alive(self) -> Client:
        """Return the connection; one that ended meanwhile is replaced, and that is said."""
        connection = self.connected()
        why = connection.ended()
        if why is not None:
            self.say(f"{why}: a new connection takes its place, without its roots and options")
            connection = self.connected()
        return connection

    def remember(self, value: Any) -> None:
        """Keep the store paths in a value for completion."""
        for path in itertools.islice(store_paths(value), MOST_PATHS):
            self.paths.pop(path, None)
            self.paths[path] = None
        while len(self.paths) > MOST_PATHS:
            del self.paths[next(iter(self.paths))]

    # By hand ------------------------------------------------------------------------------

    def new_talk(self, *, greet: bool = True) -> RawTalk:
        """Return a new connection that is driven by hand. Raises Problem, NixDaemonError."""
        if not greet:
            return RawTalk(self.new_socket(), Conversation(), None, self._check_bytes)
        connection = self.new_connection()
        protocol = connection.protocol
        talk = Conversation(protocol=protocol, daemon_nix=connection.daemon_nix_version)
        return RawTalk(connection.detach(), talk, protocol, self._check_bytes)

    def _check_bytes(self, data: bytes, protocol: Version | None, before: bytes) -> None:
        self._check_deletion(
            may_delete(data, protocol, before), "these bytes may delete store paths"
        )

    def raw(self, data: bytes, wait: float, *, half_close: bool, greet: bool) -> Heard:
        """Send bytes on a connection of their own, and tell what the daemon did."""
        talk = self.new_talk(greet=greet)
        try:
            with self.waiting(talk.interrupt):
                talk.send(data)
                if half_close:
                    talk.half_close()
                return talk.hear(wait)
        finally:
            talk.close()

    def hear(self, talk: RawTalk, wait: float) -> Heard:
        """Return what was said on a connection that is driven by hand. Raises Problem."""
        try:
            with self.waiting(talk.interrupt):
                return talk.hear(wait)
        except Problem:
            talk.close()
            self.talk = None
            raise


def _hear(
    process: subprocess.Popen[bytes] | None, said: list[str], say: Callable[[str], None]
) -> None:
    """Take what a program writes to its standard error, line by line, up to its end."""
    assert process is not None
    assert process.stderr is not None
    with process.stderr as lines:
        for raw in lines:
            if line := " ".join(plain_text(raw.decode("utf-8", "replace")).split()):
                said.append(line)
                say(line)
    process.wait()
    GUARD.forget(process.pid)


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ExpressionError(otherwise)


def _parsed(version: str, features: tuple[str, ...], family: Family) -> Version:
    """Return what is to be spoken. Raises Problem."""
    protocol = Version.parse(version, features, (family,))
    if protocol.minor < family.oldest:
        oldest = family.version(family.oldest)
        raise Problem(f"{protocol.text} is older than {oldest}, the oldest described")
    for name in features:
        if name not in FEATURES:
            raise Problem(f"no feature is called {name!r}; known: {', '.join(sorted(FEATURES))}")
    return protocol


__all__ = ["Answer", "Session", "attribute", "operations", "plain"]
