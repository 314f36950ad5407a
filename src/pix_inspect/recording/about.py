"""What a recording says of itself, in words."""

from __future__ import annotations

from collections.abc import Iterator

from pix.codec.declare import DECLARED
from pix_inspect.base.safe_text import inert
from pix_inspect.base.units import duration, size
from pix_inspect.recording.notes import Made

LONGEST_DECLARED = 30_000
"""Characters of files of declarations that a recording keeps: its section is one comment."""
TIMELESS = "its times are made up: what it was imported from has none"


def caveats(made: Made) -> Iterator[str]:
    """Yield what has to be known of how a recording was made, whoever reads it."""
    if distance := made_distant(made):
        yield f"the daemon was made distant on purpose: {distance}"
    if made.timeless:
        yield TIMELESS
    yield from undeclared(made)


def undeclared(made: Made) -> Iterator[str]:
    """Yield a line about each file that a recording was made with and that is not declared here."""
    for name, text in made.declared.items():
        shown = inert(name, 80)
        if name in DECLARED and text and text != DECLARED[name]:
            yield f"it was recorded with another {shown} than is declared now"
        elif name not in DECLARED and text not in DECLARED.values():
            which = "the recording, which holds it" if text else "that file"
            yield f"it was recorded with --declare {shown}: --declare {which}"


def with_declarations() -> dict[str, dict[str, str]]:
    """Return what `Made` is to say of the files that were declared, nothing when none were."""
    is_short = sum(map(len, DECLARED.values())) <= LONGEST_DECLARED
    kept = {name: text if is_short else "" for name, text in DECLARED.items()}
    return {"declared": kept} if kept else {}


def made_distant(made: Made) -> str:
    """Return how distant the daemon was made for a recording, empty when it was not.

    Such as `+10 ms each way, jitter 2 ms, 20 MiB/s`. Whatever the recording holds, this is text.
    """
    delay = made.delay
    if delay is None:
        return ""
    times = ((delay.each_way, "+{} each way"), (delay.jitter, "jitter {}"))
    words = [
        text.format(duration(int(seconds * 1e9))) for seconds, text in times if 0 < seconds < 1e6
    ]
    if 0 < delay.rate < 1e15:
        words.append(f"{size(int(delay.rate))}/s")
    return ", ".join(words)
