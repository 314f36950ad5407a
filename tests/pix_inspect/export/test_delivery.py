"""Delivery goes on while a collector is away, slow, busy or wrong, and loses nothing unsaid."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from pix_inspect.export import delivery as module
from pix_inspect.export.collector import Collector
from pix_inspect.export.delivery import Delivery
from tests.support.otlp import Received, away, collector
from tests.support.relaying import WAIT, until

EMPTY = b'{"resourceSpans": []}'


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "pause_before", lambda tried, after: 0.02)


def test_what_waits_is_delivered_when_the_collector_is_back() -> None:
    said: list[str] = []
    with away() as (url, kept):
        sending = Delivery(Collector(url), said.append)
        for _ in range(20):
            sending.put("traces", 3, EMPTY)
        until(lambda: "refused" in sending._why)
        with collector(kept) as received:
            until(lambda: sending.sent == 60)
            assert sending.end(WAIT) == 0
    assert received.requests == 20
    assert said == []
    assert sending.summary(0).startswith("60 spans sent to")
    assert "," not in sending.summary(0)


def test_what_finds_no_room_is_counted_and_said_once() -> None:
    with collector() as received:
        received.refusals = [503] * 10_000
        said: list[str] = []
        sending = Delivery(Collector(received.url), said.append, backlog=3 * len(EMPTY))
        for _ in range(10):
            sending.put("traces", 2, EMPTY)
        assert sending.dropped == 14
        until(lambda: len(received.refusals) < 9_990)
        assert sending.end(0.1) == 6
        received.refusals = []
        assert sending.end(WAIT) == 0  # its thread tries no longer
    assert len(said) == 1
    assert "spans are dropped until the collector takes more" in said[0]
    assert "14 found no room while it was away, 6 were not taken in time" in sending.summary(6)


def test_one_request_goes_whatever_its_size() -> None:
    with collector() as received:
        sending = Delivery(Collector(received.url), pytest.fail, backlog=1)
        sending.put("traces", 1, EMPTY)
        assert sending.end(WAIT) == 0
    assert sending.sent == 1


def test_what_is_refused_holds_nothing_up() -> None:
    with collector() as received:
        received.refusals = [400, 503, 404]
        said: list[str] = []
        sending = Delivery(Collector(received.url), said.append)
        for _ in range(3):
            sending.put("traces", 1, EMPTY)
        assert sending.end(WAIT) == 0
    assert (sending.sent, sending.refused) == (1, 2)
    assert len(said) == 1
    assert "400" in said[0]


def test_a_slow_collector_keeps_nobody() -> None:
    going_on = threading.Event()

    def slow(received: Received) -> None:
        going_on.wait(WAIT)

    with collector() as received:
        received.before = slow
        sending = Delivery(Collector(received.url), pytest.fail)
        sending.put("traces", 5, EMPTY)
        assert sending.end(0.1) == 5
        going_on.set()


def test_an_answer_that_ends_early_is_tried_again() -> None:
    with collector() as received:
        received.broken = [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", b"\0\n\n"]
        sending = Delivery(Collector(received.url), pytest.fail)
        sending.put("traces", 1, json.dumps(_nothing()).encode())
        assert sending.end(WAIT) == 0
    assert sending.sent == 1


def _nothing() -> dict[str, Any]:
    return {"resourceSpans": []}
