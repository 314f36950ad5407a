"""The pane of the payload: the files of an archive as a tree, whose bytes light up.

Large payloads are read in slices
between keys. Saving is asked for by messages; whoever listens writes files.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Literal

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.timer import Timer

from pix.problem import Problem
from pix_inspect.base.units import size
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.ui.exchange.copying import Copied
from pix_inspect.ui.widgets.later import later
from pix_inspect.ui.widgets.lines import Lines

if TYPE_CHECKING:
    from pix_inspect.payload.contents import PayloadContents
    from pix_inspect.ui.exchange.payload_tree import Fold, PayloadTree

WORK = 0.015
PAUSE = 0.004
SLICE = 4 << 20
"""Seconds and bytes of reading in one go, and the pause between two."""

STILL_COMING = 1 << 20
"""Bytes of a payload that is going on, up to which its tree is made anew as it grows."""

How = Literal["entry", "whole", "unpacked"]


class PayloadPane(Lines):
    """The files of a payload."""

    TITLE = "Payload"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "fold('toggle')", "Open or close the directory", show=False,
                id="payload.toggle"),
        Binding("right,l", "fold('open')", "Open, or go in", show=False, id="payload.open"),
        Binding("left,h", "fold('close')", "Close, or go up", show=False, id="payload.close"),
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
        self.files: PayloadTree | None = None
        self._more: Timer | None = None
        self._number: int | None = None

    @property
    def count(self) -> int:
        """The entries that are shown, and what is remarked below them."""
        return len(self.files.visible) + len(self.files.remarks) if self.files is not None else 0

    @property
    def settled(self) -> bool:
        """Whether all that is shown was read."""
        return self._more is None

    @property
    def path(self) -> str | None:
        """The path of the entry under the cursor."""
        place = self.files.place(self.cursor) if self.files is not None else None
        return self.files.contents.entry_path(place) if self.files and place else None

    def nothing(self) -> list[str]:
        """Say why there is nothing, and where there is something."""
        if self._number is None:
            return ["Choose an exchange to see its payload."]
        if self.files is None:
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
        from pix_inspect.payload.contents import PayloadContents
        from pix_inspect.ui.exchange.payload_tree import PayloadTree

        if keep and view is not None and self.files is not None:
            growing = view.row.took is None and self.files.contents.size > STILL_COMING
            if growing or self.settled is False:
                return
        self._number = view.row.number if view is not None else None
        if self._more is not None:
            self._more.stop()
        closed = self.files.closed if keep and self.files is not None else set()
        try:
            self.files = None if view is None else PayloadTree(PayloadContents(view), closed)
        except Problem:
            self.files = None
        if not keep:
            self.cursor = 0
            self.scroll_to(y=0, animate=False, force=True)
        self._read()

    def _read(self) -> None:
        self._more = None
        files = self.files
        until = time.monotonic() + WORK
        while files is not None and files.contents.read(SLICE):
            if time.monotonic() >= until:
                self._more = later(self, PAUSE, self._read)
                progress, whole = files.contents.progress, size(files.contents.size)
                self.entitle(f"reading {100 * progress:.0f} % of {whole}")
                return
        if files is not None:
            files.arrange()
        self._arranged()
        self.entitle(files.title if files is not None else "")
        self.moved()

    def _arranged(self) -> None:
        self.cursor = max(min(self.cursor, self.count - 1), 0)
        self.resize_lines()
        self.redraw()

    def segments(self, line: int, width: int) -> Iterable[Segment]:
        """Return an entry, or a remark."""
        return self.files.segments(line, width, self.tone) if self.files is not None else ()

    # Keys -------------------------------------------------------------------------------

    def moved(self) -> None:
        """Say which bytes belong to the chosen entry."""
        files = self.files
        place = files.place(self.cursor) if files is not None else None
        spans = files.contents.spans(place.start, place.end) if files and place else []
        span = (spans[0][0], spans[0][1], spans[-1][2]) if spans else None
        self.post_message(self.Chosen(span))

    def action_fold(self, how: Fold) -> None:
        """Open or close the directory under the cursor; go in or up where it is so already."""
        if self.files is not None:
            line = self.files.fold(self.cursor, how)
            self._arranged()
            self.move_to(line)

    def click_at(self, line: int, x: int, chain: int) -> None:
        """Choose an entry; a second click opens or closes it."""
        self.move_to(line)
        if chain == 2:
            self.action_fold("toggle")

    def action_save(self, how: How) -> None:
        """Ask for an entry, the whole or a directory to be saved."""
        if self.files is None or not self.settled:
            self.app.notify("there is no payload to save", markup=False)
            return
        on_entry = self.cursor < len(self.files.visible)
        number = self.files.visible[self.cursor] if on_entry else 0
        self.post_message(self.Save(self.files.contents, number, how))

    def action_copy(self) -> None:
        """Copy the path of the entry."""
        if self.path is None:
            self.app.notify("there is no path to copy", markup=False)
        else:
            self.post_message(Copied("the path", self.path))
