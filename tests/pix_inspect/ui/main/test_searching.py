"""Searching and marking on the screen: from hit to hit, text and bytes; notes that last."""

from __future__ import annotations

from pix_inspect.ui.widgets.bar_lines import InForce, Remarks
from tests.support.screens import browse, focus, lines_of, recorded, settled

SIZE = (120, 40)


async def test_from_hit_to_hit_and_round() -> None:
    async with recorded("two-clients").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        await pilot.press("ctrl+f", *"left-1", "enter")
        await settled(pilot)
        assert focus(pilot) == "timeline"
        seen = [(screen.side.index, screen.fields.path)]
        assert screen.fields.row is not None
        assert "left-1" in screen.fields.row.value
        assert screen.bytes.lit == (0, screen.fields.row.start, screen.fields.row.end)
        while len(seen) < 100:
            await pilot.press("n")
            await settled(pilot)
            if (screen.side.index, screen.fields.path) == seen[0]:
                break
            seen.append((screen.side.index, screen.fields.path))
        assert len(seen) == len(set(seen)) > 5
        assert [index for index, _ in seen] == sorted(index or 0 for index, _ in seen)
        await pilot.press("N")
        await settled(pilot)
        assert (screen.side.index, screen.fields.path) == seen[-1]
        await pilot.press("escape")
        assert screen.search.text == ""
        assert not screen.query_one("InForce.search", InForce).display


async def test_bytes_are_found_and_lit_and_what_is_not_there_is_said() -> None:
    async with recorded("two-clients").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        screen.search.begin("hex: 28 00 00 00 00 00 00 00")
        await settled(pilot)
        assert screen.bytes.lit is not None
        side, start, end = screen.bytes.lit
        assert screen.side.view is not None
        assert screen.side.view.row.operation == "QueryMissing"
        assert (
            b"".join(data or b"" for _, data in screen.side.view.bytes(side, start, end))[0] == 0x28
        )
        index = screen.side.index
        screen.search.begin("no such thing")
        await settled(pilot)
        assert "not found" in screen.query_one("InForce.search", InForce).render_line(0).text
        assert screen.side.index == index
        await pilot.press("ctrl+f", "ctrl+u", *"hex: 1", "enter")
        assert "hex digits in pairs" in screen.query_one(Remarks).render_line(0).text
        assert focus(pilot) == "writing-input"


async def test_a_filter_bounds_the_search() -> None:
    async with recorded("two-clients").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        screen.filter.apply("op = IsValidPath")
        await settled(pilot)
        screen.search.begin("AddToStore")
        await settled(pilot)
        assert "not found" in screen.query_one("InForce.search", InForce).render_line(0).text


async def test_grouped_by_connection() -> None:
    async with recorded("two-clients").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        await pilot.press("j", "j", "b")
        await settled(pilot)
        timeline = screen.timeline
        assert timeline.chosen == 2, "the cursor stays on its exchange"
        heads = [line for line in lines_of(timeline.lines) if "connection" in line]
        assert len(heads) == 2
        assert "nix-build -o l left.nix · pid 49 · 15 exchanges" in heads[0]
        await pilot.press("h")
        await settled(pilot)
        assert timeline.rows.entry(timeline.lines.cursor) == -2
        assert screen.side.view is not None
        assert screen.side.view.row.kind == "handshake"
        assert timeline.lines.count == 1 + 15 + 1
        await pilot.press("enter", "b")
        await settled(pilot)
        assert timeline.lines.count == len(screen.session)
