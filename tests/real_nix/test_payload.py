"""What real clients upload, taken out of the recording again: the very files and archives."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pix_inspect.cli import main
from pix_inspect.commands.payload import has_payload
from pix_inspect.session.session import Session
from tests.real_nix.daemons import Daemon
from tests.real_nix.test_screen import Terminal
from tests.support.surroundings import lacking

pytestmark = pytest.mark.real_nix
VERSIONS = ["2.3.7", "2.8.0", "2.26.3", "2.34.8"]


def a_tree(folder: Path) -> Path:
    tree = folder / "project"
    (tree / "bin").mkdir(parents=True)
    (tree / "docs/empty").mkdir(parents=True)
    (tree / "bin/run").write_text("#!/bin/sh\necho running\n")
    (tree / "bin/run").chmod(0o755)
    (tree / "docs/README").symlink_to("../bin/run")
    (tree / "docs/größe").write_bytes(bytes(range(256)) * 700)
    return tree


def recorded_upload(daemon: Daemon, folder: Path, tree: Path) -> tuple[Path, str]:
    """Add the tree through a relay that keeps all payload; return the recording and the path."""
    recording = folder / "upload.pcapng"
    client = daemon.client()
    command = [
        *(sys.executable, "-m", "pix_inspect", "run", "--quiet", "--payload", "full"),
        *("-o", str(recording), "--upstream", str(daemon.socket), "--"),
    ]
    done = client.run(*command, "nix-store", "--add", tree)
    return recording, done.stdout.decode().strip()


def upload_in(recording: Path) -> int:
    """The number of the exchange that carried the tree."""
    session = Session(recording).read_all()
    rows = [session.row(i) for i in range(len(session))]
    session.close()
    return max((row for row in rows if has_payload(row)), key=lambda row: row.up).number


@pytest.mark.parametrize("nix", VERSIONS, indirect=True)
def test_an_upload_is_saved_as_the_nar_that_nix_makes_and_unpacked_as_it_was(
    daemon: Daemon, tmp_path: Path
) -> None:
    tree = a_tree(tmp_path)
    recording, path = recorded_upload(daemon, tmp_path, tree)
    number = upload_in(recording)
    assert main(["payload", str(recording), str(number), "-o", str(tmp_path / "x.nar")]) == 0
    dumped = daemon.client().run("nix-store", "--dump", path).stdout
    assert (tmp_path / "x.nar").read_bytes() == dumped
    out = tmp_path / "out"
    assert main(["payload", str(recording), str(number), "--unpack", "-o", str(out)]) == 0
    subprocess.run(["diff", "-r", "--no-dereference", tree, out], check=True)
    assert (out / "bin/run").stat().st_mode & 0o111
    assert not (out / "docs/größe").stat().st_mode & 0o111


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if shutil.which("tmux") is None:
        lacking("tmux is not installed")
    return tmp_path


@pytest.mark.parametrize("nix", ["2.34.8"], indirect=True)
def test_a_file_of_an_upload_is_saved_from_the_screen(daemon: Daemon, folder: Path) -> None:
    recording, _ = recorded_upload(daemon, folder, a_tree(folder))
    number = upload_in(recording)
    terminal = Terminal(folder, sys.executable, "-m", "pix_inspect", str(recording))
    try:
        terminal.wait_for("Timeline")
        terminal.press(*["j"] * (number - 1))
        terminal.press("P", "Tab")
        terminal.wait_for("größe")
        terminal.press("j", "j", "s")  # the root, bin, run
        terminal.wait_for("Save bin/run")
        terminal.wait_for("new in")
        terminal.press("C-u")
        terminal.wait_for("a path")  # the line is empty
        for char in str(folder / "saved"):
            terminal.press(char)
        terminal.press("Enter")
        terminal.wait_for("23 B in")
        assert (folder / "saved").read_text() == "#!/bin/sh\necho running\n"
        assert (folder / "saved").stat().st_mode & 0o100
        terminal.press("Tab", "S")
        terminal.wait_for("Operations a second")
        terminal.wait_for("AddToStore")
        terminal.press("q")
        terminal.wait_for("Timeline")
        terminal.press("q")
        terminal.wait_for_end()
        assert (folder / "state/pix-inspect/settings.json").stat().st_mode & 0o7777 == 0o600
    finally:
        terminal.close()
