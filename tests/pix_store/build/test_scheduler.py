"""Builds that depend on each other, or are wanted twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pix.daemon import DaemonConnection, NixDaemonError
from pix.protocol.logging import StderrNext
from pix.protocol.types import BuildStatus
from tests.support.serving import WAIT, Drv, client, serving, watched


@contextmanager
def builder(version: str = "1.38", **options: Any) -> Iterator[DaemonConnection]:
    with watched(version, allow_build=True, **options) as connection:
        yield connection


def contents(c: DaemonConnection, path: str) -> bytes:
    """The bytes of a path that is one file."""
    data = b"".join(c.nar(path))
    size = int.from_bytes(data[88:96], "little")
    return data[96 : 96 + size]


def test_what_depends_on_a_failure_fails() -> None:
    heard: list[Any] = []
    with serving(allow_build=True) as daemon, client(daemon, log=heard.append) as c:
        bad = Drv(c, "exit 1", "bad")
        top = Drv(c, "echo > $out", "top", needs=(bad,))
        good = Drv(c, "echo > $out", "very-good")  # by name: what comes after "top"
        with pytest.raises(NixDaemonError, match="1 dependency failed"):
            c.build_paths([top.all])
        assert any("exit code 1" in f.text for f in heard if isinstance(f, StderrNext))
        with pytest.raises(NixDaemonError):
            c.build_paths([top.all, good.all])
        assert not c.is_valid_path(good.out)
        c.set_options(keep_going=1)
        with pytest.raises(NixDaemonError, match="1 dependency failed"):
            c.build_paths([top.all, good.all])
        assert c.is_valid_path(good.out)
        with pytest.raises(NixDaemonError, match=r"build of '.*', '.*' failed"):
            c.build_paths([top.all, bad.all])


def test_a_failure_stops_what_else_was_to_be_built(tmp_path: Path) -> None:
    with builder() as c:
        bad = Drv(c, "exit 1", "bad")
        good = Drv(c, f"touch {tmp_path}/ran; echo > $out", "good")
        top = Drv(c, "echo > $out", "top", needs=(bad, good))
        results = c.build_paths_with_results([bad.all, good.all])
        assert [r.result.status for r in results] == [
            BuildStatus.PERMANENT_FAILURE,
            BuildStatus.MISC_FAILURE,
        ]
        with pytest.raises(NixDaemonError, match="1 dependency failed"):
            c.build_paths([top.all])
        assert not (tmp_path / "ran").exists()
        c.set_options(keep_going=1)
        with pytest.raises(NixDaemonError, match="1 dependency failed"):
            c.build_paths([top.all])
        assert (tmp_path / "ran").exists()


def test_two_clients_of_one_derivation_build_it_once(tmp_path: Path) -> None:
    with serving(allow_build=True) as daemon, client(daemon) as c, client(daemon) as other:
        drv = Drv(c, f"echo x >> {tmp_path}/runs; sleep 0.3; echo > $out")
        thread = threading.Thread(target=other.build_paths, args=([drv.all],))
        thread.start()
        c.build_paths([drv.all])
        thread.join(WAIT)
    assert (tmp_path / "runs").read_text() == "x\n"


def test_many_builds_in_a_chain() -> None:
    with builder() as c:
        last = Drv(c, "echo 0 > $out", "n0")
        for i in range(1, 15):
            last = Drv(c, "cat $below > $out", f"n{i}", needs=(last,), env={"below": last.out})
        c.build_paths([last.all])
        assert contents(c, last.out) == b"0\n"
