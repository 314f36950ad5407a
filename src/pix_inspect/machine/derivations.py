"""What derivations need, read from their files as they stand in the store.

A derivation's text holds the paths of those that it is built from; who builds one of them, builds
it for all. Source: Nix `derivations.cc` (ATerm).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

MOST = 500
"""Files that are read."""
LARGEST = 1 << 20
"""Bytes that are read of a file."""
_INPUT = re.compile(rb'"(/[^"\\]{1,4096}\.drv)"')


def needed(derivations: Iterable[str], root: str = "") -> set[str]:
    """Return derivations and all that they need, as far as `root` (of a process) has their files.

    Not those beyond MOST files.
    """
    found = set(derivations)
    pending = list(found)
    for _ in range(MOST):
        if not pending:
            break
        try:
            with Path(f"{root}{pending.pop()}").open("rb") as file:
                text = file.read(LARGEST)
        except (OSError, ValueError):
            continue
        new = {match.decode(errors="surrogateescape") for match in _INPUT.findall(text)} - found
        found |= new
        pending += sorted(new)
    return found
