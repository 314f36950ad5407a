"""Two exchanges with long lists: each element that one side lacks has a line of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix.protocol import operations as ops
from pix.protocol.logging import StderrLast
from pix_inspect.session.session import Session
from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.screens.differences import DifferencesScreen
from tests.pix_inspect.ui.screens.test_recordings import until
from tests.support.recording import growing
from tests.support.screens import lines_of, settled

MANY = 5000


@pytest.fixture
def lists(tmp_path: Path) -> Session:
    """Two requests about many paths each, of which few differ."""
    made = growing(tmp_path / "lists.pcapng")
    talk = made.connect()
    paths = [f"/nix/store/{i:032d}-package" for i in range(MANY)]
    for asked in (paths, [*paths[:100], *paths[102:], f"/nix/store/{'z' * 32}-new"]):
        talk.trip(ops.QueryValidPaths(paths=frozenset(asked)), StderrLast(),
                 ops.QueryValidPaths.Reply(paths=frozenset()))  # fmt: skip
    return Session(made.save()).read_all()


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_what_one_list_lacks(lists: Session, size: tuple[int, int]) -> None:
    app = Inspector(Session(lists.path))
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        app.push_screen(DifferencesScreen(lists.exchange(1), lists.exchange(2)))
        await until(pilot, "the screen", lambda: isinstance(app.screen, DifferencesScreen))
        screen = app.screen
        assert isinstance(screen, DifferencesScreen)
        await until(pilot, "the fields", lambda: screen.list.rows)
        await pilot.pause()
        told = lines_of(screen.list)[:3]
        assert [line.split()[:3] for line in told] == [
            ["▸request.paths[]", "-", f"/nix/store/{100:032d}-package"],
            ["request.paths[]", "-", f"/nix/store/{101:032d}-package"],
            ["request.paths[]", "+", f"/nix/store/{'z' * 32}-new"],
        ]
        await pilot.press("G")
        value = f"B  /nix/store/{'z' * 32}-new"
        await until(
            pilot,
            "the value",
            lambda: value in [line.rstrip() for line in lines_of(screen.detail)],
        )
