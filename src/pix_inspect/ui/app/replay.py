"""A recording and its replay on the screen: a tab each, the first other answer on top."""

from __future__ import annotations

from typing import Any

from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.ui.app.app import Inspector
from pix_inspect.ui.screens.differences import DifferencesScreen


class ReplayInspector(Inspector):
    """The application, which begins with two answers to compare, where there are any."""

    def __init__(
        self, *sessions: Any, pair: tuple[ExchangeView, ExchangeView] | None, **options: Any
    ) -> None:
        super().__init__(*sessions, **options)
        self._pair = pair

    def on_ready(self) -> None:
        """Show what differs, on top of the recordings."""
        if self._pair is not None:
            self.push_screen(DifferencesScreen(*self._pair))
