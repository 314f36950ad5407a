"""Completion: the scripts are sound in their shells, and offer what there is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pix_inspect.cli import main
from pix_inspect.commands.catalogue import COMMANDS
from pix_inspect.commands.completion import SHELLS, script, words
from tests.support.processes import PIX, environment

CASES = [
    ("pix-inspect du", {"dump"}),
    ("pix-inspect explain QueryPathH", {"QueryPathHash"}),
    ("pix-inspect dump --redac", {"--redact"}),
    ("pix-inspect decode KeyedBuildR", {"KeyedBuildResult"}),
    ("pix-inspect export --to chr", {"chrome"}),
]
ASK = {
    "bash": """source {script}
read -ra COMP_WORDS <<< "{line}"; COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
COMP_LINE="{line}"; COMP_POINT=${{#COMP_LINE}}
$(complete -p pix-inspect | sed 's/.*-F \\([^ ]*\\).*/\\1/') pix-inspect "${{COMP_WORDS[-1]}}" x
printf '%s\\n' "${{COMPREPLY[@]}}"
""",
    "fish": "source {script}; complete -C '{line}'",
}


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("completion")
    for shell in SHELLS:
        (folder / shell).write_text(script(shell))
    program = folder / "pix-inspect"
    program.write_text(f'#!/bin/sh\nexec {" ".join(PIX)} "$@"\n')
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_takes_its_script(shell: str, scripts: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    done = subprocess.run([shell, "-n", scripts / shell], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    text = (scripts / shell).read_text()
    assert all(name in text for name in COMMANDS)


@pytest.mark.parametrize("shell", sorted(ASK))
def test_what_is_typed_is_completed(shell: str, scripts: Path, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    env = environment(tmp_path)
    env |= {"PATH": f"{scripts}:{env['PATH']}", "HOME": str(tmp_path)}
    for line, expected in CASES:
        text = ASK[shell].format(script=scripts / shell, line=line)
        done = subprocess.run([shell, "-c", text], capture_output=True, text=True, env=env)
        offered = {each.split("\t")[0].strip() for each in done.stdout.splitlines()}
        assert offered == expected, (line, done.stderr)


def test_words_are_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("operations", "types", "names", "tours", "fields"):
        found = list(words(kind))
        assert found
        assert not any(" " in word for word in found)
    assert list(words("nothing")) == []
    assert main(["completion", "--words", "tours"]) == 0
    assert capsys.readouterr().out.splitlines() == list(words("tours"))
    assert main(["completion"]) == 2
    assert "bash|zsh|fish" in capsys.readouterr().err
