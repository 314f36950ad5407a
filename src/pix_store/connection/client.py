"""Who asks: one client's connection, what it may do, and what it keeps alive.

`answers` is the table of what the daemon can do: each operation's class and the function
that answers it.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

from pix.codec.declare import Operation
from pix.dataclass import dataclass, field
from pix.serving import Refusal
from pix_store.connection.protocol import Connection
from pix_store.store.signatures import public_keys
from pix_store.store.store import Store

MOST_TEMPORARY = 200_000
"""Temporary roots that a connection may have."""

_NUMBERS = itertools.count(1)


@dataclass(slots=True)
class House:
    """What all callers of one daemon share.

    `keys` are trusted public keys, `NAME:BASE64`. `temporary` are the temporary roots: base
    names by caller. `building` are the builds that run: when they began, in seconds since 1970,
    and for whom, by base name. `stopping` becomes true when the daemon is to end, for builds to
    look at.
    """

    store: Store
    trusted: bool = True
    require_sigs: bool = True
    allow_build: bool = False
    keys: tuple[str, ...] = ()
    stopping: bool = False
    temporary: dict[int, set[str]] = field(default_factory=dict)
    building: dict[str, tuple[int, int]] = field(default_factory=dict)
    turn: threading.Condition = field(default_factory=threading.Condition)


class Caller:
    """One client. Its temporary roots last as long as its connection.

    `ours`: it is this very user, or root. Nobody else is trusted, nor are builders run for
    anybody else, as they would run as this user.
    """

    def __init__(
        self, house: House, connection: Connection, pid: int | None = None, *, ours: bool = True
    ) -> None:
        self.house = house
        self.ours = ours
        self.store = house.store
        self.connection = connection
        self.pid = pid or os.getpid()
        self.number = self.pid << 16 | next(_NUMBERS) & 0xFFFF
        self.house.temporary[self.number] = set()

    @property
    def trusted(self) -> bool:
        """Whether the client may do what changes what others rely on."""
        return self.house.trusted and self.ours

    @property
    def require_sigs(self) -> bool:
        """Whether paths need a signature; a trusted client may say otherwise."""
        told = self.connection.options.overrides.get("require-sigs") if self.trusted else None
        return self.house.require_sigs if told is None else told != "false"

    def trusted_keys(self) -> dict[str, bytes]:
        """Return the trusted public keys, which a trusted client may change. Raises Refusal."""
        told = self.connection.options.overrides if self.trusted else {}
        keys = told.get("trusted-public-keys")
        words = self.house.keys if keys is None else keys.split()
        return public_keys((*words, *told.get("extra-trusted-public-keys", "").split()))

    def may(self, otherwise: str) -> None:
        """Raise Refusal with that message unless the client is trusted."""
        if not self.trusted:
            raise Refusal(otherwise)

    def base(self, path: str) -> str:
        """Return the base name of a path. Raises Refusal for what is not a store path."""
        return self.store.paths.base(path)

    def bases(self, paths: Iterable[str]) -> frozenset[str]:
        """Return the base names of paths. Raises Refusal."""
        return frozenset(map(self.base, paths))

    def keep(self, base: str) -> None:
        """Let a path be a root for as long as this connection lasts. Raises Refusal."""
        with self.store.lock:
            kept = self.house.temporary[self.number]
            if len(kept) >= MOST_TEMPORARY and base not in kept:
                raise Refusal(f"a client may have {MOST_TEMPORARY} temporary roots")
            kept.add(base)

    def leave(self) -> None:
        """Give up the temporary roots."""
        with self.store.lock:
            self.house.temporary.pop(self.number, None)

    def answer(self, request: Any) -> Any:
        """Return the reply to a request of a kind in `ANSWERS`. Raises Refusal."""
        operation: Operation = request.operation
        return ANSWERS[operation.code](self, request)


Answer = Callable[[Caller, Any], Any]

ANSWERS: dict[int, Answer] = {}
"""What is answered, by the operation's number."""


def answers(*requests: Any) -> Callable[[Answer], Answer]:
    """Declare the function that answers requests of these classes."""

    def declare(function: Answer) -> Answer:
        for request in requests:
            ANSWERS[request.operation.code] = function
        return function

    return declare
