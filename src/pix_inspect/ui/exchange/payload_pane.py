"""The pane of the payload: the files of an archive as a tree, whose bytes light up.

What was not recorded is said, with what to do about it. Large payloads are read in slices
between keys. Saving is asked for by messages; whoever listens writes files.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import ClassVar, Literal

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.timer import Timer

from pix.problem import Problem
from pix_inspect.base.units import count, size
from pix_inspect.payload.contents import NOT_KEPT, PayloadContents, Place
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.ui.exchange.copying import Copied
from pix_inspect.ui.widgets.lines import Lines
from pix_inspect.ui.widgets.text import fit, fit_right, safe

WORK = 0.015
PAUSE = 0.004
SLICE = 4 << 20
"""Seconds and bytes of reading in one go, and the pause between two."""

STILL_COMING = 1 << 20
"""Bytes of a payload that is going on, up to which its tree is made anew as it grows."""

SIGNS = {"regular": " ", "executable": "x", "symlink": "↪", "directory": " "}
SIZE, WHERE = 9, 10
"""Cells of a file's size and of its place in the stream."""

HASH = 33
"""Characters of a store path's hash and the dash behind it."""

How = Literal["entry", "whole", "unpacked"]


class PayloadPane(Lines):
    """The files of a payload."""

    TITLE = "Payload"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "fold", "Open or close the directory", show=False,
                id="payload.toggle"),
        Binding("right,l", "open", "Open, or go in", show=False, id="payload.open"),
        Binding("left,h", "close", "Close, or go up", show=False, id="payload.close"),
        Binding("s", "save('entry')", "Save this", id="payload.save"),
        Binding("w", "save('whole')", "Save whole", id="payload.save_whole"),
        Binding("u", "save('unpacked')", "Unpack the directory", show=False,
                id="payload.unpack"),
        Binding("y", "copy", "Copy the path", show=False, id="payload.copy"),
    ]  # fmt: skip

    class Chosen(Message):
        """Another entry was chosen: where it passed, as side, start and end; None for nothing."""

        def __init__(self, span: tuple[int, int, int] | None) -> None:
            super().__init__()
            self.span = span

    class Save(Message):
        """The user wants an entry, the whole archive, or a directory unpacked."""

        def __init__(self, contents: PayloadContents, number: int, how: How) -> None:
            super().__init__()
            self.contents = contents
            self.number = number
            self.how = how

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.contents: PayloadContents | None = None
        self.closed: set[int] = set()
        """The directories whose entries are not shown, by number."""
        self._visible: list[int] = []
        self._remarks: list[str] = []
        self._more: Timer | None = None
        self._number: int | None = None

    @property
    def count(self) -> int:
        """The entries that are shown, and what is remarked below them."""
        return len(self._visible) + len(self._remarks)

    @property
    def settled(self) -> bool:
        """Whether all that is shown was read."""
        return self._more is None

    @property
    def place(self) -> Place | None:
        """The entry under the cursor."""
        number = self.number
        return None if number is None or self.contents is None else self.contents.places[number]

    @property
    def number(self) -> int | None:
        """The number of the entry under the cursor."""
        return self._visible[self.cursor] if self.cursor < len(self._visible) else None

    def nothing(self) -> list[str]:
        """Say why there is nothing, and where there is something."""
        if self._number is None:
            return ["Choose an exchange to see its payload."]
        if self.contents is None:
            return [
                "This exchange has no payload.",
                "",
                "AddToStore, AddToStoreNar, AddMultipleToStore, NarFromPath,",
                "ImportPaths, ExportPath and AddBuildLog have one.",
            ]
        return ["reading …"]

    # What is shown ----------------------------------------------------------------------

    def show(self, view: ExchangeView | None, *, keep: bool = False) -> None:
        """Show another exchange's payload; with `keep` cursor and open directories stay."""
        if keep and view is not None and self.contents is not None:
            growing = view.row.took is None and self.contents.size > STILL_COMING
            if growing or self.settled is False:
                return
        self._number = view.row.number if view is not None else None
        if self._more is not None:
            self._more.stop()
            self._more = None
        if not keep:
            self.closed = set()
            self.cursor = 0
            self._visible, self._remarks = [], []
            self.scroll_to(y=0, animate=False, force=True)
        try:
            self.contents = None if view is None else PayloadContents(view)
        except Problem:
            self.contents = None
        if self.contents is None:
            self._visible, self._remarks = [], []
        self._read()

    def _read(self) -> None:
        self._more = None
        contents = self.contents
        until = time.monotonic() + WORK
        while contents is not None and contents.read(SLICE):
            if time.monotonic() >= until:
                self._more = self.set_timer(PAUSE, self._read)
                self.entitle(f"reading {100 * contents.progress:.0f} % of {size(contents.size)}")
                return
        if contents is not None:
            self._remarks = [safe(line, 400) for line in self._remarked(contents)]
        self._arrange()
        self._entitle()
        self.moved()

    def _remarked(self, contents: PayloadContents) -> Iterable[str]:
        lacks = contents.size - contents.kept(0, contents.size)
        error = contents.error
        if lacks:
            yield f"⋯ {size(lacks)} of {size(contents.size)} were not recorded;"
            yield f"  {NOT_KEPT}"
        elif error is not None:
            yield f"⚠ not understood from byte {error.offset:,} of the payload on: {error}"
        elif not contents.complete:
            yield "⋯ the rest has not passed yet" if self._goes_on else "✂ the payload is cut off"

    @property
    def _goes_on(self) -> bool:
        return self.contents is not None and self.contents.view.row.took is None

    def _entitle(self) -> None:
        contents = self.contents
        if contents is None:
            self.entitle()
            return
        files = sum(place.is_file for place in contents.places)
        said = [size(contents.size), count(files, "file")]
        if len(contents.items) > 1:
            said.insert(1, count(len(contents.items), "path"))
        self.entitle("  ".join(said))

    def _arrange(self) -> None:
        """Find out which entries are to be seen."""
        places = self.contents.places if self.contents is not None else []
        self.cursor = max(min(self.cursor, self.count - 1), 0)
        visible: list[int] = []
        number = 0
        while number < len(places):
            visible.append(number)
            number = places[number].last if number in self.closed else number + 1
        self._visible = visible
        self.cursor = max(min(self.cursor, self.count - 1), 0)
        self.resize_lines()
        self.redraw()

    # Drawing ----------------------------------------------------------------------------

    def segments(self, line: int, width: int) -> Iterable[Segment]:
        """Return an entry: name, what it is, size, and where in the stream it stands."""
        if line >= len(self._visible):
            yield Segment(self._remarks[line - len(self._visible)], self.tone("warn"))
            return
        contents = self.contents
        assert contents is not None
        number = self._visible[line]
        place = contents.places[number]
        room = width - SIZE - 4
        with_where = room - WHERE >= 30
        room -= WHERE if with_where else 0
        indent = "  " * min(place.depth, 20)
        directory = place.entry.kind == "directory"
        sign = ("▸ " if number in self.closed else "▾ ") if directory else "  "
        name = self._label(contents, place)
        target = f" → {safe(place.entry.target or '', 400)}" if place.entry.target else ""
        yield Segment(indent + sign, self.tone("dim"))
        left = max(room - len(indent) - 2, 4)
        tone = self.tone("name" if directory else "text")
        if target:
            named = fit(name, left).rstrip(" ")
            yield Segment(named, tone)
            yield Segment(fit(target, max(left - Segment(named).cell_length, 0)), self.tone("dim"))
        else:
            yield Segment(fit(name, left), tone)
        yield Segment(f" {SIGNS[place.entry.kind]} ", self.tone("good"))
        lacks = place.is_file and contents.kept(place.start, place.end) < place.entry.size
        shown = "" if place.entry.kind == "symlink" else size(place.total)
        yield Segment(fit_right(shown, SIZE), self.tone("warn" if lacks else "number"))
        yield Segment("⋯" if lacks else " ", self.tone("warn"))
        if with_where:
            spans = contents.spans(place.start, max(place.end, place.start + 1))
            where = f"{spans[0][1]:#x}" if spans else ""
            yield Segment(fit_right(where, WHERE), self.tone("dim"))

    @staticmethod
    def _label(contents: PayloadContents, place: Place) -> str:
        if place.depth == 0:
            name = contents.item_name(place.item)
            return safe(name[HASH:] if name[HASH - 1 : HASH] == "-" else name, 300)
        return safe(place.entry.name, 300)

    # Keys -------------------------------------------------------------------------------

    def moved(self) -> None:
        """Say which bytes belong to the chosen entry."""
        place, contents = self.place, self.contents
        spans = contents.spans(place.start, place.end) if place and contents else []
        span = (spans[0][0], spans[0][1], spans[-1][2]) if spans else None
        self.post_message(self.Chosen(span))

    def action_fold(self) -> None:
        """Open or close the directory under the cursor."""
        place, number = self.place, self.number
        if place is not None and number is not None and place.entry.kind == "directory":
            self.closed ^= {number}
            self._arrange()

    def action_open(self) -> None:
        """Open the directory, or go to its first entry."""
        if self.number in self.closed:
            self.action_fold()
        elif self.place is not None and self.place.entry.kind == "directory":
            self.move_to(self.cursor + 1)

    def action_close(self) -> None:
        """Close the directory, or go up to the one around."""
        place, number = self.place, self.number
        if place is None or number is None or self.contents is None:
            return
        if place.entry.kind == "directory" and number not in self.closed:
            self.action_fold()
            return
        places = self.contents.places
        for line in range(self.cursor - 1, -1, -1):
            if places[self._visible[line]].depth < place.depth:
                self.move_to(line)
                return

    def click_at(self, line: int, x: int, chain: int) -> None:
        """Choose an entry; a second click opens or closes it."""
        self.move_to(line)
        if chain == 2:
            self.action_fold()

    def action_save(self, how: How) -> None:
        """Ask for an entry, the whole or a directory to be saved."""
        if self.contents is None or not self.settled:
            self.app.notify("there is no payload to save", markup=False)
            return
        self.post_message(self.Save(self.contents, self.number or 0, how))

    def action_copy(self) -> None:
        """Copy the path of the entry."""
        if self.place is None or self.contents is None:
            self.app.notify("there is no path to copy", markup=False)
        else:
            self.post_message(Copied("the path", self.contents.entry_path(self.place)))
