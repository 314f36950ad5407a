"""What the declarations say of the field under the cursor."""

from __future__ import annotations

from pix_inspect.ui.exchange.explanation import Explanation
from tests.support.screens import browse, lines_of, recorded, settled

SIZE = (120, 40)


async def test_the_explanation_follows_the_field() -> None:
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        await pilot.press("e", "tab", "G")
        await settled(pilot)
        pane = screen.query_one(Explanation)
        text = " ".join(lines_of(pane))
        assert "trusted" in text
        assert "since 1.35" in text
