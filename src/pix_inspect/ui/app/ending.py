"""How the screen ends: by a signal, a terminal that is gone, or a mistake of our own.

Whichever it is, the terminal is left as it was found, whoever started the screen goes on to
its end, and the exit status tells.
"""

from __future__ import annotations

import asyncio
import codecs
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TextIO

from textual.app import App
from textual.binding import Binding, BindingType
from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from pix.untrusted import natural
from pix_inspect.base.narrate import say
from pix_inspect.ui.app.look_alikes import drawn
from pix_inspect.ui.app.pastes import PasteParser
from pix_inspect.ui.widgets.guarded import TAKING_DOWN
from pix_inspect.ui.widgets.pressed import pressed

if TYPE_CHECKING:
    from pix_inspect.ui.app.leaving import Answer

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)

SIZE = ("COLUMNS", "LINES")
"""What the environment says of the terminal, and is believed before it."""
MOMENT = 0.01
"""Seconds after which is looked whether what was typed has been taken."""
MOST = 2000
"""Columns or lines that are believed."""


class _Enduring(io.TextIOBase):
    """A terminal to write to: what it does not take, as it is gone, is lost."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._encoding = terminal.encoding or "utf-8"

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._terminal.write(drawn(text, self._encoding))
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._terminal.flush()

    def fileno(self) -> int:
        return self._terminal.fileno()


def _lenient(encoding: str) -> partial[codecs.IncrementalDecoder]:
    """Return what makes a decoder that takes any bytes: not every terminal sends UTF-8."""
    return partial(codecs.getincrementaldecoder(encoding), errors="replace")


class Terminal(LinuxDriver):
    """A terminal that may go at any time."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        terminal: Any = _Enduring(sys.stderr)
        self._file = terminal

    def run_input_thread(self) -> None:
        """Read what is typed. Textual has no other place to name the parser and the decoder."""
        alt = any("alt+" in keys for keys in self._app._keymap.values())
        parser = partial(PasteParser, alt=alt)
        linux_driver.XTermParser = parser  # type: ignore[attr-defined,assignment]
        linux_driver.getincrementaldecoder = _lenient  # type: ignore[attr-defined,assignment]
        super().run_input_thread()

    def _sigtstp_application(self, *_: object) -> None:
        self._between(super()._sigtstp_application)

    def _sigcont_application(self, *_: object) -> None:
        self._between(super()._sigcont_application)

    def _between(self, does: Callable[[], None]) -> None:
        """Do it between two steps of the application: amid one, a lock may be held that it needs,
        such as that of what is to be drawn.
        """
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(does)

    def resume_application_mode(self) -> None:
        """Read and draw again, but not for what is about to end: nobody would end the reading."""
        if not self._app._exit:
            super().resume_application_mode()

    def process_message(self, message: Message) -> None:
        """Pass on what was typed, but not once all is over: it came back from being suspended.

        No faster than it is taken: nothing would bound what waits, and a signal would wait behind.
        """
        if threading.current_thread() is self._key_thread:
            while getattr(self._app, "behind", False) and not self.exit_event.wait(MOMENT):
                pass
        if not self._loop.is_closed():
            super().process_message(message)


class Ending(App["Answer"]):
    """An application that ends in order."""

    ALLOW_SELECT = False  # lines are drawn by their panes, and terminals select with shift
    ENDING_KEYS: ClassVar[list[BindingType]] = [
        Binding(
            "ctrl+z",
            "suspend_process",
            "Suspend",
            show=False,
            id="app.suspend",
            priority=True,  # in dialogs, too
        ),
    ]

    def __init__(self) -> None:
        for name in SIZE:
            number = natural(os.environ.get(name, "0"))
            if number is None or number > MOST:
                del os.environ[name]
        super().__init__(driver_class=Terminal)
        self._ended_by: signal.Signals | None = None
        self._signals = False

    def run(self, **options: Any) -> Answer | None:
        """Run it. Raises what went wrong, and SystemExit when a signal ended it."""
        self._signals = True
        with _handlers_kept():
            answer = super().run(**options)
        if isinstance(self._driver, Terminal):
            self._driver.exit_event.set()  # a thread that reads would be waited for
        if self._exception is not None:
            raise self._exception
        if self._ended_by is not None:
            say(f"ended by {self._ended_by.name}")
            raise SystemExit(128 + self._ended_by)
        return answer

    def on_load(self) -> None:
        """Have signals end the screen, not the process in its midst."""
        if self._signals:
            loop = asyncio.get_running_loop()
            for number in ENDING:
                loop.add_signal_handler(number, self._end_by, number)

    async def _dispatch_message(self, message: Message) -> None:
        """Drop what comes when the screens are being taken down."""
        if self.is_running or isinstance(message, TAKING_DOWN):
            await super()._dispatch_message(message)

    def _end_by(self, number: signal.Signals) -> None:
        self._ended_by = number
        self.exit()

    def panic(self, *renderables: object) -> None:
        """End: there is no terminal to read from, or an exception says what went wrong."""
        if self._exception is None:
            self._ended_by = self._ended_by or signal.SIGHUP
        self._close_messages_no_wait()

    _fatal_error = panic
    """Rich's traceback would show values, which may be of the wire."""

    def action_help_quit(self) -> None:
        """Say what ends the screen, as ctrl+c does not."""
        quits, back = pressed(self, "quit", "q"), pressed(self, "back", "esc")
        self.notify(f"{quits} quits; {back} goes back a step", markup=False)


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Give signals back the handlers that they have now."""
    before = {number: signal.getsignal(number) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
