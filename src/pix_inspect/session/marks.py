"""Marks and notes on exchanges, kept beside the viewer's state: a recording is never changed.

They are found again by what the recording says of itself and when it began, so a copy or a
renamed recording keeps them. A file per recording, below `$XDG_STATE_HOME/pix-inspect/marks`.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from pix.problem import Problem
from pix.untrusted import file_bytes, natural, parse_json
from pix_inspect.base.state_directory import state_directory
from pix_inspect.session.session import Session

LONGEST_NOTE = 2000
LARGEST_FILE = 16 << 20


def identity(session: Session) -> str:
    """Return what tells a recording from others, however its file is called."""
    import hashlib

    said = json.dumps([session.about, session.started], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def _file(session: Session) -> Path:
    return state_directory("marks") / f"{identity(session)}.json"


def load(session: Session) -> dict[int, str]:
    """Return the notes by exchange (from 0), "" for a mark alone. Raises Problem."""
    with contextlib.suppress(OSError):
        if not any(state_directory("marks").iterdir()):  # as a rule
            return {}
    path = _file(session)
    try:
        known = parse_json(file_bytes(path, LARGEST_FILE))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Problem(f"the notes in {path} cannot be read: {error}") from None
    marks = known.get("marks") if isinstance(known, dict) else None
    found: dict[int, str] = {}
    for number, note in marks.items() if isinstance(marks, dict) else ():
        exchange = natural(number)
        if exchange and exchange < 1 << 32 and isinstance(note, str):
            found[exchange - 1] = note[:LONGEST_NOTE]
    return found


def save(session: Session, marks: dict[int, str]) -> None:
    """Keep the notes of a recording in place of those before. Raises Problem."""
    path = _file(session)
    known = {
        "recording": str(session.path.absolute()),
        "marks": {str(i + 1): note for i, note in sorted(marks.items())},
    }
    fresh = path.with_suffix(f".{os.getpid()}")
    try:
        if not marks:
            path.unlink(missing_ok=True)
            return
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(known, file, indent=1)
        fresh.replace(path)
    except OSError as error:
        raise Problem(f"the notes could not be kept in {path}: {error.strerror}") from None
