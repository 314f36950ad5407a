"""NARs and trees of files: restoring without ever leaving the folder, and removing.

Everything is made through descriptors of folders that were made here a moment ago, with
O_EXCL and O_NOFOLLOW, so that neither a name nor a symlink in a NAR leads elsewhere; names
are checked by the strict grammar besides. Files end as Nix leaves them: read-only, dated 1.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from pix.codec.cursor import Cursor
from pix.codec.errors import DecodeError
from pix.codec.nar import Entry, scan_nar
from pix.serving import Refusal
from pix_store.store.spool import Spool

FILE, PROGRAM, FOLDER = 0o444, 0o555, 0o555
DATE = (1, 1)
"""The time that every file of a store has, in seconds since 1970."""

Contents = Callable[[Iterator[bytes]], Iterable[bytes]]
"""What is done to a file's contents, or a link's target, on their way; the size has to stay."""


def entries(nar: Spool) -> list[Entry]:
    """Return what is in a NAR, folders before what is in them. Raises Refusal for no NAR."""
    cursor = Cursor()
    found: list[Entry] = []
    scanner = scan_nar(cursor, found.append, strict=True)
    try:
        for piece in nar.pieces():
            cursor.feed(piece)
            next(scanner)
            cursor.settle()
    except StopIteration as stop:
        if stop.value and cursor.offset == nar.size:
            return found
        raise Refusal("the NAR ends before the data does") from None
    except DecodeError as error:
        raise Refusal(f"bad archive: {error}") from None
    raise Refusal("unexpected end-of-file")


def restore(nar: Spool, place: Path, change: Contents | None = None) -> int:
    """Write the tree in a NAR to `place`, which must not exist; return bytes of files.

    The top folder stays writable until `seal`. Raises Refusal for no NAR, OSError.
    """
    size = 0
    folders = [(os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), "")]
    try:
        for entry in entries(nar):
            path = entry.path
            depth = path.count("/") + 2 if path else 1
            while len(folders) > depth:
                _seal(folders[-1][0])
                os.close(folders.pop()[0])
            parent = folders[-1][0]
            name = os.fsencode(entry.name if path else place.name)
            if entry.kind == "directory":
                folders.append((_folder(name, parent), path))
            elif entry.kind == "symlink":
                target = os.fsencode(entry.target or "")
                if change is not None:
                    target = b"".join(change(iter((target,))))
                os.symlink(target, name, dir_fd=parent)
                os.utime(name, DATE, dir_fd=parent, follow_symlinks=False)
            else:
                pieces: Iterable[bytes] = nar.pieces(entry.offset, entry.size)
                if change is not None:
                    pieces = change(iter(pieces))
                _file(name, parent, pieces, PROGRAM if entry.kind == "executable" else FILE)
                size += entry.size
        for folder, path in folders[1:]:
            if path:  # the top cannot be moved to its place once it may not be written
                _seal(folder)
    finally:
        for folder, _ in folders:
            os.close(folder)
    return size


def _folder(name: bytes, parent: int) -> int:
    os.mkdir(name, 0o700, dir_fd=parent)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, dir_fd=parent)


def _seal(folder: int) -> None:
    os.fchmod(folder, FOLDER)
    os.utime(folder, DATE)


def _file(name: bytes, parent: int, pieces: Iterable[bytes], mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(name, flags, 0o600, dir_fd=parent)
    with os.fdopen(fd, "wb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.utime(file.fileno(), DATE)


def seal(place: Path) -> None:
    """Make the top of a tree that has come to its place read-only and dated."""
    with suppress(OSError):
        if not place.is_symlink() and place.is_dir():
            place.chmod(FOLDER)
            os.utime(place, DATE)


def remove(place: Path) -> None:
    """Remove a tree, read-only folders and all; do nothing when there is none."""
    if place.is_symlink() or not place.is_dir():
        with suppress(FileNotFoundError):
            place.unlink()
        return
    left = [place]
    while left:
        folder = left.pop()
        folder.chmod(0o700)  # before it is looked into: it may not be readable
        with os.scandir(folder) as found:
            left += [Path(one.path) for one in found if one.is_dir(follow_symlinks=False)]
    shutil.rmtree(place)


def size_of(place: Path) -> int:
    """Return the bytes on disk that go when a tree is removed: files with one link only."""
    total = 0
    if place.is_symlink() or not place.is_dir():
        return place.lstat().st_size if place.exists() or place.is_symlink() else 0
    for folder, _, files in os.walk(place):
        for name in files:
            status = (Path(folder) / name).lstat()
            if status.st_nlink == 1:
                total += status.st_size
    return total
