"""The line of keys at the bottom, which says so where there is no room for all of them.

One widget for them all: Textual's footer has one for each key, and lays them out with every
change of the focus.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.screen import Screen
from textual.strip import Strip

from pix.dataclass import dataclass
from pix_inspect.ui.widgets.lines import Toned


@dataclass(slots=True)
class FooterKey:
    """A key: its name, how it is written, what it does, and the cells on which it stands."""

    key: str
    written: str
    does: str
    opens_screen: bool
    about: str
    """All of what it does, for a tooltip."""
    idle: bool
    """Whether there is nothing for it to do now; pressed, it says why."""
    end: int = 0

    @property
    def cells(self) -> int:
        """The cells that it takes, with the spaces around and between."""
        return cell_len(self.written) + (len(self.does) + 3 if self.does else 0)


class KeysFooter(Toned):
    """Keys with what they do, as far as that goes before a colon.

    Those that have nothing to do now, the `idle_actions` of where they are bound, are dimmed. On a
    narrow screen those that open other screens stand alone, from the last one on; `…`
    stands for keys that do not fit, which the help has.
    """

    DEFAULT_CSS = """
    KeysFooter {
        dock: bottom; height: 1; color: $footer-foreground; background: $footer-background;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[FooterKey] = []
        """Those that are named."""
        self.cut = False
        """Whether there are more."""
        self._hovered: FooterKey | None = None

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._arrange)

    def on_resize(self) -> None:
        self._arrange(self.screen)

    def _arrange(self, screen: Screen[object]) -> None:
        """Find out which keys there are, and which of them fit."""
        if not self.app.app_focus or screen is not self.screen:
            return
        found: dict[str, FooterKey] = {}
        for node, binding, _, _ in screen.active_bindings.values():
            if binding.show and binding.action not in found:
                written, does = self.app.get_key_display(binding), binding.description
                opens = binding.action.startswith("app.")
                idle = binding.action in getattr(node, "idle_actions", ())
                said = does.partition(":")[0]
                key = FooterKey(binding.key, written, said, opens, f"{written}  {does}", idle)
                found[binding.action] = key
        keys, width = list(found.values()), self.size.width
        for key in reversed(keys):
            if key.opens_screen and sum(each.cells for each in keys) > width:
                key.written, key.does = f" {key.written} ", ""
        self.cut = sum(each.cells for each in keys) > width
        self.keys, end = [], 0
        for key in keys:
            key.end = end = end + key.cells
            if end > width - self.cut:
                break
            self.keys.append(key)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return the one line there is."""
        ground = Style(bgcolor=self.tone.ground.bgcolor)
        return Strip(self._segments()).adjust_cell_length(self.size.width, ground)

    def _segments(self) -> Iterator[Segment]:
        for key in self.keys:
            ground = Style(bgcolor=self.tone("hovered").bgcolor if key is self._hovered else None)
            written = f" {key.written} " if key.does else key.written
            yield Segment(written, self.tone("dim" if key.idle else "key") + ground)
            if key.does:
                yield Segment(f"{key.does} ", self.tone("dim" if key.idle else "said") + ground)
        if self.cut:
            yield Segment("…", self.tone.ground)

    def _key_at(self, x: int) -> FooterKey | None:
        return next((key for key in self.keys if x < key.end), None)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        self._hover(self._key_at(event.x))

    def on_leave(self) -> None:
        self._hover(None)

    def _hover(self, key: FooterKey | None) -> None:
        if key is not self._hovered:
            self._hovered = key
            self.tooltip = key.about if key else None
            self.refresh()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Press the key that was clicked."""
        if (key := self._key_at(event.x)) is not None:
            self.app.simulate_key(key.key)
