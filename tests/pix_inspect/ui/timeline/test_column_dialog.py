"""Columns are chosen, and one to sort by."""

from __future__ import annotations

from pix_inspect.ui.timeline.column_dialog import ColumnDialog
from pix_inspect.ui.timeline.columns import COLUMNS
from tests.support.screens import browse, recorded, settled

SIZE = (120, 40)


async def test_columns_are_chosen_and_sorted_by() -> None:
    async with recorded("two-clients").run_test(size=SIZE) as pilot:
        await settled(pilot)
        timeline = browse(pilot).timeline
        await pilot.press("c")
        await pilot.pause()
        assert isinstance(pilot.app.screen, ColumnDialog)
        took = [column.name for column in COLUMNS].index("took")
        await pilot.press(*["j"] * took, "space")
        assert "took" not in [column.name for column, _ in timeline.lines.columns]
        await pilot.press("space", "enter")
        await settled(pilot)
        rows = [
            timeline.session.row(timeline.rows.entry(line)) for line in range(timeline.lines.count)
        ]
        assert [row.took for row in rows] == sorted((row.took or 0 for row in rows), reverse=True)
        await pilot.press("enter")
        await settled(pilot)
        assert timeline.session.row(timeline.rows.entry(0)).took == rows[-1].took
        await pilot.press("escape")
        await pilot.press("s", "s", "s")
        await settled(pilot)


async def test_what_there_is_no_room_for_is_said() -> None:
    for width, said in ((80, ["there is no room for the waterfall now"]), (200, [])):
        async with recorded("two-clients").run_test(size=(width, 24)) as pilot:
            await settled(pilot)
            await pilot.press("w", "w") if width == 200 else await pilot.press("w")
            assert [each.message for each in pilot.app._notifications] == said
