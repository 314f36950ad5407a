"""Sequences whose items are made when somebody looks at them: what is long costs little so.

An item looked at twice is made twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar, overload

S = TypeVar("S")
T = TypeVar("T")


class Lazy(Sequence[T]):
    """A sequence that knows how to make its item at an index."""

    __slots__ = ()

    def item(self, i: int) -> T:
        """Return the item at `i`, which is from 0 to the length."""
        raise NotImplementedError

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [self.item(i) for i in range(*index.indices(len(self)))]
        return self.item(range(len(self))[index])

    def __iter__(self) -> Iterator[T]:
        return map(self.item, range(len(self)))


class Made(Lazy[T], Generic[S, T]):
    """What `make` makes of each of `sources`."""

    __slots__ = ("_make", "_sources")

    def __init__(self, sources: Sequence[S], make: Callable[[S], T]) -> None:
        self._sources = sources
        self._make = make

    def __len__(self) -> int:
        return len(self._sources)

    def item(self, i: int) -> T:
        return self._make(self._sources[i])

    def __iter__(self) -> Iterator[T]:
        return map(self._make, self._sources)
