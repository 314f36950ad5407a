"""The bytes of one exchange: both directions, the chosen field lit, what is elided said."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from pix_inspect.base.units import size
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.ui.exchange.byte_lines import ByteLine, ByteLines
from pix_inspect.ui.exchange.fields_pane import ARROWS
from pix_inspect.ui.widgets.lines import Lines

WORD = 8
"""Bytes after which a gap stands: everything in the protocol is in words of eight."""

NAMES = ("client → daemon", "daemon → client")
SHOWN = bytes(i if 32 <= i < 127 else 0 for i in range(256))


class Bytes(Lines):
    """The bytes of an exchange, with a cursor on one of them."""

    TITLE = "Bytes"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l", "beside(1)", "Next byte", show=False, id="bytes.next"),
        Binding("left,h", "beside(-1)", "Previous byte", show=False, id="bytes.previous"),
        Binding("enter", "enter", "Field of this byte", id="bytes.enter"),
        Binding("y", "screen.copy('hex')", "Copy as hex", id="bytes.copy"),
    ]

    class Chosen(Message):
        """The user chose a byte."""

        def __init__(self, side: int, offset: int) -> None:
            super().__init__()
            self.side = side
            self.offset = offset

    class Entered(Chosen):
        """The user wants to go to the field of a byte."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view: ExchangeView | None = None
        self.lines: ByteLines | None = None
        self.at: tuple[int, int] | None = None
        """Side and offset of the cursor."""
        self.lit: tuple[int, int, int] | None = None
        """Side, start and end of the chosen field."""
        self.near: tuple[int, int, int] | None = None
        """Side, start and end of what is around it."""

    @property
    def count(self) -> int:
        return len(self.lines) if self.lines is not None else 0

    @property
    def per_line(self) -> int:
        """Bytes on a line: as many words as fit, up to four, and none or a power of two."""
        room = self.inner.width - self._offset_width - 5
        for words in (4, 2, 1):
            if room >= words * (WORD * 4 + 1):
                return words * WORD
        return WORD if room >= 28 else WORD // 2

    @property
    def _offset_width(self) -> int:
        if self.view is None:
            return 6
        largest = max(self.view.span(side)[1] for side in (0, 1))
        return max(6, len(f"{largest:x}"))

    # What is shown ----------------------------------------------------------------------

    def show(self, view: ExchangeView | None, *, keep: bool = False) -> None:
        """Show another exchange's bytes; with `keep` the cursor and the scroll position stay."""
        self.view = view
        self.lines = ByteLines(view, self.per_line) if view is not None else None
        if not keep:
            self.at = self.lines.first_byte() if self.lines is not None else None
            self.lit = self.near = None
            self.cursor = 0
            self.scroll_to(y=0, animate=False, force=True)
        self.resize_lines()
        self.redraw()

    def on_resize(self) -> None:
        if self.lines is not None and self.lines.per_line != self.per_line:
            self.lines = ByteLines(self.lines.view, self.per_line)
            self.resize_lines()
            self.redraw()
            if self.at is not None:
                self.cursor = self.lines.find(*self.at) or 0
            if self.lit is not None:
                self._show_lit()

    def light(
        self,
        lit: tuple[int, int, int] | None,
        near: tuple[int, int, int] | None = None,
        *,
        move: bool = True,
    ) -> None:
        """Light a field's bytes; with `move`, show its first one and put the cursor there."""
        self.lit, self.near = lit, near
        if move and lit is not None and self.lines is not None:
            side, start, _ = lit
            line = self.lines.near(side, start)
            if line is not None:
                if self.lines.find(side, start) is not None:
                    self.at = (side, start)
                self.cursor = line
                self._show_lit()
        self.redraw()

    def _show_lit(self) -> None:
        """Scroll no further than needed to show the field from its first byte on."""
        if self.lit is None or self.lines is None:
            return
        side, start, end = self.lit
        first = self.lines.near(side, start)
        last = self.lines.find(side, max(end - 1, start))
        height = self.inner.height
        if first is None or height <= 0:
            return
        if first and self.lines.line(first - 1).kind == "head":
            first -= 1
        bottom = min(last if last is not None else first, first + height - 1)
        top = round(self.scroll_y)
        if first < top:
            self.scroll_to(y=first, animate=False, force=True)
        elif bottom >= top + height:
            self.scroll_to(y=bottom - height + 1, animate=False, force=True)

    def nothing(self) -> list[str]:
        """Say that there are no bytes."""
        return ["no bytes"] if self.view is not None else []

    # Drawing ----------------------------------------------------------------------------

    def key(self, line: int) -> Hashable:
        """Strips are kept until something is lit, for `redraw` forgets them."""
        return None if line == self.cursor else 0

    def strip_of(self, line: int, width: int, at_cursor: bool) -> Strip:
        """Return the strip of a line; the cursor is a byte of it."""
        return super().strip_of(line, width, False)

    def segments(self, line: int, width: int) -> Iterable[Segment]:
        """Return a line: direction, offset, bytes, characters."""
        assert self.lines is not None
        found = self.lines.line(line)
        side = self.tone("client" if found.side == 0 else "daemon")
        length = found.end - found.start
        if found.kind == "head":
            span = f"  [{found.start}, {found.end})  {size(length)}"
            yield Segment(f"{ARROWS[found.side]} {NAMES[found.side]}", side + Style(bold=True))
            yield Segment(span, self.tone("dim"))
            return
        yield Segment(f"{ARROWS[found.side]} ", side)
        yield Segment(f"{found.start:0{self._offset_width}x}", self.tone("dim"))
        if found.kind == "elided":
            style = self._style(found.side, found.start, None)
            yield Segment("  ", self.tone("dim"))
            yield Segment(f"⋯ {size(length)} not kept, up to {found.end:#x}", style)
            return
        yield from self._bytes(found)

    def _bytes(self, line: ByteLine) -> Iterable[Segment]:
        assert self.view is not None
        assert self.lines is not None
        data = b"".join(
            piece for _, piece in self.view.bytes(line.side, line.start, line.end) if piece
        )
        per_line = self.lines.per_line
        dim = self.tone("dim")
        styles = [self._style(line.side, line.start + i, byte) for i, byte in enumerate(data)]
        for i in range(per_line):
            gap = "  " if i % WORD == 0 else " "
            if i >= len(data):
                yield Segment(gap + "  ", dim)
                continue
            # the space between two bytes of one field belongs to the field
            joined = i > 0 and i % WORD and self._same(styles[i - 1], styles[i])
            yield Segment(gap, styles[i] if joined else dim)
            yield Segment(f"{data[i]:02x}", styles[i])
        yield Segment("  ", dim)
        for byte, style in zip(data, styles, strict=True):
            yield Segment(chr(byte) if SHOWN[byte] else "·", style)

    @staticmethod
    def _same(one: Style, other: Style) -> bool:
        return (
            one.bgcolor == other.bgcolor
            and one.reverse == other.reverse
            and (one.bgcolor is not None or bool(one.reverse))
        )

    def _style(self, side: int, offset: int, byte: int | None) -> Style:
        if self.has_focus and self.at == (side, offset):
            return self.tone("cursor") + Style(underline=True)
        if _within(self.lit, side, offset):
            return self.tone("lit")
        if _within(self.near, side, offset):
            return self.tone("near")
        return self.tone("dim" if byte is None or not SHOWN[byte] else "text")

    # Keys and mouse ---------------------------------------------------------------------

    def choose(self, side: int, offset: int) -> None:
        """Put the cursor on a byte."""
        if self.lines is None:
            return
        line = self.lines.find(side, offset)
        if line is None:
            return
        self.at = (side, offset)
        self.cursor = line
        self.show_cursor()
        self.redraw()
        self.post_message(self.Chosen(side, offset))

    def action_move(self, lines: int) -> None:
        if self.lines is not None and self.at is not None:
            self.choose(*self.lines.moved(*self.at, lines))

    def action_beside(self, count: int) -> None:
        if self.lines is not None and self.at is not None:
            self.choose(*self.lines.beside(*self.at, count))

    def action_first(self) -> None:
        """Go to the first byte."""
        found = self.lines.first_byte() if self.lines is not None else None
        if found is not None:
            self.choose(*found)

    def action_last(self) -> None:
        """Go to the last byte."""
        found = self.lines.last_byte() if self.lines is not None else None
        if found is not None:
            self.choose(*found)

    def action_enter(self) -> None:
        """Go to the field of this byte."""
        if self.at is not None:
            self.post_message(self.Entered(*self.at))

    def click_at(self, line: int, x: int, chain: int) -> None:
        """Choose the byte that was clicked, as digits or as a character."""
        assert self.lines is not None
        found = self.lines.line(line)
        if found.kind == "elided":
            self.choose(found.side, found.start)
        column = self._column(x)
        if found.kind == "bytes" and column is not None and found.start + column < found.end:
            self.choose(found.side, found.start + column)
            if chain == 2:
                self.action_enter()

    def _column(self, x: int) -> int | None:
        """Return which byte of its line stands at a cell."""
        assert self.lines is not None
        per_line = self.lines.per_line
        x -= 2 + self._offset_width
        words = per_line // WORD or 1
        digits = per_line * 3 + words
        if 0 <= x < digits:
            word, rest = divmod(x, WORD * 3 + 1)
            return min(word * WORD + max(rest - 1, 0) // 3, per_line - 1)
        x -= digits + 2
        return x if 0 <= x < per_line else None


def _within(span: tuple[int, int, int] | None, side: int, offset: int) -> bool:
    return span is not None and span[0] == side and span[1] <= offset < span[2]
