"""`pix-inspect export FILE --to FORMAT -o OUT`: a recording for other tools.

OpenTelemetry (a file with one request a line, or a collector), trace events for Perfetto, or an
SQLite database.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
import threading
import time as clock
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from pix.problem import Problem
from pix_inspect.base.narrate import say
from pix_inspect.base.new_files import PRIVATE, AlreadyThere, check_target, save
from pix_inspect.base.units import count
from pix_inspect.commands.dump import filter_of, report, with_progress
from pix_inspect.export.collector import Collector, meant_as_url
from pix_inspect.export.delivery import Delivery
from pix_inspect.export.spans import Spans
from pix_inspect.options.progress import Progress
from pix_inspect.options.recording import recording_argument
from pix_inspect.session.growth import as_they_end
from pix_inspect.session.session import ConnectionRow, Session

FORMATS = {
    "otlp": "OpenTelemetry spans, one request a line; -o http://HOST:4318 sends them to a"
    " collector, with metrics",
    "otlp-metrics": "OpenTelemetry metrics: durations and bytes by operation",
    "chrome": "trace events, for Perfetto, chrome://tracing and speedscope",
    "sqlite": "a database with connections, exchanges, fields, log and findings",
}
BATCH = 512
"""Spans of a request, and their events."""
LONGEST_WAIT = 5.0
"""Seconds until a batch that is not full is sent, while a recording grows."""
METRICS_EVERY = 60.0
"""Seconds between two reports of metrics, while a recording grows."""
FLUSH = 8.0
"""Seconds for what is left to be delivered, once a recording grows no more."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    recording_argument(parser)
    parser.add_argument(
        "--to", choices=FORMATS, required=True, metavar="FORMAT",
        help="; ".join(f"{name}: {text}" for name, text in FORMATS.items()),
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", default="-", metavar="OUT",
        help="the file (default: standard output), or with otlp the URL of a collector",
    )  # fmt: skip
    parser.add_argument("--filter", metavar="EXPR", help="only exchanges that match")
    parser.add_argument(
        "--follow", action="store_true", help="with a collector: go on while the recording grows"
    )
    parser.add_argument(
        "--until-eof", action="store_true", help="with --follow: end when standard input does"
    )
    parser.add_argument(
        "--force", "--replace", action="store_true", help="replace OUT if it is there"
    )


def main(args: argparse.Namespace) -> int:
    """Write a recording in the format of another tool."""
    wanted = filter_of(args.filter)
    collector = Collector(args.output) if meant_as_url(args.output) else None
    if collector is not None and args.to != "otlp":
        raise Problem(f"a collector takes otlp, not {args.to}")
    if args.follow and collector is None:
        raise Problem("--follow is for a collector: -o http://HOST:4318")
    if args.until_eof and not args.follow:
        raise Problem("--until-eof is for --follow")
    session = Session(args.recording)
    progress = Progress(on=not sys.stdout.isatty() or args.output != "-")
    source: Iterator[int | None] = with_progress(session, progress)
    if args.follow:
        told = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN if args.until_eof else lambda *_: told.set())
        if args.until_eof:
            threading.Thread(target=_await_eof, args=(told,), daemon=True).start()
        source = as_they_end(session, told)
    numbers = (i for i in source if i is None or wanted is None or wanted.matches(session, i))
    if collector is not None and args.follow:
        return _follow(session, numbers, collector)
    if collector is not None:
        return _deliver(session, numbers, collector)
    try:
        if args.to == "sqlite":
            _database(session, numbers, args)
        else:
            _write(_pieces(session, numbers, args.to), args)
    except AlreadyThere as there:
        raise Problem(f"{there}; --force replaces it") from None
    progress.clear()
    report(session, whole=True)
    return 0


def _pieces(session: Session, numbers: Iterator[int | None], form: str) -> Iterator[bytes]:
    if form == "chrome":
        from pix_inspect.export.chrome import trace_events

        yield from trace_events(session, (i for i in numbers if i is not None))
        return
    spans = Spans(session)
    for body in _requests(spans, numbers):
        if form == "otlp":
            yield json.dumps(body).encode() + b"\n"
    if form == "otlp-metrics":
        yield json.dumps(spans.metrics()).encode() + b"\n"


def _requests(spans: Spans, numbers: Iterator[int | None]) -> Iterator[dict[str, Any]]:
    """Yield requests of some spans each; that of a connection comes when it is over."""
    connections = spans.session.connections
    batch: list[dict[str, Any]] = []
    since, weight, seen = clock.monotonic(), 0, 0
    going_on: list[ConnectionRow] = []
    for i in numbers:
        for span in spans.exchange(i) if i is not None else ():
            batch.append(span)
            weight += 1 + len(span["events"])
        if weight >= BATCH or clock.monotonic() - since > LONGEST_WAIT:
            going_on += islice(connections.values(), seen, None)
            seen = len(connections)
            batch += (spans.connection(row) for row in going_on if row.closed)
            going_on = [row for row in going_on if not row.closed]
            if batch:
                yield spans.request(batch)
            batch, since, weight = [], clock.monotonic(), 0
    batch += map(spans.connection, [*going_on, *islice(connections.values(), seen, None)])
    for first in range(0, len(batch), BATCH):
        yield spans.request(batch[first : first + BATCH])


def _spans_of(body: dict[str, Any]) -> int:
    return len(body["resourceSpans"][0]["scopeSpans"][0]["spans"])


def _write(pieces: Iterator[bytes], args: argparse.Namespace) -> None:
    if args.output == "-":
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    save(Path(args.output), pieces, mode=PRIVATE, replace=args.force)
    say(f"written to {args.output}")


def _database(session: Session, numbers: Iterator[int | None], args: argparse.Namespace) -> None:
    from pix_inspect.export.database import write_database

    if args.output == "-":
        raise Problem("a database is not printed: name a file with -o FILE.sqlite")
    path = Path(args.output)
    check_target(path, replace=args.force)
    written = write_database(session, path, (i for i in numbers if i is not None))
    say(f"{count(written, 'exchange')} written to {path}")


def _deliver(session: Session, numbers: Iterator[int | None], collector: Collector) -> int:
    spans = Spans(session)
    sent = 0
    for body in _requests(spans, numbers):
        collector.send("traces", body)
        sent += _spans_of(body)
    collector.send("metrics", spans.metrics())
    say(f"{count(sent, 'span')} sent to {collector.url}")
    if collector.rejected:
        say(f"the collector rejected {count(collector.rejected, 'span')}")
    return 1 if collector.rejected else 0


def _follow(session: Session, numbers: Iterator[int | None], collector: Collector) -> int:
    """Send what passes; a collector that is away or refuses ends nothing."""
    spans, delivery = Spans(session), Delivery(collector, say)
    since = clock.monotonic()
    for body in _requests(spans, numbers):
        delivery.put("traces", _spans_of(body), json.dumps(body).encode())
        if clock.monotonic() - since > METRICS_EVERY:
            delivery.put("metrics", 0, json.dumps(spans.metrics()).encode())
            since = clock.monotonic()
    delivery.put("metrics", 0, json.dumps(spans.metrics()).encode())
    lost = delivery.end(FLUSH)
    say(delivery.summary(lost))
    if lost := lost + delivery.dropped:
        again = f"export {shlex.quote(str(session.path))} --to otlp -o {collector.url}"
        say(f"the recording has them: pix-inspect {again}")
    return 1 if lost or delivery.refused or collector.rejected else 0


def _await_eof(told: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    told.set()
