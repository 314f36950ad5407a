"""The language of the REPL: a small part of Python's expressions, and nothing beyond it.

A line is an expression or `name = expression`. Calls go to functions that the session offers,
attributes to fields of declared values; there is no import, no lambda, no dunder, no method.
The text is parsed by `ast` and walked here; nothing is ever compiled or evaluated by Python.

What can be named is given by the caller.
"""

from __future__ import annotations

import ast
import difflib
import operator
import warnings
from collections.abc import Callable, Mapping
from typing import Any

LONGEST_LINE = 100_000
DEEPEST = 50
MOST_STEPS = 1_000_000
LONGEST_VALUE = 64 << 20
MOST_MADE = 256 << 20
"""Bytes, characters and elements that one line may put together in all."""
LARGEST = 1 << 64
"""Numbers are smaller: nothing on the wire is larger."""

Call = Callable[..., Any]
Attribute = Callable[[Any, str], Any]


class ExpressionError(Exception):
    """A line that cannot be understood or carried out: `column` (from 0) says where."""

    def __init__(self, message: str, column: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.column = column


_COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}


class Evaluator:
    """Carries out lines. `functions` may be called, `attribute` reads a field of a value.

    `variables` holds what earlier lines assigned. A function with an attribute `quotes` is
    given what calls in its arguments would send (their attribute `request`), unsent.
    """

    def __init__(self, functions: Mapping[str, Call], attribute: Attribute) -> None:
        self.functions = functions
        self.attribute = attribute
        self.variables: dict[str, Any] = {}
        self._steps = 0
        self._made = 0

    def run(self, line: str) -> Any:
        """Return the value of a line; None for an assignment. Raises ExpressionError."""
        name, expression = self.parse(line)
        self._steps = self._made = 0
        try:
            value = self._value(expression, {}, 0)
        except (RecursionError, MemoryError):
            raise ExpressionError("this line asks for too much") from None
        if name is not None:
            self.variables[name] = value
            return None
        return value

    def look(self, line: str) -> Any:
        """Return the value of a line in which nothing is called. Raises ExpressionError.

        May come from another thread than `run`.
        """
        _, expression = self.parse(line)
        if any(isinstance(node, ast.Call) for node in ast.walk(expression)):
            raise ExpressionError("this would be carried out")
        onlooker = Evaluator(self.functions, self.attribute)
        onlooker.variables = dict(self.variables)
        return onlooker._value(expression, {}, 0)

    def parse(self, line: str) -> tuple[str | None, ast.expr]:
        """Return the name assigned to, if any, and the expression. Raises ExpressionError."""
        if len(line) > LONGEST_LINE:
            raise ExpressionError(f"a line may have {LONGEST_LINE:,} characters")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what Python thinks of an escape does not matter
                body = ast.parse(line.strip(), mode="exec").body
        except SyntaxError as error:
            what = error.msg.replace(" (detected at line 1)", "")  # of the one that there is
            raise ExpressionError(what, max((error.offset or 1) - 1, 0)) from None
        except UnicodeEncodeError as error:  # a byte that was no text
            escape = ascii(error.object[error.start])[1:-1]
            raise ExpressionError(f"not UTF-8; a text has it as {escape}", error.start) from None
        except (ValueError, RecursionError, MemoryError) as error:
            raise ExpressionError(f"this cannot be read: {error}") from None
        if len(body) != 1:
            raise ExpressionError("one expression a line" if body else "an expression is missing")
        statement = body[0]
        if isinstance(statement, ast.Expr):
            return None, statement.value
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            if isinstance(target, ast.Name):
                if target.id in self.functions or target.id.startswith("_"):
                    raise ExpressionError(f"{target.id} cannot be assigned to", target.col_offset)
                return target.id, statement.value
        raise ExpressionError("a line is an expression or NAME = expression", statement.col_offset)

    def _value(self, node: ast.expr, local: dict[str, Any], depth: int) -> Any:
        self._steps += 1
        if depth > DEEPEST or self._steps > MOST_STEPS:
            raise ExpressionError("this line asks for too much", node.col_offset)
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            what = type(node).__name__
            raise ExpressionError(f"{what} is not part of this language", node.col_offset)
        try:
            return method(node, local, depth + 1)
        except (TypeError, LookupError, ArithmeticError) as error:
            text = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise ExpressionError(text or type(error).__name__, node.col_offset) from None
        except ValueError as error:
            if type(error) is not ValueError and not isinstance(error, UnicodeError):
                raise  # a function's own
            raise ExpressionError(str(error), node.col_offset) from None

    def _spend(self, size: int, node: ast.expr) -> None:
        self._made += size
        if size > LONGEST_VALUE or self._made > MOST_MADE:
            raise ExpressionError("this value grows too large", node.col_offset)

    def _constant(self, node: ast.Constant, local: dict[str, Any], depth: int) -> Any:
        if node.value is ... or isinstance(node.value, complex):
            raise ExpressionError("not a value of this protocol", node.col_offset)
        if isinstance(node.value, int) and node.value >= LARGEST:
            raise ExpressionError("numbers go up to 2^64 − 1", node.col_offset)
        return node.value

    def _name(self, node: ast.Name, local: dict[str, Any], depth: int) -> Any:
        if node.id in local:
            return local[node.id]
        if node.id in self.variables:
            return self.variables[node.id]
        if node.id in self.functions:
            return self.functions[node.id]
        known = {name.lower(): name for name in (*self.functions, *self.variables)}
        near = difflib.get_close_matches(node.id.lower(), known, 1)
        hint = f"; did you mean {known[near[0]]}?" if near else ""
        raise ExpressionError(f"nothing is called {node.id}{hint}", node.col_offset)

    def _call(self, node: ast.Call, local: dict[str, Any], depth: int) -> Any:
        if not isinstance(node.func, ast.Name) or node.func.id not in self.functions:
            self._value(node.func, local, depth)  # what is not there is said before
            name = ast.unparse(node.func)[:60]
            raise ExpressionError(f"{name} cannot be called", node.col_offset)
        if any(isinstance(each, ast.Starred) for each in node.args):
            raise ExpressionError("* is not part of this language", node.col_offset)
        function = self.functions[node.func.id]
        quotes = getattr(function, "quotes", False)
        given = self._given(node, local, depth, quotes=quotes)
        return function(*given, **self._keywords(node, local, depth))

    def _given(
        self, node: ast.Call, local: dict[str, Any], depth: int, *, quotes: bool = False
    ) -> list[Any]:
        value = self._quoted if quotes else self._value
        return [value(each, local, depth) for each in node.args]

    def _keywords(self, node: ast.Call, local: dict[str, Any], depth: int) -> dict[str, Any]:
        named = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                raise ExpressionError("** is not part of this language", node.col_offset)
            named[keyword.arg] = self._value(keyword.value, local, depth)
        return named

    def _quoted(self, node: ast.expr, local: dict[str, Any], depth: int) -> Any:
        """Return what a call would send, in place of its result; other values as they are."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            request = getattr(self.functions.get(node.func.id), "request", None)
            if request is not None:
                given = self._given(node, local, depth)
                return request(*given, **self._keywords(node, local, depth))
        return self._value(node, local, depth)

    def _attribute(self, node: ast.Attribute, local: dict[str, Any], depth: int) -> Any:
        if node.attr.startswith("_"):
            raise ExpressionError(f"no field {node.attr}", node.col_offset)
        return self.attribute(self._value(node.value, local, depth), node.attr)

    def _subscript(self, node: ast.Subscript, local: dict[str, Any], depth: int) -> Any:
        value = self._value(node.value, local, depth)
        if not isinstance(value, (list, tuple, dict, str, bytes)):
            raise ExpressionError(f"{type(value).__name__} has no elements", node.col_offset)
        if isinstance(node.slice, ast.Slice):
            bounds = [
                None if part is None else self._value(part, local, depth)
                for part in (node.slice.lower, node.slice.upper, node.slice.step)
            ]
            if isinstance(value, dict):
                raise ExpressionError("a map has no slices", node.col_offset)
            part = value[slice(*bounds)]
            self._spend(len(part), node)
            return part
        return value[self._value(node.slice, local, depth)]

    def _list(self, node: ast.List, local: dict[str, Any], depth: int) -> Any:
        return [self._value(each, local, depth) for each in node.elts]

    def _tuple(self, node: ast.Tuple, local: dict[str, Any], depth: int) -> Any:
        return [self._value(each, local, depth) for each in node.elts]

    def _set(self, node: ast.Set, local: dict[str, Any], depth: int) -> Any:
        return frozenset(self._value(each, local, depth) for each in node.elts)

    def _dict(self, node: ast.Dict, local: dict[str, Any], depth: int) -> Any:
        if any(key is None for key in node.keys):
            raise ExpressionError("** is not part of this language", node.col_offset)
        return {
            self._value(key, local, depth): self._value(value, local, depth)
            for key, value in zip(node.keys, node.values, strict=True)
            if key is not None
        }

    def _listcomp(self, node: ast.ListComp, local: dict[str, Any], depth: int) -> Any:
        if len(node.generators) != 1 or not isinstance(node.generators[0].target, ast.Name):
            raise ExpressionError("one `for NAME in …` here", node.col_offset)
        generator = node.generators[0]
        source = self._value(generator.iter, local, depth)
        if not isinstance(source, (list, tuple, dict, frozenset)):
            raise ExpressionError(
                f"{type(source).__name__} has no elements", generator.iter.col_offset
            )
        out = []
        assert isinstance(generator.target, ast.Name)
        for element in source:
            inner = {**local, generator.target.id: element}
            if all(self._value(test, inner, depth) for test in generator.ifs):
                out.append(self._value(node.elt, inner, depth))
        return out

    def _unaryop(self, node: ast.UnaryOp, local: dict[str, Any], depth: int) -> Any:
        value = self._value(node.operand, local, depth)
        if isinstance(node.op, ast.Not):
            return not value
        if isinstance(node.op, ast.USub) and isinstance(value, (int, float)):
            return -value
        raise ExpressionError("before a value stands not, before a number also -", node.col_offset)

    def _binop(self, node: ast.BinOp, local: dict[str, Any], depth: int) -> Any:
        first, second = (self._value(each, local, depth) for each in (node.left, node.right))
        if isinstance(node.op, ast.Add) and type(first) is type(second):
            if isinstance(first, (str, bytes, list)):
                each = 8 if isinstance(first, list) else 1
                self._spend(each * (len(first) + len(second)), node)
                return first + second
            if isinstance(first, (int, float)):
                return self._number(first + second, node)
        if isinstance(node.op, ast.Sub) and all(
            isinstance(v, (int, float)) for v in (first, second)
        ):
            return self._number(first - second, node)
        if not isinstance(node.op, (ast.Add, ast.Sub)):
            raise ExpressionError("there is + and -, and no other arithmetic", node.col_offset)
        sign = "+" if isinstance(node.op, ast.Add) else "-"
        kinds = f"{type(first).__name__} and {type(second).__name__}"
        raise ExpressionError(f"{sign} does not go with {kinds}", node.col_offset)

    def _number(self, value: int | float, node: ast.expr) -> int | float:
        if isinstance(value, int) and abs(value) >= LARGEST:
            raise ExpressionError("numbers go up to 2^64 − 1", node.col_offset)
        return value

    def _boolop(self, node: ast.BoolOp, local: dict[str, Any], depth: int) -> Any:
        wanted = isinstance(node.op, ast.Or)
        value: Any = None
        for each in node.values:
            value = self._value(each, local, depth)
            if bool(value) is wanted:
                break
        return value

    def _compare(self, node: ast.Compare, local: dict[str, Any], depth: int) -> Any:
        left = self._value(node.left, local, depth)
        for compare, each in zip(node.ops, node.comparators, strict=True):
            right = self._value(each, local, depth)
            if not _COMPARE[type(compare)](left, right):
                return False
            left = right
        return True
