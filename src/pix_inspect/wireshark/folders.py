"""Where Wireshark looks for what people add to it, and our two files there.

A dissector goes to the personal Lua plugins, a program that captures to the personal extcap folder.
`tshark -G folders` says where these are; of Wireshark 4.0, which has no line for it, the extcap
folder is in that of the configuration. What is not ours is neither replaced nor removed.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from pix.dataclass import dataclass
from pix.problem import Problem
from pix_inspect.base.new_files import save
from pix_inspect.wireshark.tables import dissector

DISSECTOR = "nix-daemon.lua"
EXTCAP = "nix-daemon"
OURS = "pix-inspect wireshark"
"""Stands in the first lines of the files that are ours."""
ANSWERING = 30.0
"""Seconds for tshark to say where its folders are."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Where plugins and capture interfaces go."""

    plugins: Path
    extcap: Path

    @property
    def files(self) -> tuple[Path, Path]:
        return self.plugins / DISSECTOR, self.extcap / EXTCAP


def below(folder: Path) -> Folders:
    """Return the folders in a place of the user's choice."""
    return Folders(folder / "plugins", folder / "extcap")


def personal() -> Folders:
    """Return the folders of this user. Raises Problem."""
    try:
        usual = below(Path.home() / ".local" / "lib" / "wireshark")
    except RuntimeError:
        raise Problem("this user has no home directory: name a folder with --to") from None
    program = next((each for each in ("tshark", "wireshark") if shutil.which(each)), None)
    if program is None:
        return usual
    try:
        done = subprocess.run([program, "-G", "folders"], capture_output=True, timeout=ANSWERING)
    except (OSError, subprocess.TimeoutExpired):
        return usual
    said = dict(line.partition(":")[::2] for line in done.stdout.decode().splitlines())
    found = {name.strip().lower(): Path(path.strip()) for name, path in said.items()}
    configuration = found.get("personal configuration", usual.extcap.parent)
    return Folders(
        found.get("personal lua plugins", usual.plugins),
        found.get("personal extcap path", configuration / "extcap"),
    )


def install(folders: Folders) -> tuple[Path, Path]:
    """Write both files and return where they are. Raises Problem."""
    contents = (dissector().encode(), _extcap().encode())
    for path in folders.files:
        if not is_free(path):
            raise Problem(f"{path} is not ours: move it away")
    for path, content, mode in zip(folders.files, contents, (0o644, 0o755), strict=True):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Problem(f"cannot make {path.parent}: {error.strerror}") from None
        save(path, [content], mode=mode, replace=True)
    return folders.files


def uninstall(folders: Folders) -> list[Path]:
    """Remove what `install` wrote and return it; what is not ours stays. Raises Problem."""
    removed = []
    for path in folders.files:
        if path.is_file() and is_free(path):
            try:
                path.unlink()
            except OSError as error:
                raise Problem(f"cannot remove {path}: {error.strerror}") from None
            removed.append(path)
    return removed


def is_free(path: Path) -> bool:
    """Return whether nothing is there, or a file of ours."""
    try:
        with path.open("rb") as file:
            return OURS.encode() in file.read(400)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


def _extcap() -> str:
    """Return the program that Wireshark runs: this one, wherever it is."""
    package = Path(__file__).resolve().parents[2]
    python, source = shlex.quote(sys.executable), shlex.quote(str(package))
    return (
        f"#!/bin/sh\n# A capture interface for Wireshark, by {OURS} install.\n"
        f"PYTHONPATH={source}${{PYTHONPATH:+:$PYTHONPATH}} "
        f'exec {python} -m pix_inspect wireshark extcap "$@"\n'
    )
