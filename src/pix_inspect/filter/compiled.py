"""Filters: which exchanges a filter text means, over the declarations' own field names.

What the index knows (operation, connection, times, sizes, state) is decided without decoding;
what a message says is decided by looking at it, and only where the rest of the filter leaves
it open. A field of the declarations is named by its path: `request.path`,
`reply.info.nar_size`, `error.message`; lists and maps match when one element does.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, TypeAlias

from pix.codec.gates import FAMILIES
from pix.codec.wire import LazyNodes
from pix.dataclass import dataclass
from pix.protocol import OPERATIONS, OPERATIONS_BY_NAME
from pix_inspect.describe.about import about
from pix_inspect.filter.fields import (
    INDEXED,
    PARTS,
    Values,
    fields,
    maps,
    named_values,
    values_by_path,
)
from pix_inspect.filter.syntax import (
    TIME_UNITS,
    Both,
    Compare,
    Either,
    Expression,
    FilterError,
    Not,
    Value,
    Word,
    parse,
)
from pix_inspect.findings.finding import Finding
from pix_inspect.findings.lookup import any_finding, detector, suggestion
from pix_inspect.session.exchange_view import ExchangeView, Part
from pix_inspect.session.row import KINDS, TERMS, Column
from pix_inspect.session.session import Row, Session


class Subject:
    """One exchange that is being decided on; decoded, and looked at for findings, when asked."""

    __slots__ = ("_found", "_shown", "_view", "row", "session")

    def __init__(self, session: Session, row: Row) -> None:
        self.session = session
        self.row = row
        self._view: ExchangeView | None = None
        self._shown: list[str] | None = None
        self._found: dict[bool, list[Finding]] = {}

    @property
    def view(self) -> ExchangeView:
        if self._view is None:
            self._view = self.session.exchange(self.row.number - 1)
        return self._view

    @property
    def shown(self) -> Iterable[str]:
        """Everything shown of the exchange, in lower case; made once, unless it has a log."""
        if self._shown is None:
            if self.row.frames:
                return _texts(self.view)
            self._shown = list(_texts(self.view))
        return self._shown

    def findings(self, decoded: bool = True) -> list[Finding]:
        """What is irregular in it; without `decoded`, as far as the index gives a reason."""
        found = self._found.get(decoded)
        if found is None:
            look = detector(self.session)
            found = self._found[decoded] = look.of(self.row.number - 1, decoded=decoded)
        return found


Test: TypeAlias = Callable[[Subject], bool]

NOT_PACKED = 1 << 70
"""What is packed in no record as an operation, kind or state."""

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter ready to use. `deep`: it has to look at what exchanges say."""

    text: str
    test: Test
    deep: bool

    def matches(self, session: Session, i: int) -> bool:
        """Return whether exchange `i` (from 0) passes."""
        return self.test(Subject(session, session.row(i)))


def compile_filter(text: str) -> Filter:
    """Return the filter that `text` means. Raises FilterError with the place of a mistake."""
    expression = parse(text)
    if expression is None:
        return Filter(text, lambda subject: True, False)
    deep, test = _compile(expression, text)
    return Filter(text, test, deep)


def _compile(expression: Expression, text: str) -> tuple[bool, Test]:
    if isinstance(expression, Not):
        deep, inner = _compile(expression.inner, text)
        return deep, lambda subject: not inner(subject)
    if isinstance(expression, (Both, Either)):
        # what the index knows first: it may settle the matter
        parts = sorted((_compile(part, text) for part in expression.parts), key=lambda p: p[0])
        tests = [test for _, test in parts]
        return parts[-1][0], _joined(tests, both=isinstance(expression, Both))
    if isinstance(expression, Word):
        return _word(expression, text)
    return _compare(expression, text)


def _joined(tests: list[Test], *, both: bool) -> Test:
    """Return the test that all, or any, of `tests` hold, asked in order, in a tree not too deep."""
    if len(tests) == 1:
        return tests[0]
    middle = (len(tests) + 1) // 2
    one, other = _joined(tests[:middle], both=both), _joined(tests[middle:], both=both)
    if both:
        return lambda subject: one(subject) and other(subject)
    return lambda subject: one(subject) or other(subject)


def _word(word: Word, text: str) -> tuple[bool, Test]:
    name = word.text.lower()
    if not word.quoted:
        for column in (Row.state, Row.kind):
            if name in column.choices:
                return False, _packed(column, column.choices.index(name))
        if name in codes_by_name():
            return False, _packed(Row.operation, *codes_by_name()[name])
        if name == "finding":
            return True, lambda subject: bool(subject.findings())
        first = word.text.partition(".")[0]
        if "." in word.text and first in ("request", "reply", "error"):
            path = _checked_path(word.text, text, word.start, word.end)
            return True, lambda subject: any(_said(value) for value in _values(subject, path))
    needle = name
    return True, lambda subject: _shows(subject, needle)


