"""Marks and notes: kept beside the recording."""

from __future__ import annotations

from tests.support.screens import browse, lines_of, recorded, settled

SIZE = (120, 40)


async def test_marks_and_notes_last() -> None:
    async with recorded("two-clients").run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("j", "m", "j", "M", *"why so late?", "enter")
        await settled(pilot)
        assert any("“why so late?”" in line for line in lines_of(browse(pilot).timeline.lines))
    async with recorded("two-clients").run_test(size=SIZE) as pilot:
        await settled(pilot)
        assert browse(pilot).timeline.marks.notes == {1: "", 2: "why so late?"}
        await pilot.press("apostrophe", "m", "apostrophe", "M", "ctrl+u", "enter")
        await settled(pilot)
    async with recorded("two-clients").run_test(size=SIZE) as pilot:
        await settled(pilot)
        assert browse(pilot).timeline.marks.notes == {}
