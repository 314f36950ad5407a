"""Searching and marking on the screen: from hit to hit, text and bytes; notes that last."""

from __future__ import annotations

import pytest

from pix_inspect.filter.search import SearchError, hits, needle
from pix_inspect.session.session import Session
from pix_inspect.ui.timeline.column_dialog import ColumnDialog
from pix_inspect.ui.timeline.columns import COLUMNS
from pix_inspect.ui.widgets.bar_lines import InForce, Remarks
from tests.support.places import RECORDINGS
from tests.support.screens import browse, focus, lines_of, recorded, settled

SIZE = (120, 40)


def test_what_is_searched_for() -> None:
    assert needle(" GliBC ").text == "glibc"
    assert needle("hex: 1a 0x00 ffFF").raw == b"\x1a\x00\xff\xff"
    for text, start in (("hex: 1", 5), ("hex: 1a 0g", 8), ("hex:", 4), ("  ", 0)):
        with pytest.raises(SearchError) as error:
            needle(text)
        assert error.value.start == start


def test_hits_of_bytes_are_where_the_bytes_are(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(RECORDINGS / "two-clients.pcapng").read_all()
    for piece in (1 << 20, 5):
        monkeypatch.setattr("pix_inspect.filter.search.PIECE", piece)
        for i in range(len(session)):
            view = session.exchange(i)
            for side in (0, 1):
                start, end = view.span(side)
                whole = b"".join(data or b"\0" for _, data in view.bytes(side, start, end))
                found = [hit for hit in hits(view, needle("hex: 2f 6e")) if hit.side == side]
                assert len(found) == whole.count(b"/n")
                for hit in found:
                    assert whole[hit.start - start : hit.end - start] == b"/n"


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
