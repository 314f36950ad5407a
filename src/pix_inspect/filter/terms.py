"""From what is seen to a filter: the term that a field's value, or an exchange, passes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pix.codec.records import Maybe, Tagged
from pix_inspect.describe.field_rows import FieldRow
from pix_inspect.filter.completion import quoted
from pix_inspect.filter.fields import fields
from pix_inspect.session.session import Row

LONGEST = 120
"""Characters of a value that are compared whole; of longer ones, a part is looked for."""

_READABLE = re.compile(r"[ -~]{3,}")


def operation_term(row: Row, *, equal: bool = True) -> str:
    """Return the term that exchanges of the same operation pass, or do not."""
    sign = "=" if equal else "!="
    if row.operation is not None:
        return f"op {sign} {row.operation}"
    if row.code is not None:
        return f"op {sign} {row.wire_number}"
    return f"kind {sign} {row.kind}"


def name_term(name: str) -> str:
    """Return the term that exchanges pass which a table calls by this name."""
    if name.startswith("operation "):
        return f"op = {name.partition(' ')[2]}"
    return f"{'kind' if name in ('handshake', 'orphan', 'opaque') else 'op'} = {name}"


def field_term(around: Sequence[FieldRow], row: Row, *, equal: bool = True) -> str | None:
    """Return the term that exchanges with the same value in the last of `around` pass, or do not.

    `around` are the rows from the top of the tree down to the field. None when the field has
    no value of its own to compare.
    """
    if not around:
        return None
    top, field = around[0], around[-1]
    if (field is top and top.label == "request") or field.label == "operation":
        return operation_term(row, equal=equal)
    if field.kind == "frame" and field.part is not None:
        spoken = field.part.node.find("text") if field.part.node is not None else None
        said = _contains("log", str(spoken.value), equal=equal) if spoken is not None else None
        return said or _contains("log", field.part.name, equal=equal)
    if field.kind == "note":
        return _contains("notes", field.value, equal=equal)
    if top.kind == "error" and field is top:
        node = top.part.node if top.part is not None else None
        message = node.find("message") if node is not None else None
        return _contains("error.message", str(message.value), equal=equal) if message else None
    if field.kind == "payload":
        return None
    path = path_of(around)
    node = field.node
    if path is None or node is None:
        return None
    outer = around[-2].node if len(around) > 1 else None
    if outer is not None and isinstance(outer.wire, (Maybe, Tagged)):
        return None  # a tag, or what it announces: of neither a filter knows by itself
    value = node.plain()
    if isinstance(value, (dict, list)):
        return None
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif value is None:
        text = "none"
    else:
        text = str(value)
        if len(text) > LONGEST or not text.isprintable():
            return _contains(path, text, equal=equal)
        if text.lower() == "none" or (isinstance(value, str) and text[:1].isdigit()):
            return f'{path} {"=" if equal else "!="} "{text}"'
    return f"{path} {'=' if equal else '!='} {quoted(text)}"


def path_of(around: Sequence[FieldRow]) -> str | None:
    """Return how a filter names a field: elements of lists and maps have their list's name."""
    path = around[0].label
    if path not in ("request", "reply", "error"):
        return None
    known = fields()
    for row in around[1:]:
        if f"{path}.{row.label}" in known:
            path = f"{path}.{row.label}"
    return path if "." in path else None


def _contains(path: str, text: str, *, equal: bool) -> str | None:
    """Return a term about the longest readable stretch of a text."""
    found = max(_READABLE.findall(text), key=len, default="").strip()[:LONGEST]
    if not found:
        return None
    term = f"{path} ~ {quoted(found)}"
    return term if equal else f"not {term}"


def joined(filter_text: str, term: str) -> str:
    """Return the filter that lets through what both let through."""
    before = filter_text.strip()
    if not before or before == term:
        return term
    if re.search(r"(?i)(\bor\b|\|\|)", before):
        before = f"({before})"
    return before if before.endswith(f" and {term}") else f"{before} and {term}"
