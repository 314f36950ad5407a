"""Payloads written to disk as files and folders, so that no name or link leads elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pix.problem import Problem
from pix_inspect.base.new_files import PUBLIC, AlreadyThere, Told, _quiet, _reason
from pix_inspect.payload.contents import PayloadContents, Place

PROGRAM = 0o777


DEEPEST = 500
"""Levels of directories that are unpacked: each takes a descriptor."""


def pieces_of(contents: PayloadContents, place: Place) -> Iterable[bytes]:
    """Return the contents of a file in a payload. Raises Problem."""
    name = contents.entry_path(place)
    if place.entry.kind == "symlink":
        raise Problem(f"{name} is a link to {place.entry.target or ''}")
    if not place.is_file:
        raise Problem(f"{name} is a directory: unpack it")
    return contents.whole(place.start, place.end, name)


def archive_of(contents: PayloadContents, item: int | None = None) -> tuple[str, Iterable[bytes]]:
    """Return the name for a whole payload, or one archive of it, and its bytes.

    A NAR is a NAR, a file is a file, an export is what `nix-store --import` takes. Raises
    Problem when it was not kept, or `item` is needed to say which of several is meant.
    """
    if contents.kind == "plain":
        name = contents.item_name(0)
        return name, contents.whole(0, contents.size, name)
    if contents.kind == "export" and item is None:
        return "export.nix", contents.whole(0, contents.size, "the export")
    if item is None:
        if len(contents.items) != 1:
            raise Problem(f"the payload holds {len(contents.items)} archives: choose one of them")
        item = 0
    start, end = contents.nar(item)
    name = contents.item_name(item)
    return f"{name}.nar", contents.whole(start, end, name)


def mode_of(place: Place) -> int:
    """Return the mode of a file in a payload."""
    return PROGRAM if place.entry.kind == "executable" else PUBLIC


def unpack(contents: PayloadContents, number: int, folder: Path, told: Told = _quiet) -> int:
    """Unpack entry `number` and all below it as the new directory `folder`; return the entries.

    Raises Problem; what was unpacked until then stays.
    """
    places = contents.places
    first = places[number]
    if first.entry.kind != "directory":
        raise Problem(f"{contents.entry_path(first)} is not a directory")
    contents.check_end(first)
    for place in places[number : first.last]:
        _check_name(contents, place, is_root=place is first)
        if place.is_file:
            pieces_of(contents, place)
    opened: list[int] = []
    try:
        folder.mkdir()
        opened.append(os.open(folder, _FOLDER))
        for place in places[number + 1 : first.last]:
            while len(opened) > place.depth - first.depth:
                os.close(opened.pop())
            _put(contents, place, opened, told)
    except FileExistsError as error:
        where = folder if not opened else error.filename
        raise AlreadyThere(f"{where} already exists") from None
    except (OSError, ValueError) as error:
        raise Problem(f"cannot unpack into {folder}: {_reason(error)}") from None
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return first.last - number


_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def _check_name(contents: PayloadContents, place: Place, *, is_root: bool) -> None:
    name = place.entry.name
    if not is_root and (name in ("", ".", "..") or "/" in name or "\0" in name):
        path = contents.entry_path(place)
        raise Problem(f"{path}: {name!r} is not a name for a file; nothing was unpacked")
    if place.depth > DEEPEST:
        raise Problem(f"directories more than {DEEPEST} deep are not unpacked")


def _put(contents: PayloadContents, place: Place, opened: list[int], told: Told) -> None:
    """Make one entry in the innermost open folder."""
    name, entry, into = os.fsencode(place.entry.name), place.entry, opened[-1]
    if entry.kind == "directory":
        os.mkdir(name, dir_fd=into)
        opened.append(os.open(name, _FOLDER, dir_fd=into))
    elif entry.kind == "symlink":
        os.symlink(os.fsencode(entry.target or ""), name, dir_fd=into)
    else:
        with os.fdopen(os.open(name, _NEW, mode_of(place), dir_fd=into), "wb") as file:
            for piece in pieces_of(contents, place):
                file.write(piece)
                told(len(piece))
