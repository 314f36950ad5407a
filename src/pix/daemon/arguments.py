"""Arguments of the client's methods: what is of another type is an EncodeError that says so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from pix.codec.errors import EncodeError
from pix.codec.wire import clip

T = TypeVar("T")


def expected(what: str, value: object) -> EncodeError:
    """Return the error for a value that is not what was expected."""
    return EncodeError("", f"expected {what}, got {type(value).__name__} {clip(value)}")


def instance(kind: type[T], value: Any) -> T:
    """Return a value of that type. Raises EncodeError."""
    if not isinstance(value, kind):
        raise expected(kind.__name__, value)
    return value


def iterable(values: Any) -> Iterable[Any]:
    """Return what is not one text. Raises EncodeError for a text, whose letters they are."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise expected("a list", values)
    return values


def one_by_one(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the texts in their order. Raises EncodeError."""
    return tuple(instance(str, text) for text in iterable(texts))


def several(texts: Iterable[str]) -> frozenset[str]:
    """Return the texts as a set. Raises EncodeError."""
    return frozenset(one_by_one(texts))
