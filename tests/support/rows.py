"""Rows of the index: made of what a test says, and compared by what they say of the exchange."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pix_inspect.session.row import COLUMNS, KINDS, STATES, Row

SAID = ("number", "connection", "kind", "operation", "code", "started", "took", "up", "down",
        "state", "frames", "complete")  # fmt: skip
"""What a row says wherever its exchange stands in the file and in the streams."""

PACKED: dict[str, Callable[[Any], int]] = {
    "operation": lambda code: -1 if code is None else code,
    "kind": KINDS.index,
    "state": STATES.index,
    "took": lambda took: -1 if took is None else took,
}


def said(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in SAID}


def a_row(number: int = 1, **about: Any) -> Row:
    """A row; `code` says which operation it is of, IsValidPath where nothing is said."""
    columns: dict[str, Any] = {
        "connection": 1, "kind": "operation", "operation": about.pop("code", 1), "started": 0,
        "took": 1000, "up": 8, "down": 8, "state": "ok", "frames": 0, "complete": True,
        "position": 0, "client_start": 0, "daemon_start": 0, **about,
    }  # fmt: skip
    names = [name for name, column in COLUMNS.items() if column.code]
    return Row((number, tuple(PACKED.get(name, int)(columns[name]) for name in names)))
