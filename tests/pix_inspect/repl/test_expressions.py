"""The REPL's language: what it can say, and that it is not Python."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pix_inspect.repl.expressions import Evaluator, ExpressionError


class Box:
    """Has one field."""

    inside = 5


def attribute(value: Any, name: str) -> Any:
    if isinstance(value, Box) and name == "inside":
        return value.inside
    raise ExpressionError(f"no field {name}")


@pytest.fixture
def evaluator() -> Evaluator:
    return Evaluator(
        {"box": Box, "add": lambda a, b=1: a + b, "items": lambda: ["a", "b", "c"]}, attribute
    )


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("1", 1),
        ('"a" + "b"', "ab"),
        ('b"\\x00" + b"\\xff"', b"\x00\xff"),
        ("[1, 2][1]", 2),
        ('{"a": 1}["a"]', 1),
        ("(1, 2)", [1, 2]),
        ("{1, 2}", frozenset({1, 2})),
        ("items()[-1]", "c"),
        ("items()[:2]", ["a", "b"]),
        ("box().inside", 5),
        ("add(1, b=2)", 3),
        ("[add(x, 1) for x in [1, 2, 3] if x > 1]", [3, 4]),
        ("not 1 < 2 <= 2", False),
        ('"a" in items() and "z" not in items()', True),
        ("-3 - 4", -7),
        ("None is None", True),
    ],
)
def test_says(evaluator: Evaluator, line: str, value: object) -> None:
    assert evaluator.run(line) == value


def test_names_are_remembered(evaluator: Evaluator) -> None:
    assert evaluator.run("x = add(1, 1)") is None
    assert evaluator.run("[x, x + 1]") == [2, 3]


ESCAPES = [
    '__import__("os").system("id")',
    "().__class__.__bases__[0].__subclasses__()",
    "box().__class__",
    "box.__init__",
    "box().inside.real.__class__",
    "add.__globals__",
    'getattr(box(), "inside")',
    'eval("1")',
    "exec('x=1')",
    "open('/etc/passwd')",
    "lambda: 1",
    "(lambda: 1)()",
    "[x for x in [1] for y in [2]]",
    "{x for x in [1]}",
    "(x for x in [1])",
    "{x: 1 for x in [1]}",
    "f'{box().__class__}'",
    '"{0.__class__}".format(box())',
    '"%s" % box()',
    "(x := 5)",
    "x: int = 5",
    "x, y = 1, 2",
    "x.y = 5",
    "x[0] = 5",
    "import os",
    "def f(): pass",
    "1; 2",
    "1\n2",
    "del x",
    "add(*[1, 2])",
    "add(**{'a': 1})",
    "items()()",
    "[items][0]()",
    "await x",
    "yield 1",
    "1 if 1 else 2",
    "2 ** 99999999",
    "'a' * 10 ** 10",
    "[[1] * 10] * 10",
    "1 << 10 ** 9",
    "add = 5",
    "_x = 5",
    "...",
    "1j",
    "",
    "#",
    "add(",
    '"' + "a" * 200_000 + '"',
    "(" * 500 + ")" * 500,
    "[" * 90 + "]" * 90,
    "-" * 5000 + "1",
    "+".join(["1"] * 3000),
    "\x00",
    "9**9**9",
    "0x" + "f" * 90_000,
    "18446744073709551616",
    "18446744073709551615 + 1",
    "range(10**9)",
    "[0] * 10**9",
    "items()[::0]",
    "box().inside.__dict__",
    "items().append(1)",
    "'{}'.format(1)",
    "f'{1}'",
    "t'{1}'",
    "[y := 1]",
    "(lambda x: x)(1)",
    "{**{}}",
    "[*items()]",
    "items.__call__()",
    "box.__globals__['os']",
    "print(1)",
    "breakpoint()",
    "type(box)",
    "globals()",
    "@box",
    "box() @ box()",
    "not" * 100 + "1",
    "'\\ud800' < 1",
    "match x:\n case 1: pass",
    "async def f(): pass",
    "\u2028import os",
]


@pytest.mark.parametrize("line", ESCAPES, ids=range(len(ESCAPES)))
def test_nothing_beyond_the_language_is_carried_out(evaluator: Evaluator, line: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluator.run(line)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1/0", "there is + and -, and no other arithmetic"),
        ("1 - 'x'", "- does not go with int and str"),
        ("[] + 1", "+ does not go with list and int"),
        ("add('x", "unterminated string literal"),
        ("-'x'", "before a value stands not, before a number also -"),
    ],
)
def test_what_arithmetic_there_is_is_said(evaluator: Evaluator, line: str, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluator.run(line)
    assert caught.value.message == said


@given(st.text(max_size=80))
def test_any_text_gives_a_value_or_one_error(line: str) -> None:
    with suppress(ExpressionError):
        Evaluator({"items": lambda: ["a"]}, attribute).run(line)


def test_work_is_bounded(evaluator: Evaluator) -> None:
    evaluator.run("x = items() + items() + items() + items()")
    for _ in range(8):
        evaluator.run("x = x + x")
    with pytest.raises(ExpressionError, match="too much"):
        evaluator.run("[[a + b for b in x] for a in x]")


def test_memory_is_bounded(evaluator: Evaluator) -> None:
    evaluator.run(f"x = '{'a' * 90_000}'")
    for _ in range(9):
        evaluator.run("x = x + x")
    with pytest.raises(ExpressionError, match="too large"):
        evaluator.run("x + x")
    with pytest.raises(ExpressionError, match="too large"):
        evaluator.run("[x + 'a' for y in [1, 2, 3, 4, 5, 6, 7, 8, 9]]")


def test_a_value_nested_over_many_lines_breaks_nothing(evaluator: Evaluator) -> None:
    evaluator.run("x = [1]")
    evaluator.run("y = [1]")
    for _ in range(5000):
        evaluator.run("x = [x]")
        evaluator.run("y = [y]")
    with pytest.raises(ExpressionError, match="too much"):
        evaluator.run("x == y")


def test_looking_carries_nothing_out(evaluator: Evaluator) -> None:
    evaluator.run("x = [box()]")
    assert evaluator.look("x[0].inside") == 5
    with pytest.raises(ExpressionError, match="carried out"):
        evaluator.look("box().inside")


def test_an_error_says_in_which_column(evaluator: Evaluator) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluator.run("[1, nothing]")
    assert caught.value.column == 4


def test_a_byte_that_is_no_text_is_said_with_its_escape(evaluator: Evaluator) -> None:
    with pytest.raises(ExpressionError, match=r"not UTF-8; a text has it as \\udcd0") as refused:
        evaluator.run('"/nix/\udcd0"')
    assert refused.value.column == 6
    assert evaluator.run(r'"\udcd0"') == "\udcd0"
