"""Trace events: slices of a thread lie within or behind each other, and name what they are."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from pix_inspect.export.chrome import Lanes, trace_events
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS

ALL = sorted(RECORDINGS.glob("*.pcapng"))


def events_of(path: Path) -> list[dict[str, Any]]:
    session = Session(path).read_all()
    document = json.loads(b"".join(trace_events(session, range(len(session)))))
    session.close()
    found: list[dict[str, Any]] = document["traceEvents"]
    return found


def ns(microseconds: float) -> int:
    return round(microseconds * 1e3)


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_slices_of_a_thread_are_properly_nested(path: Path) -> None:
    threads = defaultdict(list)
    events = events_of(path)
    for event in events:
        if event["ph"] == "X":
            begun = ns(event["ts"])
            threads[event["pid"], event["tid"]].append((begun, -(begun + ns(event["dur"]))))
    for slices in threads.values():
        open_until: list[int] = []
        for begun, over in sorted(slices):
            while open_until and open_until[-1] <= begun:
                open_until.pop()
            assert not open_until or -over <= open_until[-1]
            open_until.append(-over)
    named = {(each["pid"], each["tid"]) for each in events if each["name"] == "thread_name"}
    assert named == set(threads)
    assert sum(event["ph"] == "s" for event in events) == sum(
        event["ph"] == "f" for event in events
    )


def test_builds_are_slices_and_counted() -> None:
    events = events_of(RECORDINGS / "build-with-log.pcapng")
    builds = [event for event in events if event["name"].startswith("Build …")]
    assert [event["name"] for event in builds] == [
        "Build …tools-0.9.drv",
        "Build …hello-2.12.1.drv",
    ]
    counts = [event["args"]["running"] for event in events if event["name"] == "builds"]
    assert counts == [1, 0, 1, 0]


def test_slices_say_which_protocol_they_are_of() -> None:
    for name, family in (("queries", "worker"), ("serve-closure", "serve")):
        events = events_of(RECORDINGS / f"{name}.pcapng")
        kinds = {event["cat"] for event in events if event["ph"] == "X"}
        assert kinds - {"activity"} == {f"nix.{family}"}


def test_what_overlaps_gets_a_lane_of_its_own() -> None:
    session = Session(RECORDINGS / "queries.pcapng").read_all()
    lanes = Lanes(session)
    placed = [
        lanes._lane(1, *span) for span in [(0, 10), (1, 5), (2, 6), (5, 10), (6, 9), (10, 11)]
    ]
    assert placed == [0, 0, 1, 0, 0, 0]
    session.close()
