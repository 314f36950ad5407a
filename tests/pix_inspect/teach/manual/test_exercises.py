"""Exercises: what the answers say besides the values that they take is true of the recordings."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from pix_inspect.describe.field_rows import rows
from pix_inspect.session.session import Session
from pix_inspect.teach.manual.exercises import FOUND, answer
from tests.support.places import RECORDINGS


@pytest.fixture(scope="module")
def answers() -> dict[str, list[str]]:
    """The answers by the recording."""
    found: dict[str, list[str]] = {}
    for exercise in FOUND:
        session = Session(RECORDINGS / f"{exercise.recording}.pcapng").read_all()
        found.setdefault(exercise.recording, []).append(answer(exercise, session))
        session.close()
    return found


@pytest.fixture
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    session = Session(RECORDINGS / f"{request.param}.pcapng").read_all()
    yield session
    session.close()


def of(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("session", [name], indirect=True)


def test_each_is_answered(answers: dict[str, list[str]]) -> None:
    assert sum(map(len, answers.values())) == len(FOUND) >= 10
    for said in answers.values():
        assert not re.search("[{\x1b]", "".join(said))


@of("queries")
def test_queries(session: Session, answers: dict[str, list[str]]) -> None:
    release, asked = answers["queries"]
    reply = session.exchange(0).part("reply")
    assert reply is not None
    assert reply.node is not None
    assert release.startswith(f"`{reply.node.plain()['daemon_nix_version']}`:")
    assert str(reply.node.plain()["trusted"]) == "Trusted"
    assert len(session.connections) > 1
    infos = [i for i in range(len(session)) if session.row(i).operation == "QueryPathInfo"]
    paths = {row.value for i in infos for row in rows(session.exchange(i))[0].children
             if row.label == "path"}  # fmt: skip
    assert asked.startswith(f"{len(infos)} times, about {len(paths)} paths.")


@of("lookups")
def test_a_path_that_is_not_there(session: Session, answers: dict[str, list[str]]) -> None:
    (said,) = answers["lookups"]
    number = int(said.partition("#")[2].partition(",")[0])
    view = session.exchange(number - 1)
    end = view.span(1)[1]
    assert b"".join(data or b"" for _, data in view.bytes(1, end - 8, end)) == bytes(8)


@of("import-over-1-21")
def test_every_nar_is_pulled(session: Session) -> None:
    for i in range(len(session)):
        if session.row(i).operation == "AddToStoreNar":
            assert {part.name for part in session.exchange(i).log} == {"STDERR_READ"}


@of("garbage-collection")
def test_four_collections(session: Session) -> None:
    found = [session.row(i) for i in range(len(session))]
    collections = [row for row in found if row.operation == "CollectGarbage"]
    assert len(collections) == 4
    assert {row.code for row in collections} == {20}


@of("untrusted")
def test_a_connection_goes_on_after_a_refusal(session: Session) -> None:
    (refused,) = [row for row in map(session.row, range(len(session))) if row.state == "error"]
    assert refused.operation == "AddMultipleToStore"


@of("watched-agent")
def test_the_agent_is_told_by_one_frame(session: Session, answers: dict[str, list[str]]) -> None:
    (said,) = answers["watched-agent"]
    view = session.exchange(int(said.partition("#")[2].partition(".")[0]) - 1)
    assert (view.row.state, [part.name for part in view.log]) == ("ok", ["STDERR_NEXT"])


def test_the_others_say_what_is_there(answers: dict[str, list[str]]) -> None:
    assert answers["old-client"][0].startswith("None. The daemon offers `294` (1.38)")
    assert answers["add-tree"][0].startswith("`fixed:r:sha256`: as a NAR")
    assert "Cannot build" in answers["build-failure"][0]
    assert "`sha256:" in answers["content-addressed"][0]
    assert "errors_remain is `true`" in answers["maintenance"][0]
