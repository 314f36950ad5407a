"""Values as lines: inert, and no deeper than anybody reads."""

from __future__ import annotations

from typing import Any

from pix_inspect.repl.repl import Session
from pix_inspect.repl.text import shown


def text(value: Any) -> str:
    return "\n".join(shown(value))


def test_what_the_daemon_says_is_shown_inert(session: Session) -> None:
    session.run('x = "\\x1b]0;title\\x07\\u202e[bold]"')
    for value in ("x", "[x]", "{x: x}", "[[x]]", "raw(u64(99), wait=5)"):
        said = text(session.run(value))
        assert "\x1b" not in said
        assert "\u202e" not in said


def test_what_is_nested_without_end_is_shown_as_far_as_it_goes(session: Session) -> None:
    session.run("x = [1]")
    for _ in range(5000):
        session.run("x = [x]")
    assert "…" in text(session.run("x"))
    session.evaluator.variables["y"] = {"a": session.run("x")}
    assert "…" in text(session.run("y"))
    assert text(session.run('{1, "a"}')).startswith("2 elements")
