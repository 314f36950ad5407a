"""Random keys, clicks and pastes in bursts, as bytes that a terminal sends."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from textual import events
from textual._xterm_parser import XTermParser
from textual.message import Message

PLAIN = [*"jkhlgGfneycrmwsSFHTLPDCXEoO?/:=!\\+-[]{}<>*#0123456789 abdituvzx.,;'\"()"]
SPECIAL = [
    "\r", "\r", "\x1b", "\x1b", "\t", "\x1b[Z", "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[5~",
    "\x1b[6~", "\x1b[H", "\x1b[F", "\x7f", "\x01", "\x03", "\x06", "\x0b", "\x0f", "\x10", "\x12",
    "\x15", "\x17", "\x1bOP", "\x1b[23~", "\x1b[1;5A", "\x1b[1;5B", "\x1b[5;5~", "\x1b[6;5~",
]  # fmt: skip
TEXTS = [
    "op = QueryPathInfo", "took > 1ms and not error", 'IsValidPath(path="/nix/store/x")', "glibc",
    "hex: 1a 00", "help()", "ä€🐍", "\x1b[200~op = x\nsecond line\x1b[201~",
]  # fmt: skip


def burst(random: Random, size: tuple[int, int]) -> list[str]:
    """Return keys, clicks and texts that come together."""
    kinds = [PLAIN, PLAIN, SPECIAL, TEXTS, [_mouse(random, size)]]
    return [random.choice(random.choice(kinds)) for _ in range(random.choice([1, 1, 2, 3, 8, 30]))]


def _mouse(random: Random, size: tuple[int, int]) -> str:
    """Return a click, a drag, or a turn of the wheel."""
    x, y, button = random.randint(1, size[0]), random.randint(1, size[1]), random.choice([0, 2, 64])
    down = f"\x1b[<{button};{x};{y}M"
    if button == 64:
        return down
    to_x, to_y = random.choice([(x, y), (x, y), (size[0] // 2, y)])
    return f"{down}\x1b[<{button + 32};{to_x};{to_y}M\x1b[<{button};{to_x};{to_y}m"


def messages(tokens: list[str]) -> Iterator[Message]:
    """Yield what Textual makes of them."""
    for token in tokens:
        if token == "\x1b":  # alone it waits for more
            yield events.Key("escape", "\x1b")
        else:
            yield from XTermParser().feed(token)
