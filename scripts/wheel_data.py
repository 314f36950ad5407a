"""What a wheel has beside its modules: completions of shells, man pages, and the recordings.

A hook of hatchling. The first two are made when it is built and go where a prefix has them.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WheelData(BuildHookInterface[Any]):
    """Makes them in a folder of its own, which is gone when the wheel is whole."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the files and say where they go; not for a checkout, where they would grow old."""
        if version == "editable":
            return
        sys.path.insert(0, str(Path(self.root) / "src"))
        from pix_inspect.cli import main
        from pix_inspect.commands.completion import PLACES, script
        from pix_inspect.teach.bundled import ARCHIVE, packed

        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        recordings = folder / ARCHIVE
        recordings.write_bytes(packed(Path(self.root) / "recordings"))
        build_data["force_include"][str(recordings)] = f"pix_inspect/{ARCHIVE}"
        for shell, place in PLACES.items():
            file = folder / shell
            file.write_text(script(shell))
            build_data["shared_data"][str(file)] = place
        if main(["manual", "--format", "man", "-o", str(folder / "man")]):
            raise RuntimeError("the man pages could not be made")
        for page in sorted((folder / "man").glob("*.[17]")):
            section = page.suffix[1:]
            build_data["shared_data"][str(page)] = f"share/man/man{section}/{page.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was made."""
        if version != "editable":
            self._folder.cleanup()
