"""Where the store keeps what it is given: in memory, or in a folder that survives restarts.

A shelf keeps NARs by base name, and small records (path infos, realisations, roots) by kind
and key. It does not know what they mean or which paths refer to which.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Protocol

from pix.codec.nar_files import nar_of
from pix.problem import Problem
from pix.serving import Refusal
from pix.untrusted import parse_json
from pix_store.store import trees
from pix_store.store.hashes import sha256
from pix_store.store.spool import PIECE, Spool

OWN = "pix-inspect"
"""The folder, below that of the store, for what is known of its paths."""

IN_MEMORY = 1 << 30
"""Bytes of NARs, and of what is known of them, that a store in memory takes."""

PLACES = ("gcroots", "profiles")
"""Folders of the state directory where clients leave links that keep what they point to."""

MOST_LOGS = 256 << 20
"""Bytes of build logs that are kept in memory."""


class Shelf(Protocol):
    """What the store needs of a place to keep things."""

    folder: Path | None
    """Where the trees are on disk, if they are anywhere."""

    state: Path | None
    """What Nix calls its state directory, where clients may leave roots and profiles."""

    def room(self) -> int | None:
        """Return how many bytes fit, None when only the disk knows."""

    def put(self, base: str, nar: Spool, weight: int = 0) -> None:
        """Keep a NAR; what is known of it weighs `weight` bytes more. Raises Refusal."""

    def nar(self, base: str) -> Iterator[bytes]:
        """Yield a NAR that is kept. Raises Refusal when it is gone."""

    def remove(self, base: str) -> int:
        """Remove a NAR; return the bytes that are free again."""

    def size(self, base: str) -> int:
        """Return the bytes that `remove` would free."""

    def records(self, kind: str) -> Iterator[tuple[str, Any]]:
        """Yield the records of a kind, each with its key."""

    def record(self, kind: str, key: str, value: Any) -> None:
        """Keep a record, in place of one of the same key; None removes it."""

    def append(self, log: str, pieces: Iterator[bytes]) -> None:
        """Keep the log of a derivation."""

    def close(self) -> None:
        """Let go of everything."""


class MemoryShelf:
    """Keeps NARs as bytes, of which `most` fit."""

    folder: Path | None = None
    state: Path | None = None

    def __init__(self, most: int = IN_MEMORY) -> None:
        self._most = most
        self._nars: dict[str, tuple[bytes, int]] = {}
        self._size = 0
        self._lock = threading.Lock()
        self.logs: dict[str, bytes] = {}
        self._logs_size = 0

    def room(self) -> int | None:
        """Return how many bytes fit."""
        return max(0, self._most - self._size)

    def put(self, base: str, nar: Spool, weight: int = 0) -> None:
        """Keep a NAR. Raises Refusal when there is no room for it, or it is none."""
        trees.entries(nar)
        size = nar.size + weight
        with self._lock:
            there, known = self._nars.get(base, (b"", 0))
            old = len(there) + known
            if self._size - old + size > self._most:
                raise Refusal(
                    f"no room in the store: it is in memory, where {self._most} bytes fit"
                )
            self._nars[base] = (nar.whole(), weight)
            self._size += size - old

    def nar(self, base: str) -> Iterator[bytes]:
        """Yield a NAR that is kept."""
        nar, _ = self._nars.get(base, (b"", 0))
        if not nar:
            raise Refusal(f"the contents of {base} are gone")
        for start in range(0, len(nar), PIECE):
            yield nar[start : start + PIECE]

    def remove(self, base: str) -> int:
        """Remove a NAR; return its size in bytes."""
        with self._lock:
            nar, weight = self._nars.pop(base, (b"", 0))
            self._size -= len(nar) + weight
        return len(nar)

    def size(self, base: str) -> int:
        """Return the size of a NAR in bytes."""
        return len(self._nars.get(base, (b"", 0))[0])

    def records(self, kind: str) -> Iterator[tuple[str, Any]]:
        """Yield nothing: a store in memory begins empty."""
        yield from ()

    def record(self, kind: str, key: str, value: Any) -> None:
        """Do nothing: the store itself is in memory."""

    def append(self, log: str, pieces: Iterator[bytes]) -> None:
        """Keep the log of a derivation, in place of the oldest ones when there are many."""
        with self._lock:
            self._logs_size -= len(self.logs.pop(log, b""))
            self.logs[log] = b"".join(pieces)
            self._logs_size += len(self.logs[log])
            while self._logs_size > MOST_LOGS and len(self.logs) > 1:
                self._logs_size -= len(self.logs.pop(next(iter(self.logs))))

    def close(self) -> None:
        self._nars.clear()
        self.logs.clear()


class FolderShelf:
    """Keeps trees in `home`, as a Nix store of its own has them.

    The store directory lies below `home` like `root=` of Nix has it, or is where it says
    when that is inside `home`. What is known of its paths lies in a folder beside it, which
    tells our stores from others. `logs` and `state` are what Nix calls so. Raises Problem
    for a folder that cannot be used.
    """

    def __init__(self, home: Path, directory: str) -> None:
        self.home = home.absolute()
        below = Path(directory)
        self.in_place = inside = below.is_relative_to(self.home)
        self.folder: Path | None = below if inside else self.home / below.relative_to("/")
        self._trees = self.folder
        self._own = self.home / OWN
        self._new = self._own / "new"
        self._records = self._own / "records"
        self.logs = self.home / ("log" if inside else "nix/var/log/nix")
        self.state: Path | None
        self.state = state = self.home / ("var/nix" if inside else "nix/var/nix")
        try:
            self._beware()
            self._own.mkdir(parents=True, mode=0o700, exist_ok=True)
            places = (state / name for name in PLACES)
            for folder in (self._trees, self._new, self._records, self.logs, *places):
                folder.mkdir(parents=True, exist_ok=True)
            self._lock = self._alone()
            for left in self._new.iterdir():
                trees.remove(left)
        except OSError as error:
            raise Problem(f"cannot keep a store in {home}: {error.strerror}") from None

    def _beware(self) -> None:
        """Raise Problem where somebody else's store is."""
        if not self._own.exists() and self._trees.is_dir() and any(self._trees.iterdir()):
            raise Problem(
                f"{self._trees} holds files, but is not a store of pix-inspect;"
                " choose another folder"
            )

    def _alone(self) -> IO[bytes]:
        file = (self._own / "lock").open("wb")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise Problem(f"{self.home} is in use by another daemon") from None
        return file

    def room(self) -> int | None:
        """Return None: the disk knows."""
        return None

    def put(self, base: str, nar: Spool, weight: int = 0) -> None:
        """Write a tree to its place. Raises Refusal."""
        place = self._trees / base
        new = self._new / f"{secrets.token_hex(8)}"
        try:
            trees.restore(nar, new)
            trees.remove(place)
            new.rename(place)
            trees.seal(place)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise Refusal(f"cannot write {place}: {why}") from None
        finally:
            with suppress(OSError):
                trees.remove(new)

    def nar(self, base: str) -> Iterator[bytes]:
        """Yield the NAR of a tree."""
        try:
            yield from nar_of(self._trees / base)
        except Problem as problem:
            raise Refusal(str(problem)) from None

    def remove(self, base: str) -> int:
        """Remove a tree; return the bytes that this freed."""
        place = self._trees / base
        try:
            size = trees.size_of(place)
            trees.remove(place)
        except OSError as error:
            raise Refusal(f"cannot remove {place}: {error.strerror}") from None
        return size

    def size(self, base: str) -> int:
        """Return the bytes that removing a tree would free."""
        try:
            return trees.size_of(self._trees / base)
        except OSError:
            return 0

    def records(self, kind: str) -> Iterator[tuple[str, Any]]:
        """Yield the records of a kind; what cannot be read is left out."""
        folder = self._records / kind
        if not folder.is_dir():
            return
        for file in sorted(folder.iterdir()):
            with suppress(OSError, Refusal, ValueError, KeyError, TypeError):
                whole = parse_json(file.read_bytes())
                yield whole["key"], whole["value"]

    def record(self, kind: str, key: str, value: Any) -> None:
        """Write a record, whole or not at all. Raises Refusal."""
        folder = self._records / kind
        place = folder / sha256(key.encode("utf-8", "surrogateescape")).nix32
        try:
            if value is None:
                place.unlink(missing_ok=True)
                return
            folder.mkdir(exist_ok=True)
            new = self._new / secrets.token_hex(8)
            new.write_text(json.dumps({"key": key, "value": value}))
            new.replace(place)
        except OSError as error:
            raise Refusal(f"cannot write to {self.home}: {error.strerror}") from None

    def append(self, log: str, pieces: Iterator[bytes]) -> None:
        """Write a derivation's log where Nix looks for it."""
        folder = self.logs / "drvs" / log[:2]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            new = self._new / secrets.token_hex(8)
            with new.open("wb") as file:
                for piece in pieces:
                    file.write(piece)
            new.replace(folder / log[2:])
        except OSError as error:
            raise Refusal(f"cannot write a log: {error.strerror}") from None

    def close(self) -> None:
        """Let another daemon use the folder."""
        self._lock.close()


def shelf(home: Path | None, directory: str) -> Shelf:
    """Return a shelf in memory, or in the folder `home`. Raises Problem."""
    if home is None:
        return MemoryShelf()
    if os.path.lexists(home) and not home.is_dir():
        raise Problem(f"{home} is not a folder: a store cannot be kept in it")
    return FolderShelf(home, directory)
