"""The files of a payload as lines: which of them are shown, and what stands on each.

Below them is remarked what was not recorded, with what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from rich.segment import Segment

from pix_inspect.base.units import count, size
from pix_inspect.payload.contents import NOT_KEPT, PayloadContents, Place
from pix_inspect.ui.widgets.lines import Tones
from pix_inspect.ui.widgets.text import fit, fit_right, safe

SIGNS = {"regular": " ", "executable": "x", "symlink": "↪", "directory": " "}
SIZE, WHERE = 9, 10
"""Cells of a file's size and of its place in the stream."""

HASH = 33
"""Characters of a store path's hash and the dash behind it."""

Fold = Literal["toggle", "open", "close"]


class PayloadTree:
    """The entries of a payload, of which the directories in `closed` (by number) show nothing."""

    def __init__(self, contents: PayloadContents, closed: set[int]) -> None:
        self.contents = contents
        self.closed = closed
        self.visible: list[int] = []
        """The numbers of the entries that are shown."""
        self.remarks: list[str] = []

    def place(self, line: int) -> Place | None:
        """Return the entry on a line."""
        return self.contents.places[self.visible[line]] if line < len(self.visible) else None

    def arrange(self) -> None:
        """Find out which entries are to be seen, and what to remark."""
        places = self.contents.places
        self.visible = []
        number = 0
        while number < len(places):
            self.visible.append(number)
            number = places[number].last if number in self.closed else number + 1
        self.remarks = [safe(line, 400) for line in self._remarked()]

    def fold(self, line: int, how: Fold) -> int:
        """Open or close a directory; return the line to go to.

        To open what is open goes to its first entry, to close what is none to what is around.
        """
        place = self.place(line)
        if place is None:
            return line
        number, directory = self.visible[line], place.entry.kind == "directory"
        if directory and (how == "toggle" or (how == "open") == (number in self.closed)):
            self.closed ^= {number}
            self.arrange()
            return line
        if how == "close":
            places = self.contents.places
            above = range(line - 1, -1, -1)
            around = (up for up in above if places[self.visible[up]].depth < place.depth)
            return next(around, line)
        return line + (directory and how == "open")

    @property
    def title(self) -> str:
        """How much it is."""
        contents = self.contents
        said = [size(contents.size), count(sum(e.is_file for e in contents.places), "file")]
        if len(contents.items) > 1:
            said.insert(1, count(len(contents.items), "path"))
        return "  ".join(said)

    def _remarked(self) -> Iterable[str]:
        contents = self.contents
        lacks = contents.size - contents.kept(0, contents.size)
        error = contents.error
        if lacks:
            yield f"⋯ {size(lacks)} of {size(contents.size)} were not recorded;"
            yield f"  {NOT_KEPT}"
        elif error is not None:
            yield f"⚠ not understood from byte {error.offset:,} of the payload on: {error}"
        elif not contents.complete:
            goes_on = contents.view.row.took is None
            yield "⋯ the rest has not passed yet" if goes_on else "✂ the payload is cut off"

    def segments(self, line: int, width: int, tone: Tones) -> Iterable[Segment]:
        """Return an entry: name, what it is, size, and where in the stream it stands."""
        place, contents = self.place(line), self.contents
        if place is None:
            yield Segment(self.remarks[line - len(self.visible)], tone("warn"))
            return
        room = width - SIZE - 4
        with_where = room - WHERE >= 30
        room -= WHERE if with_where else 0
        indent = "  " * min(place.depth, 20)
        directory = place.entry.kind == "directory"
        sign = ("▸ " if self.visible[line] in self.closed else "▾ ") if directory else "  "
        yield Segment(indent + sign, tone("dim"))
        left = max(room - len(indent) - 2, 4)
        name, of_name = self._label(place), tone("name" if directory else "text")
        if place.entry.target:
            named = fit(name, left).rstrip(" ")
            yield Segment(named, of_name)
            left = max(left - Segment(named).cell_length, 0)
            yield Segment(fit(f" → {safe(place.entry.target, 400)}", left), tone("dim"))
        else:
            yield Segment(fit(name, left), of_name)
        yield Segment(f" {SIGNS[place.entry.kind]} ", tone("good"))
        lacks = place.is_file and contents.kept(place.start, place.end) < place.entry.size
        shown = "" if place.entry.kind == "symlink" else size(place.total)
        yield Segment(fit_right(shown, SIZE), tone("warn" if lacks else "number"))
        yield Segment("⋯" if lacks else " ", tone("warn"))
        if with_where:
            spans = contents.spans(place.start, max(place.end, place.start + 1))
            where = f"{spans[0][1]:#x}" if spans else ""
            yield Segment(fit_right(where, WHERE), tone("dim"))

    def _label(self, place: Place) -> str:
        if place.depth == 0:
            name = self.contents.item_name(place.item)
            return safe(name[HASH:] if name[HASH - 1 : HASH] == "-" else name, 300)
        return safe(place.entry.name, 300)