def _said(value: Any) -> bool:
    return value not in (None, "", False, 0)


@lru_cache(maxsize=1)
def codes_by_name() -> dict[str, list[int]]:
    """Return the codes of operations by name; one of both protocols is known by its short name."""
    found: dict[str, list[int]] = {}
    for operation in OPERATIONS.values():
        for name in {operation.name.lower(), operation.short.lower()}:
            found.setdefault(name, []).append(operation.code)
    return found


def _packed(column: Column[Any], *values: int) -> Test:
    """Return the test for what is packed in a record: this is asked a million times."""
    at, (value, *more) = column.at, values or (NOT_PACKED,)
    if more:
        return lambda subject: subject.row[1][at] in values
    return lambda subject: subject.row[1][at] == value


def _compare(compare: Compare, text: str) -> tuple[bool, Test]:
    field = compare.field
    first = field.partition(".")[0]
    if field in INDEXED:
        return False, _indexed(compare, text)
    if first == "grpc" and field in PARTS:
        _refuse_incomparable(compare, text)
        return False, _call(field.partition(".")[2], compare)
    if first not in PARTS:
        known = difflib.get_close_matches(field, [*INDEXED, *PARTS, *fields()], 1)
        hint = f"; did you mean {known[0]}?" if known else ""
        raise FilterError(
            f"no field {field!r}{hint}", text, compare.start, compare.start + len(field)
        )
    if field == "finding":
        return True, _finding(compare, text)
    if field == "protocol":
        return False, _protocol(compare, text)
    value = _by_name(compare, text)
    _refuse_incomparable(compare, text)
    matches = _matcher(compare.operator, value)
    if field == "about":
        return True, lambda subject: matches(about(subject.view))
    if field == "stderr":
        return True, lambda subject: any(map(matches, subject.view.standard_error))
    if field == "notes":
        return True, lambda subject: any(matches(note) for note in subject.view.notes)
    if field == "payload":
        return True, lambda subject: matches(
            subject.view.payload.bytes if subject.view.payload is not None else 0
        )
    if field == "log":
        return (
            True,
            lambda subject: (
                subject.row.frames > 0 and any(matches(said) for said in _log_values(subject))
            ),
        )
    path = _checked_path(field, text, compare.start, compare.start + len(field))
    if compare.operator == "!=":
        equal = _matcher("=", value)
        return True, lambda subject: not any(equal(found) for found in _values(subject, path))
    return True, lambda subject: any(matches(found) for found in _values(subject, path))


def _by_name(compare: Compare, text: str) -> Value:
    """Return what is compared with: of values that have names, a number stands for its name."""
    names, value = named_values().get(compare.field, {}), compare.value
    if not names or compare.operator not in ("=", "!=", "~"):
        return value
    if compare.operator == "~":
        matches = _matcher("~", value)
        if not any(map(matches, names)) and re.search(r"\d", value.text) is None:
            said = f"no {compare.field} has {value.text!r} in it: {', '.join(names)}"
            raise FilterError(said, text, compare.start, compare.end)
        return value
    if value.number is not None:
        meant = [name for name, number in names.items() if number == value.number]
        return Value(meant[0]) if meant else value
    if value.text.lower() not in {"none", *map(str.lower, names)}:
        near = difflib.get_close_matches(value.text, names, 1)
        hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(names)}"
        said = f"{compare.field} is never {value.text!r}; {hint}"
        raise FilterError(said, text, compare.start, compare.end)
    return value


OF_PARTS = {
    "payload": Values.NUMBER,
    **dict.fromkeys(("grpc.method", "grpc.caller", "stderr", "about", "notes"), Values.TEXT),
}
"""What the parts are that are neither fields nor made of them."""


def _refuse_incomparable(compare: Compare, text: str) -> None:
    """Refuse what is never so: a number beside a text, or the other way round."""
    field, value = compare.field, compare.value
    values = OF_PARTS.get(field) or values_by_path().get(field, Values.ANY)
    if compare.operator == "~":
        return
    if compare.operator not in ("=", "!="):
        what = "a name: = != ~" if field in named_values() else "text: = != ~"
        fits = Values.NUMBER in values
        if values is Values.BOOLEAN:
            what = "true or false: = !="
    else:
        said = value.text.lower()
        fits = (
            Values.TEXT in values
            or said == "none"
            or (Values.NUMBER in values and value.number is not None)
            or (Values.BOOLEAN in values and said in ("true", "false"))
        )
        what = "a number" if Values.NUMBER in values else "true or false"
    if not fits:
        said = f"{field} is {what}, and never {compare.operator} {value.text!r}"
        raise FilterError(said, text, compare.start, compare.end)


