"""Requests and answers in other versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pix.codec.declare import wire_of
from pix.codec.errors import EncodeError
from pix.codec.gates import Protocol
from pix.codec.values import decode, fitted
from pix.codec.wire import pack_u64
from pix.protocol.logging import (
    ResultType,
    StderrError,
    StderrNext,
    StderrResult,
    StderrStartActivity,
    StderrStopActivity,
)
from pix.protocol.operations import (
    AddTextToStore,
    AddToStore,
    BuildPaths,
    BuildPathsWithResults,
    CollectGarbage,
    IsValidPath,
    QuerySubstitutablePathInfos,
    QueryValidPaths,
)
from pix.protocol.types import BuildResult, SpecificPaths
from pix_inspect.replay.translate import frame_bytes, newest, request_head, translated
from tests.support.nars import nar
from tests.support.replayed import P, Q

OLD, NEW = Protocol(21), Protocol(38)
REFERRERS = Protocol(38, frozenset({"delete-dead-specific-referrers"}))


def of(*pieces: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: iter(pieces)


def added(**fields: Any) -> AddToStore:
    return AddToStore(name="x", dump=b"", **fields)


@pytest.mark.parametrize(
    ("old", "new", "old_content", "new_content"),
    [
        (added(), added(), nar(b"a"), nar(b"a")),
        (
            added(fixed=True, recursive=1, hash_algo="sha512"),
            added(method="fixed:r:sha512"),
            nar({b"f": b"a"}),
            nar({b"f": b"a"}),
        ),
        (
            added(fixed=True, recursive=0, hash_algo="sha1"),
            added(method="fixed:sha1"),
            nar(b"contents"),
            b"contents",
        ),
    ],
)
def test_adding_is_the_same_in_both_layouts(
    old: AddToStore, new: AddToStore, old_content: bytes, new_content: bytes
) -> None:
    made, content = translated(old, of(old_content[:50], old_content[50:]), OLD, NEW)
    assert (made, b"".join(content)) == (new, new_content)
    made, content = translated(new, of(new_content), NEW, OLD)
    assert (made, b"".join(content)) == (old, old_content)


def test_adding_a_text_was_another_operation() -> None:
    new = added(method="text:sha256", references=frozenset({P}))
    old = AddTextToStore(name="x", text="the text", references=frozenset({P}))
    made, content = translated(new, of(b"the ", b"text"), NEW, OLD)
    assert (made, b"".join(content)) == (old, b"")
    made, content = newest(old, of(), OLD)
    assert (made, b"".join(content)) == (new, b"the text")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (added(repair=True), "AddToStore.repair"),
        (added(method="fixed:git:sha1"), "AddToStore.method"),
        (added(references=frozenset({P})), "AddToStore.references"),
        (BuildPaths(paths=(f"{P}.drv",)), "paths"),
        (QuerySubstitutablePathInfos(paths_with_ca={P: "text:sha256:0"}), P),
    ],
)
def test_what_cannot_be_said_is_named(request_: Any, field: str) -> None:
    with pytest.raises(EncodeError, match=r"before 1\.") as raised:
        translated(request_, of(), NEW, OLD)
    assert field in str(raised.value)


def test_all_outputs_are_named_otherwise() -> None:
    new = BuildPaths(paths=(f"{P}.drv!*", f"{Q}.drv!out,dev", P))
    old = BuildPaths(paths=(f"{P}.drv", f"{Q}.drv!out,dev", P))
    assert translated(new, of(), NEW, OLD)[0] == old
    assert translated(old, of(), OLD, NEW)[0] == new


def test_where_paths_stand_depends_on_version_and_feature() -> None:
    paths = frozenset({P, Q})
    old = QuerySubstitutablePathInfos(paths=paths)
    new = QuerySubstitutablePathInfos(paths_with_ca={P: None, Q: None})
    assert translated(old, of(), OLD, NEW)[0] == new
    assert translated(new, of(), NEW, OLD)[0] == old
    plain = CollectGarbage(action=3, paths_to_delete=paths)
    featured = CollectGarbage(action=3, target=SpecificPaths(paths=paths))
    assert translated(plain, of(), NEW, REFERRERS)[0] == featured
    assert translated(featured, of(), REFERRERS, NEW)[0] == plain


def test_heads_name_the_field_and_the_version() -> None:
    assert request_head(IsValidPath(path=P), NEW)[:8] == pack_u64(1)
    with pytest.raises(EncodeError, match=r"QueryValidPaths.substitute.*1\.27.*1\.21"):
        request_head(QueryValidPaths(paths=frozenset(), substitute=True), OLD)
    with pytest.raises(EncodeError, match=r"BuildPathsWithResults.*1\.34.*1\.21"):
        request_head(BuildPathsWithResults(paths=()), OLD)


def test_answers_lose_what_a_version_has_no_place_for() -> None:
    wire = wire_of(BuildResult)
    result = BuildResult(status=0, error_msg="", times_built=1, cpu_user=5)
    made = fitted(wire, result, Protocol(30))
    assert made.times_built == 1
    assert made.cpu_user is None
    assert fitted(wire, result, OLD) == BuildResult(status=0, error_msg="")


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (StderrStartActivity(id=1, level=3, type=0, text="x"), "x...\n"),
        (StderrStartActivity(id=1, level=3, type=0, text=""), None),
        (StderrResult(id=1, type=ResultType.BUILD_LOG_LINE, fields=("line",)), "line\n"),
        (StderrResult(id=1, type=ResultType.PROGRESS, fields=(1, 2, 3, 4)), None),
        (StderrStopActivity(id=1), None),
        (StderrNext(text="hello"), "hello"),
    ],
)
def test_activities_are_text_before_1_20(frame: Any, told: str | None) -> None:
    data = frame_bytes(frame, Protocol(19))
    if told is None:
        assert data == b""
    else:
        assert decode(wire_of(StderrNext), data[8:], Protocol(19)) == StderrNext(text=told)


def test_errors_have_a_status_before_1_26_and_none_later() -> None:
    old = frame_bytes(StderrError(message="no", name="BuildError"), Protocol(25))
    assert decode(wire_of(StderrError), old[8:], Protocol(25)).status == 1
    new = frame_bytes(StderrError(message="no", status=100), Protocol(26))
    assert decode(wire_of(StderrError), new[8:], Protocol(26)).message == "no"
