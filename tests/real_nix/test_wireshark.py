"""tshark captures real Nix live, by our interface, and shows what `dump` says of it."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.real_nix.daemons import Daemon
from tests.support.processes import environment, pix
from tests.support.relaying import WAIT, listens, until
from tests.support.surroundings import lacking
from tests.support.wireshark import described, differences, dissected, dumped, tshark

pytestmark = pytest.mark.real_nix

BUILD = """
derivation { name = "hello"; system = builtins.currentSystem; builder = "/bin/sh";
  args = [ "-c" "echo hello; echo hello >$out" ]; }
"""


@pytest.mark.parametrize("nix", ["2.3.7", "2.34.8"], indirect=True)
def test_several_clients_are_captured_as_they_speak(daemon: Daemon, tmp_path: Path) -> None:
    if shutil.which("tshark") is None:
        lacking("tshark is not installed")
    home = {"HOME": str(tmp_path)}
    assert pix("wireshark", "install", cwd=tmp_path, env=home).returncode == 0
    socket, captured, shown = (tmp_path / name for name in ("s", "captured.pcapng", "shown"))
    options = [f"extcap.nix_daemon.listen:{socket}", f"extcap.nix_daemon.upstream:{daemon.socket}"]
    words = [word for option in options for word in ("-o", option)]
    with shown.open("wb") as out:
        capture = subprocess.Popen(
            ["tshark", "-i", "nix-daemon", "-l", "-P", "-w", captured, *words],
            cwd=tmp_path,
            env=environment(tmp_path, home),
            stdout=out,
            stderr=subprocess.DEVNULL,
        )
    try:
        until(lambda: listens(socket))
        client = daemon.client(socket=socket)
        (tmp_path / "file").write_text("hello\n")
        client.run("nix-store", "--add", tmp_path / "file")
        client.run("nix-build", "--no-out-link", "-E", BUILD)
        until(lambda: b"STDERR_" in shown.read_bytes() and b"BuildPaths" in shown.read_bytes())
        client.run("nix-store", "-q", "--requisites", daemon.state.store / "x", check=False)
    finally:
        capture.send_signal(signal.SIGINT)
        capture.wait(WAIT)
    ours = described(dumped(captured))
    assert len(ours) > 10
    assert len({connection for connection, _ in ours}) >= 2
    assert differences(dissected(tmp_path, captured), ours) == []
    assert "hello" in tshark(
        tmp_path, "-r", captured, "-Y", 'nix.buildPaths.paths contains "hello"'
    )
