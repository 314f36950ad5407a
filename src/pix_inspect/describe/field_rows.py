"""An exchange as a tree of labelled rows, for the screen and for `dump`.

Every row knows the side and span of its bytes and what the declarations say about it; values
are inert text. Children are made when they are asked for, so that a reply of a million paths
costs nothing until it is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Literal, TypeAlias

from pix.codec.declare import OPERATIONS, Operation
from pix.codec.gates import version_text
from pix.codec.lazy import Made
from pix.codec.lists import PAIR, MapOf
from pix.codec.records import Maybe, Record, Tagged
from pix.codec.wire import Meaning, Named, Node
from pix.conversation.exchange import CLIENT, DAEMON, SIDES
from pix.dataclass import dataclass
from pix.protocol.types import verbosity_name
from pix_inspect.base.safe_text import inert, plain
from pix_inspect.base.units import count, duration, moment, size
from pix_inspect.findings.lookup import detector
from pix_inspect.payload.contents import PayloadContents
from pix_inspect.recording.notes import GrpcCall
from pix_inspect.session.exchange_view import ExchangeView, Part
from pix_inspect.session.log_text import activity, frame_text

RowKind: TypeAlias = Literal[
    "exchange", "part", "field", "frame", "payload", "note", "error", "absent"
]
CONTENTS = {
    "nar": "a NAR",
    "by method": "a NAR or a plain file, as the method says",
    "paths": "store paths, each with its NAR",
    "export": "an export stream",
    "log": "a build log",
    "plain": "plain bytes",
}
"""What a payload holds, in words."""
MOST_CONTENT = 64 << 20
"""Bytes of a batch of paths that are looked through for path infos."""
LONGEST_VALUE = 4096
"""Characters of one value that a row shows; the bytes pane has them all."""


@dataclass(eq=False, repr=False)
class FieldRow:
    """One row: `label`, `value` (inert text), where its bytes are, and its children.

    `side` is None and `start`, `end` are -1 for a row without bytes of its own. `doc` is
    the declaration's line about it, `gate` when it exists, in words. `make` makes its children.
    """

    label: str
    value: str = ""
    kind: RowKind = "field"
    side: int | None = None
    start: int = -1
    end: int = -1
    depth: int = 0
    doc: str = ""
    gate: str = ""
    node: Node | None = None
    part: Part | None = None
    irregular: bool = False
    make: Callable[[FieldRow], Sequence[FieldRow]] | None = None

    @property
    def has_children(self) -> bool:
        """Whether the row can be opened."""
        return self.make is not None

    @cached_property
    def children(self) -> Sequence[FieldRow]:
        """The rows below this one."""
        return self.make(self) if self.make is not None else ()


def value_text(node: Node, *, named: bool = True) -> str:
    """Return a node's value on one line, inert. Containers are summed up."""
    value = node.value
    wire = node.wire
    if isinstance(value, Named):
        return f"{value.label} ({int(value)})" if named else value.label
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return _number(node, value)
    if node.children is not None:
        return _summary(node)
    if isinstance(value, str):
        return inert(value, LONGEST_VALUE)
    return "none" if wire.name.startswith("Maybe") else ""


def _number(node: Node, value: int) -> str:
    """A number as its type means it."""
    meaning = node.wire.meaning
    if meaning in _NAMED:
        said = _NAMED[meaning](value)
        return f"{said} ({value})" if said not in ("", str(value)) else str(value)
    if meaning is Meaning.VERSION:
        return f"{version_text(value)} ({value:#x})"
    if meaning is Meaning.MAGIC:
        return f"{value:#x}"
    if meaning is Meaning.SIZE and value >= 1024:
        return f"{value:,} ({size(value)})"
    return f"{value:,}"


_NAMED: dict[Meaning | None, Callable[[int], str]] = {
    Meaning.TIME: lambda number: moment(number) if number else "",
    Meaning.VERBOSITY: lambda number: verbosity_name(number, None),
    Meaning.ACTIVITY: activity,
}
"""Numbers that have a name by their meaning; the number follows it."""


def _summary(node: Node) -> str:
    wire = node.wire
    children = node.children or ()
    if isinstance(wire, (Maybe, Tagged)):
        if len(children) < 2:
            return "none"
        inner = children[1]
        return value_text(inner) if inner.children is None else ""
    if isinstance(wire, Record):
        return ""
    if wire is PAIR:
        return value_text(children[0]) if children and children[0].children is None else ""
    what = "entry" if isinstance(wire, MapOf) else "element"
    return count(len(children), what, "entries" if what == "entry" else "elements")


