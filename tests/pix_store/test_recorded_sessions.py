"""Recorded sessions of real Nix clients, sent again: the embedded daemon says what Nix said.

Only recordings that bring everything they need are here; the others ask for paths that were
in the store before.
"""

from __future__ import annotations

import pytest

from pix_inspect.cli import main
from tests.support.places import RECORDINGS
from tests.support.serving import serving


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("add-tree", "1.34"),
        ("add-tree-1-21", "1.21"),
        ("build-failure", "1.38"),
        ("build-with-log", "1.38"),
        ("content-addressed", "1.38"),
        ("copy", "1.38"),
        ("copy-log-and-realisation", "1.38"),
        ("old-client", "1.38"),
        ("remote-build", "1.38"),
    ],
)
def test_a_session_comes_out_the_same(
    name: str, version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = str(RECORDINGS / f"{name}.pcapng")
    with serving(version=version, allow_build=True) as daemon:
        upstream = ["--upstream", str(daemon.path), "--fast"]
        status = main(["replay", "client", recording, "--yes", *upstream])
    assert (status, "≠" in capsys.readouterr().out) == (0, False)
