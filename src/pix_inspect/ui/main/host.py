"""What a main screen asks of the application around it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pix_inspect.ui.main.tabs import Tab

if TYPE_CHECKING:
    from pix_inspect.ui.main.main_screen import MainScreen


class Host(Protocol):
    """The application, as far as a main screen knows it."""

    tabs: list[Tab]
    now: Callable[[], int]
    """The time, in nanoseconds since 1970."""
    silence: int
    """Nanoseconds without a word after which the banner says who owes one; 0: never."""
    upstream: Path | None
    """A daemon that the REPL talks to, where another was named than the relay's."""

    def recall(self, screen: MainScreen, /) -> None:
        """Have a screen look as it was left the last time."""

    def warn(self, text: str, /) -> None:
        """Say in one line what cannot be done."""

    def leave(self) -> None:
        """Quit, after asking what happens to clients that are connected."""