def node_row(node: Node, side: int, depth: int, *, absent: bool = False) -> FieldRow:
    """Return the row of a decoded value."""
    wire = node.wire
    declared = node.field
    children: Sequence[Node] = node.children or ()
    value = value_text(node)
    if wire is PAIR and children and children[0].children is None:
        children = ()
    if node.irregular is not None:
        value = f"{value}  ⚠ {inert(str(node.irregular))}"
    if node.end is None:
        value = f"{value}  ✗ cut off" if value else "✗ cut off"
    return FieldRow(
        inert(node.name, 200),
        value,
        side=side,
        start=node.start,
        end=node.start if node.end is None else node.end,
        depth=depth,
        doc=(declared.doc if declared is not None else "") or wire.doc,
        gate=declared.gate.text if declared is not None else "",
        node=node,
        irregular=node.irregular is not None or node.end is None,
        make=(lambda row: _below(node, side, row.depth + 1, absent)) if children else None,
    )


def _below(node: Node, side: int, depth: int, absent: bool) -> Sequence[FieldRow]:
    """The rows of a node's children, with absent fields in between where they are wanted."""
    nodes, wire = node.children or (), node.wire
    if not (absent and isinstance(wire, Record)) or node.end is None:
        return Made(nodes, lambda child: node_row(child, side, depth))
    there = {child.name: child for child in nodes}
    return [
        node_row(there[field.name], side, depth, absent=True)
        if field.name in there
        else FieldRow(
            inert(field.name, 200), field.gate.text, kind="absent", depth=depth,
            doc=field.doc, gate=field.gate.text,
        )
        for field in wire.fields
        if field.name in there or field.gate.text
    ]  # fmt: skip


def rows(view: ExchangeView, *, absent: bool = False) -> list[FieldRow]:
    """Return the top rows of an exchange: request, payload, log, reply or error, notes.

    With `absent`, fields that its version lacks stand where they would be, with when they exist.
    """
    out: list[FieldRow] = []
    request = view.part("request")
    exchange = view.exchange
    operation = exchange.operation if exchange is not None else None
    if request is not None:
        out.append(_part_row(request, view, operation, absent))
    elif view.row.kind == "operation":
        start = view.span(CLIENT)[0]
        known = exchange is None and view.row.code in OPERATIONS
        what = f"operation {view.row.wire_number}, unknown"
        if known:  # its bytes were there when it was counted
            what = f"{view.row.name} ({view.row.wire_number}), its bytes are not there"
        out.append(
            FieldRow(
                "request", what, kind="part", side=CLIENT,
                start=start, end=start + 8, irregular=not known,
            )
        )  # fmt: skip
    if view.grpc is not None:
        out.append(_call_row(view.grpc))
    payload = view.payload
    if payload is not None and payload.side == CLIENT:
        out.append(_payload_row(view))
    if view.log:
        out.append(_log_row(view))
    if said := view.standard_error:
        out.append(_standard_error_row(said))
    reply = view.part("reply")
    if reply is not None:
        out.append(_part_row(reply, view, operation, absent))
    if payload is not None and payload.side == DAEMON:
        out.append(_payload_row(view))
    error = view.part("error")
    if error is not None:
        out.append(_error_row(error, absent))
    if view.row.kind == "opaque":
        out += _opaque_rows(view)
    out += [FieldRow("note", inert(note), kind="note", irregular=True) for note in view.notes]
    return out


def _part_row(
    part: Part, view: ExchangeView, operation: Operation | None, absent: bool
) -> FieldRow:
    side = part.side
    start = part.start
    value = ""
    end = part.end if part.end is not None else view.kept[side].end
    if part.name == "request" and operation is not None:
        start -= 8
        value = f"{operation.name} ({operation.number})"
        doc = operation.doc
    else:
        doc = part.node.wire.doc if part.node is not None else ""
    return FieldRow(
        part.name,
        f"{value}  {size(end - start)}".strip(),
        kind="part",
        side=side,
        start=start,
        end=end,
        doc=doc,
        part=part,
        irregular=part.error is not None,
        make=lambda row: _part_children(part, row, operation, absent),
    )


def _part_children(
    part: Part, parent: FieldRow, operation: Operation | None, absent: bool
) -> Sequence[FieldRow]:
    depth = parent.depth + 1
    out: list[FieldRow] = []
    if part.name == "request" and operation is not None:
        out.append(
            FieldRow(
                "operation",
                f"{operation.name} ({operation.number})",
                side=part.side,
                start=part.start - 8,
                end=part.start,
                depth=depth,
                doc=operation.doc,
                gate=f"since {operation.life.introduced}",
            )
        )
    elif part.frame is not None or part.name == "error":
        code = part.frame.frame if part.frame is not None else None
        out.append(
            FieldRow(
                "frame",
                code.name if code is not None else "STDERR_ERROR",
                side=part.side,
                start=part.start,
                end=part.start + 8,
                depth=depth,
                doc=code.doc if code is not None else "",
            )
        )
    node = part.node
    if node is not None:
        out += _below(node, part.side, depth, absent)
    if part.error is not None:
        out.append(
            FieldRow(
                "undecodable",
                inert(str(part.error)),
                kind="error",
                side=part.side,
                start=part.error.offset,
                end=max(part.end or 0, part.error.offset),
                depth=depth,
                irregular=True,
            )
        )
    return out


