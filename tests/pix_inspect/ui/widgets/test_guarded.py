"""Screens that are left once: what comes twice, late, or from below does nothing."""

from __future__ import annotations

from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, OptionList

from pix_inspect.ui.widgets.guarded import Guarded


class Choice(Guarded, ModalScreen[str]):
    """A dialog that a key, or a choice in its list, leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("x", "dismiss('key')", "Leave")]

    def compose(self) -> ComposeResult:
        yield OptionList("one", "two")

    def on_option_list_option_selected(self) -> None:
        self.dismiss("list")

    def on_input_submitted(self) -> None:
        raise AssertionError("a message came to a screen that was left")


class Host(App[None]):
    """Notes what its dialog came to."""

    def __init__(self) -> None:
        super().__init__()
        self.results: list[str | None] = []
        self.choice = Choice()

    def on_mount(self) -> None:
        self.push_screen(self.choice, self.results.append)


async def test_keys_that_come_together_leave_a_screen_once() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press("down", "enter", "enter", "x", "x")
        await pilot.pause()
        assert app.results == ["list"]
        assert len(app.screen_stack) == 1


async def test_what_comes_when_it_is_gone_does_nothing() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.pause()
        app.choice.dismiss("first")
        app.choice.dismiss("second")
        app.choice.post_message(Input.Submitted(Input(), "late"))
        await pilot.pause()
        assert app.results == ["first"]


async def test_below_another_screen_it_waits_until_that_is_gone() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.pause()
        over: Screen[None] = Screen()
        await app.push_screen(over)
        app.choice.dismiss("late")
        await pilot.pause()
        assert app.screen is over
        assert app.results == []
        over.dismiss()
        await pilot.pause()
        assert app.results == ["late"]
        assert len(app.screen_stack) == 1


async def test_the_style_sheet_of_a_modal_screen_holds() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.pause()
        assert app.screen.is_modal
        assert app.screen.styles.background.a < 1
        assert not app.screen.query(Input)
