"""One call: its message becomes a request, is asked on a connection of its own, and answered.

What a client asks for is passed on, also what deletes; only `ignore_liveness`, which every
daemon refuses, is refused here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pix.daemon import DaemonConnection
from pix.problem import Problem
from pix.protocol.operations import AddTempRoot, CollectGarbage, SetOptions
from pix.worker_service.extra import need
from pix.worker_service.messages import answer_to, read, request_of
from pix.worker_service.methods import SPOKEN, Method, Values
from pix_inspect.gateway.listening import Caller, Callers
from pix_inspect.gateway.pool import Ending, Pool
from pix_inspect.gateway.statuses import CallLog, Failure, failure_of
from pix_inspect.gateway.streams import opened, parsed

grpc = need("grpc")


class Calls:
    """Answers the calls of all methods. `say` gets a line where we made a mistake."""

    def __init__(
        self, callers: Callers, pool: Pool, say: Callable[[str], None] = lambda line: None
    ) -> None:
        self._callers = callers
        self._pool = pool
        self._say = say

    def handler(self, method: Method) -> Any:
        """Return what gRPC has to know to lead calls of a method here; messages stay bytes."""
        if method.streams:
            return grpc.stream_unary_rpc_method_handler(
                lambda messages, context: self._answer(method, messages, context)
            )
        return grpc.unary_unary_rpc_method_handler(
            lambda message, context: self._answer(method, iter((message,)), context)
        )

    def _answer(self, method: Method, messages: Iterator[bytes], context: Any) -> bytes:
        ending, log = Ending(), CallLog()
        if not context.add_callback(ending.end):
            ending.end()
        try:
            caller = self._callers.by_peer(context.peer())
            if caller is None:
                raise Failure(grpc.StatusCode.PERMISSION_DENIED, "nobody that we let in")
            answer = self._carried_out(method, messages, caller, ending, log)
        except Exception as error:
            failure = failure_of(error)
            if not ending.over and not _is_known(error):
                self._say(f"{method.name} failed by a mistake of ours: {error!r}")
            context.set_trailing_metadata((*log.metadata(), *failure.metadata()))
            context.abort(failure.code, failure.short())
            raise AssertionError("abort raises") from None
        context.set_trailing_metadata(tuple(log.metadata()))
        return answer

    def _carried_out(
        self,
        method: Method,
        messages: Iterator[bytes],
        caller: Caller,
        ending: Ending,
        log: CallLog,
    ) -> bytes:
        payload = None
        if method.streams:
            values, payload = opened(method, messages)
        else:
            values = read(method.request, parsed(method.request, next(messages)))
        if _is_of(method, SetOptions):
            return self._options_set(method, values, caller, ending, log)
        connected = self._pool.rooted if _is_of(method, AddTempRoot) else self._pool.connection
        with connected(caller, method, ending, log.take) as daemon:
            request, way = _request(method, values, payload, daemon)
            reply = daemon.call(request, _drop if way.operation.reply.payload else None)
        try:
            answer: bytes = answer_to(method, way, values, reply).SerializeToString()
        except ValueError as error:
            why = f"the daemon's answer does not fit {method.reply.name}: {error}"
            raise Failure(grpc.StatusCode.INTERNAL, why) from None
        return answer

    def _options_set(
        self, method: Method, values: Values, caller: Caller, ending: Ending, log: CallLog
    ) -> bytes:
        """Have the caller's connections to the daemon given these, beginning with one."""
        before = caller.options
        caller.options = request_of(method, method.ways[0], values, None, SPOKEN)
        try:
            with self._pool.connection(caller, method, ending, log.take):
                return b""
        except BaseException:
            caller.options = before
            raise


def _request(method: Method, values: Values, payload: Any, daemon: DaemonConnection) -> Any:
    """Return the request, and the way it asks. Raises Failure, EncodeError."""
    protocol = daemon.protocol
    way = method.way(protocol)
    if way is None:
        why = f"{method.name} cannot be asked in {protocol.text}, which this daemon speaks"
        raise Failure(grpc.StatusCode.UNIMPLEMENTED, why)
    request = request_of(method, way, values, payload, protocol)
    if isinstance(request, CollectGarbage) and request.ignore_liveness:
        why = "you are not allowed to ignore liveness: no daemon takes that"
        raise Failure(grpc.StatusCode.PERMISSION_DENIED, why)
    return request, way


def _is_of(method: Method, kind: type) -> bool:
    return method.ways[0].kind is kind


def _is_known(error: Exception) -> bool:
    return isinstance(error, (Failure, Problem, grpc.RpcError)) or type(
        error
    ).__module__.startswith("pix.")


def _drop(data: bytes) -> None:
    """Take payload that the service has no place for."""