def _finding(compare: Compare, text: str) -> Test:
    operator, value = compare.operator, compare.value
    if operator not in ("=", "!=", "~"):
        raise FilterError("finding is a name: = != ~", text, compare.start, compare.end)
    name = value.text.lower() if operator != "~" else None
    hint = suggestion(name) if name is not None and value.pattern is None else None
    if hint is not None:
        raise FilterError(f"no finding {value.text!r}{hint}", text, compare.start, compare.end)
    matches = _matcher("~" if operator == "~" else "=", value)
    found = any_finding(name, matches)
    if operator == "!=":
        return lambda subject: not found(subject.findings)
    return lambda subject: found(subject.findings)


def _call(name: str, compare: Compare) -> Test:
    matches = _matcher(compare.operator, compare.value)

    def test(subject: Subject) -> bool:
        row = subject.row
        call = subject.session.connections[row.connection].calls.at(row.client_start)
        return matches(None if call is None else getattr(call, name))

    return test


def _protocol(compare: Compare, text: str) -> Test:
    known = [family.name for family in FAMILIES]
    if compare.operator not in ("=", "!=") or compare.value.text.lower() not in known:
        said = f"protocol is {' or '.join(known)}: = !="
        raise FilterError(said, text, compare.start, compare.end)
    matches = _matcher(compare.operator, compare.value)

    def test(subject: Subject) -> bool:
        family = subject.session.connections[subject.row.connection].family
        return matches(None if family is None else family.name)

    return test


def _indexed(compare: Compare, text: str) -> Test:
    field, operator, value = compare.field, compare.operator, compare.value
    column = TERMS[field]
    if column.unit == "name":
        return _named(column, operator, value, compare, text)
    number = value.number
    if number is None:
        raise FilterError(f"{field} wants a number", text, compare.start, compare.end)
    if field == "time" and value.unit == "":
        number *= 1e9
    if column.unit == "ns" and value.unit and value.unit not in TIME_UNITS:
        raise FilterError(f"{field} wants a time: 10ms, 2s", text, compare.start, compare.end)
    if field == "took" and value.unit == "" and number:
        raise FilterError(
            f"{field} wants a unit: {value.text}ms, {value.text}s", text, compare.start, compare.end
        )
    holds = OPERATORS.get(operator)
    if holds is None:
        raise FilterError(f"{field} is a number: = < >", text, compare.start, compare.end)
    at, read, wanted = column.at, column.of, number
    if field == "took":
        return lambda subject: subject.row[1][at] >= 0 and holds(subject.row[1][at], wanted)
    if field == "time":
        return lambda subject: holds(subject.row[1][at] - subject.session.started, wanted)
    if at < 0:
        return lambda subject: holds(read(subject.row), wanted)
    return lambda subject: holds(subject.row[1][at], wanted)


