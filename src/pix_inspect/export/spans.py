"""A recording as OpenTelemetry spans and metrics, in the JSON of OTLP.

A trace is a connection, or all of a `run`; a client's own trace is continued where it has one
(`TRACEPARENT`). The service is the protocol that is spoken, nix.worker or nix.serve. An operation
is a SERVER span by the conventions for RPC (semantic conventions 1.45.0), what the daemon works on
meanwhile are its children, log lines are events of these.
Numbers of spans and traces are made of the recording, so that the same one is exported alike.
Times are nanoseconds since 1970, sizes bytes.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Any

import pix
from pix.codec.gates import SERVE, WORKER
from pix.dataclass import dataclass, field
from pix.protocol.logging import ResultType
from pix_inspect.base.safe_text import plain
from pix_inspect.describe.about import about
from pix_inspect.recording.notes import Peer
from pix_inspect.session.activities import Activity, activities, field_values, log_line, result_kind
from pix_inspect.session.exchange_view import ExchangeView, Part
from pix_inspect.session.failures import failure_text, failures
from pix_inspect.session.session import ConnectionRow, Session

Json = dict[str, Any]

SCHEMA = "https://opentelemetry.io/schemas/1.45.0"
SCOPE = {"name": "pix-inspect", "version": pix.__version__}
INTERNAL, SERVER, FAILED, CUMULATIVE = 1, 2, 2, 2
"""Kinds of span, the status code of an error, how metrics add up."""

MOST_FRAMES = 10_000
"""Log frames of an exchange that are looked at."""
MOST_EVENTS = 200
"""Events of a span; what is beyond is counted."""
LONGEST_TEXT = 4096

TCP = "tcp"
"""A transport, and what a recording of a capture of TCP says that it was made of."""

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Seconds: the histogram's limits, as the conventions have them."""

_PARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}.*")


def attributes(values: Mapping[str, object]) -> list[Json]:
    """Return key-value pairs; None is left out."""
    return [
        {"key": key, "value": _value(value)} for key, value in values.items() if value is not None
    ]


def _value(value: object) -> Json:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):  # a signed 64-bit number in OTLP, as text in its JSON
        return {"intValue": str(value)} if value < 1 << 63 else {"stringValue": str(value)}
    return {"stringValue": _text(str(value))}


def _text(text: str) -> str:
    """Return text that every reader of JSON takes: no colours, no half characters."""
    return plain(text).encode("utf-8", "replace").decode()[:LONGEST_TEXT]


def _service(row: ConnectionRow) -> str:
    """Return the service that a connection's operations are of."""
    return f"nix.{row.family or WORKER}"


