"""How a key is called where a text names one: as the user has chosen it."""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.binding import Binding


def pressed(app: App[Any], name: str, usual: str) -> str:
    """Return how the key of a binding is written: `usual`, unless the user has changed it."""
    changed = app._keymap.get(name)
    return usual if changed is None else app.get_key_display(Binding(changed.split(",")[0], ""))
