"""Files as NARs: a file, link or directory of this machine in the canonical archive format.

Source: Nix `archive.cc`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from pix.codec.cursor import Window
from pix.codec.nar import MAGIC
from pix.codec.wire import PADDINGS, pack_u64
from pix.codec.wire import pack_string as token
from pix.problem import Problem

PIECE = 64 << 10

_REGULAR = (MAGIC, b"(", b"type", b"regular")
FILE_HEAD = b"".join(map(token, (*_REGULAR, b"contents")))
"""The NAR of a file that is not executable, in front of the size of its contents."""
EXECUTABLE_HEAD = b"".join(map(token, (*_REGULAR, b"executable", b"", b"contents")))
"""The same of one that is."""


def file_end(size: int) -> bytes:
    """Return what stands behind the contents of a NAR's only file, `size` bytes."""
    return PADDINGS[-size & 7] + token(b")")


P = TypeVar("P", bound=Window)


def nar_of_contents(size: int, pieces: Iterable[P]) -> Iterator[P | bytes]:
    """Yield the NAR of one file with these contents, `size` bytes of them."""
    yield FILE_HEAD + pack_u64(size)
    yield from pieces
    yield file_end(size)


def nar_of(path: Path | str) -> Iterator[bytes]:
    """Yield the NAR of a file, link or directory in pieces.

    Raises Problem for what a NAR cannot hold, and for what cannot be read or changed meanwhile.
    """
    yield token(MAGIC)
    yield from _node(Path(path))


def _node(path: Path) -> Iterator[bytes]:
    try:
        status = path.lstat()
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFREG:
            yield token(b"(") + token(b"type") + token(b"regular")
            if status.st_mode & stat.S_IXUSR:
                yield token(b"executable") + token(b"")
            yield token(b"contents")
            yield from _contents(path, status.st_size)
        elif kind == stat.S_IFLNK:
            yield token(b"(") + token(b"type") + token(b"symlink")
            yield token(b"target") + token(os.fsencode(os.readlink(path)))  # noqa: PTH115 - a Path would tidy it up
        elif kind == stat.S_IFDIR:
            yield token(b"(") + token(b"type") + token(b"directory")
            for name in sorted(os.fsencode(child.name) for child in path.iterdir()):
                yield token(b"entry") + token(b"(") + token(b"name") + token(name) + token(b"node")
                yield from _node(path / os.fsdecode(name))
                yield token(b")")
        else:
            raise Problem(f"{path} is not a file, link or directory: a NAR cannot hold it")
    except OSError as error:
        raise Problem(f"cannot read {path}: {error.strerror}") from None
    yield token(b")")


def _contents(path: Path, size: int) -> Iterator[bytes]:
    yield pack_u64(size)
    left = size
    with path.open("rb") as file:
        while left:
            piece = file.read(min(PIECE, left))
            if not piece:
                raise Problem(f"{path} became shorter while it was read")
            left -= len(piece)
            yield piece
    yield PADDINGS[-size & 7]
