"""What could be written next, below or above the line in which one writes."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

T = TypeVar("T")
U = TypeVar("U")

NOTE = "dim"
"""How what is said of a choice looks: of no colour of its own, which the chosen one's may hide."""


if TYPE_CHECKING:
    _Options = OptionList
else:
    _Options = object  # as a widget it would hide the style sheet of the one it is mixed into


class Steady(_Options):
    """To be mixed into a list whose choices change while keys and clicks are on their way."""

    async def _on_click(self, event: events.Click) -> None:
        if event.style.meta.get("option", 0) >= self.option_count:
            event.prevent_default()

    def _move_page(self, direction: Literal[-1, 1]) -> None:
        with suppress(KeyError):  # of choices that have not been drawn yet
            super()._move_page(direction)


class Choice(Option, Generic[T]):
    """What one of the choices is, and how it is shown."""

    def __init__(self, value: T, shown: Content) -> None:
        super().__init__(shown)
        self.value = value


class Choices(Steady, OptionList, Generic[T], can_focus=False):
    """A list whose keys the line has; a click takes a choice. With nothing to say it is hidden."""

    class Taken(Message, Generic[U]):
        """The user clicked a choice."""

        def __init__(self, value: U) -> None:
            super().__init__()
            self.value = value

    DEFAULT_CSS = """
    Choices, Choices.-textual-compact {
        border: none; padding: 0; height: auto; max-height: 8; background: $surface;
        text-wrap: nowrap; text-overflow: ellipsis; scrollbar-size-vertical: 1;
        & > .option-list--option-highlighted {
            color: $block-cursor-foreground; background: $block-cursor-background; text-style: bold;
        }
    }
    """

    def say(
        self, choices: Iterable[tuple[T, Content]], *, chosen: bool = True, empty: str = ""
    ) -> None:
        """Show other choices, of safe text, or `empty`; `chosen` whether the first one is."""
        self.clear_options()
        self.add_options(Choice(*choice) for choice in choices)
        self.highlighted = 0 if chosen and self.option_count else None
        if empty and not self.option_count:
            self.add_option(Option(Content.styled(empty, NOTE), disabled=True))
        self.display = bool(self.option_count)

    @property
    def chosen(self) -> T | None:
        """The one under the cursor."""
        option = self.highlighted_option
        return option.value if isinstance(option, Choice) else None

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        """Say which choice was clicked: there may be others by the time that is heard."""
        message.stop()
        if isinstance(message.option, Choice):
            self.post_message(self.Taken(message.option.value))

    def move(self, step: int) -> None:
        """Choose the next one, or the one before."""
        if step > 0:
            self.action_cursor_down()
        else:
            self.action_cursor_up()
