"""Numbers as people read them: three significant digits, always with a unit."""

from __future__ import annotations

import re
from datetime import UTC, datetime


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
    if count < 1024:
        return f"{count:,} B"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        value /= 1024
        if value < 999.5:
            return f"{value:.3g} {unit}"
    return f"{value / 1024:.3g} EiB"


def moment(seconds: int) -> str:
    """Return a time in seconds since 1970 as UTC date and time, empty beyond the year 9999."""
    if not 0 <= seconds < 253_402_300_800:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: `1 path`, `1,204 paths`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


_SIZES = {"B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_TIMES = {"s": 10**9, "ms": 10**6, "min": 60 * 10**9, "us": 1_000, "µs": 1_000, "ns": 1}


def parse_size(text: str) -> int:
    """Return the bytes that `64K`, `1.5MiB` or `4096B` stand for (K is 1024); 0 needs no unit.

    Raises ValueError with one clear line.
    """
    word = text.strip().upper().removesuffix("IB")
    if word[-2:-1].isalpha():
        word = word.removesuffix("B")
    found = _with_unit(word, _SIZES)
    if found is None or found >= 1 << 62:
        raise ValueError(f"{text!r} is not a size: write 512B, 64K, 10M, 2G")
    return found


def parse_duration(text: str) -> int:
    """Return the nanoseconds that `50ms`, `2s` or `1.5min` stand for; 0 needs no unit.

    Raises ValueError with one clear line.
    """
    found = _with_unit(text.strip(), _TIMES)
    if found is None or found >= 10**18:
        raise ValueError(f"{text!r} is not a time: write 50ms, 2s")
    return found


def _with_unit(word: str, units: dict[str, int]) -> int | None:
    """Return what a number with its unit stands for, None where it is none.

    Without a unit only 0 is taken; raises ValueError with what others may have meant.
    """
    match = re.fullmatch(r"(\d{1,18}(?:\.\d{1,18})?)\s*([A-Za-zµ]*)", word, re.ASCII)
    if match is None:
        return None
    value, unit = float(match[1]), match[2]
    if not unit and value:
        meant = " or ".join(f"{match[1]}{each}" for each in list(units)[:3])
        raise ValueError(f"{word} has no unit: write {meant}")
    factor = units.get(unit) if unit else 1
    return None if factor is None else int(value * factor)
