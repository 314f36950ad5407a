"""What a recording says of itself, in words."""

from __future__ import annotations

from collections.abc import Iterator

from pix_inspect.base.units import duration, size
from pix_inspect.recording.notes import Made

TIMELESS = "its times are made up: what it was imported from has none"


def caveats(made: Made) -> Iterator[str]:
    """Yield what has to be known of how a recording was made, whoever reads it."""
    if distance := made_distant(made):
        yield f"the daemon was made distant on purpose: {distance}"
    if made.timeless:
        yield TIMELESS


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