def _error_row(part: Part, absent: bool) -> FieldRow:
    message = part.node.find("message") if part.node is not None else None
    text = plain(message.value) if message is not None and message.value else ""
    return FieldRow(
        "error",
        inert(" ".join(text.split()), LONGEST_VALUE),
        kind="error",
        side=part.side,
        start=part.start,
        end=part.end if part.end is not None else part.start,
        doc="the operation failed; no reply follows",
        part=part,
        make=lambda row: _part_children(part, row, None, absent),
    )


def _log_row(view: ExchangeView) -> FieldRow:
    log = view.log
    started = view.row.started
    first, last = log[0], log[-1]
    return FieldRow(
        "log",
        count(len(log), "frame"),
        kind="part",
        side=DAEMON,
        start=first.start,
        end=last.end or last.start,
        doc="what the daemon said before its reply",
        make=lambda row: Made(log, lambda part: _frame_row(part, started, row.depth + 1)),
    )


def _call_row(call: GrpcCall) -> FieldRow:
    said = f"{call.method} for {call.caller or 'unknown'}"
    return FieldRow(
        "grpc",
        inert(plain(said), LONGEST_VALUE),
        kind="part",
        doc="the gateway's call for which it was asked, and who called",
    )


def _standard_error_row(said: list[str]) -> FieldRow:
    return FieldRow(
        "standard error",
        count(len(said), "line"),
        kind="part",
        doc="what the daemon's program wrote there meanwhile",
        make=lambda row: Made(
            said,
            lambda line: FieldRow(
                "line", inert(plain(line), LONGEST_VALUE), kind="note", depth=row.depth + 1
            ),
        ),
    )


def _frame_row(part: Part, started: int, depth: int) -> FieldRow:
    assert part.frame is not None
    after = duration((part.time or started) - started)
    said = inert(frame_text(part), 400)
    return FieldRow(
        part.name,
        f"+{after}  {said}".rstrip(),
        kind="frame",
        side=DAEMON,
        start=part.start,
        end=part.end or part.start,
        depth=depth,
        doc=part.frame.frame.doc,
        part=part,
        irregular=part.error is not None,
        make=lambda row: _part_children(part, row, None, absent=False),
    )


def _payload_row(view: ExchangeView) -> FieldRow:
    payload = view.payload
    assert payload is not None
    elided = payload.bytes - payload.kept
    content = CONTENTS.get(payload.content, payload.content)
    value = f"{size(payload.bytes)}, {content}, carried as {payload.carriage}"
    if elided:
        value += f"; {size(elided)} not kept"
    exchange = view.exchange
    end = (
        (exchange.request_end if payload.side == CLIENT else exchange.daemon_end)
        if exchange
        else -1
    )
    return FieldRow(
        f"payload {payload.name}",
        value,
        kind="payload",
        side=payload.side,
        start=payload.spans[0][1] if payload.spans else -1,
        end=(end if end is not None else view.kept[payload.side].end) if payload.spans else -1,
        doc="the bulk data behind the fields",
        make=(lambda row: _paths(view, row.depth + 1)) if payload.content == "paths" else None,
    )


def _paths(view: ExchangeView, depth: int) -> Sequence[FieldRow]:
    """The path infos in a batch of paths, as far as they were kept and are soon found."""
    contents = PayloadContents(view)
    found = []
    for number, info in contents.infos(MOST_CONTENT):
        row = node_row(info, contents.side, depth)
        path = info.find("path")
        row.label, row.value = f"[{number}]", "" if path is None else value_text(path)
        found.append(row)
    promised = contents.count or len(found)
    if len(found) < promised:
        why = "not recorded, or cut off" if contents.done else f"behind {size(MOST_CONTENT)}"
        what = count(promised - len(found), "path info", "path infos")
        found.append(FieldRow(f"{what} more", why, kind="note", depth=depth))
    return found


def _opaque_rows(view: ExchangeView) -> list[FieldRow]:
    out = []
    for side in (CLIENT, DAEMON):
        start, end = view.span(side)
        if view.row.starts[side] >= 0 and (end > start or view.row.took is None):
            out.append(
                FieldRow(
                    "bytes", f"{size(end - start)} from the {SIDES[side]}, not decoded",
                    kind="error", side=side, start=start, end=end, irregular=True,
                )
            )  # fmt: skip
    if view.session is not None:
        for finding in detector(view.session).of(view.row.number - 1):
            out += [
                FieldRow("diagnosis", line, kind="note", irregular=True)
                for line in finding.explanation
            ]
    return out
