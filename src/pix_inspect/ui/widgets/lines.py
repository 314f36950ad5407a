"""A pane of lines: a cursor, keys and mouse, and strips made only for what is visible.

The base of every list on the screen. A subclass says how many lines there are and what
segments each has; nothing grows with their number. Nothing but the user moves the cursor or
the scroll position, except that a pane whose cursor follows the end stays at the end.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

TONES = {
    *("cursor", "blurred", "lit", "near"),  # which mark the ground behind the text
    *("text", "dim", "name", "label", "number", "good", "bad", "warn", "accent"),
    *("client", "daemon", "mark"),
    *("key", "said", "hovered"),  # in the footer
}
"""The ways in which text can look; app.tcss gives each its theme variables."""

COMPONENTS = {f"tone--{tone}" for tone in TONES}
"""What the application has as its component classes: once, as each costs every widget time."""


class Tones:
    """The styles of a widget's tones, made when they are asked for."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._made: dict[str, Style] = {}

    def __call__(self, name: str) -> Style:
        """Return the style of a tone: on the widget's own ground, but for those that are one."""
        style = self._made.get(name)
        if style is None:
            style = self._made[name] = self._make(name)
        return style

    @property
    def ground(self) -> Style:
        return self("")

    def forget(self) -> None:
        """Make them anew, in another theme."""
        self._made = {}

    def _make(self, name: str) -> Style:
        widget = self._widget
        if not name:
            return widget.rich_style
        tone = widget.app.get_component_styles(f"tone--{name}")
        ground = widget.background_colors[1]
        if tone.has_rule("background"):
            ground += tone.background
        text = (ground + tone.color).rich_color if tone.has_rule("color") else None
        colors = Style.from_color(text, ground.rich_color if ground.a else None)
        return widget.rich_style + tone.text_style + colors


class Toned(Widget):
    """A widget that draws its own lines, in tones."""

    ALLOW_SELECT = False

    def __init__(self, *children: Widget, **about: Any) -> None:
        super().__init__(*children, **about)
        self.tone = Tones(self)

    def notify_style_update(self) -> None:
        """Forget the tones of the theme before."""
        super().notify_style_update()
        self.tone.forget()
        self.refresh()


def line_strip(segments: Iterable[Segment], width: int, ground: Style) -> Strip:
    """Return segments as a strip of exactly `width` cells; `…` says that it is cut."""
    kept: list[Segment] = []
    used = 0
    for segment in segments:
        text, style, _ = segment
        used += len(text) if text.isascii() else cell_len(text)
        kept.append(segment if style is not None else Segment(text, ground))
    if used < width:
        kept.append(Segment(" " * (width - used), ground))
    strip = Strip(kept, max(used, width))
    if used <= width:
        return strip
    if width < 1 or not strip.crop(width).text.strip():
        return strip.crop(0, width)
    return Strip([*strip.crop(0, width - 1), Segment("…", kept[-1].style)], width)


