"""A client of the service, of the same shape as `pix.daemon`.

    with WorkerServiceClient("unix:///tmp/grpc.sock") as daemon:
        path = daemon.add_text_to_store("hello.txt", "hello world")
        daemon.query_path_info(path).nar_size

What is asked is written down as in protocol 1.21, which the file follows, whatever the daemon
behind the service speaks. What the file does not have (BuildPathsWithResults, the NAR of
NarFromPath, …) cannot be asked; `call` says so.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from pix.codec.declare import STDERR_FRAMES, Operation
from pix.codec.errors import EncodeError
from pix.codec.gates import NEWEST, Protocol
from pix.codec.payload import pieces
from pix.daemon.dialogue import Log, Write
from pix.daemon.errors import NixDaemonError
from pix.daemon.operations import Operations
from pix.protocol.logging import StderrError, StderrNext
from pix.protocol.types import Trace, TrustedFlag
from pix.untrusted import parse_json
from pix.worker_service import status_details
from pix.worker_service.descriptors import class_of
from pix.worker_service.extra import need
from pix.worker_service.messages import asking, build, reply_of
from pix.worker_service.methods import METHODS_BY_OPERATION, SPOKEN, Method

grpc = need("grpc")

PIECE = 256 << 10
"""Bytes of payload in a message."""
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),  # a connection of our own: roots last as long as it
)


class WorkerServiceClient(Operations):
    """A client of the service at `target`, such as `unix:///tmp/grpc.sock` or `127.0.0.1:50051`.

    Used in a `with` statement or by `connect` and `close`. `timeout` bounds each call, in
    seconds; `log` is told of the log frames that came with an answer. Errors are those of
    `pix.daemon`. Not to be shared by threads.
    """

    def __init__(
        self, target: str, *, timeout: float | None = None, log: Log | None = None
    ) -> None:
        self.target = target
        self.timeout = timeout
        self.log = log
        self.failure: str | None = "it is not connected"
        self._channel: Any = None
        self._calling: Any = None
        self._lock = threading.Lock()

    def connect(self) -> WorkerServiceClient:
        """Be ready for calls; the connection is made with the first. Return self."""
        if self._channel is None:
            self._channel = grpc.insecure_channel(self.target, options=_OPTIONS)
            self.failure = None
        return self

    def close(self) -> None:
        """Close the connection; do nothing when there is none."""
        channel, self._channel = self._channel, None
        self.failure = "it was closed"
        if channel is not None:
            channel.close()

    def __enter__(self) -> WorkerServiceClient:
        return self.connect()

    def __exit__(self, *_: object) -> None:
        self.close()

    def ended(self) -> str | None:
        """Return why no more can be asked, None while it can."""
        return self.failure

    def interrupt(self) -> None:
        """Cancel the call that goes on, from another thread."""
        with self._lock:
            if self._calling is not None:
                self._calling.cancel()

    @property
    def protocol(self) -> Protocol:
        """The version whose layouts the service follows: 1.21."""
        return SPOKEN

    @property
    def daemon_nix_version(self) -> None:
        """Nothing: the service does not say what is behind it."""

    @property
    def trusted(self) -> TrustedFlag:
        """UNKNOWN: the service does not say."""
        return TrustedFlag.UNKNOWN

    def call(self, request: Any, write: Write | None = None) -> Any:
        """Ask what the file has a method for; return the operation's `Reply`.

        Raises NixDaemonError, and EncodeError for what the service refuses to ask.
        """
        operation: Operation = request.operation
        method = METHODS_BY_OPERATION.get(operation.name)
        if method is None:
            raise NixDaemonError(f"{operation.name} is not a method of nix.proto")
        head = asking(method, request)
        payload = operation.request.payload
        if payload is None:
            return reply_of(method, self.ask(method, head))
        source = pieces(getattr(request, payload.name), PIECE)
        return reply_of(method, self.ask(method, _stream(method, head, source)))

    def ask(self, method: Method, message: Any) -> Any:
        """Call a method with its message, or an iterator of them; return the message it returns.

        Raises as `call`.
        """
        if self._channel is None:
            raise NixDaemonError(f"this connection is over: {self.failure}; connect again")
        kind = "stream_unary" if method.streams else "unary_unary"
        made = getattr(self._channel, kind)(
            method.path,
            request_serializer=lambda each: each.SerializeToString(),
            response_deserializer=class_of(method.reply.name).FromString,
        )
        # the call as an object, even where it is waited for: it can then be cancelled
        calling = made.future(message, timeout=self.timeout)
        with self._lock:
            self._calling = calling
        try:
            answer = calling.result()
        except grpc.FutureCancelledError:
            raise NixDaemonError(f"{method.name} was cancelled") from None
        except grpc.RpcError as error:
            raise _error(method, error, self._logged(error)) from None
        finally:
            with self._lock:
                self._calling = None
        self._logged(calling)
        return answer

    def _logged(self, calling: Any) -> tuple[str, ...]:
        """Tell the log of the frames in a call's trailing metadata; return their text."""
        texts = []
        for key, value in calling.trailing_metadata() or ():
            if key == "nix-log":
                frame = _frame(value)
                if frame is not None and self.log is not None:
                    self.log(frame)
                if isinstance(frame, StderrNext):
                    texts.append(frame.text.rstrip("\n"))
        return tuple(texts)

    def nar(self, path: str) -> Iterator[bytes]:
        """Say that this cannot be asked: the file's NarFromPath returns a path."""
        raise NixDaemonError(f"nix.proto's NarFromPath returns a path, not the NAR of {path}")


def _stream(method: Method, head: Any, payload: Iterator[Any]) -> Iterator[Any]:
    first, piece = method.request.fields
    message = class_of(method.request.name)
    yield message(**{first.name: head})
    for data in payload:
        yield message(**{piece.name: bytes(data)})


def _error(method: Method, error: Any, log: tuple[str, ...]) -> Exception:
    """Return what a status says, as the errors of `pix.daemon`."""
    code, text = error.code(), error.details() or ""
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return EncodeError(method.name, text)
    if code is grpc.StatusCode.INTERNAL:
        known = [v for k, v in error.trailing_metadata() or () if k == status_details.KEY]
        message, traces = status_details.read(known[0]) if known else ("", ())
        if message:
            frame = StderrError(message=message, traces=tuple(Trace(hint=hint) for hint in traces))
            return NixDaemonError.said(frame, has_status=False, log=log)
    return NixDaemonError(f"{method.name}: {text or 'no reason given'} ({code.name})", log=log)


def _frame(value: str) -> Any:
    """Return a log frame that metadata holds as JSON, None where it does not."""
    try:
        said = parse_json(value)
        name = said.pop("frame")
        kind = next(frame.fields for frame in STDERR_FRAMES.values() if frame.name == name)
        return build(kind, said, NEWEST)
    except (AttributeError, KeyError, StopIteration, TypeError, ValueError):
        return None
