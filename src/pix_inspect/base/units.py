"""Numbers as people read them: three significant digits, always with a unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    if count < 1000:
        return f"{count} B"
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


_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def parse_size(text: str) -> int:
    """Return the bytes that `64K`, `1.5MiB` or `4096` stand for (K is 1024).

    Raises ValueError with one clear line.
    """
    word = text.strip().lower().removesuffix("ib").removesuffix("b")
    unit = word[-1:] if word[-1:].isalpha() else ""
    try:
        value = float(word.removesuffix(unit)) * _UNITS[unit]
        if not 0 <= value < 1 << 62:
            raise ValueError
        return int(value)
    except (ValueError, KeyError, OverflowError):
        raise ValueError(f"{text!r} is not a size: write bytes, or 64K, 10M, 2G") from None


_TIMES = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 10**9, "min": 60 * 10**9}


def parse_duration(text: str) -> int:
    """Return the nanoseconds that `50ms`, `2s` or `1.5min` stand for; without a unit, seconds.

    Raises ValueError with one clear line.
    """
    word = text.strip()
    number = word.rstrip("nuµmsi")
    try:
        value = float(number) * _TIMES[word[len(number) :].strip() or "s"]
        if not 0 <= value < 1e18:
            raise ValueError
        return int(value)
    except (ValueError, KeyError, OverflowError):
        raise ValueError(f"{text!r} is not a time: write 50ms, 2s") from None


def aligned(table: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table, the first column flush left and the others right."""
    first, *rest = (max(map(len, column)) for column in zip(*table, strict=True))
    for name, *row in table:
        cells = [cell.rjust(width) for cell, width in zip(row, rest, strict=True)]
        yield "  ".join([name.ljust(first), *cells]).rstrip()
