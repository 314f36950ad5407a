"""Looking after the store: linking equal files, and checking that contents are what they were.

Source: Nix `optimise-store.cc`, `local-store.cc`, and recorded sessions.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pix.protocol import operations as op
from pix.protocol.logging import ActivityType, ResultType
from pix.protocol.types import Verbosity
from pix.serving import Refusal
from pix_store.connection.client import Caller, answers
from pix_store.store.hashes import Digest
from pix_store.store.store import Store
from pix_store.store.trees import FOLDER

BLOCK = 512
MEBI = 1 << 20


@answers(op.OptimiseStore)
def optimise_store(caller: Caller, request: op.OptimiseStore) -> op.Done:
    """Replace equal files by hard links; in memory there is nothing to link."""
    connection, store = caller.connection, caller.store
    bases = sorted(store.all())
    whole = connection.start(ActivityType.OPTIMISE_STORE)
    connection.result(whole, ResultType.PROGRESS, 0, len(bases), 0, 0)
    seen: dict[tuple[bytes, int], Path] = {}
    saved = linked = 0
    for done, base in enumerate(bases, 1):
        text = f"optimising path '{store.paths.full(base)}'"
        one = connection.start(ActivityType.UNKNOWN, text, level=Verbosity.TALKATIVE)
        for size, blocks in _optimise(store, base, seen):
            connection.result(one, ResultType.FILE_LINKED, size, blocks)
            saved += size
            linked += 1
        connection.stop(one)
        connection.result(whole, ResultType.PROGRESS, done, len(bases), 0, 0)
    connection.stop(whole)
    connection.note(f"{saved / MEBI:.2f} MiB freed by hard-linking {linked} files")
    return op.Done()


def _optimise(
    store: Store, base: str, seen: dict[tuple[bytes, int], Path]
) -> Iterator[tuple[int, int]]:
    """Link files and symlinks of a path to equal ones; yield the bytes and blocks of each."""
    if store.shelf.folder is None:
        return
    top = store.shelf.folder / base
    files = [top] if not top.is_dir() or top.is_symlink() else _files(top)
    for file in files:
        status = file.lstat()
        if stat.S_ISLNK(status.st_mode):
            digest = os.fsencode(file.readlink())
        elif stat.S_ISREG(status.st_mode):
            with file.open("rb") as opened:
                digest = hashlib.file_digest(opened, "sha256").digest()
        else:
            continue
        key = (digest, status.st_mode)
        first = seen.setdefault(key, file)
        if first is file or first.lstat().st_ino == status.st_ino:
            continue
        parent = file.parent
        inside = parent != store.shelf.folder
        new = parent / f".link-{os.getpid()}"
        with suppress(OSError):
            if inside:
                parent.chmod(0o700)
            try:
                os.link(first, new, follow_symlinks=False)
                new.replace(file)
            finally:
                if inside:
                    parent.chmod(FOLDER)
                    os.utime(parent, (1, 1))
            yield status.st_size, getattr(status, "st_blocks", status.st_size // BLOCK)


def _files(top: Path) -> list[Path]:
    return sorted(
        Path(parent) / name for parent, *names in os.walk(top) for each in names for name in each
    )


@answers(op.VerifyStore)
def verify_store(caller: Caller, request: op.VerifyStore) -> op.VerifyStore.Reply:
    """Check that contents are there, and what they were when asked to hash them."""
    connection, store = caller.connection, caller.store
    if request.repair:
        caller.may("you are not privileged to repair paths")
    errors = False
    connection.note("reading the Nix store...")
    connection.note("checking path existence...")
    for base in sorted(store.all()):
        folder = store.shelf.folder
        if folder is None or os.path.lexists(folder / base):
            continue
        if store.referrers(base) - {base}:
            errors = True
            connection.note(
                f"path '{store.paths.full(base)}' disappeared, but it still has valid referrers!",
                Verbosity.ERROR,
            )
        else:
            connection.note(
                f"path '{store.paths.full(base)}' disappeared, removing from database...",
                Verbosity.ERROR,
            )
            store.remove(base)
    if request.check_contents:
        connection.note("checking link hashes...")
        connection.note("checking store hashes...")
        for base in sorted(store.all()):
            errors = not _as_it_was(caller, base) or errors
    return op.VerifyStore.Reply(errors_remain=errors)


def _as_it_was(caller: Caller, base: str) -> bool:
    store = caller.store
    info = store.known(base)
    if info is None:
        return True
    hasher = hashlib.sha256()
    try:
        for piece in store.nar(base):
            hasher.update(piece)
    except Refusal as refusal:
        caller.connection.note(refusal.message, Verbosity.ERROR)
        return False
    found = Digest("sha256", hasher.digest())
    if found != info.nar_hash:
        caller.connection.note(
            f"path '{store.paths.full(base)}' was modified! expected hash"
            f" 'sha256:{info.nar_hash.nix32}', got 'sha256:{found.nix32}'",
            Verbosity.ERROR,
        )
        return False
    return True
