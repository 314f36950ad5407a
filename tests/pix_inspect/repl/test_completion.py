"""Completion and signatures: from the declarations, and from what replies told of."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pix.protocol.operations import QueryPathInfo
from pix.protocol.types import UnkeyedValidPathInfo
from pix_inspect.repl.completion import complete, signature
from pix_inspect.repl.repl import Session
from pix_inspect.repl.values import Answer

HELLO = "/nix/store/" + "a" * 32 + "-hello"
LIBC = "/nix/store/" + "b" * 32 + "-libc"


@pytest.fixture
def session() -> Session:
    session = Session("/nowhere")
    info = UnkeyedValidPathInfo(
        nar_hash="0" * 64, references=frozenset({LIBC}), registration_time=1, nar_size=2
    )
    answer = Answer("QueryPathInfo", session.protocol, QueryPathInfo(path=HELLO))
    answer.reply = QueryPathInfo.Reply(info=info)
    session.evaluator.variables["info"] = answer
    session.remember(answer.request)
    session.remember(answer.reply)
    return session


def ways(session: Session, line: str) -> list[str]:
    found = complete(session, line)
    return [line[: found.start] + each.text for each in found.suggestions]


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ("QueryPathInfo", ["QueryPathInfo(", "QueryPathInfos("]),
        ("x = QueryAllV", ["x = QueryAllValidPaths("]),
        ("queryallv", ["QueryAllValidPaths("]),
        ("QueryPathInfo(", ["QueryPathInfo(path=", "QueryPathInfo(info"]),
        ("QueryPathInfo(p", ["QueryPathInfo(path="]),
        ("BuildPaths(paths=[], ", ["BuildPaths(paths=[], mode="]),
        ('BuildPaths(paths=[], mode="N', ['BuildPaths(paths=[], mode="Normal"']),
        ("AddToStoreNar(repair=T", ["AddToStoreNar(repair=True"]),
        ('QueryPathInfo(path="', [f'QueryPathInfo(path="{LIBC}"', f'QueryPathInfo(path="{HELLO}"']),
        ('QueryPathInfo("', [f'QueryPathInfo("{LIBC}"', f'QueryPathInfo("{HELLO}"']),
        ('BuildPaths(mode=5, "N', []),
        ('QueryPathInfo(path="libc', [f'QueryPathInfo(path="{LIBC}"']),
        ("IsValidPath(path=inf", ["IsValidPath(path=info"]),
        ("IsValidPath(inf", ["IsValidPath(info"]),
        ("info.re", ["info.request", "info.reply"]),
        ("info.reply.info.refe", ["info.reply.info.references"]),
        ("info.reply.info.references[0].", []),
        ("[IsValidPath(path=p) for p in inf", ["[IsValidPath(path=p) for p in info"]),
        ("connect(vers", ["connect(version=", "connect(version("]),
        ("QueryPathInfo(path=a) # Qu", []),
        ("info Que", []),
    ],
)
def test_goes_on(session: Session, line: str, becomes: list[str]) -> None:
    assert ways(session, line) == becomes


def test_suggestions_say_types_gates_and_docs(session: Session) -> None:
    found = complete(session, "AddToStore(").suggestions
    repair = next(each for each in found if each.text == "repair=")
    assert repair.said == "Bool, since 1.25"
    assert repair.doc
    named = complete(session, "QueryPathInfo").suggestions[0]
    assert (named.said, named.doc) == ("operation", "What does the store know about this path?")
    held = complete(session, "info.reply.info.nar_").suggestions
    assert [each.text for each in held] == ["nar_hash", "nar_size"]
    assert held[1].doc == "2"


def test_names_of_files(session: Session, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.nar").touch()
    (tmp_path / "\x1bhostile").touch()
    start = f'AddToStore(dump=nar("{tmp_path}/f'
    assert ways(session, start) == [
        f'AddToStore(dump=nar("{tmp_path}/file.nar"',
        f'AddToStore(dump=nar("{tmp_path}/folder/',
    ]
    assert len(ways(session, f'file("{tmp_path}/')) == 2
    assert ways(session, 'file("/does/not/exist/') == []


def test_the_signature_says_what_comes_now(session: Session) -> None:
    assert signature(session, "1 + 1") is None
    called = signature(session, 'AddToStore(name="x", repair=')
    assert called is not None
    assert called[0].startswith("AddToStore(name: Name, fixed: Bool = False [until 1.24], ")
    assert called[1] is not None
    assert (called[1].name, called[1].when) == ("repair", "since 1.25")
    now = signature(session, 'connect("/x", ')
    assert now is not None
    assert now[1] is not None
    assert now[1].name == "version"


@given(st.text(alphabet="Qinfo.(),[]{}\"'=# abrw0\\\n:é", max_size=60))
def test_any_beginning_is_taken_and_nothing_is_sent(line: str) -> None:
    session = Session("/nowhere")
    session.evaluator.variables["info"] = {"a": [1, 2]}
    complete(session, line)
    signature(session, line)
    assert session.connection is None
