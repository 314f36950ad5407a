"""What could stand next in a filter: fields, operators, values that were seen, what joins terms."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from pix_inspect.base.safe_text import plain
from pix_inspect.filter.fields import INDEXED, PARTS, completions, fields
from pix_inspect.session.row import KINDS, STATES

Offer = tuple[str, str]
"""What could be written, and what it means."""

MOST = 50

OPERATORS = {
    "=": "equal",
    "!=": "not equal",
    "<": "less",
    "<=": "at most",
    ">": "more",
    ">=": "at least",
    "~": "contains, or matches a /regular expression/",
}
JOINTS = {"and": "both hold", "or": "one of them holds"}
WORDS = {"not": "what follows does not hold"}

_ASKS_FOR_VALUE = re.compile(
    r"(?<![\w.])([A-Za-z_][\w.]*)\s*(?:<=|>=|!=|==|=|<|>|~)\s*(\"[^\"]*|[^\s\"()]*)$"
)
_ASKS_FOR_OPERATOR = re.compile(r"(?:^|[\s(])([A-Za-z_][\w.]*)\s+$")
_PLAIN = re.compile(r"[\w.+:/@%-]+")


def quoted(value: str) -> str:
    """Return a value as it is written in a filter: in quotes when it needs them."""
    if _PLAIN.fullmatch(value) and value.lower() not in (*JOINTS, *WORDS):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def complete(
    text: str, cursor: int, seen: Callable[[str], Iterable[str]]
) -> tuple[int, list[Offer]]:
    """Return where what is being written begins, and what could stand there.

    `seen` returns values that a field was seen to have.
    """
    before = text[:cursor]
    value = _ASKS_FOR_VALUE.search(before)
    if value is not None:
        start = value.start(2)
        found = _values(value.group(1), value.group(2).strip('"').lower(), seen)
        return start, found
    asked = _ASKS_FOR_OPERATOR.search(before)
    if asked is not None and _is_field(asked.group(1)):
        return cursor, list(OPERATORS.items())
    if before.endswith(" ") and before.strip() and not _open(before):
        return cursor, list(JOINTS.items())
    return completions(text, cursor)


def _is_field(word: str) -> bool:
    return word in INDEXED or word in PARTS or word in fields()


def _open(before: str) -> bool:
    """Whether what was written so far asks for another term."""
    last = before.rsplit(maxsplit=1)[-1].lower()
    return last in (*JOINTS, *WORDS, "&&", "||") or last.endswith("(")


def _values(field: str, typed: str, seen: Callable[[str], Iterable[str]]) -> list[Offer]:
    known: dict[str, str] = {}
    if field == "state":
        known = dict.fromkeys(STATES, "")
    elif field == "kind":
        known = dict.fromkeys(KINDS, "")
    for value in seen(field):
        known.setdefault(value, "seen")
        if len(known) >= 10 * MOST:
            break
    if field == "op":
        _, offered = completions("op = " + typed, 5 + len(typed))
        known.update({name: doc for name, doc in offered if name not in known})
    matching = [name for name in known if typed in name.lower()]
    matching.sort(key=lambda name: not name.lower().startswith(typed))
    return [(quoted(plain(name)), known[name]) for name in matching[:MOST]]
