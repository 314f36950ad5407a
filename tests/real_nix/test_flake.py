"""The flake: its outputs evaluate, and the NixOS module says what a relay needs.

nixpkgs cannot be had everywhere: a stub of what the flake takes from it stands in
(tests/real_nix/nixpkgs), so that this is about our expressions, not about nixpkgs.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pix import __version__
from tests.real_nix.daemons import Client, State
from tests.real_nix.lab import REPOSITORY, Nix

pytestmark = pytest.mark.real_nix

PARTS = (
    "flake.nix",
    "nix",
    "scripts",
    "src",
    "recordings",
    "LICENSE",
    "README.md",
    "pyproject.toml",
)


class Flake:
    """The flake in a folder of its own, evaluated by Nix 2.34.8 on the stub of nixpkgs."""

    def __init__(self, nix: Nix, folder: Path) -> None:
        self.place = folder / "flake"
        for part in PARTS:
            source = REPOSITORY / part
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, self.place / part, ignore=ignored)
            else:
                self.place.mkdir(exist_ok=True)
                shutil.copy(source, self.place)
        self.stub = REPOSITORY / "tests/real_nix/nixpkgs"
        state = State.of(folder / "state")
        settings = state.settings(
            "client", {"experimental-features": "nix-command flakes", "flake-registry": ""}
        )
        self.client = Client(nix, state.environment(nix, settings), state)

    def run(self, *words: str) -> str:
        """What a command of `nix` prints, with nixpkgs replaced and no lock file written."""
        done = self.client.run(
            "nix", *words, "--override-input", "nixpkgs", f"path:{self.stub}",
            "--no-write-lock-file",
        )  # fmt: skip
        return done.stdout.decode() + done.stderr.decode()

    def module(self, settings: str) -> dict[str, Any]:
        """The configuration that `services.pix-inspect` with these settings makes."""
        done = self.client.run(
            "nix", "eval", "--json", "--impure", "--expr",
            f"let nixpkgs.lib = import {self.stub}/lib.nix;"
            f" pkgs = import {self.stub}/packages.nix"
            ' { system = "x86_64-linux"; inherit (nixpkgs) lib; };'
            f" in nixpkgs.lib.evaluated (import {self.place}/nix/module.nix) pkgs {settings}",
        )  # fmt: skip
        said: dict[str, Any] = json.loads(done.stdout)
        return said


@pytest.fixture(scope="module")
def flake(tmp_path_factory: pytest.TempPathFactory) -> Flake:
    from tests.real_nix.lab import installed

    nix = installed("2.34.8")
    if nix is None:
        pytest.skip("Nix 2.34.8 is not installed (make lab)")
    return Flake(nix, tmp_path_factory.mktemp("flake"))


def test_all_outputs_evaluate_on_all_systems(flake: Flake) -> None:
    where = f"path:{flake.place}"
    shown = json.loads(flake.run("flake", "show", "--json", where).split("\nwarning")[0])
    assert {"apps", "checks", "devShells", "formatter", "nixosModules", "overlays", "packages"} <= {
        *shown.get("inventory", shown)
    }
    assert "all checks passed!" in flake.run("flake", "check", "--no-build", "--all-systems", where)


def test_the_package_is_this_version_and_runs_our_program(flake: Flake) -> None:
    where = f"path:{flake.place}"
    assert flake.run("eval", "--raw", f"{where}#pix-inspect.version").startswith(__version__)
    program = flake.run("eval", "--raw", f"{where}#apps.x86_64-linux.default.program")
    assert "/bin/pix-inspect" in program


def test_beside_the_daemon_nothing_of_its_units_changes(flake: Flake) -> None:
    said = flake.module("{ enable = true; }")
    assert said["systemd"]["sockets"]["nix-daemon"] == {}
    assert said["systemd"]["sockets"]["pix-inspect"]["listenStreams"] == ["/run/pix-inspect/socket"]
    service = said["systemd"]["services"]["pix-inspect"]
    assert service["environment"]["NIX_DAEMON_SOCKET_PATH"] == "/nix/var/nix/daemon-socket/socket"
    assert service["serviceConfig"]["User"] == "pix-inspect"
    assert all(each["assertion"] for each in said["assertions"])


def test_in_front_the_two_sockets_change_places(flake: Flake) -> None:
    said = flake.module('{ enable = true; placement = "in-front"; allowedUsers = [ "al ice" ]; }')
    sockets = said["systemd"]["sockets"]
    assert sockets["pix-inspect"]["listenStreams"] == ["/nix/var/nix/daemon-socket/socket"]
    assert sockets["nix-daemon"]["listenStreams"][0] == ""
    service = said["systemd"]["services"]["pix-inspect"]
    upstream = service["environment"]["NIX_DAEMON_SOCKET_PATH"]
    assert sockets["nix-daemon"]["listenStreams"][1:] == [upstream]
    assert "--allow-user 'al ice'" in service["script"]


def test_root_is_refused_and_switched_off_is_nothing(flake: Flake) -> None:
    said = flake.module('{ enable = true; user = "root"; }')
    assert [each["assertion"] for each in said["assertions"]] == [False]
    assert flake.module("{ }") == {}


def test_the_commands_of_the_unit_are_ours(flake: Flake) -> None:
    """What the unit starts is a command line that `record` takes."""
    import argparse
    import shlex

    from pix_inspect.commands import record

    script = flake.module("{ enable = true; keep = 9; }")["systemd"]["services"]["pix-inspect"][
        "script"
    ]
    words = shlex.split(script.replace("\\\n", " "))
    parser = argparse.ArgumentParser()
    record.arguments(parser)
    taken = parser.parse_args(words[words.index("record") + 1 :])
    assert taken.keep == 9
    assert taken.allow_user == ["all"]
