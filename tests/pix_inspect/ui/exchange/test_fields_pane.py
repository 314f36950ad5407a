"""The tree of fields: what was open is open again."""

from __future__ import annotations

from tests.support.screens import browse, recorded, settled

SIZE = (120, 40)


async def test_what_was_open_is_open_in_the_next_exchange_of_the_same_operation() -> None:
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        rows = [screen.session.row(i) for i in range(len(screen.session))]
        same = [row.number - 1 for row in rows if row.operation == "QueryPathInfo"][:2]
        screen.timeline.lines.move_to(same[0])
        await settled(pilot)
        screen.fields.focus()
        await pilot.press("minus")
        assert screen.fields.count == 2
        screen.timeline.lines.move_to(same[1])
        await settled(pilot)
        assert screen.fields.count == 2
