"""Files that declare what vendors have added to the protocol: named on the command line, or always.

They are read before a command asks what there is. Processes that this one starts read the same:
the variable of the environment names them.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from pix.problem import Problem
from pix_inspect.base.state_directory import RECORDINGS

VARIABLE = "PIX_INSPECT_DECLARE"
"""Files, separated as in PATH."""


def declare_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the option, which has been carried out once the arguments are parsed."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                declare_argument(inner)
    parser.add_argument(
        "--declare",
        type=_declare_here_and_below,
        action="append",
        metavar="FILE",
        help="know a vendor's operations too: a TOML file that declares them, or a recording"
        f" made with one (also: {VARIABLE}=FILE)",
    )


def declare_always() -> None:
    """Declare what the environment and the settings name. Raises Problem."""
    for file in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        _declare(Path(file))
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    folder = Path(base).expanduser() / "pix-inspect" / "declare"
    if folder.is_dir():
        from pix_inspect.base.settings import NO_SETTINGS

        for path in () if os.environ.get(NO_SETTINGS) else sorted(folder.glob("*.toml")):
            _declare(path)


def _declare_here_and_below(text: str) -> Path:
    if not text:
        raise Problem("--declare names no file")
    path = Path(text)
    _declare(path)
    known = os.environ.get(VARIABLE, "").split(os.pathsep)
    os.environ[VARIABLE] = os.pathsep.join(filter(None, (*known, str(path.absolute()))))
    return path


def _declare(path: Path) -> None:
    from pix.protocol import vendors

    if path.suffix not in RECORDINGS:
        vendors.load(path)
        return
    from pix_inspect.base.safe_text import inert
    from pix_inspect.recording.notes import made_of
    from pix_inspect.recording.reader import RecordingReader

    reader = RecordingReader(path)
    reader.close()
    held = made_of(reader.about).declared
    if not held:
        raise Problem(f"{path} was made without declarations; give a TOML file to --declare")
    for name, text in held.items():
        if not text:
            raise Problem(
                f"{path} was made with {inert(name)}, too long to be kept: --declare that file"
            )
        vendors.declare(text, f"{path}/{inert(name)}")
