"""Recordings of real sessions, read as rows: the same exchanges as the streams hold."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pix.exchange import CLIENT, Exchange
from pix_inspect.session import Row, Session
from tests.captures import Run
from tests.pix_inspect.recorded import by_connection, direct, interleaved, pairs, record

LIMITS = {"full": None, "none": 0, "1 KiB": 1024}


def state_of(exchange: Exchange) -> str:
    if exchange.kind == "opaque":
        return "opaque"
    if exchange.ended is None:
        return "open"
    if exchange.error is not None:
        return "error"
    return "ok" if exchange.complete else "cut"


def sizes_of(exchange: Exchange) -> tuple[int, int]:
    request = reply = 0
    if exchange.request_end is not None and exchange.side == CLIENT:
        request = exchange.request_end - exchange.start
    if exchange.daemon_start is not None and exchange.daemon_end is not None:
        reply = exchange.daemon_end - exchange.daemon_start
    return request, reply


def row_of(exchange: Exchange, number: int, connection: int) -> Row:
    return Row(
        number,
        connection,
        exchange.kind,
        exchange.operation.name if exchange.operation is not None else None,
        exchange.code,
        exchange.started,
        exchange.took,
        *sizes_of(exchange),
        state_of(exchange),  # type: ignore[arg-type]  # one of the states
        exchange.frames,
    )


NAMES = [
    "kind",
    "side",
    "start",
    "started",
    "protocol",
    "code",
    "operation",
    "request_done",
    "answered",
    "ended",
    "payload_start",
    "request_end",
    "daemon_start",
    "daemon_end",
    "reply",
    "reply_payload_start",
    "error",
    "frames",
    "payload_side",
    "payload_bytes",
    "payload_runs",
    "reads",
    "answers",
    "complete",
    "notes",
]


def said_of(exchange: Exchange, numbers: list[int] | None = None) -> dict[str, Any]:
    """Everything about an exchange; remarks name others by their numbers in the recording."""
    log = [(f.frame.name, f.start, f.end, f.time, f.answer) for f in exchange.log or ()]
    said = {"log": log, **{name: getattr(exchange, name) for name in NAMES}}
    if numbers is not None:
        said["notes"] = tuple(
            re.sub(r"(?<=exchange )[0-9]+", lambda m: str(numbers[int(m[0]) - 1] + 1), note)
            for note in exchange.notes
        )
    return said


@pytest.mark.slow
@pytest.mark.parametrize("limit", LIMITS)
def test_recorded_sessions_have_the_rows_and_exchanges_of_their_streams(
    limit: str, captured_runs: tuple[Run, ...], tmp_path: Path
) -> None:
    for pair, connections in pairs(captured_runs).items():
        path = record(tmp_path / f"{pair}.pcapng", interleaved(connections), LIMITS[limit])
        session = Session(path).read_all()
        rows = by_connection(session)
        assert session.truncated is None
        assert not session.reader.warnings
        assert len(session.connections) == len(connections)
        for number, connection in enumerate(connections, 1):
            expected = direct(connection)
            indexes = rows.get(number, [])
            found = [session.row(i) for i in indexes]
            assert found == [
                row_of(e, i + 1, number) for e, i in zip(expected, indexes, strict=True)
            ], (pair, number)
            for i, exchange in zip(indexes, expected, strict=True):
                view = session.exchange(i)
                assert view.complete == exchange.complete
                if exchange.kind == "opaque":
                    assert view.notes == exchange.notes
                    continue
                assert view.exchange is not None
                assert said_of(view.exchange) == said_of(exchange, indexes), (pair, number, i)
        session.close()
        path.unlink()
