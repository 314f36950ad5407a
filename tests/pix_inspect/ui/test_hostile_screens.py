"""Hostile text through the other screens: statistics, payload, dialogs, tabs and what is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from pix_inspect.session.session import Session
from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.app.saving import tell
from pix_inspect.ui.widgets.path_dialog import Offer, PathDialog
from pix_inspect.ui.widgets.text import safe
from pix_inspect.ui.widgets.writing import Pace, Writing
from tests.pix_inspect.ui.exchange.test_payload_pane import to_payload
from tests.pix_inspect.ui.screens.test_statistics import counted
from tests.pix_inspect.ui.test_hostile import check, session_of
from tests.support.hostile import HOSTILE
from tests.support.nars import Tree
from tests.support.payloads import with_archive
from tests.support.screens import Relay, browse, live, opened, recorded, settled

SIZE = (120, 60)


def raw(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


async def shown(pilot: Pilot[Any], kind: type[Any]) -> Any:
    for _ in range(3000):
        await pilot.pause(0.01)
        if isinstance(pilot.app.screen, kind) and pilot.app.screen.is_mounted:
            await pilot.pause()
            return pilot.app.screen
    raise AssertionError(f"no {kind.__name__} came")


@pytest.mark.slow
async def test_statistics(tmp_path: Path) -> None:
    app = live(session_of(tmp_path / "r.pcapng", HOSTILE), Relay())
    async with app.run_test(size=SIZE) as pilot:
        screen = await counted(pilot)
        screen.filtered, screen.shown = HOSTILE[0] + HOSTILE[1], range(3)
        screen._show()
        await pilot.pause()
        seen = ""
        await pilot.press("tab")
        for _ in range(0, len(HOSTILE) + 1, 4):
            await pilot.press(*["j"] * 4)
            await pilot.pause()
            seen += check(pilot)
        for text in HOSTILE:
            assert safe(text)[:9].strip() in seen, ascii(text)
        await pilot.press("tab", "tab", "l", "backslash")
        await pilot.pause()
        check(pilot)


async def test_payload(tmp_path: Path) -> None:
    files: dict[bytes, Tree] = {}
    for number, text in enumerate(HOSTILE):
        name = b"%02d" % number + raw(text)
        files[name] = ("symlink", raw(text)) if number % 2 else {name: b"x"}
    app = opened(with_archive(tmp_path, files))
    async with app.run_test(size=SIZE) as pilot:
        pane = await to_payload(pilot)
        seen = ""
        for line in range(0, pane.count, 6):
            pane.move_to(line)
            await pilot.pause()
            seen += check(pilot)
        for text in HOSTILE:
            assert safe(text)[:9].strip() in seen, ascii(text)
        await pilot.press("g", "y", "j", "s")
        await shown(pilot, PathDialog)
        check(pilot)
        await pilot.press("escape", "u")
        dialog = await shown(pilot, PathDialog)
        dialog.line.value = str(tmp_path / "out")
        await pilot.press("enter")
        for _ in range(3000):
            await pilot.pause(0.01)
            if pilot.app.screen is browse(pilot):
                break
        check(pilot)


@pytest.mark.parametrize("text", HOSTILE[::2], ids=range(0, len(HOSTILE), 2))
async def test_dialogs_and_what_is_said(text: str) -> None:
    async with recorded("queries").run_test(size=(80, 24)) as pilot:
        await settled(pilot)

        def refuse(path: Path, replace: bool) -> None:
            from pix.problem import Problem

            raise Problem(text)

        offers = [Offer(text, safe(text, 40)), Offer("/x")]
        pilot.app.push_screen(PathDialog(text, "", refuse, offers=offers, switch="blank secrets"))
        dialog = await shown(pilot, PathDialog)
        check(pilot)
        dialog._take("x")
        await pilot.press("down")
        await pilot.pause()
        check(pilot)
        await pilot.press("escape")

        def write(pace: Pace) -> str:
            for _ in range(3):
                pace.say(text)
            raise ValueError(text)

        said: list[str | None] = []
        pilot.app.push_screen(Writing(text, write), said.append)
        for _ in range(3000):
            await pilot.pause(0.01)
            check(pilot)
            if said:
                break
        app = pilot.app
        assert isinstance(app, Inspector)
        app.warn(said[0] or "")
        tell(app, text, failed=False)
        await pilot.pause()
        check(pilot)


@pytest.mark.slow
async def test_names_of_files_in_tabs_and_completion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "names"
    folder.mkdir()
    data = session_of(tmp_path / "r.pcapng", HOSTILE[:2]).path.read_bytes()
    sessions = []
    for number, text in enumerate(HOSTILE[::2]):
        name = text.replace("\0", "").replace("/", "")[:40]
        try:
            path = folder / f"{number}{name}.pcapng"
            path.write_bytes(data)
        except (OSError, UnicodeEncodeError):
            continue  # the file system refuses it
        sessions.append(Session(path))
    assert len(sessions) > 5
    monkeypatch.chdir(folder)
    async with Inspector(sessions[0], others=sessions[1:]).run_test(size=SIZE) as pilot:
        for _ in sessions:
            await settled(pilot)
            check(pilot)
            await pilot.press("right_curly_bracket")
        await pilot.press("ctrl+o")
        dialog = await shown(pilot, PathDialog)
        dialog.line.value = "./"
        await pilot.pause()
        check(pilot)
        assert dialog.offered
        for offer in dialog.offered:
            assert safe(offer.path) == offer.path
