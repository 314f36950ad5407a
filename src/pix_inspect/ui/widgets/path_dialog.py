"""The dialog that asks for a path: to open something, or to save to.

Names are completed as a shell does it; for opening, what is at hand is offered first. Saving
over something that is there has to be said twice. Names that a terminal could not show are
not offered.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widgets import Input, Static

from pix.problem import Problem
from pix_inspect.base.new_files import AlreadyThere
from pix_inspect.ui.widgets.guarded import Guarded
from pix_inspect.ui.widgets.lines import Lines
from pix_inspect.ui.widgets.text import fit, fit_end, safe
from pix_inspect.ui.widgets.text_line import TextLine

MOST_NAMES = 5000
"""Names of a folder that are looked at."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Something to choose: the path, and words about it (safe text)."""

    path: str
    said: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen; `replace` what is there; `switched` as the dialog's switch stood."""

    path: Path
    replace: bool = False
    switched: bool = False


def names_at(text: str, wanted: Callable[[str], bool] = lambda name: True) -> list[str]:
    """Return the paths that `text` may become: folders (ending in `/`) and files, sorted."""
    folder, _, typed = text.rpartition("/")
    where = Path(folder + "/" if "/" in text else ".").expanduser()
    found = []
    try:
        with os.scandir(where) as entries:
            for entry, _ in zip(entries, range(MOST_NAMES), strict=False):
                name = entry.name
                if not name.startswith(typed) or (name.startswith(".") and not typed):
                    continue
                if safe(name) != name:
                    continue
                if entry.is_dir():
                    found.append(name + "/")
                elif wanted(name):
                    found.append(name)
    except (OSError, ValueError):
        return []
    stem = text[: len(text) - len(typed)]
    return [stem + name for name in sorted(found, key=lambda name: (name[-1] != "/", name))]


class Offers(Lines):
    """What can be chosen, below the line in which one writes."""

    can_focus = False

    def __init__(self) -> None:
        super().__init__(id="offers")
        self.offers: Sequence[Offer] = ()
        self.touched = False
        self.empty = ""

    @property
    def count(self) -> int:
        """How much there is to choose from."""
        return len(self.offers)

    def nothing(self) -> list[str]:
        """Say what it means that there is nothing."""
        return [self.empty]

    def say(self, offers: Sequence[Offer]) -> None:
        self.offers = offers
        self.cursor = 0
        self.touched = False
        self.scroll_to(y=0, animate=False, force=True)
        self.resize_lines()
        self.redraw()

    def strip_of(self, line: int, width: int, at_cursor: bool) -> Strip:
        """Return the strip of a line; nothing is marked before something was chosen."""
        return super().strip_of(line, width, at_cursor and self.touched)

    def segments(self, line: int, width: int) -> Iterable[Segment]:
        """Return a path with what is said about it."""
        offer = self.offers[line]
        said = offer.said
        room = max(width - len(said) - 3, 20)
        chosen = self.touched and line == self.cursor
        yield Segment("▸ " if chosen else "  ", self.tone("mark"))
        yield Segment(fit(fit_end(safe(offer.path), room), room), self.tone("text"))
        yield Segment(f" {said}", self.tone("dim"))

    def click_at(self, line: int, x: int, chain: int) -> None:
        """Choose; a second click takes it."""
        self.touched = True
        self.cursor = line
        self.redraw()
        if chain == 2:
            self.post_message(self.Entered(self))


