"""What a recording says of itself, in words."""

from __future__ import annotations

from pix_inspect.base.units import duration, size
from pix_inspect.recording.notes import Made


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