def _named(column: Column[Any], operator: str, value: Value, compare: Compare, text: str) -> Test:
    field, wanted = compare.field, value.text.lower()
    if operator not in ("=", "!=", "~"):
        raise FilterError(f"{field} is a name: = != ~", text, compare.start, compare.end)
    if column.choices:
        if wanted not in column.choices and operator != "~":
            said = f"{field} is one of {', '.join(column.choices)}"
            raise FilterError(said, text, compare.start, compare.end)
        matches = _matcher(operator, value)
        chosen = [i for i, name in enumerate(column.choices) if matches(name)]
        if not chosen:
            said = f"no {field} has {value.text!r} in it: {', '.join(column.choices)}"
            raise FilterError(said, text, compare.start, compare.end)
        return _packed(column, *chosen)
    if operator == "~":
        return _operations(compare, text)
    if value.number is not None:
        number = int(value.number)
        codes = {family.code(number) for family in FAMILIES} if number >= 0 else ()
        found = _packed(column, *codes)
    elif wanted in codes_by_name():
        found = _packed(column, *codes_by_name()[wanted])
    elif wanted in KINDS:
        found = _packed(Row.kind, KINDS.index(wanted))
    else:
        near = difflib.get_close_matches(value.text, OPERATIONS_BY_NAME, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        start = compare.end - len(value.text)
        raise FilterError(f"no operation {value.text!r}{hint}", text, start, compare.end)
    return found if operator == "=" else lambda subject: not found(subject)


def _operations(compare: Compare, text: str) -> Test:
    """Return the test for what exchanges are called; an unknown one by its number."""
    matches, at = _matcher("~", compare.value), Row.operation.at
    named = {code for code, operation in OPERATIONS.items() if matches(operation.name)}
    is_number = re.search(r"\d|operation", compare.value.text) is not None
    if not named and not is_number and not any(map(matches, KINDS)):
        said = f"no operation has {compare.value.text!r} in its name"
        raise FilterError(said, text, compare.start, compare.end)

    def test(subject: Subject) -> bool:
        code = subject.row[1][at]
        return code in named or (code not in OPERATIONS and matches(subject.row.name))

    return test


def _matcher(operator: str, value: Value) -> Callable[[Any], bool]:
    """Return whether a decoded value matches; texts are compared without regard to case."""
    if value.pattern is not None:
        search = value.pattern.matches
        return lambda found: found is not None and search(str(found))
    wanted = value.text.lower()
    if operator == "~":
        return lambda found: found is not None and wanted in str(found).lower()
    number, holds = value.number, OPERATORS.get(operator)

    def matches(found: Any) -> bool:
        if isinstance(found, bool):
            found = "true" if found else "false"
        if isinstance(found, (int, float)):
            return number is not None and holds is not None and holds(found, number)
        same = ("none" if found is None else str(found).lower()) == wanted
        return same if operator == "=" else not same if operator == "!=" else False

    return matches


def _checked_path(path: str, text: str, start: int, end: int) -> tuple[str, ...]:
    if path not in fields() and path not in ("request", "reply", "error"):
        known = difflib.get_close_matches(path, fields(), 1)
        hint = f"; did you mean {known[0]}?" if known else ""
        parents = path
        while "." in parents:  # below a map anything may stand
            parents = parents.rpartition(".")[0]
            if parents in maps():
                return tuple(path.split("."))
        raise FilterError(f"no field {path!r}{hint}", text, start, end)
    return tuple(path.split("."))


def _values(subject: Subject, path: tuple[str, ...]) -> Iterator[Any]:
    part = subject.view.part(path[0])
    if part is None or part.node is None:
        return iter(())
    return _leaves(part.node.plain(), path[1:])


def values_of(view: ExchangeView, field: str) -> Iterator[str]:
    """Yield the values that a field of an exchange has, as a filter would compare them."""
    if field == "about":
        yield about(view)
        return
    first, *rest = field.split(".")
    part = view.part(first)
    if part is not None and part.node is not None:
        for value in _leaves(part.node.plain(), tuple(rest)):
            if isinstance(value, bool):
                yield "true" if value else "false"
            else:
                yield "none" if value is None else str(value)


def _leaves(plain: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """Yield what stands at `path`: every element of lists, keys and values of maps at the end."""
    if isinstance(plain, list):
        for element in plain:
            yield from _leaves(element, path)
    elif isinstance(plain, dict):
        if path and path[0] in plain:
            yield from _leaves(plain[path[0]], path[1:])
        elif path:
            for value in plain.values():
                if isinstance(value, (dict, list)):
                    yield from _leaves(value, path)
        else:
            for key, value in plain.items():
                yield key
                yield from _leaves(value, ())
    elif not path:
        yield plain


def _log_values(subject: Subject) -> Iterator[Any]:
    for part in subject.view.log:
        yield part.name
        for value in _fields(part):
            yield from _leaves(value, ())


def _fields(part: Part) -> Iterable[Any]:
    """Return the values of a part's fields, in their JSON form."""
    if part.node is None:
        return ()
    if isinstance(part.node.children, LazyNodes):
        return part.node.plain().values()  # type: ignore[no-any-return]
    return [field.plain() for field in part.node.children or ()]


def _shows(subject: Subject, needle: str) -> bool:
    """Whether `needle` occurs in anything shown of the exchange."""
    if needle in subject.row.name.lower():
        return True
    return any(needle in text for text in subject.shown)


def _texts(view: ExchangeView) -> Iterator[str]:
    yield about(view).lower()
    yield from map(str.lower, view.notes)
    yield from map(str.lower, view.standard_error)
    for part in view.parts:
        found: list[str] = []
        for value in _fields(part):
            _add_texts(value, found)
        yield from found


def _add_texts(plain: Any, found: list[str]) -> None:
    """Add all that `_leaves` yields, as texts in lower case."""
    if isinstance(plain, str):
        found.append(plain.lower())
    elif isinstance(plain, list):
        for element in plain:
            _add_texts(element, found)
    elif isinstance(plain, dict):
        for key, value in plain.items():
            found.append(key.lower())
            _add_texts(value, found)
    elif plain is not None:
        found.append(str(plain).lower())
