"""Characters for a terminal whose locale has not all of them, each as wide as what it stands for.

An escape in its place (`\\u2501`) would push everything behind it out of its column.
"""

from __future__ import annotations

import codecs

from rich.cells import cell_len

NAME = "look-alikes"
"""The handler of errors, for an encoding."""

_ALIKE = {
    character: alike
    for alike, characters in {
        "-": "─━┄┅═–—▁▂▔▃", "|": "│┃║▏▎▍▌▐┤├", "+": "┌┐└┘┏┓┗┛╭╮╰╯┬┴┼✓", "#": "█▓▉▊▋▇▆▅▄▒░",
        ">": "→▸▶›↪", "<": "←◂‹⏎", "^": "↑▲△", "v": "↓▼▾▽", "x": "✗×☑✂", "!": "⚑⚠",
        "*": "•●■◆◐", "o": "◌○☐", "~": "…⋯", ".": "·", '"': "“”", "'": "‘’", "=": "⇄", "u": "µ",
    }.items()
    for character in characters
}  # fmt: skip


def _alike(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    missing = error.object[error.start : error.end]
    return "".join(_ALIKE.get(each, "?" * cell_len(each)) for each in missing), error.end


codecs.register_error(NAME, _alike)


def drawn(text: str, encoding: str) -> str:
    """Return a text whose characters an encoding has, of the same width."""
    return text.encode(encoding, NAME).decode(encoding)
