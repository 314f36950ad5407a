"""The recordings that come with pix-inspect, and which exchange of them shows what.

They lie in `recordings/` of the source tree. An installed package has them as one archive, half as
large as each by itself, which is unpacked for as long as the process runs. Beside them stands
examples.json: for every operation, STDERR frame and type that occurs, the recording and exchange
that show it best, and for every operation who sent it. `make recordings` writes it; see
`pix_inspect.teach.examples`.
"""

from __future__ import annotations

import io
import json
import tarfile
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pix.problem import Problem

EXAMPLES = "examples.json"
ARCHIVE = "recordings.tar.xz"
"""What an installed package has in place of the folder."""


@lru_cache(maxsize=1)
def folder() -> Path:
    """Return the folder of the bundled recordings. Raises Problem when it is not there."""
    source = Path(__file__).resolve().parents[3] / "recordings"
    if source.is_dir():
        return source
    archive = files("pix_inspect").joinpath(ARCHIVE)
    if not archive.is_file():
        raise Problem("the bundled recordings are missing: install pix-inspect again")
    return Path(unpacked(archive.read_bytes()).name)


def packed(folder: Path) -> bytes:
    """Return a folder as an archive that is the same whenever and wherever it is made."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz", preset=9) as archive:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            member = tarfile.TarInfo(str(path.relative_to(folder)))
            member.size = path.stat().st_size
            with path.open("rb") as file:
                archive.addfile(member, file)
    return data.getvalue()


@lru_cache(maxsize=1)
def unpacked(data: bytes) -> TemporaryDirectory[str]:
    """Return a folder with what is in an archive. Raises Problem when there is no room for one."""
    try:
        made = TemporaryDirectory(prefix="pix-inspect-")
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                path = Path(made.name, member.name)
                path.parent.mkdir(exist_ok=True)
                content = archive.extractfile(member)
                path.write_bytes(b"" if content is None else content.read())
    except OSError as error:
        where = error.filename or "the folder for temporary files"
        raise Problem(f"cannot unpack the bundled recordings: {where}: {error.strerror}") from None
    return made


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
        found = json.loads((folder() / EXAMPLES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
