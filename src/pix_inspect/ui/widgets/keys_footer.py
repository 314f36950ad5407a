"""The line of keys at the bottom, which says so where there is no room for all of them."""

from __future__ import annotations

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import Footer, Label
from textual.widgets._footer import FooterKey


class KeysFooter(Footer):
    """Keys with what they do, as far as that goes before a colon.

    On a narrow screen those that open other screens stand alone, from the last one on; `…`
    stands for keys that do not fit, which the help has.
    """

    def __init__(self) -> None:
        super().__init__(show_command_palette=False)

    def compose(self) -> ComposeResult:
        keys = [key for key in super().compose() if isinstance(key, FooterKey)]
        for key in keys:
            key.description = key.description.partition(":")[0]
        for key in reversed(keys):
            if sum(map(_cells, keys)) > self.size.width and key.action.startswith("app."):
                key.key_display, key.description = f" {key.key_display} ", ""
        yield from _fitting(keys, self.size.width)

    async def on_resize(self) -> None:
        await self.recompose()


def _fitting(keys: list[FooterKey], width: int) -> list[Widget]:
    """Return the keys that fit, and `…` where not all of them do."""
    if sum(map(_cells, keys)) <= width:
        return [*keys]
    room = width - 1
    shown: list[Widget] = []
    for key in keys:
        room -= _cells(key)
        if room < 0:
            break
        shown.append(key)
    return [*shown, Label("…")]


def _cells(key: FooterKey) -> int:
    """Return the cells that a key takes, with the spaces around and between."""
    return cell_len(key.key_display) + (len(key.description) + 3 if key.description else 0)
