"""Bytes and fields are one selection: what is chosen is lit, a byte finds its field."""

from __future__ import annotations

from pix.conversation.exchange import CLIENT, DAEMON
from tests.support.screens import browse, focus, recorded, settled

SIZE = (120, 40)


async def test_the_chosen_field_is_lit_in_the_bytes_and_named_with_its_path() -> None:
    async with recorded("build-with-log").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        for key in ("j", "j", "j", "enter", "j", "j"):  # QueryPathInfo › request › path
            await pilot.press(key)
        await settled(pilot)
        row = screen.fields.row
        assert row is not None
        assert row.label == "path"
        assert screen.bytes.lit == (CLIENT, row.start, row.end)
        assert f"request › path  [{row.start}, {row.end})" in str(screen.bytes.border_title)
        assert screen.side.view is not None
        ((_, data),) = screen.side.view.bytes(CLIENT, row.start, row.end)
        assert data is not None
        assert data[8:].startswith(b"/nix/store/")


async def test_every_byte_selects_the_innermost_field_around_it() -> None:
    async with recorded("build-with-log").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        await pilot.press("j", "j", "j", "tab", "tab")
        assert focus(pilot) == "bytes"
        assert screen.side.view is not None
        seen = set()
        end = screen.side.view.span(DAEMON)[1]
        for _ in range(100):
            screen.bytes.action_beside(8)
            await pilot.pause()
            row = screen.fields.outline.row(screen.fields.path)
            assert row is not None
            assert screen.bytes.at is not None
            side, offset = screen.bytes.at
            if row.side is not None and screen.bytes.lit is not None:
                assert row.side == side
                assert row.start <= offset < row.end
                assert screen.bytes.lit == (row.side, row.start, row.end)
                seen.add(row.label)
            if screen.bytes.at == (DAEMON, end - 8):
                break
        assert {"path", "nar_hash", "nar_size", "ultimate", "ca"} <= seen
        await pilot.press("enter")
        assert focus(pilot) == "fields"


async def test_a_click_on_a_byte_selects_its_field() -> None:
    async with recorded("build-with-log").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        await pilot.click(type(screen.bytes), offset=(10, 4))  # the third line: after the head
        await settled(pilot)
        assert screen.bytes.at == (CLIENT, 16)
        assert screen.fields.row is not None
        assert screen.fields.row.label == "features"
