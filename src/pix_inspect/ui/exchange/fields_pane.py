"""The fields of one exchange as a tree whose branches are made when they are opened."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.message import Message

from pix.conversation.exchange import CLIENT
from pix_inspect.describe.field_rows import FieldRow
from pix_inspect.ui.exchange.outline import Line, Outline, Path
from pix_inspect.ui.widgets.lines import Lines
from pix_inspect.ui.widgets.pressed import pressed
from pix_inspect.ui.widgets.text import fit, fit_middle, safe

ARROWS = ("→", "←")
"""By side: the way the bytes go, seen from the client."""

MOST_SHAPES = 64


def _fitted(value: str, width: int) -> str:
    """Return a value cut to a width; paths are cut in the middle, for their end says most."""
    if value.startswith("/") and " " not in value:
        return fit_middle(value, width)
    return fit(value, width)


class Fields(Lines):
    """The tree of an exchange."""

    TITLE = "Fields"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "flip", "Open or close", id="fields.toggle"),
        Binding("right,l", "open", "Open, or go to the first field inside", show=False,
                id="fields.open"),
        Binding("left,h", "close", "Close, or go to the field around", show=False,
                id="fields.close"),
        Binding("shift+space,asterisk", "open_all", "Open everything below", key_display="*",
                show=False, id="fields.open_all"),
        Binding("minus", "close_all", "Close everything", key_display="-", show=False,
                id="fields.close_all"),
        Binding("a", "absent", "Fields that this version lacks, or not", show=False,
                id="fields.absent"),
        Binding("y", "screen.copy('value')", "Copy", id="fields.copy"),
        Binding("Y", "screen.copy('json')", "Copy as JSON", show=False, id="fields.copy_json"),
        Binding("ctrl+y", "screen.copy('hex')", "Copy as hex", show=False, id="fields.copy_hex"),
    ]  # fmt: skip

    class Chosen(Message):
        """Another field was chosen: by its path, the row and those around it."""

        def __init__(self, pane: Fields) -> None:
            super().__init__()
            self.pane = pane

    class Wanted(Message):
        """The user wants to see fields that are not there, or no longer."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.absent = False
        """Whether fields that this version lacks are shown."""
        self.outline = Outline()
        self.waiting: list[str] = []
        self._shape_of: str | None = None
        self._shapes: dict[str, dict[tuple[str, ...], int]] = {}

    @property
    def count(self) -> int:
        """The lines of the tree."""
        return len(self.outline)

    def nothing(self) -> list[str]:
        """Say why there is no tree."""
        return self.waiting

    # What is shown ----------------------------------------------------------------------

    def show(self, name: str, rows: Sequence[FieldRow]) -> None:
        """Show the tree of another exchange, opened as the last one of its name was."""
        self._remember()
        self.outline = Outline(rows)
        shape = self._shapes.get(name)
        if shape is None:
            self.outline.open_usual()
        else:
            self.outline.take_shape(shape)
        self._shape_of = name
        self.cursor = 0
        self.scroll_to(y=0, animate=False, force=True)
        self._changed()

    def renew(self, rows: Sequence[FieldRow]) -> None:
        """Show what has become of the same exchange; the cursor and what is open stay."""
        before = self.outline
        fresh = Outline(rows)
        shape = before.shape()
        fresh.take_shape(shape)
        if not shape:
            fresh.open_usual()
        labels = before.labels(self.path)
        above = self.cursor - round(self.scroll_y)
        self.outline = fresh
        self.cursor = fresh.find(fresh.at_labels(labels)) if len(fresh) else 0
        self._changed()
        self.scroll_to(y=self.cursor - above, animate=False, force=True)

    def clear(self, said: str) -> None:
        """Show no tree, and why."""
        self._remember()
        self._shape_of = None
        self.waiting = [safe(said)]
        self.outline = Outline()
        self.cursor = 0
        self._changed()

    def _remember(self) -> None:
        if self._shape_of is not None and len(self.outline):
            self._shapes.pop(self._shape_of, None)
            self._shapes[self._shape_of] = self.outline.shape()
            if len(self._shapes) > MOST_SHAPES:
                del self._shapes[next(iter(self._shapes))]

    def _changed(self) -> None:
        self.resize_lines()
        self.redraw()

    @property
    def line(self) -> Line | None:
        """The line under the cursor."""
        return self.outline.line(self.cursor) if self.count else None

    @property
    def path(self) -> Path:
        """The path of the row under the cursor."""
        line = self.line
        return line.path if line is not None else ()

    @property
    def row(self) -> FieldRow | None:
        """The row under the cursor."""
        line = self.line
        return line.row if line is not None else None

    def select(self, path: Path) -> None:
        """Put the cursor on a row, opening what is around it, without saying so."""
        if path:
            before = self.count
            self.outline.reveal(path)
            if self.count != before:
                self._changed()
            self.move_to(self.outline.find(path), tell=False)

    def moved(self) -> None:
        """Say which field is chosen."""
        self.post_message(self.Chosen(self))

    # Drawing ----------------------------------------------------------------------------

    def key(self, line: int) -> Hashable:
        """Strips are kept until the tree changes, for `redraw` forgets them."""
        return 0

    def segments(self, line: int, width: int) -> Iterable[Segment]:
        """Return a row: its place in the tree, label, value."""
        found = self.outline.line(line)
        indent = "  " * (len(found.path) - 1)
        if found.row is None:
            yield Segment(f"{indent}  ", None)
            enter = pressed(self.app, "fields.toggle", "enter")
            yield Segment(f"… {found.more:,} more ({enter} shows the next)", self.tone("accent"))
            return
        row = found.row
        sign = ("▾ " if found.opened else "▸ ") if row.has_children else "  "
        yield Segment(indent + sign, self.tone("dim"))
        if row.kind in ("part", "error", "payload") and row.side is not None and not indent:
            side = "client" if row.side == CLIENT else "daemon"
            yield Segment(f"{ARROWS[row.side]} ", self.tone(side))
        if row.kind == "absent":
            yield Segment(f"{safe(row.label)}  {safe(row.value)}", self.tone("dim"))
            return
        label_tone = {"part": "name", "payload": "name", "error": "bad", "note": "warn"}
        tone = label_tone.get(row.kind, "label")
        sign = "! " if row.irregular and row.kind == "field" else ""
        label = sign + safe(row.label) + ("  " if row.value else "")
        yield Segment(label, self.tone("bad" if row.irregular and row.kind != "note" else tone))
        if row.value:
            used = len(indent) + 2 + len(label)
            value_tone = "dim" if row.kind in ("part", "frame") else "text"
            room = max(width - used, 8)
            yield Segment(_fitted(safe(row.value), room), self.tone(value_tone))

    # Keys -------------------------------------------------------------------------------

    def action_absent(self) -> None:
        """Show the fields that this version lacks, or leave them out."""
        self.absent = not self.absent
        self.post_message(self.Wanted())

    def action_flip(self) -> None:
        """Open or close the row; on `… more`, show the next page."""
        line = self.line
        if line is None:
            return
        if line.row is None:
            self.outline.more(line.path)
        elif not self.outline.close(line.path):
            self.outline.open(line.path)
        self._changed()
        self.show_cursor()

    def action_open(self) -> None:
        """Open the row; if it is open, go to the first one inside."""
        line = self.line
        if line is None:
            return
        if line.row is None or (line.row.has_children and not line.opened):
            self.action_flip()
        elif line.opened:
            self.action_move(1)

    def action_close(self) -> None:
        """Close the row; if it is not open, go to the one around it."""
        line = self.line
        if line is None:
            return
        if line.opened:
            self.action_flip()
        elif len(line.path) > 1:
            self.move_to(self.outline.find(line.path[:-1]))

    def action_open_all(self) -> None:
        """Open the row and everything below it, or close it if it is open."""
        line = self.line
        if line is not None and line.row is not None:
            self.outline.open_all(line.path)
            self._changed()

    def action_close_all(self) -> None:
        top = self.path[:1]
        self.outline.root.opened.clear()
        self._changed()
        self.move_to(self.outline.find(top))

    def click_at(self, line: int, x: int, chain: int) -> None:
        """Choose a row; a click on its arrow, or a second click, opens it."""
        self.move_to(line)
        found = self.outline.line(line)
        arrow = 2 * (len(found.path) - 1)
        if chain == 2 or arrow <= x < arrow + 2 or found.row is None:
            self.action_flip()
