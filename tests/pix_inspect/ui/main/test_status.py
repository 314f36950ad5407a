"""The line at the top: where the relay stands, and how distant the daemon was made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pix_inspect.recording.notes import Made
from pix_inspect.ui.app.app import SIXTEEN
from pix_inspect.ui.main.status import Banner, Status, sockets
from tests.support.recording import growing
from tests.support.screens import browse, opened, settled


@pytest.mark.parametrize(
    ("delay", "says"),
    [
        (None, "/s ⇄ /d"),
        ({"each way": 0.01, "rate": 0, "jitter": 0}, "/s (+10 ms each way) ⇄ /d"),
        (
            {"each way": 0.01, "rate": 20 << 20, "jitter": 0.002},
            "/s (+10 ms each way, jitter 2 ms, 20 MiB/s) ⇄ /d",
        ),
        ({"each way": "\x1b[2J", "rate": [], "jitter": 1e300}, "/s ⇄ /d"),
        ("far", "/s ⇄ /d"),
    ],
)
def test_a_delay_stands_between_relay_and_daemon(delay: Any, says: str) -> None:
    made = Made.read({"listen": "/s", "upstream": "/d", "delay": delay})
    assert made is not None
    assert " ".join(sockets(made).split()) == says


SIZE = (120, 40)


async def test_what_was_cut_is_said(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    made.connect().save()
    with made.path.open("ab") as file:
        file.write(b"\x06\0\0\0\xff\0\0\0half")
    async with opened(made.path).run_test(size=SIZE) as pilot:
        await settled(pilot)
        banner = browse(pilot).query_one(Banner)
        assert banner.display
        assert "cut off" in banner.render_line(0).text
        await pilot.press("escape")
        assert not banner.display


async def test_in_sixteen_colours_the_banner_is_not_of_the_colour_of_its_words(
    tmp_path: Path,
) -> None:
    app = opened(growing(tmp_path / "r.pcapng").save())
    app.register_theme(SIXTEEN)
    async with app.run_test() as pilot:
        app.theme = SIXTEEN.name
        banner = browse(pilot).query_one(Banner)
        banner.say(["one thing."])
        await settled(pilot)
        assert banner.styles.color != banner.styles.background


async def test_what_was_dismissed_comes_back_only_when_it_is_so_again(tmp_path: Path) -> None:
    async with opened(growing(tmp_path / "r.pcapng").save()).run_test() as pilot:
        await settled(pilot)
        banner = browse(pilot).query_one(Banner)
        banner.say(["one thing."])
        assert banner.display
        assert banner.dismiss()
        banner.say(["one thing.", "another."])
        assert (banner.display, banner.shown) == (True, ["another."])
        banner.say(["one thing."])
        assert not banner.display
        assert not banner.dismiss()
        banner.say([])
        banner.say(["one thing."])
        assert (banner.display, banner.shown) == (True, ["one thing."])


async def test_where_there_is_no_room_for_all_a_sign_says_so(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    made.connect()
    made.save()
    async with opened(made.path).run_test(size=(40, 10)) as pilot:
        await settled(pilot)
        said = browse(pilot).query_one(Status).render_line(0).text
        assert said.startswith(" ■ finished  1 conn")
        assert said.endswith("…")
        await pilot.resize_terminal(80, 24)
        await settled(pilot)
        assert browse(pilot).query_one(Status).render_line(0).text.startswith(" pix-inspect")
