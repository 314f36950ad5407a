"""Where a builder finds its inputs and leaves its outputs.

Where the store's trees are what clients believe (the store directory itself), that is the
store. Anywhere else a builder gets a folder of its own, whose name is as long as the store
directory: what it may see is copied there with the names exchanged, byte for byte, and
exchanged back in what it made. So builders run without privileges beside any store.
"""

from __future__ import annotations

import secrets
import string
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from pix.codec.nar_files import nar_of
from pix.problem import Problem
from pix.serving import Refusal
from pix_store.store import trees
from pix_store.store.references import rewritten
from pix_store.store.spool import Spool
from pix_store.store.store import Store

_LETTERS = string.ascii_lowercase + string.digits
SHORTEST, LONGEST = 4, 255
TRIES = 100


class Room:
    """A view of some store paths, as a folder; `directory` stands for the store directory."""

    def __init__(self, store: Store, inputs: Iterable[str], outputs: Iterable[str]) -> None:
        self._store = store
        self._outputs = tuple(outputs)
        logical = store.paths.directory
        self._in_place = store.shelf.folder == Path(logical)
        self.directory = logical if self._in_place else _made(len(logical))
        self._there = {logical.encode(): self.directory.encode()}
        self._back = {self.directory.encode(): logical.encode()}
        try:
            if self._in_place:
                for base in self._outputs:
                    trees.remove(self.output(base))
            else:
                for base in sorted(inputs):
                    with Spool() as nar:
                        nar.fill(store.nar(base))
                        trees.restore(nar, self.output(base), self._inward)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise Refusal(f"cannot prepare the build: {error.strerror}") from None
            raise

    def __enter__(self) -> Room:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove what is left: the folder, or in the store itself what is not valid."""
        with suppress(OSError):
            if not self._in_place:
                trees.remove(Path(self.directory))
                return
            for base in self._outputs:
                if self._store.known(base) is None:
                    trees.remove(self.output(base))

    def inward(self, text: str) -> str:
        """Return a text with the names that the builder has to use."""
        return text.replace(self._store.paths.directory, self.directory)

    def outward(self, text: str) -> str:
        """Return a text of the builder's with the names that the world uses."""
        return text.replace(self.directory, self._store.paths.directory)

    def _inward(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        return rewritten(pieces, self._there)

    def output(self, base: str) -> Path:
        """Return where the builder puts an output."""
        return Path(self.directory) / base

    def nar(self, base: str, exchange: dict[bytes, bytes] | None = None) -> Iterator[bytes]:
        """Yield the NAR of what the builder made. Raises Refusal for what none can hold."""
        try:
            yield from rewritten(nar_of(self.output(base)), self._back | (exchange or {}))
        except Problem as problem:
            raise Refusal(self.outward(str(problem))) from None


def _made(length: int) -> str:
    """Make an empty private folder whose path has that length, and return it."""
    for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        left = length - len(parent) - 1
        if not SHORTEST <= left <= LONGEST:
            continue
        for _ in range(TRIES):
            path = f"{parent}/{''.join(secrets.choice(_LETTERS) for _ in range(left))}"
            try:
                Path(path).mkdir(0o700)
            except FileExistsError:
                continue
            except OSError:
                break
            return path
    raise Refusal(
        f"cannot build: no folder for temporary files has room for a name of {length} characters,"
        " as many as the store directory has"
    )
