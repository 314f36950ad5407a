"""Hostile text from the wire, through every pane: shown, never obeyed, and no line is broken.

What is checked is what would be sent to a terminal: the characters of every strip of the whole
screen, and that each line has the width that the screen has.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from pix.protocol import operations as ops
from pix.protocol.logging import (
    StderrError,
    StderrLast,
    StderrNext,
    StderrResult,
    StderrStartActivity,
)
from pix_inspect.ui.widgets.text import safe
from tests.pix_inspect.ui.widgets.test_text import harmless
from tests.support.hostile import HOSTILE
from tests.support.recording import Recording, growing
from tests.support.screens import Relay, browse, live, settled


def drawn(pilot: Pilot[Any]) -> list[str]:
    """The whole screen, line by line, as it is sent to the terminal."""
    width, _ = pilot.app.size
    lines = []
    for strip in pilot.app.screen._compositor.render_strips():
        text = "".join(segment.text for segment in strip if not segment.control)
        assert cell_len(text) == width
        lines.append(text)
    return lines


def check(pilot: Pilot[Any]) -> str:
    lines = drawn(pilot)
    for line in lines:
        assert harmless(line), ascii(line)
    return "\n".join(lines)


NUMBERS = (
    *("keep_failed", "keep_going", "try_fallback", "verbosity", "max_build_jobs"),
    *("max_silent_time", "use_build_hook", "verbose_build", "log_type", "print_build_trace"),
    *("build_cores", "use_substitutes"),
)


def session_of(path: Path, texts: list[str]) -> Recording:
    """A session in which everything that either side can say is hostile."""
    made = growing(path, listen=texts[0], upstream=texts[1])
    for text in texts:
        try:
            text.encode("utf-8", "surrogateescape")
            raw = text
        except UnicodeEncodeError:  # no bytes on a wire become this
            raw = text.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
        talk = made.connect(peer={"pid": 1, "command": text})
        options = dict.fromkeys(NUMBERS, 0)
        talk.trip(ops.SetOptions(**options, overrides={raw: raw}), StderrLast())
        talk.trip(
            ops.IsValidPath(path=raw),
            StderrNext(text=raw),
            StderrStartActivity(id=1, level=3, type=105, text=raw, fields=(raw, raw), parent=0),
            StderrResult(id=1, type=101, fields=(raw,)),
            StderrError(type=raw, name=raw, message=raw),
        )
        talk.trip(raw.encode("utf-8", "surrogateescape") * 20)
    made.save()
    return made


async def look_at_all(pilot: Pilot[Any]) -> str:
    """Show every exchange, opened wide, with the focus on several of its fields."""
    screen = browse(pilot)
    shown = ""
    for line in range(screen.timeline.lines.count):
        if screen.session.row(line).operation is None:
            continue
        screen.timeline.lines.move_to(line)
        await settled(pilot)
        for part in range(4):
            screen.fields.outline.open_all((part,))
        screen.fields._changed()
        shown += check(pilot)
        screen.fields.move_to(screen.fields.count - 3)
        await pilot.pause()
        shown += check(pilot)
    return shown


@pytest.mark.slow
async def test_hostile_text_reaches_no_terminal(tmp_path: Path) -> None:
    relay = Relay("/run/pix.sock")
    relay.words = HOSTILE[:3]
    app = live(session_of(tmp_path / "r.pcapng", HOSTILE), relay)
    async with app.run_test(size=(120, 100)) as pilot:
        await settled(pilot)
        await pilot.press("e")
        shown = await look_at_all(pilot)
        for text in HOSTILE:
            assert safe(text)[:9].strip() in shown, ascii(text)


@pytest.mark.parametrize("text", HOSTILE[::3], ids=range(0, len(HOSTILE), 3))
async def test_hostile_text_on_a_small_screen_and_in_what_is_copied(
    tmp_path: Path, text: str
) -> None:
    app = live(session_of(tmp_path / "r.pcapng", [text, text]))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        session = browse(pilot).session
        logs = [i for i in range(len(session)) if session.row(i).frames]
        browse(pilot).timeline.lines.move_to(logs[0])
        await settled(pilot)
        await pilot.press("tab", "j", "j", "y", "Y", "ctrl+y")
        check(pilot)
        await pilot.press("tab", "G", "backslash")
        await pilot.pause()
        check(pilot)
        await pilot.press("escape", "escape", "L", "tab", "G", "y")
        await pilot.pause()
        assert browse(pilot).side.log_pane.count
        check(pilot)


async def test_a_hostile_file_name_and_empty_state(tmp_path: Path) -> None:
    for number, text in enumerate(HOSTILE):
        name = text.replace("\0", "").replace("/", "")[:60]
        try:
            made = growing(tmp_path / f"{number}{name}.pcapng", listen=text)
        except (OSError, UnicodeEncodeError):
            continue  # the file system refuses it
        async with live(made).run_test(size=(80, 24)) as pilot:
            await settled(pilot)
            check(pilot)


async def test_bytes_that_nobody_understands(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    talk = made.open()
    talk >> bytes(range(256)) * 4
    talk.close().save()
    async with live(made).run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        check(pilot)
        assert browse(pilot).session.row(0).state in ("error", "opaque")
