"""Delivery to a collector: what passes is tried again, what is final is said once."""

from __future__ import annotations

from typing import Any

import pytest

from pix.problem import Problem
from pix_inspect.export.collector import LONGEST_PAUSE, TRIES, Collector
from tests.support.otlp import collector

EMPTY: dict[str, Any] = {"resourceSpans": []}


def test_what_passes_is_tried_again_after_the_time_asked_for() -> None:
    pauses: list[float] = []
    with collector() as received:
        received.refusals = [503, 429]
        Collector(received.url, pause=pauses.append).send("traces", EMPTY)
    assert len(pauses) == 2
    assert 7 <= pauses[1] <= 7 * 1.25


def test_a_refusal_is_final() -> None:
    with collector() as received:
        received.refusals = [400]
        with pytest.raises(Problem, match=r"/v1/traces did not take what was sent: .*400"):
            Collector(received.url, pause=lambda _: pytest.fail("tried again")).send(
                "traces", EMPTY
            )


def test_nobody_there_is_said_after_some_tries() -> None:
    pauses: list[float] = []
    with collector() as received:
        url = received.url
    with pytest.raises(Problem, match=r"refused"):
        Collector(url, pause=pauses.append).send("traces", EMPTY)
    assert len(pauses) == TRIES - 1
    assert max(pauses) <= LONGEST_PAUSE * 1.25


@pytest.mark.parametrize(
    ("answer", "rejected"),
    [
        (b'{"partialSuccess": {"rejectedSpans": "3"}}', 3),
        (b'{"partialSuccess": null}', 0),
        (b"<html>", 0),
        (b"[1]", 0),
        (b"", 0),
    ],
)
def test_what_is_rejected_is_counted(answer: bytes, rejected: int) -> None:
    with collector() as received:
        received.answer = answer
        there = Collector(received.url)
        there.send("traces", EMPTY)
        assert there.rejected == rejected


@pytest.mark.parametrize("url", ["localhost:4318", "ftp://x", "http://", "/x"])
def test_what_is_no_url_of_a_collector(url: str) -> None:
    with pytest.raises(Problem, match="write http://HOST:4318"):
        Collector(url)
