"""Work in a thread that fails leaves the screen alive, and says so."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot

from pix.problem import Problem
from pix_inspect.filter.compiled import Filter
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.session.session import Session
from pix_inspect.ui.screens.waits import WaitingScreen
from pix_inspect.ui.widgets.background import in_background
from pix_inspect.ui.widgets.bar_lines import InForce
from tests.support.screens import browse, lines_of, recorded, settled

SIZE = (120, 40)


async def until(pilot: Pilot[Any], holds: Callable[[], object]) -> None:
    for _ in range(6000):
        if holds():
            return
        await pilot.pause(0.01)
    raise AssertionError(notified(pilot.app))


def notified(app: App[Any]) -> list[str]:
    return [notification.message for notification in app._notifications]


def fail(error: Exception) -> Any:
    raise error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyError(0), "it failed: KeyError(0)"),
        (Problem("the file is gone"), "the file is gone"),
        (ValueError("\x1b[31m[bold]\n"), "it failed: ValueError('\\x1b[31m[bold]\\n')"),
    ],
)
async def test_a_failure_is_notified(error: Exception, said: str) -> None:
    app: App[None] = App()
    taken: list[int] = []
    async with app.run_test() as pilot:
        in_background(app.screen, lambda: fail(error), taken.append, what="it failed")
        await until(pilot, lambda: notified(app))
        assert notified(app) == [said]
        in_background(app.screen, lambda: 7, lambda _: fail(error), what="it failed")
        await until(pilot, lambda: len(notified(app)) == 2)
        in_background(app.screen, lambda: 7, taken.append, what="it failed")
        await until(pilot, lambda: taken == [7])
    assert app.return_code is None  # it did not end by itself


async def test_what_comes_too_late_is_not_taken() -> None:
    app: App[None] = App()
    taken: list[int] = []
    go = threading.Event()
    async with app.run_test() as pilot:

        def first() -> int:
            go.wait(60)
            return 1

        in_background(app.screen, first, taken.append, what="", group="g", exclusive=True)
        await pilot.pause()
        in_background(app.screen, lambda: 2, taken.append, what="", group="g", exclusive=True)
        await until(pilot, lambda: taken)
        go.set()
        await app.workers.wait_for_complete()
    assert taken == [2]


async def test_waits_that_cannot_be_told_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "pix_inspect.ui.screens.waits.waits", lambda session: fail(RuntimeError("x"))
    )
    async with recorded("queries").run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("H")
        await until(pilot, lambda: isinstance(pilot.app.screen, WaitingScreen))
        screen = pilot.app.screen
        assert isinstance(screen, WaitingScreen)
        await until(
            pilot, lambda: "cannot be told" in str(screen.query_one("#waits-frame").border_title)
        )
        await pilot.press("escape")
        await settled(pilot)


@pytest.mark.parametrize("slow", [True, False])
async def test_what_a_filter_cannot_decide_on_is_counted(
    monkeypatch: pytest.MonkeyPatch, *, slow: bool
) -> None:
    monkeypatch.setattr("pix_inspect.ui.main.filtering.heavy", lambda session, row: slow)

    def test(subject: Any) -> bool:
        return fail(KeyError(0)) if subject.row.number == 2 else True

    async with recorded("add-tree").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        screen.filter._put_in_force("x", Filter("x", test, deep=True))
        await settled(pilot)
        total = len(screen.session)
        assert list(screen.filter.shown) == [i for i in range(total) if i != 1]
        said = screen.query_one("InForce.filter", InForce).render_line(0).text
        assert f"1 cannot be read; {total - 1} of {total}" in said
        if slow:
            (line,) = notified(pilot.app)
            assert line == "whether #2 passes the filter cannot be told: KeyError(0)"


async def test_an_exchange_that_cannot_be_read_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with recorded("add-tree").run_test(size=SIZE) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        read = Session.exchange

        def exchange(session: Session, i: int) -> ExchangeView:
            return fail(KeyError(0)) if i == 1 else read(session, i)

        monkeypatch.setattr("pix_inspect.ui.main.exchange_panes.heavy", lambda session, row: True)
        monkeypatch.setattr(Session, "exchange", exchange)
        screen.timeline.go_to(1)
        screen.side.choose(1)
        await until(pilot, lambda: "#2 cannot be read: KeyError(0)" in notified(pilot.app))
        assert "#2 cannot be read" in "\n".join(lines_of(screen.fields))
        screen.timeline.go_to(2)
        screen.side.choose(2)
        await until(
            pilot, lambda: screen.side.view is not None and screen.side.view.row.number == 3
        )
