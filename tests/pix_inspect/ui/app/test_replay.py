"""A recording and its replay: a tab each, and two answers on top to begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix_inspect.session.session import Session
from pix_inspect.ui.app.replay import ReplayInspector
from pix_inspect.ui.screens.differences import DifferencesScreen
from tests.support.places import RECORDINGS

RECORDING = RECORDINGS / "queries.pcapng"


@pytest.mark.parametrize("differs", [True, False])
async def test_what_differs_is_on_top(
    differs: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    first, again = Session(RECORDING).read_all(), Session(RECORDING).read_all()
    pair = (first.exchange(2), again.exchange(3)) if differs else None
    app = ReplayInspector(first, others=[again], pair=pair)
    async with app.run_test() as pilot:
        await pilot.pause()
        assert isinstance(app.screen, DifferencesScreen) == differs
        if differs:
            await pilot.press("escape")
            await pilot.pause()
        assert not isinstance(app.screen, DifferencesScreen)
