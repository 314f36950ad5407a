"""The line of keys: whole where there is room, else it says that there are more."""

from __future__ import annotations

import pytest
from textual.widgets import Label
from textual.widgets._footer import FooterKey

from pix_inspect.ui.widgets.keys_footer import KeysFooter
from tests.support.screens import browse, recorded, settled


@pytest.mark.parametrize("width", [40, 80, 100, 120, 200])
async def test_keys_are_named_as_far_as_there_is_room(width: int) -> None:
    async with recorded("queries").run_test(size=(width, 24)) as pilot:
        await settled(pilot)
        footer = browse(pilot).query_one(KeysFooter)
        keys = list(footer.query(FooterKey))
        assert max(key.region.right for key in keys) <= width
        others = [key for key in keys if key.key in "SFHT"]
        cut = bool(footer.query(Label))
        assert cut == (len(others) < 4) == (width < 80)
        assert bool(others and all(key.description for key in others)) == (width >= 120)
