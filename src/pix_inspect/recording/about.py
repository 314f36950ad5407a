"""What a recording says of itself, in words."""

from __future__ import annotations

from typing import Any

from pix_inspect.base.units import duration, size


def made_distant(about: dict[str, Any]) -> str:
    """Return how distant a recording says that the daemon was made, empty when it was not.

    Such as `+10 ms each way, jitter 2 ms, 20 MiB/s`. Whatever the recording holds, this is text.
    """
    inner = about.get("about")
    known = inner if isinstance(inner, dict) else about
    delay = known.get("delay")
    if not isinstance(delay, dict):
        return ""
    words = []
    for key, text in (("each way", "+{} each way"), ("jitter", "jitter {}")):
        seconds = delay.get(key)
        if isinstance(seconds, int | float) and 0 < seconds < 1e6:
            words.append(text.format(duration(int(seconds * 1e9))))
    rate = delay.get("rate")
    if isinstance(rate, int | float) and 0 < rate < 1e15:
        words.append(f"{size(int(rate))}/s")
    return ", ".join(words)
