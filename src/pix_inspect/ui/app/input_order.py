"""Keys, pastes and clicks in their order, however fast they come.

Textual hands a key to what has the focus and goes on with the next at once, while what the first
opened gets the focus later. Here the next waits until all that the one before set off is done.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from textual import events
from textual.app import App
from textual.widget import Widget

PATIENCE = 3.0
"""Seconds after which the next is handed on though something still goes on: of this thread's own,
for on a busy machine time passes in which nothing can be done."""
MUCH = 1000
"""Keys and clicks of which the last is waited for long enough to be noticed."""


class InputOrder:
    """What the user does in an application, handed to `give` one after the other."""

    def __init__(self, app: App[Any], give: Callable[[events.Event], Awaitable[None]]) -> None:
        self._app = app
        self._give = give
        self._waiting: deque[events.Event] = deque()
        self._until = 0.0
        self._written: Widget | None = None

    @staticmethod
    def concerns(event: events.Event) -> bool:
        """Return whether an event is something that the user just did."""
        return isinstance(event, events.InputEvent | events.Paste) and not event.is_forwarded

    @property
    def behind(self) -> bool:
        """Whether so much waits that no more should come; may be asked from any thread."""
        return len(self._waiting) > MUCH

    @property
    def done(self) -> bool:
        """Whether all that came was handed on."""
        return not self._waiting

    async def take(self, event: events.Event) -> None:
        """Hand on what the user did when it is its turn."""
        last = self._waiting[-1] if len(self._waiting) > 1 else None
        if isinstance(event, events.MouseMove) and isinstance(last, events.MouseMove):
            self._waiting.pop()  # where the mouse went in between makes no difference
        self._waiting.append(event)
        if len(self._waiting) == 1:
            self._until = time.thread_time() + PATIENCE
            await self._go_on()

    async def _go_on(self) -> None:
        event = self._waiting[0]
        line = self._line_of(event)
        more = line is not None and line is self._written  # what is typed moves no focus
        if not (more or self._quiet) and time.thread_time() < self._until:
            await asyncio.sleep(0)  # the others' turn, as this has always something to do
            self._app.call_later(self._go_on)
            return
        self._written = line
        await self._give(event)
        self._waiting.popleft()
        if self._waiting:
            self._until = time.thread_time() + PATIENCE
            self._app.call_later(self._go_on)

    def _line_of(self, event: events.Event) -> Widget | None:
        """Return the line in which an event is but one more character."""
        focused = self._app.focused
        if focused is None or not isinstance(event, events.Key):
            return None
        return focused if focused.check_consume_key(event.key, event.character) else None

    @property
    def _quiet(self) -> bool:
        """Whether no part of the screen has something to do, and all of them stand."""
        stack = self._app.screen_stack
        parts: list[Widget] = [*stack, *(stack[-1].walk_children(Widget) if stack else ())]
        standing = all(part.is_mounted and not part.message_queue_size for part in parts)
        return standing and not self._app.message_queue_size
