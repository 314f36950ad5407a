"""The manual's examples are recorded exchanges."""

from __future__ import annotations

from pix_inspect.teach.manual.blocks import Bytes, Page, Picture


def test_examples_are_recorded(manual: list[Page]) -> None:
    shown = {page.names[0]: page for page in manual if page.kind == "operation"}
    recorded = {
        name for name, page in shown.items() if any(isinstance(b, Bytes) for b in page.blocks)
    }
    assert len(recorded) >= 39
    for name in recorded:
        (data,) = (b for b in shown[name].blocks if isinstance(b, Bytes))
        assert data.lines
        assert any(isinstance(b, Picture) and "<svg" in b.svg for b in shown[name].blocks)
