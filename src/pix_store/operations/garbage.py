"""Which paths are alive, and removing those that are not.

A path is alive when a root leads to it: a symlink that somebody registered, or left in the state
directory, or a temporary root of a connected client. What a living path refers to is alive, and
so is the derivation that made it, as with Nix's keep-derivations. Source: Nix `gc.cc`.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from pix.dataclass import dataclass
from pix.protocol.types import GCAction
from pix.serving import Refusal
from pix_store.connection.client import House
from pix_store.derivations.outputs import makers
from pix_store.store.backend import PLACES
from pix_store.store.refusal import quoted, shown
from pix_store.store.store import Store

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a collection is to do. `paths` are base names, `max_freed` bytes."""

    action: int
    paths: frozenset[str] = frozenset()
    referrers: bool = True
    max_freed: int = (1 << 64) - 1


def roots(house: House, note: Note | None = None) -> Iterator[tuple[str, str]]:
    """Yield each root: where it is, and the base name that it keeps. Stale ones are forgotten."""
    store = house.store
    for link in sorted(store.links):
        target = _target(link)
        if target is None:
            store.unlink(link)
            if note is not None:
                note(f'removing stale link "{link}"')
        elif (base := _kept(store, target)) is not None:
            yield link, base
    if store.shelf.state is not None:
        for name in PLACES:
            yield from _left_by_clients(store, store.shelf.state / name)
    with store.lock:
        kept = [(number, sorted(bases)) for number, bases in house.temporary.items()]
    for number, bases in kept:
        for base in bases:  # which need not be there yet
            yield f"{{temp:{number >> 16}}}", base


def _left_by_clients(store: Store, folder: Path) -> Iterator[tuple[str, str]]:
    """Yield roots that clients left in a folder: links to store paths, or to such links."""
    known = set(store.links)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            link = f"{parent}/{name}"
            target = _target(link)
            if target is None or link in known:
                continue
            base = _kept(store, target)
            if base is None and not target.startswith(store.paths.directory + "/"):
                link = os.path.normpath(f"{parent}/{target}" if target[:1] != "/" else target)
                base = None if link in known else _kept(store, _target(link) or "")
            if base is not None:
                known.add(link)
                yield link, base


def _target(link: str) -> str | None:
    """Return what a link says, None for what is not a link."""
    try:
        return os.readlink(link)  # noqa: PTH115 - the text of the link
    except OSError:
        return None


def _kept(store: Store, target: str) -> str | None:
    """Return the valid path that a link's target is in, None for any other target."""
    inside = target.removeprefix(store.paths.directory + "/")
    base = inside.partition("/")[0]
    return base if inside != target and store.known(base) is not None else None


def alive(house: House, note: Note | None = None) -> set[str]:
    """Return the paths that a root leads to."""
    store = house.store
    found: set[str] = set()
    left = {base for _, base in roots(house, note)}
    made_by = makers(store)
    while left:
        new = store.closure(left) - found
        found |= new
        left = {drv for base in new for drv in made_by.get(base, ())} - found
    return found


def collect(house: House, wanted: Wanted, note: Note) -> tuple[list[str], int]:
    """Do what is wanted; return the paths found or deleted, and bytes freed. Raises Refusal."""
    said: list[str] = []
    note("finding garbage collector roots...")
    try:
        with house.store.lock:  # nothing is sent meanwhile: a client may be slow to listen
            found = _collected(house, wanted, said.append)
    finally:
        for line in said:
            note(line)
    return found


def _collected(house: House, wanted: Wanted, note: Note) -> tuple[list[str], int]:
    store = house.store
    living = alive(house, note)
    dead = store.all() - living
    if wanted.action in (GCAction.RETURN_LIVE, GCAction.RETURN_DEAD):
        note("determining live/dead paths...")
        return sorted(living if wanted.action == GCAction.RETURN_LIVE else dead), 0
    if wanted.action == GCAction.DELETE_DEAD:
        note("deleting garbage...")
    elif wanted.action == GCAction.DELETE_SPECIFIC:
        dead = frozenset(_specific(store, wanted, living))
    else:
        dead = frozenset(_but_alive(store, wanted, living))
    deleted, freed = _delete(store, dead, wanted.max_freed, note)
    note("deleting unused links...")
    return sorted(deleted), freed


def _specific(store: Store, wanted: Wanted, living: set[str]) -> Iterator[str]:
    for base in sorted(wanted.paths):
        above = store.referrers_closure(base)
        if above & living:
            raise Refusal(
                f"Cannot delete path {quoted(store.paths.full(base))} since it is still alive. To"
                " find out why, use: nix-store --query --roots and nix-store --query --referrers"
            )
        others = sorted(above - wanted.paths)
        if others and not wanted.referrers:
            raise Refusal(
                f"Cannot delete path {quoted(store.paths.full(base))} since"
                f" {quoted(store.paths.full(others[0]))} refers to it."
            )
        yield from above


def _but_alive(store: Store, wanted: Wanted, living: set[str]) -> Iterator[str]:
    for base in wanted.paths:
        above = store.referrers_closure(base)
        if not above & living:
            yield from above


def _delete(store: Store, dead: Iterable[str], most: int, note: Note) -> tuple[list[str], int]:
    deleted: list[str] = []
    freed = 0
    for base in _referrers_first(store, dead):
        if freed >= most:
            note(f"deleted more than {most} bytes; stopping")
            break
        note(f"deleting '{store.paths.full(base)}'")
        freed += store.remove(base)
        deleted.append(base)
    return deleted, freed


def _referrers_first(store: Store, bases: Iterable[str]) -> list[str]:
    """Return the paths in an order in which nothing valid refers to what is gone."""
    left = set(bases)
    ordered: list[str] = []
    done: set[str] = set()
    for base in sorted(left):
        stack = [(base, False)]
        while stack:
            one, expanded = stack.pop()
            if expanded:
                ordered.append(one)
            elif one not in done and one in left:
                done.add(one)
                stack.append((one, True))
                stack.extend((above, False) for above in sorted(store.referrers(one)))
    return ordered


def make_link(link: Path, target: str, store: Store) -> None:
    """Make a symlink to a store path, in place of another such one. Raises Refusal."""
    if os.path.lexists(link):
        with suppress(OSError):
            there = os.readlink(link)  # noqa: PTH115 - the text of the link
            if not there.startswith(store.paths.directory + "/"):
                raise Refusal(f"cannot create symlink {shown(link)}; already exists")
        if not link.is_symlink():
            raise Refusal(f"cannot create symlink {shown(link)}; already exists")
    new = link.with_name(f".{link.name}.{secrets.token_hex(4)}")
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        new.symlink_to(target)
        new.replace(link)
    except OSError as error:
        with suppress(OSError):
            new.unlink()
        raise Refusal(f"creating symlink {quoted(str(link))}: {error.strerror}") from None
