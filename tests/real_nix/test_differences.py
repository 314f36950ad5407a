"""The same build twice with real Nix has no difference; with another Nix what differs is told."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pix_inspect.compare.changes import VOLATILE
from pix_inspect.compare.sessions import Differences, Pairing, compare_sessions
from pix_inspect.session.session import Session
from tests.real_nix.daemons import remove, running
from tests.real_nix.lab import Nix

pytestmark = pytest.mark.real_nix

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = """\
let
  build = name: needs: derivation {
    inherit name needs; system = builtins.currentSystem; builder = "/bin/sh"; source = ./source;
    args = [ "-c" "echo building ${name} in $PWD; echo $needs $source > $out" ];
  };
  one = build "one" [ ];
in
build "all" (builtins.genList (i: build "of-${toString i}" [ one ]) 4)
"""
SESSION = """\
nix-build build.nix --no-out-link && nix-store -qR "$(nix-build build.nix --no-out-link)" &&
nix-store --gc --print-roots
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder for stores, one after the other: paths of the same name are the same."""
    folder = Path(tempfile.mkdtemp(prefix="nix-"))
    yield folder
    remove(folder)


def recorded(nix: Nix, place: Path, target: Path) -> Session:
    """A session with an empty store of this Nix."""
    remove(place)
    place.mkdir()
    with running(nix, folder=place) as daemon:
        work = daemon.state.folder / "tmp"
        (work / "build.nix").write_text(BUILD)
        (work / "source").write_text("some text\n" * 1000)
        client = daemon.client()
        client.env["PYTHONPATH"] = f"{REPOSITORY / 'src'}"
        run = (sys.executable, "-m", "pix_inspect", "run", "--quiet", "-o", target, "--")
        client.run(*run, shutil.which("sh") or "/bin/sh", "-c", SESSION, cwd=work)
    return Session(target).read_all()


def told(found: Differences) -> dict[str, Pairing]:
    """The differences but for those in time alone, by operation."""
    return {each.operation: each for each in found.pairings if each.kind != "slower"}


def test_the_same_build_twice(nix: Nix, place: Path, tmp_path: Path) -> None:
    first, second = (recorded(nix, place, tmp_path / f"{name}.pcapng") for name in "ab")
    found = compare_sessions(first, second)
    assert told(found) == {}
    assert found.tallies["handshake"][0].count >= 3
    unmasked = compare_sessions(first, second, frozenset())
    for pairing in told(unmasked).values():
        assert pairing.otherwise
        fields = {change.path.rpartition(".")[2] for change in unmasked.changes(pairing)}
        assert fields <= VOLATILE


def test_the_same_build_with_another_nix(
    nix_of: Callable[[str], Nix], place: Path, tmp_path: Path
) -> None:
    old = recorded(nix_of("2.8.0"), place, tmp_path / "old.pcapng")
    new = recorded(nix_of("2.34.8"), place, tmp_path / "new.pcapng")
    found = compare_sessions(old, new)
    by_operation = told(found)
    assert by_operation["handshake"].kind == "set up otherwise"
    versions = {change.path: (change.first, change.second)
                for change in found.changes(by_operation["handshake"])}  # fmt: skip
    assert versions["reply.version"] == ("1.34", "1.38")
    assert by_operation["IsValidPath"].kind == "only second"
    assert found.tallies["AddToStore"][0].count > found.tallies["AddToStore"][1].count
    assert "BuildPaths" not in by_operation
