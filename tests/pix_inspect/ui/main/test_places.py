"""Going to a place: wherever the screen stands, also before it has read so far."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

from pix.protocol import operations as ops
from pix.protocol.logging import StderrLast
from pix_inspect.session.session import Session
from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.main.places import Arrived, GoTo
from tests.support.places import RECORDINGS
from tests.support.recording import growing
from tests.support.screens import Relay, browse, settled
from tests.support.words import PATH

SIZE = (120, 40)


class Visited(Inspector):
    """Remembers where it arrived, and what was said."""

    def __init__(self, *sessions: Any, **options: Any) -> None:
        super().__init__(*sessions, **options)
        self.arrived: list[GoTo] = []
        self.said: list[str] = []
        self.first: GoTo | None = None

    def get_default_screen(self) -> Screen[object]:
        screen = super().get_default_screen()
        if self.first is not None:
            screen.post_message(self.first)
        return screen

    def on_arrived(self, message: Arrived) -> None:
        self.arrived.append(message.to)

    def notify(self, message: str, **about: Any) -> None:
        self.said.append(message)


def visited(name: str) -> Visited:
    return Visited(Session(RECORDINGS / f"{name}.pcapng"))


async def go(pilot: Pilot[Any], to: GoTo) -> None:
    browse(pilot).post_message(to)
    await pilot.pause()
    await settled(pilot)


async def test_a_byte_and_a_row_of_an_exchange_are_selected() -> None:
    app = visited("two-clients")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        to = GoTo(exchange=5, byte=(0, screen.session.exchange(5).span(0)[0] + 20))
        await go(pilot, to)
        row = screen.fields.row
        assert screen.side.index == 5
        assert row is not None
        assert screen.bytes.lit == (0, row.start, row.end)
        await go(pilot, GoTo(exchange=7, path=(0, 1)))
        assert (screen.side.index, screen.fields.path) == (7, (0, 1))
        assert [each.exchange for each in app.arrived] == [5, 7]


async def test_it_waits_until_the_screen_stands_and_the_exchange_was_read(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()
    for _ in range(6):
        talk.trip(ops.IsValidPath(path=PATH), StderrLast(), ops.IsValidPath.Reply(valid=True))
    made.save()
    app = Visited(Session(made.path), Relay(), lambda: 0)
    app.first = GoTo(exchange=3)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        assert browse(pilot).side.index == 3
        assert len(app.arrived) == 1


async def test_a_filter_is_put_in_force_and_what_it_holds_back_is_said() -> None:
    app = visited("two-clients")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        await go(pilot, GoTo(filter="conn = 2"))
        assert screen.filter.text == "conn = 2"
        hidden = next(i for i in range(len(screen.session)) if i not in screen.filter.shown)
        await go(pilot, GoTo(exchange=hidden))
        assert app.said == [f"#{hidden + 1} is not let through by the filter: esc clears it"]
        await go(pilot, GoTo(exchange=10_000))
        assert app.said[1:] == ["#10001 is not in this recording"]
        assert [each.exchange for each in app.arrived] == [None]


@pytest.mark.parametrize("grouped", [False, True])
async def test_a_closed_group_is_opened(grouped: bool) -> None:
    app = visited("two-clients")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        if grouped:
            await pilot.press("b", "h")
            await settled(pilot)
        await go(pilot, GoTo(exchange=1))
        assert browse(pilot).side.index == 1
