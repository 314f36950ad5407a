"""What the user wants of a payload, as a file's name and what writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pix.dataclass import dataclass
from pix_inspect.base.new_files import check_target, save, suggested
from pix_inspect.base.safe_text import inert
from pix_inspect.base.units import count, size
from pix_inspect.payload.contents import PayloadContents
from pix_inspect.payload.unpacking import archive_of, mode_of, pieces_of, unpack
from pix_inspect.ui.exchange.payload_pane import How
from pix_inspect.ui.widgets.path_dialog import Chosen
from pix_inspect.ui.widgets.writing import Pace


@dataclass(frozen=True, slots=True)
class Wish:
    """Something to save: a title for the dialog, a name to begin with, and what writes it."""

    title: str
    name: str
    check: Callable[[Path, bool], None]
    write: Callable[[Chosen, Pace], str]

    @classmethod
    def of(cls, contents: PayloadContents, number: int, how: How) -> Wish:
        """Return what is to be saved of entry `number`. Raises Problem where it cannot be."""
        places = contents.places
        place = places[number] if number < len(places) else None
        if how == "unpacked" or (
            how == "entry" and place is not None and place.entry.kind == "directory"
        ):
            return cls._unpacked(contents, number)
        mode = 0o666
        if how == "whole" or place is None:
            several = len(contents.items) > 1 and contents.kind != "export"
            name, pieces = archive_of(contents, place.item if several and place else None)
            title = f"Save {inert(name, 80)}"
        else:
            pieces = pieces_of(contents, place)
            name = place.entry.name or contents.item_name(place.item)
            mode = mode_of(place)
            title = f"Save {inert(contents.entry_path(place), 80)}"

        def write(chosen: Chosen, pace: Pace) -> str:
            progress = _progress(pace)
            written = save(chosen.path, pieces, mode=mode, replace=chosen.replace, told=progress)
            return f"{size(written)} in {chosen.path}"

        return cls(title, suggested(name), _check, write)

    @classmethod
    def _unpacked(cls, contents: PayloadContents, number: int) -> Wish:
        place = contents.places[number]
        name = place.entry.name or contents.item_name(place.item)

        def write(chosen: Chosen, pace: Pace) -> str:
            entries = unpack(contents, number, chosen.path, _progress(pace))
            return f"{count(entries, 'entry', 'entries')} in {chosen.path}"

        title = f"Unpack {inert(contents.entry_path(place), 80)} as the new directory"
        return cls(title, suggested(name), lambda path, replace: check_target(path), write)


def _check(path: Path, replace: bool) -> None:
    check_target(path, replace=replace)


def _progress(pace: Pace) -> Callable[[int], None]:
    written = 0

    def told(more: int) -> None:
        nonlocal written
        written += more
        pace.say(size(written))

    return told
