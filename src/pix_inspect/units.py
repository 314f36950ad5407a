"""Numbers as people read them: three significant digits, always with a unit.

Knows times (ns), sizes (bytes) and counts; nothing else.
"""

from __future__ import annotations


def duration(ns: int | None) -> str:
    """Return a duration in nanoseconds as text, such as `0.38 ms`; `–` for None."""
    if ns is None:
        return "–"
    if ns < 0:
        return f"-{duration(-ns)}"
    if ns < 1_000_000:
        return f"{ns / 1e3:.3g} µs" if ns < 999_500 else "1 ms"
    if ns < 999_500_000:
        return f"{ns / 1e6:.3g} ms"
    seconds = ns / 1e9
    if seconds < 99.95:
        return f"{seconds:.3g} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60:02} s"
    return f"{int(seconds) // 3600} h {int(seconds) % 3600 // 60:02} min"


def size(count: int) -> str:
    """Return a number of bytes as text, such as `1.21 MiB`."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        value /= 1024
        if value < 999.5:
            return f"{value:.3g} {unit}"
    return f"{value:.3g} EiB"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: `1 path`, `1,204 paths`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
