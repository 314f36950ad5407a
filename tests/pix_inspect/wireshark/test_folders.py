"""Where the two files go, and what is left alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pix.problem import Problem
from pix_inspect.wireshark.folders import DISSECTOR, EXTCAP, below, install, personal, uninstall


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def wireshark_says(home: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """Let `tshark -G folders` print these lines, or let there be no Wireshark."""
    bin_directory = home / "bin"
    bin_directory.mkdir()
    if lines:
        program = bin_directory / "tshark"
        program.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines))
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(bin_directory))


def test_a_real_wireshark_looks_there(home: Path) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    install(personal())
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}

    def told(*words: str) -> str:
        return subprocess.run(
            ["tshark", *words], env=environment, capture_output=True, text=True, check=True
        ).stdout

    assert DISSECTOR in told("-G", "plugins")
    assert "nix-daemon (Nix daemon)" in told("-D")
    uninstall(personal())
    assert DISSECTOR not in told("-G", "plugins")


def test_folders_are_those_that_wireshark_names(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wireshark_says(
        home,
        monkeypatch,
        "Personal Lua Plugins:\t/a/plugins",
        "Personal configuration:\t/b",
        "Personal Extcap path:\t/c/extcap",
    )
    assert personal().files == (Path("/a/plugins") / DISSECTOR, Path("/c/extcap") / EXTCAP)


def test_an_older_one_has_its_capture_interfaces_in_the_configuration(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wireshark_says(home, monkeypatch, "Personal configuration:\t/b", "Extcap path:\t/usr/lib/e")
    assert personal().extcap == Path("/b/extcap")


def test_without_wireshark_they_are_where_it_will_look(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wireshark_says(home, monkeypatch)
    assert personal() == below(home / ".local/lib/wireshark")


def test_it_can_be_done_again_and_undone(tmp_path: Path) -> None:
    where = below(tmp_path / "to" / "here")
    assert uninstall(where) == []
    for _ in range(2):
        assert install(where) == where.files
    assert where.files[1].stat().st_mode & 0o111
    assert uninstall(where) == list(where.files)
    assert not any(path.exists() for path in where.files)


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    where = below(tmp_path)
    where.plugins.mkdir()
    theirs = where.files[0]
    theirs.write_text("-- somebody's dissector\n")
    with pytest.raises(Problem, match="is not ours: move it away"):
        install(where)
    assert not where.files[1].exists()
    assert uninstall(where) == []
    assert theirs.read_text() == "-- somebody's dissector\n"


def test_a_file_where_folders_are_to_be_is_said_as_that(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Problem, match=r"cannot make .*/file/plugins: Not a directory"):
        install(below(tmp_path / "file"))
