"""What a locale has no character for keeps its column."""

from __future__ import annotations

from rich.cells import cell_len

from pix_inspect.ui.app.look_alikes import drawn


def test_what_there_is_stays_and_all_else_keeps_its_width() -> None:
    said = "┏━ ✗ µs → ⚑ …drv ▏日本\x1b[31mß"
    assert drawn(said, "utf-8") == said
    assert drawn(said, "latin-1") == "+- x µs > ! ~drv |????\x1b[31mß"
    assert drawn(said, "ascii") == "+- x us > ! ~drv |????\x1b[31m?"
    assert cell_len(drawn(said, "ascii")) == cell_len(said)
    assert drawn("\udcff", "utf-8") == "?"
