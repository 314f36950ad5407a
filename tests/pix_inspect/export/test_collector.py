"""Delivery to a collector: what passes is tried again, what is final is said once."""

from __future__ import annotations

from typing import Any

import pytest

from pix.problem import Problem
from pix_inspect.export.collector import LONGEST_PAUSE, TRIES, Collector
from tests.support.otlp import away, collector

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
    with away() as (url, _), pytest.raises(Problem, match=r"refused"):
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


def test_a_redirect_is_not_followed() -> None:
    with collector() as received:
        received.refusals = [302]
        received.headers = {"Location": "https://elsewhere/v1/traces"}
        with pytest.raises(Problem, match=r"302 Found, and names https://elsewhere/v1/traces"):
            Collector(received.url).send("traces", EMPTY)
    assert received.requests == 1


def test_no_tls_where_there_should_be_is_final() -> None:
    with collector() as received:
        url = received.url.replace("http:", "https:")
        with pytest.raises(Problem, match="no TLS with it"):
            Collector(url, pause=lambda _: pytest.fail("tried again")).send("traces", EMPTY)


@pytest.mark.parametrize(
    ("asked", "pause"),
    [("2", 2), ("900", LONGEST_PAUSE), ("soon", 0.25), ("Thu, 01 Jan 1970 00:00:00 GMT", 0)],
)
def test_a_time_to_come_back_may_be_a_date(asked: str, pause: float) -> None:
    pauses: list[float] = []
    with collector() as received:
        received.refusals = [503]
        received.headers = {"Retry-After": asked}
        Collector(received.url, pause=pauses.append).send("traces", EMPTY)
    assert pause <= pauses[0] <= pause * 1.25


@pytest.mark.parametrize(
    "url",
    ["localhost:4318", "ftp://x", "http://", "/x", "htp:/x", "http:/x", "http://h:99999",
     "http://[::1", "http://u:p@h", "http://h/a b", "http://h\n", "http://h?x", "http://é"],
)  # fmt: skip
def test_what_is_no_url_of_a_collector(url: str) -> None:
    with pytest.raises(Problem, match="write http://HOST:4318"):
        Collector(url)
