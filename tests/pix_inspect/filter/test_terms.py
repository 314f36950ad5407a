"""From a field to a filter: the exchange it was taken from passes it, and not its opposite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pix_inspect.describe.field_rows import FieldRow, rows
from pix_inspect.filter.compiled import compile_filter
from pix_inspect.filter.completion import quoted
from pix_inspect.filter.terms import field_term, joined, operation_term
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS


def walk(
    found: list[FieldRow], around: tuple[FieldRow, ...] = ()
) -> Iterator[tuple[FieldRow, ...]]:
    for row in found[:20]:
        yield (*around, row)
        yield from walk(list(row.children[:20]), (*around, row))


@pytest.mark.parametrize("name", ["two-clients", "build-failure", "old-client"])
def test_an_exchange_passes_the_terms_of_its_own_fields(name: str) -> None:
    session = Session(RECORDINGS / f"{name}.pcapng").read_all()
    terms = 0
    for i in range(min(len(session), 25)):
        view = session.exchange(i)
        assert compile_filter(operation_term(view.row)).matches(session, i)
        assert not compile_filter(operation_term(view.row, equal=False)).matches(session, i)
        for around in walk(rows(view)):
            term = field_term(around, view.row)
            if term is not None:
                terms += 1
                assert compile_filter(term).matches(session, i), term
                other = field_term(around, view.row, equal=False)
                assert other is not None
                assert not compile_filter(other).matches(session, i), other
    assert terms > 30


def test_terms_are_joined() -> None:
    assert joined("", "a") == "a"
    assert joined("a", "b") == "a and b"
    assert joined("a or b", "c") == "(a or b) and c"
    assert joined("a and b", "b") == "a and b"


def test_values_are_quoted_when_they_need_it() -> None:
    assert quoted("/nix/store/x-1.0") == "/nix/store/x-1.0"
    assert quoted('a "b" \\ c') == '"a \\"b\\" \\\\ c"'
    assert quoted("or") == '"or"'
