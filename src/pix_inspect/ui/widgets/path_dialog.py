"""The dialog that asks for a path: to open something, or to save to.

Names are completed as a shell does it; for opening, what is at hand is offered first. Saving
over something that is there has to be said twice. Names that a terminal could not show are
not offered.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from pix.dataclass import dataclass
from pix.problem import Problem
from pix_inspect.base.new_files import AlreadyThere
from pix_inspect.ui.widgets.choices import NOTE, Choices
from pix_inspect.ui.widgets.guarded import Guarded
from pix_inspect.ui.widgets.pressed import pressed
from pix_inspect.ui.widgets.text import fit, fit_end, safe
from pix_inspect.ui.widgets.text_line import TextLine

MOST_NAMES = 5000
"""Names of a folder that are looked at."""

DIALOG = 76
"""Cells of the dialog, where the screen has so many."""


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
        self.offered: Sequence[Offer] = ()
        """What can be chosen, below the line in which one writes."""
        self._choices = Choices[Offer](id="offers")

    def compose(self) -> ComposeResult:
        """Lay out the line to write in, what is offered, and what is wrong."""
        with Vertical(id="path-dialog"):
            yield Static(Content(safe(self._title)), id="path-title")
            yield TextLine(self._start, placeholder="a path", id="path-input")
            yield self._choices
            yield Static(id="path-trouble", markup=False)
            if self._switch:
                yield Static(id="path-switch", markup=False)
            complete, below, above, cancel = (
                pressed(self.app, f"path.{name}", usual)
                for name, usual in (
                    ("complete", "tab"), ("next", "↓"), ("previous", "↑"), ("cancel", "esc")
                )
            )  # fmt: skip
            keys = f"enter take  {complete} complete  {below}{above} choose  {cancel} cancel"
            yield Static(Content(keys), id="path-keys")

    @property
    def line(self) -> Input:
        """The line in which the path is written."""
        return self.query_one(Input)

    def on_mount(self) -> None:
        """Begin with the cursor behind the name, or before its ending."""
        stem = len(self._start)
        self.line.focus()
        self.line.cursor_position = stem
        self._show_switch()
        self._offer()

    def on_resize(self) -> None:
        """Draw what is offered as wide as there is room now."""
        at = self._choices.highlighted
        self._offer()
        self._choices.highlighted = at

    def on_input_changed(self) -> None:
        self._confirmed = None
        self._say("")
        self._offer()

    def _offer(self) -> None:
        text = self.line.value
        self.offered = self._offers if not text else ()
        self.offered = self.offered or [Offer(name) for name in names_at(text, self._wanted)]
        width = min(DIALOG, self.size.width) - 6  # a frame, a margin, a scroll bar
        folder = safe(str(Path(text or ".").expanduser().parent.absolute()), 300)
        empty = f"new in {folder}" if self._new else f"nothing of this name in {folder}"
        self._choices.say(
            ((offer, _line(offer, width)) for offer in self.offered), chosen=False, empty=empty
        )

    def _say(self, text: str) -> None:
        self.query_one("#path-trouble", Static).update(safe(text, 400))

    def action_switch(self) -> None:
        """Turn the switch, if there is one."""
        self._switched = not self._switched
        self._show_switch()

    def _show_switch(self) -> None:
        for line in self.query("#path-switch").results(Static):
            line.update(f"{'☑' if self._switched else '☐'} {self._switch}   ctrl+r changes")

    def action_complete(self) -> None:
        """Write as much of the name as is certain, or the chosen one."""
        chosen = self._choices.chosen
        if chosen is not None:
            self._write(chosen.path)
            return
        names = [offer.path for offer in self.offered]
        common = os.path.commonprefix(names)  # noqa: RUF071 (it is characters that are completed)
        if len(common) > len(self.line.value):
            self._write(common)

    def _write(self, text: str) -> None:
        self.line.value = text
        self.line.cursor_position = len(text)

    def action_choose(self, step: int) -> None:
        """Move through what is offered."""
        self._choices.move(step)

    def on_input_submitted(self) -> None:
        """Take what is written, or what was chosen below."""
        chosen = self._choices.chosen
        if chosen is None:
            self._take(self.line.value)
        else:
            self._take_offer(chosen)

    def on_choices_taken(self, message: Choices.Taken[Offer]) -> None:
        """Take what was clicked."""
        self._take_offer(message.value)

    def _take_offer(self, offer: Offer) -> None:
        self._write(offer.path)
        if not offer.path.endswith("/"):
            self._take(offer.path)

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


def _line(offer: Offer, width: int) -> Content:
    """Return a path with what is said about it, in a width."""
    room = max(width - len(offer.said) - 3, 20)
    return Content.assemble(
        "  ", fit(fit_end(safe(offer.path), room), room), (f" {offer.said}", NOTE)
    )
