"""What the screen remembers from one time to the next, in a file of the state directory.

Whatever in it is unknown or broken is left out, with one line; nothing in it can keep the
screen from starting. `--no-settings` and `PIX_INSPECT_NO_SETTINGS` leave it alone.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pix.problem import Problem
from pix.untrusted import file_bytes, parse_json
from pix_inspect.base.new_files import PRIVATE, save
from pix_inspect.base.state_directory import state_directory

NO_SETTINGS = "PIX_INSPECT_NO_SETTINGS"
MOST = 64 << 10
"""Bytes of the file that are looked at."""


class Settings:
    """Settings by name. `complaint` is one line about what could not be read, or None."""

    def __init__(self, path: Path, known: dict[str, Any], complaint: str | None = None) -> None:
        self.path = path
        self.known = known
        self.complaint = complaint

    @classmethod
    def load(cls) -> Settings | None:
        """Return the settings; None where there are to be none, or there is no place for them."""
        if os.environ.get(NO_SETTINGS):
            return None
        try:
            path = state_directory() / "settings.json"
        except Problem:
            return None
        return cls.read(path)

    @classmethod
    def read(cls, path: Path) -> Settings:
        """Return the settings of a file; none, with a complaint, where it cannot be read."""
        try:
            known = parse_json(file_bytes(path, MOST))
            if not isinstance(known, dict):
                raise ValueError("it is not a JSON object")
        except FileNotFoundError:
            return cls(path, {})
        except OSError as error:
            return cls(path, {}, f"settings are not read: {path}: {error.strerror}")
        except ValueError as error:
            return cls(path, {}, f"settings are left out: {path}: {error}")
        return cls(path, known)

    def keep(self, known: dict[str, Any]) -> str | None:
        """Write the settings; return one line when that fails, None when it does not."""
        if known == self.known and self.complaint is None:
            return None
        text = json.dumps(known, indent=2, sort_keys=True) + "\n"
        try:
            save(self.path, [text.encode()], mode=PRIVATE, replace=True)
        except Problem as problem:
            return f"settings are not kept: {problem}"
        self.known, self.complaint = known, None
        return None
