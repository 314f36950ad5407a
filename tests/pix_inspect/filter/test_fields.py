"""The names that a filter knows."""

from __future__ import annotations

from pix_inspect.filter.compiled import compile_filter
from pix_inspect.filter.fields import fields


def test_every_field_of_every_declaration_can_be_named() -> None:
    for path in fields():
        compile_filter(f"{path} ~ 1")
