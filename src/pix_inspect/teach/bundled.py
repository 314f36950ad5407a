"""The recordings that come with pix-inspect, and which exchange of them shows what.

They lie in `recordings/` of the source tree, or in the package when it is installed. Beside
them stands examples.json: for every operation, STDERR frame and type that occurs, the recording
and exchange that show it best, and for every operation who sent it. `make recordings` writes
it; see `pix_inspect.teach.examples`.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pix.problem import Problem

EXAMPLES = "examples.json"


@lru_cache(maxsize=1)
def folder() -> Path:
    """Return the folder of the bundled recordings. Raises Problem when it is not there."""
    installed = Path(str(files("pix_inspect").joinpath("recordings")))
    source = Path(__file__).resolve().parents[3] / "recordings"
    for place in (installed, source):
        if place.is_dir():
            return place
    raise Problem("the bundled recordings are missing: install pix-inspect again")


def recording(name: str) -> Path:
    """Return a bundled recording by its name. Raises Problem when there is none."""
    path = folder() / f"{name}.pcapng"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in folder().glob("*.pcapng")))
        raise Problem(f"no bundled recording is called {name!r}: there are {known}")
    return path


def examples() -> dict[str, tuple[str, int]]:
    """Return which exchange shows what: a name, then recording and number (from 1)."""
    return {name: (place[0], place[1]) for name, place in _index().get("examples", {}).items()}


def senders() -> dict[str, list[str]]:
    """Return who sent an operation in these recordings: a command and the protocol it spoke."""
    found: dict[str, list[str]] = _index().get("senders", {})
    return found


@lru_cache(maxsize=1)
def _index() -> dict[str, Any]:
    try:
        found = json.loads((folder() / EXAMPLES).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
