"""What exchanges are about: found beside the screen where it takes long."""

from __future__ import annotations

import pytest

from pix.problem import Problem
from pix_inspect.session.exchange_view import ExchangeView
from tests.support.screens import browse, lines_of, recorded, settled

SIZE = (120, 40)


async def test_what_takes_long_is_found_beside_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        expected = lines_of(browse(pilot).timeline.lines)
    monkeypatch.setattr("pix_inspect.ui.timeline.glances.heavy", lambda session, row: True)
    async with recorded("queries").run_test(size=SIZE) as pilot:
        assert not browse(pilot).timeline.painter.glances.settled
        await settled(pilot)
        assert lines_of(browse(pilot).timeline.lines) == expected


async def test_what_cannot_be_read_is_said_in_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def about(view: ExchangeView) -> str:
        raise Problem("\x1b[2Jdamaged")

    monkeypatch.setattr("pix_inspect.ui.timeline.glances.heavy", lambda session, row: True)
    monkeypatch.setattr("pix_inspect.ui.timeline.glances.about", about)
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        assert all("damaged" in line for line in lines_of(browse(pilot).timeline.lines)[:30])
