"""The chapter on the gRPC service has every method, and every field with its number."""

from __future__ import annotations

from pix.protocol import OPERATIONS_BY_NAME
from pix.worker_service.methods import MESSAGES, METHODS, Field
from pix_inspect.teach.manual.blocks import Bullets, Grid
from pix_inspect.teach.manual.service import blocks


def grid(caption: str) -> Grid:
    """The table with this caption."""
    return next(each for each in blocks() if isinstance(each, Grid) and each.caption == caption)


def test_every_method_has_its_operations() -> None:
    rows = grid("What each method asks").rows
    assert [row[0] for row in rows] == [method.name for method in METHODS for _ in method.ways]
    for row in rows:
        name, _, number = row[3].partition(" ")
        assert number == f"({OPERATIONS_BY_NAME[name].code})"
    assert ("IsValidPath", "StorePath", "IsValidPathResponse", "IsValidPath (1)", "always", "") in (
        rows
    )


def test_every_field_is_there_with_its_number() -> None:
    rows = grid("Fields and their numbers").rows
    told = {(row[2], row[3]) for row in rows}
    assert told >= {(part.name, str(part.number)) for part in _fields()}
    assert (
        "QueryPathInfo", "←", "nar_hash", "2", "bytes", "QueryPathInfo.Reply.nar_hash",
        "bytes instead of hexadecimal digits",
    ) in rows  # fmt: skip
    assert (
        "VerifyStore", "→", "dont_check_sigs", "3", "bool", "–", "",
    ) in rows  # fmt: skip
    assert {row[0] for row in rows} == {
        method.name for method in METHODS if method.head.fields or method.reply.fields
    }


def _fields() -> list[Field]:
    heads = [method.head for method in METHODS if method.streams]
    return [
        part
        for layout in MESSAGES
        if not layout.is_wrapper
        for part in layout.fields
        if part.message not in heads or part.wraps
    ]


def test_five_places_disagree() -> None:
    first = next(each for each in blocks() if isinstance(each, Bullets))
    assert len(first.items) == 5
