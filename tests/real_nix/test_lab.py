"""The lab itself: each version's client and daemon talk, build, and keep to their folder."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.real_nix.daemons import Client, Daemon, running
from tests.real_nix.lab import Nix, main

pytestmark = pytest.mark.real_nix

GREETING = """
derivation {
  name = "greeting"; system = builtins.currentSystem; builder = "/bin/sh";
  args = [ "-c" "echo building; echo hello >$out" ];
}
"""


def test_says_its_version(nix: Nix, client: Client) -> None:
    said = client.run("nix-store", "--version").stdout.decode()
    assert said.strip().endswith(nix.version)


def test_adds_and_reads_back(daemon: Daemon, client: Client) -> None:
    (daemon.state.folder / "tmp/file").write_text("hello\n")
    path = client.run("nix-store", "--add", "file").stdout.decode().strip()
    assert path.startswith(f"{daemon.state.store}/")
    assert client.run("nix-store", "-q", "--size", path).stdout.strip().isdigit()


def test_builds_through_the_daemon(daemon: Daemon, client: Client) -> None:
    (daemon.state.folder / "tmp/greeting.nix").write_text(GREETING)
    done = client.run("nix-build", "--no-out-link", "greeting.nix")
    assert b"building" in done.stderr
    path = done.stdout.decode().strip()
    assert path.endswith("-greeting")
    assert "accepted connection" in daemon.log


def test_old_client_with_new_daemon(nix_of: Callable[[str], Nix]) -> None:
    with running(nix_of("2.34.8")) as daemon:
        client = daemon.client(nix_of("2.3.7"))
        (daemon.state.folder / "tmp/file").write_text("hello\n")
        assert client.run("nix-store", "--add", "file").stdout.strip().endswith(b"-file")


@pytest.mark.parametrize("nix", ["2.34.8"], indirect=True)
def test_untrusted(nix: Nix) -> None:
    with running(nix, trusted=False) as daemon:
        said = daemon.client().run("nix", "store", "info", "--json").stdout
    assert b'"trusted":0' in said or b'"trusted":false' in said


@pytest.mark.parametrize("nix", ["2.8.0"], indirect=True)
def test_leaves_nothing_behind(nix: Nix) -> None:
    with running(nix) as daemon:
        folder = daemon.state.folder
        (folder / "tmp/greeting.nix").write_text(GREETING)
        daemon.client().run("nix-build", "--no-out-link", "greeting.nix")
    assert not folder.exists()
    assert daemon.process.poll() is not None


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert "2.34.8" in capsys.readouterr().out
    assert main(["install", "1.0"]) == 2
