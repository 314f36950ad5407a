"""Golden values: bytes that Nix's own unit tests pin down, with what they mean.

Knows the layout of the shared golden data: one file of bytes for each entry of expected.json.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.captures import shared


@dataclass(frozen=True, slots=True)
class Golden:
    """One file.  `entry` is its entry of expected.json as it stands there."""

    name: str
    data: bytes = field(repr=False)
    entry: dict[str, Any] = field(repr=False)

    @property
    def is_nar(self) -> bool:
        """A NAR; its entry has `strict` and `endScan` where a value's has `type` and `value`."""
        return self.name.endswith(".nar")


def folder() -> Path:
    """Where the files are.  Raises Missing."""
    return shared("golden/nix-worker-protocol")


@cache
def files() -> tuple[Golden, ...]:
    """All files, sorted by name.  Raises Missing."""
    place = folder()
    expected = json.loads((place / "expected.json").read_text())
    return tuple(
        Golden(name, (place / name).read_bytes(), entry) for name, entry in sorted(expected.items())
    )
