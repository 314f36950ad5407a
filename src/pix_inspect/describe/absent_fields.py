"""Fields that the declarations have but this exchange has not: other versions', or a feature's."""

from __future__ import annotations

from collections.abc import Sequence

from pix.codec.records import Record
from pix.codec.wire import Node
from pix_inspect.base.safe_text import inert
from pix_inspect.describe.field_rows import FieldRow


def with_absent(rows: Sequence[FieldRow]) -> list[FieldRow]:
    """Return the rows with those of absent fields between them, each with when it exists."""
    return [_with(row) for row in rows]


def _with(row: FieldRow) -> FieldRow:
    node = row.node if row.node is not None else row.part.node if row.part is not None else None
    if not row.has_children or row.kind not in ("part", "field", "frame", "error"):
        return row
    if node is None or (row.kind == "part" and row.part is None):
        return row
    made = row._make
    assert made is not None
    record = node.wire

    def make(parent: FieldRow) -> Sequence[FieldRow]:
        children = made(parent)
        if not isinstance(record, Record) or node.end is None:
            return children
        return _merged(children, record, parent.depth + 1, node)

    row._make = make
    return row


def _merged(
    children: Sequence[FieldRow], record: Record, depth: int, node: Node
) -> Sequence[FieldRow]:
    """Put the record's absent fields where they would stand."""
    present = {child.name for child in node.children or ()}
    by_label = {inert(field.name, 200): field for field in record.fields}
    out: list[FieldRow] = []
    declared = list(record.fields)
    for row in children:
        field = by_label.get(row.label)
        if field is not None and row.node is not None:
            while declared and declared[0] is not field:
                missing = declared.pop(0)
                if missing.name not in present and missing.gate.text:
                    out.append(_absent(missing.name, missing.gate.text, missing.doc, depth))
            if declared:
                declared.pop(0)
        out.append(_with(row))
    out += [
        _absent(field.name, field.gate.text, field.doc, depth)
        for field in declared
        if field.name not in present and field.gate.text
    ]
    return out


def _absent(name: str, gate: str, doc: str, depth: int) -> FieldRow:
    return FieldRow(inert(name, 200), gate, kind="absent", depth=depth, doc=doc, gate=gate)
