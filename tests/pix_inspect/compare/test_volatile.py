"""Texts with what differs from run to run replaced."""

from __future__ import annotations

import pytest

from pix_inspect.compare.volatile import steady, varies


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("{temp:17}", "{temp:4711}"),
        ("/proc/17/maps", "/proc/4711/maps"),
        ("/tmp/nix-build-x.drv-0/source", "/tmp/nix-build-x.drv-12/source"),
        ("/tmp/nix-build-17-0/result", "/tmp/nix-build-4711-807342668/result"),
        ("/tmp/tmp.Xa81bQz0pT/result", "/tmp/tmp.9999999999/result"),
        ("/tmp/nix-shell-17-0/rc", "/tmp/nix-shell-18-0/rc"),
        ("/nix/var/nix/temproots/52", "/nix/var/nix/temproots/284"),
    ],
)
def test_runs_differ_in_these_only(one: str, two: str) -> None:
    assert steady(one) == steady(two)
    assert varies(one.encode())
    assert varies(steady(one).encode())


@pytest.mark.parametrize("text", ["", "/nix/store/17-x", "temp:17", "/proc/self/maps"])
def test_other_texts_stay(text: str) -> None:
    assert steady(text) == text
