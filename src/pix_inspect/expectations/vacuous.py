"""Filters that let nothing through, whatever was recorded: `no FILTER` would always hold.

A bare word that is no name would be looked for as text; an operation has no field of another; and
an exchange has one operation, one kind and one state.
"""

from __future__ import annotations

import difflib
from typing import TypeAlias

from pix.codec.gates import FAMILIES
from pix.protocol import OPERATIONS, OPERATIONS_BY_NAME
from pix.untrusted import natural
from pix_inspect.filter.compiled import codes_by_name
from pix_inspect.filter.fields import INDEXED, PARTS, fields, maps, paths_of
from pix_inspect.filter.syntax import Both, Compare, Either, Expression, FilterError, Not, Word
from pix_inspect.findings.kinds import GRADES
from pix_inspect.findings.kinds import KINDS as FINDINGS
from pix_inspect.session.row import KINDS, STATES

Codes: TypeAlias = "frozenset[int | None]"
"""Operations by their codes; None stands for the handshake."""
Choice: TypeAlias = "frozenset[int | str | None]"
"""Operations, or names of states or kinds."""

ALONE = frozenset(("state", "kind", "op"))
"""Columns whose names may stand by themselves."""
_SIDES = ("request", "reply")


def refuse_vacuous(expression: Expression | None, text: str) -> None:
    """Raise FilterError where a term can never hold; `text` compiles, and means `expression`."""
    _refuse(expression, None, text)


def _refuse(expression: Expression | None, asked: Codes | None, text: str) -> None:
    """Refuse a term in what is said of the operations `asked`, None for all."""
    match expression:
        case Not(inner):
            _refuse(inner, asked, text)
        case Either(parts):
            for part in parts:
                _refuse(part, asked, text)
        case Both(parts):
            chosen = _only_one(parts, text)
            for part in parts:
                _refuse(part, chosen if chosen is not None else asked, text)
        case Word():
            _refuse_unknown(expression, text)
            _refuse_of_another(expression.text, expression, asked, text)
        case Compare():
            _refuse_of_another(expression.field, expression, asked, text)


def _only_one(parts: tuple[Expression, ...], text: str) -> Codes | None:
    """Return the operations that all of `parts` leave, None where they ask for none.

    Refuses two states, kinds or operations at once.
    """
    left: dict[str, tuple[str, Choice]] = {}
    for part in parts:
        if not isinstance(part, (Word, Compare)):
            continue
        named, choices = _choices(part)
        for what, choice in choices.items():
            before, other = left.get(what, (named, choice))
            if other.isdisjoint(choice):
                said = f"no exchange is {before} and {named} at once; join them by 'or'"
                raise FilterError(said, text, part.start, part.end)
            left[what] = named, other & choice
    if "op" not in left:
        return None
    return frozenset(each for each in left["op"][1] if not isinstance(each, str))


def _choices(part: Word | Compare) -> tuple[str, dict[str, Choice]]:
    """Return the name that a term asks for, and what it leaves of states, kinds, operations."""
    if isinstance(part, Word):
        named, columns = part.text, frozenset[str]() if part.quoted else ALONE
    else:
        named, columns = part.value.text, frozenset((part.field,) if part.operator == "=" else ())
    name = named.lower()
    if "op" in columns and (codes := _codes(named)):
        return named, {"op": codes, "kind": frozenset(("operation",))}
    if name == "handshake" and ("op" in columns or "kind" in columns):
        return named, {"op": frozenset((None,)), "kind": frozenset((name,))}
    for column, known in (("state", STATES), ("kind", KINDS)):
        if column in columns and name in known:
            return named, {column: frozenset((name,))}
    return named, {}


def _codes(named: str) -> Choice:
    """Return the known operations of that name or number."""
    number = natural(named)
    if number is None:
        return frozenset(codes_by_name().get(named.lower(), ()))
    return frozenset(family.code(number) for family in FAMILIES) & OPERATIONS.keys()


def _refuse_of_another(path: str, term: Word | Compare, asked: Codes | None, text: str) -> None:
    """Refuse a field that none of the operations has which are asked for."""
    if asked is None or path.partition(".")[0] not in _SIDES or path not in fields():
        return
    known = frozenset[str]().union(*(paths_of(code) for code in asked))
    if path in known or not known.isdisjoint(_above(path) & maps()):
        return
    side = path.partition(".")[0]
    near = difflib.get_close_matches(path, known, 1)
    theirs = sorted(each for each in known if each.startswith(side) and each.count(".") == 1)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(theirs) or 'none'}"
    said = f"this operation has no field {path}; {hint}"
    raise FilterError(said, text, term.start, term.end)


def _above(path: str) -> frozenset[str]:
    """Return the paths that a path goes on from."""
    words = path.split(".")
    return frozenset(".".join(words[:i]) for i in range(1, len(words)))


def _refuse_unknown(word: Word, text: str) -> None:
    """Refuse a word that means nothing by itself: as a text it would never be found."""
    name = word.text.lower()
    alone = dict.fromkeys((*STATES, *KINDS, "finding"))
    if word.quoted or name in alone or name in codes_by_name():
        return
    if "." in name and name.partition(".")[0] in (*_SIDES, "error"):
        return
    meant = {known: f"{known} = …" for known in (*INDEXED, *PARTS)}
    meant.update((known, f"finding = {known}") for known in (*FINDINGS, *GRADES))
    meant.update((known.lower(), known) for known in (*alone, *OPERATIONS_BY_NAME))
    near = [name] if name in meant else difflib.get_close_matches(name, meant, 1, 0.75)
    words = f"did you mean {meant[near[0]]}?" if near else f"{', '.join(alone)}, operations are"
    said = f'{word.text!r} by itself is nothing; {words}; "{word.text}" in quotes is text'
    raise FilterError(said, text, word.start, word.end)
