"""What can be written next on a line of the REPL, and what is being written.

Names, fields with their types and docs, values of enumerations, store paths that replies told
of, names of files: from the declarations and the session; nothing is sent or carried out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pix.codec.records import Maybe, Record, Tagged
from pix.codec.wire import Boolean, String, Wire
from pix.dataclass import dataclass, field
from pix.problem import Problem
from pix_inspect.base.safe_text import inert
from pix_inspect.repl.expressions import ExpressionError
from pix_inspect.repl.functions import TYPE, Function, Parameter
from pix_inspect.repl.repl import Session
from pix_inspect.repl.values import attribute, attributes, kind_of

MOST = 500
"""Suggestions."""
MOST_FILES = 5000
FILES = ("nar", "file", "save", "connect", "recorded")
"""Commands whose texts are names of files."""
OPENING, CLOSING = "([{", ")]}"

_WORD = re.compile(
    r"""(?P<text>[bB]?(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'))
      | (?P<open>[bB]?["'](?:[^\\]|\\.|\\)*\Z)
      | (?P<comment>\#.*)
      | (?P<name>[^\W\d]\w*)
      | (?P<number>\d[\w.]*)
      | (?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One way to go on: `text` takes the place of what stands behind `Completion.start`."""

    text: str
    said: str = ""
    doc: str = ""


@dataclass(slots=True)
class Completion:
    """The ways to go on from a place on a line."""

    start: int
    suggestions: list[Suggestion] = field(default_factory=list)

    @property
    def common(self) -> str:
        """What all suggestions begin with."""
        return os.path.commonprefix([each.text for each in self.suggestions])  # noqa: RUF071


@dataclass(slots=True)
class _Call:
    """A bracket that is open: the function before it, and the arguments so far."""

    function: Function | None
    sign: str
    given: set[str] = field(default_factory=set)
    argument: str | None = None
    position: int = 0


@dataclass(slots=True)
class _Place:
    """Where on the line we are: open brackets, the chain of words before, an open text."""

    calls: list[_Call]
    chain: list[tuple[str, str, int]]
    text: tuple[str, int] | None = None
    quote: str = '"'
    comment: bool = False

    @property
    def call(self) -> _Call | None:
        """The innermost call of a function."""
        return next((call for call in reversed(self.calls) if call.function is not None), None)


def _place(session: Session, line: str) -> _Place:
    place = _Place([], [])
    words = [(str(m.lastgroup), m[0], m.start()) for m in _WORD.finditer(line)]
    for i, (kind, word, start) in enumerate(words):
        if kind == "comment":
            place.comment = True
        elif kind == "open":
            quote = 2 if word[0] in "bB" else 1
            place.text = (word[quote:], start + quote)
            place.quote = word[quote - 1]
        elif kind == "sign" and word in OPENING:
            before = words[i - 1] if i else ("", "", 0)
            called = before[0] == "name" and word == "(" and before[2] + len(before[1]) == start
            function = session.functions.get(before[1]) if called else None
            place.calls.append(_Call(function, word))
            place.chain = []
        elif kind == "sign" and word in CLOSING:
            if place.calls:
                place.calls.pop()
            place.chain = [*place.chain, (kind, word, start)]
        elif kind == "sign" and word == ",":
            place.chain = []
            if place.calls:
                call = place.calls[-1]
                call.argument, call.position = None, call.position + 1
        elif kind == "sign" and word == "=" and place.calls and len(place.chain) == 1:
            call = place.calls[-1]
            call.argument = place.chain[0][1]
            call.given.add(call.argument)
            place.chain = []
        elif kind == "sign" and word != ".":
            place.chain = []
        else:
            last = place.chain[-1] if place.chain else None
            if kind == "name" and last is not None and last[1] != ".":
                place.chain = []
            place.chain = [*place.chain, (kind, word, start)]
    return place


def complete(session: Session, line: str) -> Completion:
    """Return the ways to go on at the end of `line` (that is what stands before the cursor)."""
    place = _place(session, line)
    if place.comment:
        return Completion(len(line))
    if place.text is not None:
        written, start = place.text
        return _texts(session, place, written, start)
    stem = re.search(r"[^\W\d]\w*\Z", line)
    typed = stem[0] if stem else ""
    start = len(line) - len(typed)
    before = line[:start].rstrip()
    if before.endswith("."):
        return Completion(start, list(_attributes(session, before[:-1], typed)))
    if before and (before[-1].isalnum() or before[-1] in "_\"')]}") and not _joins(before):
        return Completion(len(line))
    found: list[Suggestion] = []
    call = place.calls[-1] if place.calls else None
    if call is not None and call.function is not None and call.argument is None:
        found += _fields(call, call.function, typed)
        if call.function.only_field is not None:
            found += [*_values(_parameter(call), typed), *_variables(session, typed)]
        if call.function.kind != "command":
            return Completion(start, found)
    elif call is not None and call.function is not None:
        found += _values(_parameter(call), typed)
        if found:
            return Completion(start, [*found, *_variables(session, typed)])
    return Completion(start, (found + list(_names(session, typed)))[:MOST])


def _joins(before: str) -> bool:
    """Whether the last word is one behind which a value stands."""
    return re.search(r"\b(?:in|if|and|or|not|for|is)\Z", before) is not None


def signature(session: Session, line: str) -> tuple[str, Parameter | None] | None:
    """Return the signature of the call at the end of a line, and which parameter comes now."""
    call = _place(session, line).call
    if call is None or call.function is None:
        return None
    parameter = _parameter(call)
    if parameter is None and not call.function.many and call.function.kind == "command":
        known = call.function.parameters
        parameter = known[call.position] if call.position < len(known) else None
    return call.function.signature, parameter


def _parameter(call: _Call) -> Parameter | None:
    if call.function is None:
        return None
    known = call.function.parameters
    only = call.function.only_field if not call.position and call.argument is None else None
    return only or next((each for each in known if each.name == call.argument), None)


def _fields(call: _Call, function: Function, typed: str) -> Iterator[Suggestion]:
    for parameter in function.parameters:
        if parameter.name.startswith(typed) and parameter.name not in call.given:
            said = ", ".join(word for word in (parameter.type, parameter.when) if word)
            yield Suggestion(f"{parameter.name}=", said, parameter.doc)


def _variables(session: Session, typed: str) -> Iterator[Suggestion]:
    for name, value in list(session.evaluator.variables.items()):
        if name.startswith(typed):
            yield Suggestion(name, kind_of(value))


def _names(session: Session, typed: str) -> Iterator[Suggestion]:
    yield from _variables(session, typed)
    named = sorted(session.functions.values(), key=lambda each: (each.kind, each.name))
    found = [each for each in named if each.name.startswith(typed)]
    found = found or [each for each in named if each.name.lower().startswith(typed.lower())]
    for each in found:
        if typed or each.kind != TYPE:
            yield Suggestion(f"{each.name}(", each.kind, each.doc)


def _values(parameter: Parameter | None, typed: str) -> Iterator[Suggestion]:
    """Yield what stands for values of a type, outside of quotes."""
    if parameter is None or parameter.wire is None:
        return
    wire = _innermost(parameter.wire)
    words: list[tuple[str, str]] = []
    if isinstance(wire, Boolean):
        words = [("True", ""), ("False", "")]
    elif wire.by_label:
        words = [(f'"{member.label}"', member.doc) for member in wire.by_label.values()]
    if isinstance(parameter.wire, Maybe):
        words.append(("None", ""))
    for word, doc in words:
        if word.startswith(typed):
            yield Suggestion(word, parameter.type, doc)


def _innermost(wire: Wire) -> Wire:
    while wire.parts() and not isinstance(wire, (Record, Tagged)):
        wire = wire.parts()[-1]
    return wire


def _attributes(session: Session, chain: str, typed: str) -> Iterator[Suggestion]:
    """Yield the fields of what a chain of names, fields and elements stands for."""
    found = re.search(
        r"[^\W\d]\w*(?:\s*\.\s*\w+|\[\s*-?\w+\s*\]|\[\s*\"[^\"]*\"\s*\])*\s*\Z", chain
    )
    if found is None:
        return
    try:
        value = session.evaluator.look(found[0])
    except (ExpressionError, Problem):
        return
    for name in attributes(value):
        if name.startswith(typed):
            try:
                inner = attribute(value, name)
            except ExpressionError:
                continue
            yield Suggestion(name, kind_of(inner), _brief(inner))


def _brief(value: Any) -> str:
    if isinstance(value, (list, tuple, dict)):
        return f"{len(value):,} of them"
    return inert(str(value), 60) if isinstance(value, (str, int)) else ""


def _texts(session: Session, place: _Place, written: str, start: int) -> Completion:
    """Complete inside quotes."""
    call = place.call
    function = call.function if call is not None else None
    if function is not None and function.name in FILES:
        names = [name if name.endswith("/") else name + place.quote for name in _files(written)]
        return Completion(start, [Suggestion(name) for name in names])
    parameter = _parameter(call) if call is not None else None
    wire = _innermost(parameter.wire) if parameter is not None and parameter.wire else None
    if wire is not None and wire.by_label:
        found = [
            Suggestion(member.label + place.quote, wire.name, member.doc)
            for member in wire.by_label.values()
            if member.label.startswith(written)
        ]
        return Completion(start, found)
    if wire is not None and not isinstance(wire, String):
        return Completion(start)
    known = dict.fromkeys(session.paths_in_sight()) | session.paths
    return Completion(start, [Suggestion(path + place.quote) for path in _paths(known, written)])


def _paths(known: Iterable[str], written: str) -> list[str]:
    """Return store paths, the newest first; what is written may be a part of the name."""
    newest = list(known)[::-1]
    begin = [path for path in newest if path.startswith(written)]
    if not begin and len(written) > 1:
        begin = [path for path in newest if written in path]
    return begin[:MOST]


def _files(written: str) -> list[str]:
    folder, slash, typed = written.rpartition("/")
    where = Path(os.path.expanduser(folder + slash)) if slash else Path()  # noqa: PTH111
    found = []
    try:
        with os.scandir(where) as entries:
            for entry, _ in zip(entries, range(MOST_FILES), strict=False):
                name = entry.name
                hidden = name.startswith(".") and not typed
                if name.startswith(typed) and not hidden and inert(name) == name:
                    found.append(folder + slash + name + ("/" if entry.is_dir() else ""))
    except (OSError, ValueError):
        return []
    return sorted(found)[:MOST]