class Spans:
    """Spans and metrics of the exchanges of a session; `exchange` and `connection` make them."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._sums: dict[tuple[str, str, str], Sum] = {}

    # Numbers ----------------------------------------------------------------------------

    def _digest(self, *what: object) -> str:
        made = self.session.made
        told = (self.session.started, made.listen, made.pid, *what)
        return hashlib.sha256(repr(told).encode()).hexdigest()

    def _trace(self, row: ConnectionRow) -> tuple[str, str | None]:
        """Return a connection's trace, and the span it is part of."""
        continued = _PARENT.fullmatch(row.peer.traceparent or "")
        if continued is not None:
            return continued[1], continued[2]
        one = self.session.made.command is not None
        return self._digest("trace", 0 if one else row.number)[:32], None

    def _span(
        self, row: ConnectionRow, number: tuple[object, ...], parent: str | None, **what: Any
    ) -> Json:
        trace, _ = self._trace(row)
        span = {"traceId": trace, "spanId": self._digest("span", *number)[:16], **what}
        return span | ({"parentSpanId": parent} if parent else {})

    def _of_connection(self, row: ConnectionRow) -> str:
        return self._digest("span", "connection", row.number)[:16]

    def _transport(self, row: ConnectionRow) -> str:
        if TCP in (self.session.made.formats or ()):
            return TCP
        return "pipe" if row.family is SERVE else "unix"

    # Spans ------------------------------------------------------------------------------

    def resource(self) -> Json:
        """Return what the spans are of."""
        connections = self.session.connections.values()
        versions = {row.daemon_nix for row in connections if row.daemon_nix}
        served = {row.family for row in connections} == {SERVE}
        made = self.session.made
        return {
            "attributes": attributes(
                {
                    "service.name": "nix-store" if served else "nix-daemon",
                    "service.version": versions.pop() if len(versions) == 1 else None,
                    "host.name": made.host,
                    "server.address": made.upstream,
                }
            )
        }

    def connection(self, row: ConnectionRow) -> Json:
        """Return the span of a connection."""
        peer: Peer = row.peer
        return self._span(
            row,
            ("connection", row.number),
            self._trace(row)[1],
            name=f"{_service(row)} connection",
            kind=INTERNAL,
            startTimeUnixNano=str(row.opened),
            endTimeUnixNano=str(row.closed or max(row.last, row.opened)),
            attributes=attributes(
                {
                    "process.pid": peer.pid,
                    "process.user.id": peer.uid,
                    "network.transport": self._transport(row),
                    "nix.connection": row.number,
                    "nix.protocol.version": row.protocol.text if row.protocol is not None else None,
                    "nix.daemon.version": row.daemon_nix,
                    "nix.exchanges": row.exchanges,
                }
            ),
            status={"code": FAILED, "message": _text(str(row.failure))} if row.failure else {},
        )

    def exchange(self, i: int) -> Iterator[Json]:
        """Yield the span of exchange `i` (from 0), those of its activities after it."""
        view = self.session.exchange(i)
        row = view.row
        connection = self.session.connections[row.connection]
        end = row.started + row.took if row.took is not None else self.session.last
        service = _service(connection)
        method = f"{service}/{row.name.removeprefix(SERVE.prefix)}"
        failed = _failure(view)
        self._count(view, (service, method, failed[0] if failed else ""))
        work = activities(view.log[:MOST_FRAMES])
        events, dropped = _events(work)
        if failed is not None:
            said = attributes({"exception.type": failed[0], "exception.message": failed[1]})
            at = {"timeUnixNano": str(end), "name": "exception", "attributes": said}
            events.append(at)
        span = self._span(
            connection,
            ("exchange", row.number),
            self._of_connection(connection),
            name=method,
            kind=SERVER,
            startTimeUnixNano=str(row.started),
            endTimeUnixNano=str(max(end, row.started)),
            attributes=attributes(
                {
                    "rpc.system.name": "nix",
                    "rpc.method": method,
                    "rpc.response.status_code": "OK" if failed is None else "ERROR",
                    "error.type": failed[0] if failed is not None else None,
                    "network.transport": self._transport(connection),
                    "server.address": self.session.made.listen or self.session.made.upstream,
                    "nix.about": about(view) or None,
                    "nix.exchange": row.number,
                    "nix.connection": row.connection,
                    "nix.bytes.request": row.up,
                    "nix.bytes.reply": row.down,
                }
            ),
            events=events,
            droppedEventsCount=dropped + max(len(view.log) - MOST_FRAMES, 0),
            status={} if failed is None else {"code": FAILED, "message": failed[1]},
        )
        yield span
        stack = [(work, span["spanId"])]
        while stack:  # activities may be nested as deep as the daemon likes: no recursion
            activity, above = stack.pop()
            for n, inner in enumerate(activity.inside):
                if isinstance(inner, Activity):
                    number = ("activity", row.number, inner.number, n, above)
                    made = self._activity(connection, inner, number, above, end)
                    yield made
                    stack.append((inner, made["spanId"]))

    def _activity(
        self,
        row: ConnectionRow,
        activity: Activity,
        number: tuple[object, ...],
        above: str,
        end: int,
    ) -> Json:
        events, dropped = _events(activity)
        begun = _time(activity.part)
        progress: Json = {}
        for part in [*activity.results(ResultType.PROGRESS)][-1:]:
            names = ("done", "expected", "running", "failed")
            progress = dict(zip(names, field_values(part.node), strict=False))
        return self._span(
            row,
            number,
            above,
            name=activity.kind.label if activity.known else "activity",
            kind=INTERNAL,
            startTimeUnixNano=str(begun),
            endTimeUnixNano=str(max(end if activity.ended is None else activity.ended, begun)),
            attributes=attributes(
                {
                    "nix.activity.id": activity.number,
                    "nix.activity.text": activity.text or None,
                    "nix.activity.about": next(
                        (each for each in activity.fields if isinstance(each, str) and each), None
                    ),
                    "nix.activity.stopped": activity.ended is not None,
                    **{f"nix.activity.{name}": said for name, said in progress.items()},
                }
            ),
            events=events,
            droppedEventsCount=dropped,
        )

    def request(self, spans: list[Json]) -> Json:
        """Return the body of a request that delivers spans."""
        scope = {"scope": SCOPE, "spans": spans, "schemaUrl": SCHEMA}
        return {"resourceSpans": [{"resource": self.resource(), "scopeSpans": [scope]}]}

    # Metrics ----------------------------------------------------------------------------

    def _count(self, view: ExchangeView, what: tuple[str, str, str]) -> None:
        row = view.row
        if row.took is None:
            return
        total = self._sums.setdefault(what, Sum())
        total.counts[bisect_left(BOUNDS, row.took / 1e9)] += 1
        total.seconds += row.took / 1e9
        total.up += row.up
        total.down += row.down

    def metrics(self) -> Json:
        """Return the body of a request that delivers what was counted of the spans made so far."""
        window = {
            "startTimeUnixNano": str(self.session.started),
            "timeUnixNano": str(self.session.last),
        }
        durations: list[Json] = []
        sizes: dict[str, list[Json]] = {}
        for (service, method, error), total in sorted(self._sums.items()):
            said = attributes(
                {"rpc.system.name": "nix", "rpc.method": method, "error.type": error or None}
            )
            durations.append(
                {
                    **window,
                    "attributes": said,
                    "count": str(sum(total.counts)),
                    "sum": total.seconds,
                    "bucketCounts": [str(n) for n in total.counts],
                    "explicitBounds": list(BOUNDS),
                }
            )
            for way, count in (("receive", total.up), ("transmit", total.down)):
                way_said = attributes({"network.io.direction": way})
                point = {**window, "attributes": [*said, *way_said], "asInt": str(count)}
                sizes.setdefault(service, []).append(point)
        metrics = [
            {
                "name": "rpc.server.call.duration",
                "unit": "s",
                "histogram": {"dataPoints": durations, "aggregationTemporality": CUMULATIVE},
            },
            *(
                {
                    "name": f"{service}.io",
                    "unit": "By",
                    "sum": {
                        "dataPoints": points,
                        "aggregationTemporality": CUMULATIVE,
                        "isMonotonic": True,
                    },
                }
                for service, points in sizes.items()
            ),
        ]
        scope = {"scope": SCOPE, "metrics": metrics, "schemaUrl": SCHEMA}
        return {"resourceMetrics": [{"resource": self.resource(), "scopeMetrics": [scope]}]}


