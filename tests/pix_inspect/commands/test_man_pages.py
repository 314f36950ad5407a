"""Man pages: one for each command, each of its options in it, and nothing that man warns of."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pix_inspect.cli import main
from pix_inspect.commands.catalogue import COMMANDS, parser_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("man") / "man"
    assert main(["manual", "--format", "man", "-o", str(folder)]) == 0
    return folder


def test_there_is_a_page_for_each_command(folder: Path) -> None:
    wanted = {f"pix-inspect-{name}.1" for name in COMMANDS}
    pages = {page.name for page in folder.iterdir() if not page.name.startswith(".")}
    assert pages == wanted | {"pix-inspect.1", "nix-daemon-protocol.7"}


def test_every_option_is_told(folder: Path) -> None:
    for name in COMMANDS:
        text = (folder / f"pix-inspect-{name}.1").read_text()
        for action in parser_of(name)._actions:
            if action.help != "==SUPPRESS==":
                assert all(each.replace("-", r"\-") in text for each in action.option_strings)


def test_man_warns_of_nothing(folder: Path) -> None:
    if shutil.which("man") is None:
        pytest.skip("there is no man here")
    env = {**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""}
    for page in sorted(folder.glob("*.[17]")):
        done = subprocess.run(
            ["man", "--warnings=w", "-E", "UTF-8", "-l", str(page)],
            capture_output=True, text=True, env=env,
        )  # fmt: skip
        assert done.stderr == "", page.name
        assert max(map(len, done.stdout.splitlines())) <= 100, page.name