class PathDialog(Guarded, ModalScreen[Chosen | None]):
    """Asks for a path; returns None when the user thinks better of it.

    `check` raises Problem when a path will not do; AlreadyThere is asked about. `offers` are
    shown until something is written; `new`: what is asked for need not be there; `switch`:
    the words of something to be switched on or off.
    """

    TITLE = "Path"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Cancel", id="path.cancel"),
        Binding("f1", "app.help", "Keys", show=False, id="path.help"),
        Binding("tab", "complete", "Complete", priority=True, id="path.complete"),
        Binding("down", "choose(1)", "Choose", priority=True, id="path.next"),
        Binding("ctrl+r", "switch", "Switch", show=False, priority=True, id="path.switch"),
        Binding("up", "choose(-1)", "Choose back", show=False, priority=True, id="path.previous"),
    ]

    def __init__(
        self,
        title: str,
        start: str,
        check: Callable[[Path, bool], None],
        *,
        offers: Sequence[Offer] = (),
        wanted: Callable[[str], bool] = lambda name: True,
        new: bool = False,
        switch: str = "",
        switched: bool = False,
    ) -> None:
        super().__init__()
        self._title = title
        self._start = start
        self._check = check
        self._offers = offers
        self._wanted = wanted
        self._new = new
        self._switch = switch
        self._switched = switched
        self._confirmed: str | None = None

    def compose(self) -> ComposeResult:
        """Lay out the line to write in, what is offered, and what is wrong."""
        with Vertical(id="path-dialog"):
            yield Static(Content(safe(self._title)), id="path-title")
            yield TextLine(self._start, placeholder="a path", id="path-input")
            yield Offers()
            yield Static(id="path-trouble")
            if self._switch:
                yield Static(id="path-switch")
            yield Static(Content("enter take  tab complete  ↓↑ choose  esc cancel"), id="path-keys")

    @property
    def line(self) -> Input:
        """The line in which the path is written."""
        return self.query_one(Input)

    @property
    def offered(self) -> Offers:
        return self.query_one(Offers)

    def on_mount(self) -> None:
        """Begin with the cursor behind the name, or before its ending."""
        stem = len(self._start)
        self.line.focus()
        self.line.cursor_position = stem
        self._show_switch()
        self._offer()

    def on_input_changed(self) -> None:
        self._confirmed = None
        self._say("")
        self._offer()

    def _offer(self) -> None:
        text = self.line.value
        folder = safe(str(Path(text or ".").expanduser().parent.absolute()), 300)
        self.offered.empty = (
            f"new in {folder}" if self._new else f"nothing of this name in {folder}"
        )
        if self._offers and not text:
            self.offered.say(self._offers)
        else:
            self.offered.say([Offer(name) for name in names_at(text, self._wanted)])

    def _say(self, text: str) -> None:
        self.query_one("#path-trouble", Static).update(Content(safe(text, 400)))

    def _show_switch(self) -> None:
        for line in self.query("#path-switch").results(Static):
            sign = "☑" if self._switched else "☐"
            line.update(Content(f"{sign} {self._switch}   ctrl+r changes"))

    def action_switch(self) -> None:
        """Turn the switch, if there is one."""
        self._switched = not self._switched
        self._show_switch()

    def action_complete(self) -> None:
        """Write as much of the name as is certain, or the chosen one."""
        offers = self.offered
        if offers.touched and offers.count:
            self._write(offers.offers[offers.cursor].path)
            return
        names = [offer.path for offer in offers.offers]
        common = os.path.commonprefix(names)  # noqa: RUF071 (it is characters that are completed)
        if len(common) > len(self.line.value):
            self._write(common)

    def _write(self, text: str) -> None:
        self.line.value = text
        self.line.cursor_position = len(text)

    def action_choose(self, step: int) -> None:
        """Move through what is offered."""
        offers = self.offered
        if not offers.count:
            return
        to = offers.cursor + step if offers.touched else (0 if step > 0 else offers.count - 1)
        offers.touched = True
        offers.move_to(to, tell=False)
        offers.redraw()

    def on_input_submitted(self) -> None:
        """Take what is written, or what was chosen below."""
        offers = self.offered
        if offers.touched and offers.count:
            self._take_offer()
        else:
            self._take(self.line.value)

    def on_lines_entered(self) -> None:
        """Take what was clicked twice."""
        self._take_offer()

    def _take_offer(self) -> None:
        path = self.offered.offers[self.offered.cursor].path
        if path.endswith("/"):
            self._write(path)
        else:
            self._write(path)
            self._take(path)

    def _take(self, text: str) -> None:
        if not text.strip():
            self._say("write a path, or choose one below with ↓")
            return
        path = Path(text).expanduser()
        replace = self._confirmed == text
        try:
            if text.endswith("/"):
                raise Problem(f"{text} is a folder: write a name behind it")
            self._check(path, replace)
        except AlreadyThere as problem:
            self._confirmed = text
            self._say(f"{problem}: enter once more replaces it")
            return
        except Problem as problem:
            self._say(str(problem))
            return
        self.dismiss(Chosen(path, replace, self._switched and bool(self._switch)))