@dataclass(slots=True)
class Sum:
    """What exchanges of one operation, ended alike, come to."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0
    up: int = 0
    down: int = 0


def _failure(view: ExchangeView) -> tuple[str, str] | None:
    """Return the kind of a failure, of which there are few, and what was said."""
    if view.row.state == "error":
        name = view.field("error", "name")
        failed = next(failures(view), None)
        status = failed.status if failed is not None else ""
        kind = name.value if name is not None and isinstance(name.value, str) else status
        return f"nix.{kind or 'Error'}", _text(failure_text(view))
    if view.row.state in ("cut", "opaque"):
        return view.row.state, "; ".join(map(_text, view.notes[:3]))
    return None


def _time(part: Part | None) -> int:
    return (part.time if part is not None else None) or 0


def _events(activity: Activity) -> tuple[list[Json], int]:
    """Return what was said of an activity itself as events, and how many more there were."""
    events: list[Json] = []
    dropped = 0
    for part in activity.inside:
        if isinstance(part, Activity):
            continue
        said = log_line(part)
        name = "log"
        if said is None and result_kind(part) == ResultType.SET_PHASE:
            name, said = "phase", str(next(iter(field_values(part.node)), ""))
        if said is None:
            continue
        if len(events) >= MOST_EVENTS:
            dropped += 1
            continue
        key = "nix.phase" if name == "phase" else "log.message"
        events.append(
            {
                "timeUnixNano": str(_time(part)),
                "name": name,
                "attributes": attributes({key: said.rstrip("\n")}),
            }
        )
    return events, dropped