class Lines(ScrollView, Toned, can_focus=True, inherit_bindings=False):
    """Lines with a cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Next line", show=False, id="line.next"),
        Binding("up,k", "move(-1)", "Previous line", show=False, id="line.previous"),
        Binding("home,g", "first", "First line", show=False, id="line.first"),
        Binding("end,G", "last", "Last line", show=False, id="line.last"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="page.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="page.up"),
        Binding("ctrl+d", "page(1, True)", "Half a page down", show=False, id="page.half_down"),
        Binding("ctrl+u", "page(-1, True)", "Half a page up", show=False, id="page.half_up"),
    ]
    TITLE = ""
    BOXED = False
    """Whether the border with the title is that of the box around."""

    class Moved(Message):
        """The user moved the cursor."""

        def __init__(self, pane: Lines) -> None:
            super().__init__()
            self.pane = pane

        @property
        def control(self) -> Lines:
            """The pane whose cursor moved."""
            return self.pane

    class Entered(Moved):
        """The user wants more of the line under the cursor."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.cursor = 0
        self._strips: LRUCache[Hashable, Strip] = LRUCache(1024)
        self._inner = Size(0, 0)
        self._inner_of: Size | None = None

    # For subclasses ---------------------------------------------------------------------

    @property
    def count(self) -> int:
        """How many lines there are."""
        return 0

    def segments(self, line: int, width: int) -> Iterable[Segment]:
        """Return what stands on a line, of safe text; what is behind `width` is cut."""
        return ()

    def key(self, line: int) -> Hashable:
        """Return what a line's strip depends on besides place and width; None: keep no strip."""
        return 0

    def nothing(self) -> list[str]:
        """Return what to say when there are no lines."""
        return []

    # Looks ------------------------------------------------------------------------------

    def notify_style_update(self) -> None:
        """Forget what was drawn in the theme before."""
        super().notify_style_update()
        self._strips.clear()

    def redraw(self) -> None:
        """Draw all that is visible again."""
        self._strips.clear()
        self.refresh()

    def entitle(self, detail: str = "") -> None:
        """Write the pane's title, with a detail of safe text behind it."""
        frame = self.parent if self.BOXED and isinstance(self.parent, Widget) else self
        frame.border_title = Content("  ".join(filter(None, (self.TITLE, detail))))

    def on_mount(self) -> None:
        self.entitle()
        self.resize_lines()

    def resize_lines(self) -> None:
        """Take note that the number of lines has changed."""
        size = Size(0, self.count)
        if size != self.virtual_size:
            # set as it is, the size would have the whole screen laid out anew
            self.set_reactive(ScrollView.virtual_size, size)
            self._scroll_update(size)

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self.show_cursor()

    @property
    def inner(self) -> Size:
        """The cells there are for lines."""
        size = self.size
        if size != self._inner_of:  # it is asked for with every line, and takes its time
            self._inner = self.scrollable_content_region.size
            self._inner_of = size
        return self._inner

    def render_line(self, y: int) -> Strip:
        """Return the strip of a visible line."""
        width = self.inner.width
        line = y + round(self.scroll_y)
        count = self.count
        if line >= count:
            said = self.nothing() if not count else ()
            text = said[line] if line < len(said) else ""
            return line_strip([Segment(text, self.tone("dim"))], width, self.tone.ground)
        at_cursor = line == self.cursor
        key = self.key(line)
        if key is None:
            return self.strip_of(line, width, at_cursor)
        where = (line, width, at_cursor and (2 if self.has_focus else 1), key)
        strip = self._strips.get(where)
        if strip is None:
            strip = self._strips[where] = self.strip_of(line, width, at_cursor)
        return strip

    def strip_of(self, line: int, width: int, at_cursor: bool) -> Strip:
        """Return the strip of a line, drawn now."""
        segments = self.segments(line, width)
        if not at_cursor:
            return line_strip(segments, width, self.tone.ground)
        cursor = self.tone("cursor" if self.has_focus else "blurred")
        if not self.has_focus:
            cursor = Style(bgcolor=cursor.bgcolor)  # the text keeps its own foreground
        ground = self.tone.ground + cursor
        found = [Segment(each.text, (each.style or ground) + cursor) for each in segments]
        return line_strip(found, width, ground)

    # The cursor -------------------------------------------------------------------------

    def move_to(self, line: int, *, tell: bool = True) -> None:
        """Put the cursor on a line and show it; `tell` whether to say so."""
        line = max(0, min(line, self.count - 1))
        if line != self.cursor:
            before, self.cursor = self.cursor, line
            self.refresh_line(before)
            self.refresh_line(line)
            self.show_cursor()
            if tell:
                self.moved()
        else:
            self.show_cursor()

    def moved(self) -> None:
        """Say that the user moved the cursor."""
        self.post_message(self.Moved(self))

    def show_cursor(self) -> None:
        """Scroll no further than needed to have the cursor in sight."""
        height = self.inner.height
        top = round(self.scroll_y)
        if height <= 0:
            return
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, force=True)

    def action_move(self, lines: int) -> None:
        """Move the cursor by some lines."""
        self.move_to(self.cursor + lines)

    def action_page(self, pages: int, half: bool = False) -> None:
        """Move the cursor by pages or by half pages."""
        height = self.inner.height
        self.action_move(pages * max(height // 2 if half else height - 1, 1))

    def action_first(self) -> None:
        """Go to the first line."""
        self.move_to(0)

    def action_last(self) -> None:
        """Go to the last line."""
        self.move_to(self.count - 1)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse clicked; a second click enters."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        line = offset.y + round(self.scroll_y)
        if line < self.count:
            self.click_at(line, offset.x, event.chain)

    def click_at(self, line: int, x: int, chain: int) -> None:
        """Do what a click on a line means."""
        self.move_to(line)
        if chain == 2:
            self.post_message(self.Entered(self))

    def on_focus(self) -> None:
        """Draw the cursor as the one that keys move, or as one that stays."""
        self.refresh()

    on_blur = on_focus
