"""What calls end with: the status for each error, bounded details, a bounded log."""

from __future__ import annotations

import json
from typing import Any

import grpc
import pytest

from pix.codec.errors import EncodeError, GateError
from pix.daemon import NixDaemonError
from pix.problem import Problem
from pix.protocol.logging import ActivityType, StderrError, StderrNext, StderrStartActivity
from pix.worker_service import status_details
from pix_inspect.gateway.statuses import LEFT_OUT, LOG, CallLog, Failure, failure_of

SAID = StderrError(message="no")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (EncodeError("path", "is missing"), grpc.StatusCode.INVALID_ARGUMENT),
        (GateError("x", "needs 1.22"), grpc.StatusCode.UNIMPLEMENTED),
        (NixDaemonError("no", frame=SAID), grpc.StatusCode.INTERNAL),
        (NixDaemonError("the daemon closed the connection"), grpc.StatusCode.UNAVAILABLE),
        (Problem("no daemon"), grpc.StatusCode.UNAVAILABLE),
        (RuntimeError("bug"), grpc.StatusCode.INTERNAL),
        (Failure(grpc.StatusCode.PERMISSION_DENIED, "no"), grpc.StatusCode.PERMISSION_DENIED),
    ],
)
def test_each_error_has_its_status(error: Exception, code: grpc.StatusCode) -> None:
    assert failure_of(error).code is code


def test_details_have_the_text_and_the_traces() -> None:
    failure = failure_of(NixDaemonError("why", traces=("inner", "outer"), frame=SAID))
    ((key, value),) = failure.metadata()
    assert key == "grpc-status-details-bin"
    assert status_details.read(value) == ("why", ("inner", "outer"))
    assert failure_of(EncodeError("path", "x")).metadata() == []
    assert status_details.read(b"\xff\xff") == status_details.read(b"") == ("", ())


@pytest.mark.parametrize("size", [0, 1, 5_000, 100_000])
@pytest.mark.parametrize("letter", ["x", "ü", "\x1b", "\udcff"])
def test_what_ends_a_call_fits_the_8_kib_that_clients_take(size: int, letter: str) -> None:
    log = CallLog()
    for _ in range(1 + size // 100):
        log.take(StderrNext(text=letter * min(size, 3_000)))
    error = NixDaemonError(letter * size, traces=(letter * size,) * 50, frame=SAID)
    failure = failure_of(error)
    whole = 3 * len(failure.short().encode())
    said: list[tuple[str, Any]] = [*log.metadata(), *failure.metadata()]
    for key, value in said:
        whole += (
            32 + len(key) + (len(value) * 4 // 3 + 4 if isinstance(value, bytes) else len(value))
        )
        assert isinstance(value, bytes) or all(" " <= each <= "~" for each in value)
    assert whole < 8_000


def test_the_log_keeps_the_last_frames() -> None:
    log = CallLog()
    for i in range(1000):
        log.take(StderrNext(text=f"line {i}\n"))
    said: Any = log.metadata()
    kept = [json.loads(value) for key, value in said if key == LOG]
    left_out = int(dict(said)[LEFT_OUT])
    assert kept[-1] == {"frame": "STDERR_NEXT", "text": "line 999\n"}
    assert len(kept) + left_out == 1000
    assert kept[0]["text"] == f"line {left_out}\n"


def test_a_frame_has_all_its_fields() -> None:
    log = CallLog()
    log.take(
        StderrStartActivity(
            id=7, level=3, type=ActivityType.BUILD, text="\x7f", fields=("drv", 1), parent=2
        )
    )
    ((_, value),) = log.metadata()
    assert json.loads(value) == {
        "frame": "STDERR_START_ACTIVITY", "id": 7, "level": 3, "type": 105, "text": "\x7f",
        "fields": ["drv", 1], "parent": 2,
    }  # fmt: skip
