"""A row says what its record holds, by the columns' declarations."""

from __future__ import annotations

import pytest

from pix.codec.declare import OPERATIONS
from pix_inspect.session.row import COLUMNS, TERMS, Row
from tests.support.rows import a_row


def test_it_is_called_by_its_operation_or_by_what_else_it_is() -> None:
    assert a_row(code=26).name == "QueryPathInfo"
    assert a_row(code=77).name == "operation 77"
    assert a_row(code=None, kind="handshake").name == "handshake"
    assert all(a_row(code=code).operation == each.name for code, each in OPERATIONS.items())


def test_what_is_not_known_is_none() -> None:
    row = a_row(code=None, took=None, client_start=-1, daemon_start=16, down=24)
    assert (row.code, row.operation, row.took) == (None, None, None)
    assert (row.starts, row.ends) == ((-1, 16), (-1, 40))


@pytest.mark.parametrize("term", TERMS)
def test_a_term_names_a_column(term: str) -> None:
    column = TERMS[term]
    assert column.doc
    assert getattr(Row, column.name) is column
    assert column.of(a_row(3)) == getattr(a_row(3), column.name)


def test_each_packed_column_has_its_own_place() -> None:
    places = [column.at for column in COLUMNS.values() if column.code]
    assert places == list(range(len(places)))
    assert all(column.at in places for column in COLUMNS.values() if column.most_first is not None)
