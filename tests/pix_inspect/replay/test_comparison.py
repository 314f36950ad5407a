"""Answers compared: what counts, and what does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pix.codec.gates import Protocol
from pix.protocol.operations import FindRoots, QueryPathInfo, QueryReferrers
from pix.protocol.types import Root, UnkeyedValidPathInfo
from pix_inspect.compare.changes import Change
from pix_inspect.replay.comparison import Ignored, verdict
from pix_inspect.session.session import Session
from tests.support.replayed import END, LAST, P, Q, story

NEW = Protocol(38)
ALWAYS = Ignored()


def compared(
    folder: Path, request: Any, first: Any, second: Any, versions: tuple[Protocol, Protocol]
) -> list[Change]:
    views = []
    for name, reply, version in (("a", first, versions[0]), ("b", second, versions[1])):
        path = story(folder / f"{name}.pcapng", (1, version, request, LAST, reply, END))
        views.append(Session(path).read_all().exchange(1))
    return verdict(views[0], views[1], ALWAYS).changes


def info(**fields: Any) -> QueryPathInfo.Reply:
    known: dict[str, Any] = {"nar_hash": "0" * 64, "nar_size": 1, "references": frozenset()}
    known["registration_time"] = 0
    return QueryPathInfo.Reply(info=UnkeyedValidPathInfo(**{**known, **fields}))


@pytest.mark.parametrize(
    ("first", "second", "fields"),
    [
        (info(registration_time=1), info(registration_time=2), []),
        (info(nar_size=1), info(nar_size=2), ["reply.info.nar_size"]),
        (info(), QueryPathInfo.Reply(info=None), ["reply.info"]),
    ],
)
def test_path_infos(tmp_path: Path, first: Any, second: Any, fields: list[str]) -> None:
    found = compared(tmp_path, QueryPathInfo(path=P), first, second, (NEW, NEW))
    assert [change.path for change in found] == fields


def test_sets_are_sets(tmp_path: Path) -> None:
    ask = QueryReferrers(path=P)
    one, two = (QueryReferrers.Reply(referrers=each) for each in ([P, Q], [Q, P]))  # type: ignore[arg-type]
    assert compared(tmp_path, ask, one, two, (NEW, NEW)) == []
    (tmp_path / "a.pcapng").unlink()
    (tmp_path / "b.pcapng").unlink()
    less = QueryReferrers.Reply(referrers=frozenset({Q}))
    assert compared(tmp_path, ask, one, less, (NEW, NEW)) == [Change("reply.referrers[]", P, None)]


def test_fields_of_one_version_only_are_left_out(tmp_path: Path) -> None:
    new, old = info(ultimate=True), info()
    versions = (NEW, Protocol(15))
    first = QueryPathInfo.Reply(info=old.info)
    assert compared(tmp_path, QueryPathInfo(path=P), new, first, versions) == []


def test_roots_of_processes_are_the_same(tmp_path: Path) -> None:
    one, two = (
        FindRoots.Reply(roots=(Root(link=link, target=P),)) for link in ("{temp:17}", "{temp:4711}")
    )
    assert compared(tmp_path, FindRoots(), one, two, (NEW, NEW)) == []


def test_ignored_paths_are_those_named() -> None:
    ignored = Ignored.volatile_and(["sigs", "QueryPathInfo.info.ca"])
    assert "sigs" in ignored.names
    assert ignored.covers("QueryPathInfo", Change("reply.info.ca", 1, 2))
    assert not ignored.covers("AddToStore", Change("reply.info.ca", 1, 2))
    assert not ignored.covers("QueryPathInfo", Change("reply.info.deriver", 1, 2))
