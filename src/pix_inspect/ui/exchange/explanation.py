"""What the declarations say about a field: its meaning, its type, when it is on the wire.

The same declarations drive the codec, so nothing here can be out of date.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pix.codec.declare import OPERATIONS, Operation
from pix.codec.records import Record
from pix.codec.wire import Enumeration, Node
from pix.conversation.exchange import CLIENT
from pix_inspect.base.units import size
from pix_inspect.describe.field_rows import FieldRow
from pix_inspect.findings.kinds import SIGNS
from pix_inspect.findings.lookup import detector
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.session.session import ConnectionRow
from pix_inspect.ui.widgets.prose import Paragraph, Prose
from pix_inspect.ui.widgets.text import safe

MOST_VALUES = 40
LONGEST_VALUE = 2000


class Explanation(Prose):
    """The pane."""

    TITLE = "Explanation"


def explanation(
    view: ExchangeView | None,
    rows: Sequence[FieldRow],
    connection: ConnectionRow | None = None,
) -> list[Paragraph]:
    """Return what is known of the last of `rows`, the rows from the top down to it.

    For a whole part, also of the exchange's connection.
    """
    if view is None:
        return [("dim", "Nothing is chosen.")]
    if not rows:
        return [*_exchange(view), *found_in(view)]
    row = rows[-1]
    found = [("name", " › ".join(safe(each.label) for each in rows))]
    if row.doc:
        found.append(("text", _sentence(row.doc)))
    node = row.node
    if node is not None:
        found += _typed(node, row)
    found += _absent(row, view)
    if row.gate:
        found.append(("accent", f"On the wire {row.gate}; this is {view.protocol or 'unknown'}."))
    if row.start >= 0:
        side = "client" if row.side == CLIENT else "daemon"
        length = row.end - row.start
        found.append(
            ("dim", f"{size(length)} of the {side}'s stream: [{row.start}, {row.end})"
                    f" = [{row.start:#x}, {row.end:#x})")
        )  # fmt: skip
    if row.irregular:
        found.append(("warn", "Irregular: see the remark beside the value."))
    if row.value and len(row.value) > 30:
        found.append(("text", safe(row.value, LONGEST_VALUE)))
    if isinstance(node, Node) and isinstance(node.wire, Enumeration):
        found += _values(node)
    if (len(rows) == 1 and row.label == "request") or row.label == "operation":
        operation = OPERATIONS.get(view.row.code) if view.row.code is not None else None
        if operation is not None:
            found += list(about_operation(operation))
    if len(rows) == 1:
        found += list(found_in(view))
    if len(rows) == 1 and connection is not None:
        found += list(about_connection(connection))
    return found


def found_in(view: ExchangeView) -> Iterator[Paragraph]:
    """Yield the findings of an exchange, each with what explains it and what to do."""
    if view.session is None or (view.row.took is None and view.row.kind != "opaque"):
        return
    for finding in detector(view.session).of_view(view):
        kind = finding.kind
        tone = {"note": "dim", "warning": "warn", "error": "bad"}[kind.grade]
        yield tone, safe(f"{SIGNS[kind.grade]} {kind.name}: {kind.what}. {finding.said}", 1000)
        yield from (("accent", safe(line, 1000)) for line in finding.explanation)
        if kind.advice:
            yield "text", kind.advice


def _sentence(text: str) -> str:
    text = safe(text.strip())
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", ":")) else f"{text}."


def _typed(node: Node, row: FieldRow) -> Iterator[Paragraph]:
    wire = node.wire
    if wire.name:
        doc = f": {wire.doc}" if wire.doc and wire.doc != row.doc else ""
        yield "dim", safe(f"Type {wire.name}{doc}")


def _absent(row: FieldRow, view: ExchangeView) -> Iterator[Paragraph]:
    """Yield the fields that other versions have in a record and this one has not."""
    node = row.node if row.node is not None else row.part.node if row.part is not None else None
    protocol = view.protocol
    if node is None or protocol is None or not isinstance(node.wire, Record):
        return
    absent = [field for field in node.wire.fields if not field.gate.admits(protocol)]
    if absent:
        words = ", ".join(f"{field.name} ({field.gate.text})" for field in absent)
        yield "dim", safe(f"Not on the wire in {protocol}: {words}.")


def _values(node: Node) -> Iterator[Paragraph]:
    wire = node.wire
    assert isinstance(wire, Enumeration)
    members = list(wire.by_label.values())
    for member in members[:MOST_VALUES]:
        here = member == node.value
        doc = f"  {member.doc}" if member.doc else ""
        sign = "▸" if here else " "
        yield ("text" if here else "dim"), safe(f"{sign} {int(member):>4}  {member.label}{doc}")
    if len(members) > MOST_VALUES:
        yield "dim", f"  … {len(members) - MOST_VALUES} more"


def about_connection(connection: ConnectionRow) -> Iterator[Paragraph]:
    """Yield who made a connection and what was agreed on it."""
    words = [f"Connection {connection.number}"]
    peer = connection.peer
    words += list(filter(None, (peer.command, peer.address)))
    words += [f"{name} {n}" for name, n in (("pid", peer.pid), ("uid", peer.uid)) if n is not None]
    words += ["from " + " ← ".join(peer.parents)] if peer.parents else []
    if connection.protocol is not None:
        words.append(f"protocol {connection.protocol}")
    words += [f"daemon Nix {connection.daemon_nix}"] if connection.daemon_nix else []
    yield "dim", safe(", ".join(words) + ".", LONGEST_VALUE)


def about_operation(operation: Operation) -> Iterator[Paragraph]:
    """Yield what is known of an operation as such."""
    life = operation.life
    words = [f"Operation {operation.number}", f"since {life.introduced}"]
    words += [f"obsolete from {life.obsolete}"] if life.obsolete else []
    words += [f"removed in {life.removed}"] if life.removed else []
    words += [f"instead: {life.instead}"] if life.instead else []
    words += [f"needs the feature {operation.feature}"] if operation.feature else []
    yield "accent", safe(", ".join(words) + ".")
    for note in operation.notes:
        yield "text", safe(f"• {note}")


def _exchange(view: ExchangeView) -> Iterator[Paragraph]:
    operation = OPERATIONS.get(view.row.code) if view.row.code is not None else None
    if operation is None:
        yield "name", safe(view.row.kind)
        return
    yield "name", f"{operation.name} ({operation.number})"
    yield "text", _sentence(operation.doc)
    yield from about_operation(operation)
