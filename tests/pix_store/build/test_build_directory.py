"""The folder that a build runs in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pix.daemon import DaemonConnection, NixDaemonError
from tests.support.serving import Drv, watched


@contextmanager
def builder(version: str = "1.38", **options: Any) -> Iterator[DaemonConnection]:
    with watched(version, allow_build=True, **options) as connection:
        yield connection


def test_the_folder_of_a_failed_build_is_kept_on_request() -> None:
    with builder() as c:
        c.set_options(keep_failed=1)
        with pytest.raises(NixDaemonError) as caught:
            c.build_paths([Drv(c, "echo kept > file; exit 1").all])
        (note,) = (line for line in caught.value.log if "keeping build directory" in line)
        folder = Path(note.split("'")[1])
        assert (folder / "file").read_text() == "kept\n"
        shutil.rmtree(folder)
