"""Something done once, a while later, however busy the machine is."""

from __future__ import annotations

from collections.abc import Callable

from textual.timer import Timer
from textual.widget import Widget


def later(widget: Widget, seconds: float, do: Callable[[], object]) -> Timer:
    """Call `do` once, as a message of the widget, not before that many seconds are over.

    Textual takes a timer that begins late for one whose turns were missed, and leaves them out:
    of one that has a single turn nothing would ever be heard.
    """
    timer = widget.set_timer(seconds, do)
    timer._skip = False  # it begins after this
    return timer
