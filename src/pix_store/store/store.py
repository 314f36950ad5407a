"""The store: which paths are valid, what they refer to, and what keeps them.

Every method may be called from any thread; none of them holds the lock while it moves
contents. Paths are base names inside, full paths where the protocol sees them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pix.serving import Refusal
from pix_store.store.backend import Shelf, shelf
from pix_store.store.path_info import PathInfo
from pix_store.store.refusal import magenta, not_valid, quoted
from pix_store.store.spool import Spool
from pix_store.store.store_paths import DIGITS, StorePaths

MOST = 200_000
"""Roots, and realisations, that are kept at a time; signatures of a path are fewer."""

MOST_SIGNATURES = 1000


class Store:
    """Valid paths and their contents.

    `paths` knows how full paths are written. `realisations` say what the outputs of
    content-addressed derivations turned out to be: base name and signatures by
    `sha256:HEX!NAME` or `DRV!NAME`. `links` are the roots outside of the store, `outputs_of`
    what is known of derivations already looked at.
    """

    def __init__(self, home: Path | None = None, directory: str = "/nix/store") -> None:
        self.paths = StorePaths(directory)
        self.shelf: Shelf = shelf(home, directory)
        self.lock = threading.RLock()
        self._turn = threading.Condition(self.lock)
        self._adding: set[str] = set()
        self._infos: dict[str, PathInfo] = {}
        self._referrers: dict[str, set[str]] = {}
        self._by_digits: dict[str, str] = {}
        self.links: set[str] = set()
        self.outputs_of: dict[str, frozenset[str]] = {}
        self.realisations: dict[str, tuple[str, frozenset[str]]] = {}
        for _, plain in self.shelf.records("valid"):
            with suppress(ValueError, KeyError, TypeError, AttributeError, Refusal):
                info = PathInfo.of_plain(plain)
                self.paths.check_base(info.base)
                self._enter(info)
        for key, _ in self.shelf.records("roots"):
            self.links.add(str(key))
        for key, value in self.shelf.records("realisations"):
            with suppress(KeyError, TypeError):
                self.realisations[key] = (str(value["outPath"]), frozenset(value["signatures"]))

    def close(self) -> None:
        """Let go of the folder."""
        self.shelf.close()

    def full(self, bases: Iterable[str]) -> frozenset[str]:
        """Return base names as full paths."""
        return frozenset(self.paths.full(base) for base in bases)

    # asking

    def __len__(self) -> int:
        return len(self._infos)

    def all(self) -> frozenset[str]:
        """Return every valid base name."""
        with self.lock:
            return frozenset(self._infos)

    def known(self, base: str) -> PathInfo | None:
        """Return what is known of a path, None when it is not valid."""
        return self._infos.get(base)

    def info(self, base: str) -> PathInfo:
        """Return what is known of a valid path. Raises Refusal."""
        info = self._infos.get(base)
        if info is None:
            raise not_valid(self.paths.full(base))
        return info

    def referrers(self, base: str) -> frozenset[str]:
        """Return the valid paths that refer to this one."""
        with self.lock:
            return frozenset(self._referrers.get(base, ()))

    def by_digits(self, digits: str) -> str | None:
        """Return the valid path with that hash part."""
        return self._by_digits.get(digits)

    def closure(self, bases: Iterable[str]) -> set[str]:
        """Return these paths and all they refer to, as far as they are valid."""
        found: set[str] = set()
        left = list(bases)
        with self.lock:
            while left:
                base = left.pop()
                info = self._infos.get(base)
                if base not in found and info is not None:
                    found.add(base)
                    left.extend(info.references)
        return found

    def referrers_closure(self, base: str) -> set[str]:
        """Return this path and all valid paths that refer to it, at any distance."""
        found: set[str] = set()
        left = [base]
        with self.lock:
            while left:
                one = left.pop()
                if one not in found:
                    found.add(one)
                    left.extend(self._referrers.get(one, ()))
        return found

    def nar(self, base: str) -> Iterator[bytes]:
        """Return the NAR of a valid path, in pieces. Raises Refusal."""
        self.info(base)
        return self.shelf.nar(base)

    # changing

    def add(self, info: PathInfo, nar: Spool, *, again: bool = False) -> PathInfo:
        """Make a path valid, unless it is; `again`: write its contents anew.

        Returns what is now known of it. Raises Refusal for references that are not valid.
        """
        with self._turn:
            while info.base in self._adding:
                self._turn.wait()
            there = self._infos.get(info.base)
            if there is not None and not again:
                return there
            self._need(info)
            self._adding.add(info.base)
        try:
            self.shelf.put(info.base, nar, info.weight)
            return self.register(info)
        finally:
            with self._turn:
                self._adding.discard(info.base)
                self._turn.notify_all()

    def _need(self, info: PathInfo) -> None:
        missing = sorted(info.references - self._infos.keys() - {info.base})
        if missing:
            raise not_valid(self.paths.full(missing[0]))

    def register(self, info: PathInfo) -> PathInfo:
        """Make a path valid whose contents are in place. Raises Refusal as `add`."""
        if not info.registered:
            info = replace(info, registered=int(time.time()))
        with self.lock:
            self._need(info)  # the garbage collector may have been there meanwhile
            self._enter(info)
            self.shelf.record("valid", info.base, info.plain())
        return info

    def update(self, info: PathInfo) -> None:
        """Replace what is known of a valid path. Raises Refusal for too many signatures."""
        if len(info.sigs) > MOST_SIGNATURES:
            raise Refusal(f"a path has {MOST_SIGNATURES} signatures at most")
        with self.lock:
            self._infos[info.base] = info
            self.shelf.record("valid", info.base, info.plain())

    def remove(self, base: str) -> int:
        """Make a path invalid and remove its contents; return the bytes freed."""
        with self.lock:
            info = self._infos.pop(base, None)
            if info is not None:
                self._by_digits.pop(base[:DIGITS], None)
                self.outputs_of.pop(base, None)
                for reference in info.references:
                    self._referrers.get(reference, set()).discard(base)
                self.shelf.record("valid", base, None)
            for key, (out, _) in list(self.realisations.items()):
                if out == base:
                    del self.realisations[key]
                    self.shelf.record("realisations", key, None)
        return self.shelf.remove(base)

    def realise(self, key: str, base: str, signatures: Iterable[str] = ()) -> None:
        """Keep what an output turned out to be. Raises Refusal when that is known otherwise."""
        sigs = frozenset(signatures)
        with self.lock:
            _bounded(self.realisations, key, "realisations")
            there, signed = self.realisations.get(key, (base, sigs))
            if there != base:
                raise Refusal(
                    f"Trying to register a realisation of {quoted(key)}, but we already have"
                    f" another one locally.\nLocal:  {magenta(self.paths.full(there))}\n"
                    f"Remote: {magenta(self.paths.full(base))}"
                )
            sigs |= signed
            self.realisations[key] = (base, sigs)
            value = {"outPath": base, "signatures": sorted(sigs)}
            self.shelf.record("realisations", key, value)

    def link(self, link: str) -> None:
        """Let a symlink outside of the store be a garbage collector root. Raises Refusal."""
        with self.lock:
            _bounded(self.links, link, "roots")
            self.links.add(link)
            self.shelf.record("roots", link, True)

    def unlink(self, link: str) -> None:
        with self.lock:
            self.links.discard(link)
            self.shelf.record("roots", link, None)

    def _enter(self, info: PathInfo) -> None:
        self._infos[info.base] = info
        self._by_digits[info.base[:DIGITS]] = info.base
        for reference in info.references:
            self._referrers.setdefault(reference, set()).add(info.base)


def _bounded(there: Collection[str], new: str, what: str) -> None:
    """Raise Refusal when there are too many already."""
    if new not in there and len(there) >= MOST:
        raise Refusal(f"there are {MOST} {what} already")
