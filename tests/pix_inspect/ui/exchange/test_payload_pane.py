"""The pane of the payload: its tree, the bytes it lights, and saving from it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from pix_inspect.ui.exchange.payload_pane import PayloadPane
from pix_inspect.ui.widgets.path_dialog import PathDialog
from pix_inspect.ui.widgets.writing import Writing
from tests.support.nars import nar
from tests.support.payloads import FILES, with_archive
from tests.support.places import RECORDINGS
from tests.support.screens import browse, focus, lines_of, opened, recorded, settled

SIZE = (120, 40)


async def until(pilot: Pilot[Any], condition: Callable[[], object]) -> None:
    for _ in range(3000):
        if condition():
            await pilot.pause()
            return
        await pilot.pause(0.01)
    raise AssertionError("it did not come to pass")


async def to_payload(pilot: Pilot[Any], line: int = 1) -> PayloadPane:
    """Choose an exchange, show its payload and go there."""
    await settled(pilot)
    browse(pilot).timeline.lines.move_to(line)
    await settled(pilot)
    await pilot.press("P", "tab")
    pane = browse(pilot).side.payload_pane
    await until(pilot, lambda: pane.settled)
    assert focus(pilot) == "payload"
    return pane


def go_to(pane: PayloadPane, entry: str) -> None:
    assert pane.files is not None
    pane.move_to(pane.files.visible.index(pane.files.contents.find(entry)))


async def test_an_archive_is_shown_as_a_tree(tmp_path: Path) -> None:
    async with opened(with_archive(tmp_path)).run_test(size=SIZE) as pilot:
        pane = await to_payload(pilot)
        text = "\n".join(lines_of(pane))
        for name in ("hello-2.12", "bin", "libhello.so → libhello.so.1", "README", "400 B"):
            assert name in text
        hello = next(line for line in text.splitlines() if line.strip().startswith("hello "))
        assert " x " in hello
        assert "4 files" in str(pane.border_title)


async def test_the_chosen_file_is_lit_in_the_bytes(tmp_path: Path) -> None:
    async with opened(with_archive(tmp_path)).run_test(size=SIZE) as pilot:
        pane = await to_payload(pilot)
        go_to(pane, "share/doc/README")
        await pilot.pause()
        screen = browse(pilot)
        assert screen.bytes.lit is not None
        assert screen.side.view is not None
        side, start, end = screen.bytes.lit
        ((_, data),) = screen.side.view.bytes(side, start, end)
        assert data == b"read me\n"
        assert "share/doc/README" in str(screen.bytes.border_title)
        await pilot.press("P")
        await pilot.pause()
        assert focus(pilot) == "fields"
        assert not pane.display


async def test_directories_open_and_close(tmp_path: Path) -> None:
    async with opened(with_archive(tmp_path)).run_test(size=SIZE) as pilot:
        pane = await to_payload(pilot)
        assert pane.count == 10
        await pilot.press("j", "enter")
        assert pane.count == 9
        await pilot.press("l", "l", "h", "h")
        assert pane.count == 9
        await pilot.press("h")
        assert pane.cursor == 0
        await pilot.press("space")
        assert pane.count == 1
        await pilot.press("right")
        assert pane.count == 9


async def test_what_was_not_kept_is_said(tmp_path: Path) -> None:
    app = opened(with_archive(tmp_path, keep=700))
    async with app.run_test(size=SIZE) as pilot:
        pane = await to_payload(pilot)
        assert "record with --payload full" in "\n".join(lines_of(pane))
        await pilot.press("w")
        await until(pilot, lambda: app._notifications)
        assert any("--payload full" in note.message for note in app._notifications)


async def test_an_exchange_without_payload_says_which_have_one() -> None:
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("P")
        await pilot.pause()
        assert "no payload" in "\n".join(lines_of(browse(pilot).side.payload_pane))
        await pilot.press("tab", "s", "u", "enter", "l", "h", "y")


async def test_log_and_payload_take_each_others_place() -> None:
    async with recorded("add-tree").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        await pilot.press("P", "L")
        assert screen.side.log_pane.display
        assert not screen.side.payload_pane.display
        await pilot.press("P")
        assert screen.side.payload_pane.display
        assert not screen.side.log_pane.display
        await pilot.press("G", "enter")
        await pilot.pause()
        assert focus(pilot) == "payload"


async def save_as(pilot: Pilot[Any], key: str, path: Path) -> None:
    await pilot.press(key)
    await until(pilot, lambda: isinstance(pilot.app.screen, PathDialog))
    dialog = pilot.app.screen
    assert isinstance(dialog, PathDialog)
    dialog.line.value = str(path)
    await pilot.pause()
    await pilot.press("enter")


async def test_files_archives_and_directories_are_saved(tmp_path: Path) -> None:
    async with opened(with_archive(tmp_path)).run_test(size=SIZE) as pilot:
        pane = await to_payload(pilot)
        go_to(pane, "bin/hello")
        await save_as(pilot, "s", tmp_path / "hello")
        await until(pilot, lambda: pilot.app.screen is browse(pilot))
        assert os.access(tmp_path / "hello", os.X_OK)
        await save_as(pilot, "w", tmp_path / "all.nar")
        await until(pilot, lambda: pilot.app.screen is browse(pilot))
        assert (tmp_path / "all.nar").read_bytes() == nar(FILES)
        go_to(pane, "share")
        await save_as(pilot, "u", tmp_path / "share")
        await until(pilot, lambda: pilot.app.screen is browse(pilot))
        assert (tmp_path / "share/doc/README").read_text() == "read me\n"


async def test_saving_over_something_has_to_be_said_twice(tmp_path: Path) -> None:
    target = tmp_path / "mine"
    target.write_text("mine")
    async with opened(with_archive(tmp_path)).run_test(size=SIZE) as pilot:
        pane = await to_payload(pilot)
        go_to(pane, "bin/hello")
        await save_as(pilot, "s", target)
        await pilot.pause()
        dialog = pilot.app.screen
        assert isinstance(dialog, PathDialog)
        assert "enter once more" in str(dialog.query_one("#path-trouble").render())
        assert target.read_text() == "mine"
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is browse(pilot))
        assert target.read_bytes() == b"#!/bin/sh\necho hello\n"


@pytest.mark.parametrize(
    ("name", "why"), [("", "write a path"), ("no/such/x", "no folder"), ("./", "is a folder")]
)
async def test_a_path_that_will_not_do_keeps_the_dialog(
    tmp_path: Path, name: str, why: str
) -> None:
    async with opened(with_archive(tmp_path)).run_test(size=(80, 24)) as pilot:
        await to_payload(pilot)
        await pilot.press("w")
        await until(pilot, lambda: isinstance(pilot.app.screen, PathDialog))
        dialog = pilot.app.screen
        assert isinstance(dialog, PathDialog)
        assert dialog.line.value.endswith("hello-2.12.nar")
        dialog.line.value = name
        await pilot.press("enter")
        await pilot.pause()
        assert pilot.app.screen is dialog
        assert why in str(dialog.query_one("#path-trouble").render())
        await pilot.press("escape")
        assert len(pilot.app.screen_stack) == 1


async def test_names_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = with_archive(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/first.nar").write_text("")
    (tmp_path / "folder/fir\x1b[31m").write_text("")
    monkeypatch.chdir(tmp_path)
    async with opened(path).run_test(size=SIZE) as pilot:
        await to_payload(pilot)
        await pilot.press("w")
        await until(pilot, lambda: isinstance(pilot.app.screen, PathDialog))
        dialog = pilot.app.screen
        assert isinstance(dialog, PathDialog)
        dialog.line.value = "fo"
        await pilot.pause()
        await pilot.press("tab")
        await pilot.pause()
        assert dialog.line.value == "folder/"
        await pilot.press("tab")
        await pilot.pause()
        assert dialog.line.value == "folder/first.nar"
        dialog.line.value = ""
        await pilot.pause()
        assert [offer.path for offer in dialog.offered] == ["folder/", "r.pcapng"]
        await pilot.press("down", "enter")
        await pilot.pause()
        assert dialog.line.value == "folder/"
        await pilot.press("down", "down", "up", "enter")
        await pilot.pause()
        assert pilot.app.screen is dialog, "the file already exists"


async def test_writing_is_stopped_by_a_key() -> None:
    from pix_inspect.ui.widgets.writing import Pace

    def endless(pace: Pace) -> str:
        while True:
            pace.say("on and on")

    said: list[str | None] = []
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        pilot.app.push_screen(Writing("writing x", endless), said.append)
        await until(pilot, lambda: isinstance(pilot.app.screen, Writing))
        await pilot.press("escape")
        await until(pilot, lambda: said)
        assert said == ["stopped; nothing was left behind"]


async def test_every_recorded_payload_is_shown() -> None:
    async with opened(RECORDINGS / "copy.pcapng").run_test(size=(80, 24)) as pilot:
        pane = await to_payload(pilot, 3)
        text = "\n".join(lines_of(pane))
        assert "zlib-1.3.1" in text
        assert "3 paths" in str(pane.border_title)
        await pilot.press("j", "y")
        await pilot.pause()
        assert "curl-8.7.1" in str(pilot.app.clipboard)
