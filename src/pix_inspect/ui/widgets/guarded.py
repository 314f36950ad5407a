"""Screens that are left once: keys, clicks and late words for one that is gone do nothing.

Several keys may be on their way when the first of them leaves a screen, and what a thread
found may come later still.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual import events, messages
from textual.await_complete import AwaitComplete
from textual.message import Message
from textual.screen import Screen

TAKING_DOWN = (
    events.Callback, events.ScreenSuspend, events.Unmount, messages.CloseMessages, messages.Prune,
)  # fmt: skip
"""What a screen that was left still has to hear of."""

if TYPE_CHECKING:
    _Screen = Screen[Any]
else:
    _Screen = object  # as a screen it would hide the style sheet of the one it is mixed into


class Guarded(_Screen):
    """To be mixed into a screen, before its other bases."""

    _left = False
    _leaving: tuple[object] | None = None
    """The result to leave with, once no other screen stands on top."""

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Leave the screen, or do so once it is the top one; a second time, do nothing."""
        if self._left:
            return AwaitComplete()
        if not self.is_active:
            self._leaving = (result,)
            return AwaitComplete()
        self._left = True
        return super().dismiss(result)

    def on_screen_resume(self) -> None:
        """Leave, if that was wanted meanwhile."""
        if self._leaving is not None:
            self.dismiss(*self._leaving)

    async def _dispatch_message(self, message: Message) -> None:
        """Drop what comes after the screen was left."""
        if not self._left or isinstance(message, TAKING_DOWN):
            await super()._dispatch_message(message)
