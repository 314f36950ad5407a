"""Fixtures for tests with real Nix: `nix`, a `daemon` of it on an empty store, and a `client`.

`nix` runs a test once for each version; a test that wants some of them only, or several together:

    @pytest.mark.parametrize("nix", ["2.8.0", "2.34.8"], indirect=True)
    def test(..., nix_of): old = nix_of("2.3.7")
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.real_nix import lab
from tests.real_nix.daemons import Client, Daemon, running
from tests.support.surroundings import lacking


@pytest.fixture(scope="session")
def nix_of() -> Callable[[str], lab.Nix]:
    """The installed Nix of a label; skips, or fails in CI, where there is none."""

    def find(label: str) -> lab.Nix:
        found = lab.installed(label)
        if found is None:
            lacking(f"real Nix {label} is not in {lab.cache()}: `make lab` installs it")
        return found

    return find


@pytest.fixture(params=lab.VERSIONS)
def nix(request: pytest.FixtureRequest, nix_of: Callable[[str], lab.Nix]) -> lab.Nix:
    """One version after the other."""
    return nix_of(request.param)


@pytest.fixture
def daemon(nix: lab.Nix) -> Iterator[Daemon]:
    """A daemon that trusts its clients, on an empty store."""
    with running(nix) as daemon:
        yield daemon


@pytest.fixture
def client(daemon: Daemon) -> Client:
    """A client of the daemon's version, connected to it directly."""
    return daemon.client()
