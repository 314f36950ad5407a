"""OTLP read by the official classes, and a collector that does no more than that."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

IDENTITIES = ("traceId", "spanId", "parentSpanId")


def _as_protobuf(body: Any) -> Any:
    """OTLP writes identities as hexadecimal digits, protobuf's own JSON as base 64."""
    if isinstance(body, list):
        return [_as_protobuf(each) for each in body]
    if isinstance(body, dict):
        return {
            key: base64.b64encode(bytes.fromhex(value)).decode()
            if key in IDENTITIES
            else _as_protobuf(value)
            for key, value in body.items()
        }
    return body


def spans_in(body: Any) -> list[Any]:
    """The spans of a request, which has to be one to the letter."""
    request = ParseDict(_as_protobuf(body), ExportTraceServiceRequest())
    return [
        span
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def metrics_in(body: Any) -> dict[str, Any]:
    """The metrics of a request, by name."""
    request = ParseDict(_as_protobuf(body), ExportMetricsServiceRequest())
    return {
        metric.name: metric
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def attributes_of(span: Any) -> dict[str, Any]:
    """The attributes of a span or a point."""
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes
    }


class Received:
    """What a collector was sent.

    `refusals`: statuses that it answers first, one each; `broken`: what it says before these in
    place of an answer, and hangs up; `before`: what it does before it answers.
    """

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.metrics: dict[str, Any] = {}
        self.refusals: list[int] = []
        self.broken: list[bytes] = []
        self.before: Callable[[Received], object] = lambda _: None
        self.headers: dict[str, str] = {}
        self.requests = 0
        self.answer = b"{}"
        self.url = ""


@contextmanager
def away() -> Iterator[tuple[str, socket.socket]]:
    """The address of a collector that is away, and a socket that keeps others from its port."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{kept.getsockname()[1]}", kept


@contextmanager
def collector(kept: socket.socket | None = None) -> Iterator[Received]:
    """A collector on the loopback interface; one that is back where it was `kept` a place."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.before(received)
            if received.broken:
                self.wfile.write(received.broken.pop(0))
                self.close_connection = True
                return
            received.requests += 1
            status = received.refusals.pop(0) if received.refusals else 200
            if status == 200 and self.path == "/v1/traces":
                received.spans += spans_in(json.loads(body))
            elif status == 200 and self.path == "/v1/metrics":
                received.metrics |= metrics_in(json.loads(body))
            self.send_response(status if self.path.startswith("/v1/") else 404)
            if status == 429:
                self.send_header("Retry-After", "7")
            for name, value in received.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(received.answer)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    if kept is None:
        server.server_bind()
    else:
        server.socket.close()
        server.socket = kept.dup()
        server.server_address = server.socket.getsockname()
        server.server_port = server.server_address[1]
    server.server_activate()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    received.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
