"""The screen of statistics: what it counts, how it sorts, and the filters it goes back with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol import operations as ops
from pix.protocol.logging import StderrLast
from pix_inspect.filter.compiled import compile_filter
from pix_inspect.session.session import Session
from pix_inspect.ui.main.places import GoTo
from pix_inspect.ui.screens.charts import Histogram, Rate
from pix_inspect.ui.screens.statistics import StatisticsScreen
from pix_inspect.ui.screens.tallies import MEASURES, Tallies
from tests.support.places import RECORDINGS
from tests.support.recording import growing
from tests.support.screens import browse, lines_of, live, opened, settled
from tests.support.words import PATH

SIZE = (120, 40)


async def counted(pilot: Pilot[Any]) -> StatisticsScreen:
    """Open the statistics and wait until all is counted."""
    if not isinstance(pilot.app.screen, StatisticsScreen):
        await settled(pilot)
        await pilot.press("S")
    for _ in range(3000):
        await pilot.pause(0.01)
        screen = pilot.app.screen
        if isinstance(screen, StatisticsScreen) and screen.is_mounted and screen.settled:
            await pilot.pause()
            return screen
    raise AssertionError("the statistics did not come to rest")


def wanted(screen: StatisticsScreen) -> list[str | None]:
    """Collect what the screen goes back with."""
    found: list[str | None] = []

    def take(to: GoTo) -> None:
        found.append(to.filter)

    screen.dismiss = take  # type: ignore[assignment,method-assign]
    return found


def matching(session: Session, text: str | None) -> set[int]:
    assert text is not None
    chosen = compile_filter(text)
    return {i for i in range(len(session)) if chosen.matches(session, i)}


def table(screen: StatisticsScreen, name: str = "operations") -> Tallies:
    return screen.query_one(f"#{name}", Tallies)


@pytest.mark.parametrize("name", ["two-clients", "build-failure", "garbage-collection"])
async def test_enter_filters_for_exactly_the_exchanges_of_the_line(name: str) -> None:
    async with opened(RECORDINGS / f"{name}.pcapng").run_test(size=SIZE) as pilot:
        screen = await counted(pilot)
        found = wanted(screen)
        for which in ("operations", "connections"):
            pane = table(screen, which)
            pane.focus()
            await pilot.pause()
            for line, row in enumerate(pane.rows):
                pane.move_to(line)
                await pilot.press("enter")
                await pilot.pause()
                assert len(matching(screen.session, found[-1])) == row.tally.count, found[-1]
            assert len(found) == len(pane.rows)
            found.clear()


async def test_enter_on_a_bar_filters_for_what_took_so_long() -> None:
    async with opened(RECORDINGS / "two-clients.pcapng").run_test(size=SIZE) as pilot:
        screen = await counted(pilot)
        found = wanted(screen)
        table(screen).move_to(1)
        pane = screen.query_one(Histogram)
        pane.focus()
        await pilot.pause()
        tally = table(screen).rows[1].tally
        expected = [times for times in tally.histogram if times]
        counts = []
        for line in range(pane.count):
            pane.move_to(line)
            await pilot.press("enter")
            await pilot.pause()
            counts.append(len(matching(screen.session, found[-1])))
        assert [times for times in counts if times] == expected
        assert sum(counts) == tally.count


async def test_enter_on_a_stretch_of_time_filters_for_what_began_in_it() -> None:
    async with opened(RECORDINGS / "two-clients.pcapng").run_test(size=SIZE) as pilot:
        screen = await counted(pilot)
        found = wanted(screen)
        rate = screen.query_one(Rate)
        rate.focus()
        await pilot.press("home", "right", "right", "left", "enter")
        await pilot.pause()
        assert found == [rate.filter]
        assert rate.cursor == 1
        await pilot.press("G")
        assert rate.cursor == len(rate._counts) - 1
        total = 0
        for line, count in enumerate(rate._counts):
            rate.cursor = line
            hits = len(matching(screen.session, rate.filter)) if count else 0
            assert hits == count, rate.filter
            total += hits
        assert total == len(screen.session)


async def test_every_column_sorts_both_ways() -> None:
    async with opened(RECORDINGS / "two-clients.pcapng").run_test(size=(160, 40)) as pilot:
        screen = await counted(pilot)
        pane = table(screen)
        seen = []
        for _ in range(len(MEASURES) + 1):
            await pilot.press("s")
            seen.append(pane.order)
            measure = next((each for each in MEASURES if each.name == pane.order), None)
            assert pane.rows[0].label == "all"
            if measure is None:
                assert [row.label for row in pane.rows[1:]] == sorted(
                    row.label for row in pane.rows[1:]
                )
                continue
            values = [measure.value(row) for row in pane.rows[1:]]
            assert values == sorted(values, reverse=True)
            await pilot.press("r")
            values = [measure.value(row) for row in pane.rows[1:]]
            assert values == sorted(values)
        assert set(seen) == {"name", *(measure.name for measure in MEASURES)}
        before = pane.order
        await pilot.press("s", "S")
        assert pane.order == before


async def test_a_click_on_a_head_sorts_by_its_column() -> None:
    async with opened(RECORDINGS / "two-clients.pcapng").run_test(size=SIZE) as pilot:
        screen = await counted(pilot)
        head = screen.query_one("#operations-frame TallyHead")
        column = head.render_line(0).text.index("count")
        await pilot.click(head, offset=(column, 0))
        assert table(screen).order == "count"
        await pilot.click(head, offset=(column, 0))
        assert table(screen).reversed


async def test_the_cursor_stays_with_its_row_while_more_is_counted(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()
    asked = ops.IsValidPath(path=PATH)
    talk.trip(asked, StderrLast(), ops.IsValidPath.Reply(valid=True)).save()
    async with live(made).run_test(size=SIZE) as pilot:
        screen = await counted(pilot)
        pane = table(screen)
        pane.move_to(next(i for i, row in enumerate(pane.rows) if row.key == "IsValidPath"))
        for _ in range(5):
            talk.trip(ops.SyncWithGC(), StderrLast(), ops.SyncWithGC.Reply())
            made.wait(50)
            talk.say(CLIENT, ops.AddTempRoot(path=PATH)).wait(90)
            talk.say(DAEMON, StderrLast()).say(DAEMON, ops.AddTempRoot.Reply())
        made.save()
        for _ in range(3000):
            await pilot.pause(0.02)
            if pane.rows[0].tally.count == len(screen.session) == 12:
                break
        assert pane.rows[0].tally.count == 12
        assert pane.chosen is not None
        assert pane.chosen.key == "IsValidPath"
        assert "AddTempRoot" in "\n".join(lines_of(pane))


async def test_escape_goes_back_and_backslash_maximises() -> None:
    async with opened(RECORDINGS / "queries.pcapng").run_test(size=SIZE) as pilot:
        screen = await counted(pilot)
        await pilot.press("backslash")
        await pilot.pause()
        assert not screen.query_one("#charts").display
        await pilot.press("escape")
        await pilot.pause()
        assert screen.query_one("#charts").display
        await pilot.press("escape")
        await pilot.pause()
        assert pilot.app.screen is not screen


async def test_the_table_is_copied_as_text() -> None:
    app = opened(RECORDINGS / "queries.pcapng")
    async with app.run_test(size=SIZE) as pilot:
        screen = await counted(pilot)
        await pilot.press("y")
        await pilot.pause()
        lines = app.clipboard.splitlines()
        assert lines[0].startswith("operation\tcount\terrors\ttotal")
        assert len(lines) == 1 + len(table(screen).rows)


async def test_a_line_becomes_the_filter_of_the_timeline_and_narrows_the_one_in_force() -> None:
    async with opened(RECORDINGS / "two-clients.pcapng").run_test(size=SIZE) as pilot:
        screen = await counted(pilot)
        pane = table(screen)
        pane.move_to(next(i for i, row in enumerate(pane.rows) if row.key == "AddToStore"))
        await pilot.press("enter")
        await settled(pilot)
        main = browse(pilot)
        assert main.filter.text == "op = AddToStore"
        assert len(main.filter.shown) == 4
        screen = await counted(pilot)
        assert screen.statistics.wanted == 4
        assert [row.label for row in table(screen).rows] == ["all", "AddToStore"]
        await pilot.press("a")
        screen = await counted(pilot)
        assert screen.statistics.wanted == len(screen.session)
        await pilot.press("a")
        screen = await counted(pilot)
        await pilot.press("tab", "s", "S", "G", "enter")
        await settled(pilot)
        assert main.filter.text in [f"(op = AddToStore) and conn = {number}" for number in (1, 2)]
        assert len(main.filter.shown) == 2
