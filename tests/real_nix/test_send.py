"""Lines of the REPL sent to real daemons of every version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pix.protocol.logging import STDERR_ERROR
from pix_inspect.cli import main
from tests.real_nix.daemons import Daemon

pytestmark = pytest.mark.real_nix


def sent(capsys: pytest.CaptureFixture[str], daemon: Daemon, *lines: str, status: int = 0) -> Any:
    assert main(["send", "--json", "--upstream", str(daemon.socket), *lines]) == status
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def adding(daemon: Daemon, name: str, text: str) -> str:
    """A line that adds a text, in the words of the daemon's version."""
    if daemon.nix.label == "2.3.7":
        return f'p = AddTextToStore(name="{name}", text="{text}")'
    return f'p = AddToStore(name="{name}", method="text:sha256", dump=b"{text}")'


def test_one_line_builds_on_the_other(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    none, valid, info, sizes = sent(
        capsys,
        daemon,
        adding(daemon, "hello.txt", "hello"),
        "IsValidPath(path=p.reply.path)",
        "QueryPathInfo(path=p.reply.path)",
        "[QueryPathInfo(path=q).reply.info.nar_size for q in QueryAllValidPaths().reply.paths]",
    )
    assert none is None
    assert valid["reply"] == {"valid": True}
    assert info["reply"]["info"]["nar_size"] == sizes[0] == 120
    assert info["protocol"] == {"2.3.7": "1.21", "2.8.0": "1.34"}.get(daemon.nix.label, "1.38")


def test_an_error_of_the_daemon_is_an_answer(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    (answer,) = sent(
        capsys, daemon, f'EnsurePath(path="{daemon.state.store}/{"a" * 32}-none")', status=1
    )
    assert answer["reply"] is None
    assert "a" * 32 in answer["error"]["message"]


@pytest.mark.parametrize(
    "line",
    [
        "raw(u64(99))",
        "raw(u64(2))",
        'raw(u64(1), "no path")',
        "raw(u64(1), u64(1) + hex('61 ff ff ff ff ff ff ff'))",
    ],
    ids=["unknown code", "never assigned", "no store path", "bad padding"],
)
def test_a_wrong_request_shows_what_the_daemon_did(
    daemon: Daemon, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    (heard,) = sent(capsys, daemon, line)
    word = STDERR_ERROR.to_bytes(8, "little")
    assert word in bytes.fromhex(heard["data"]["hex"])
    assert ": error" in heard["exchanges"][0]


def test_a_request_that_is_cut_short_is_waited_for(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    (heard,) = sent(capsys, daemon, "raw(u64(26), u64(5), wait=0.2)")
    assert (heard["heard"], heard["closed"]) == (0, False)
    (heard,) = sent(capsys, daemon, "raw(u64(26), u64(5), half_close=True)")
    assert heard["closed"]


def test_a_tree_is_sent_and_fetched(
    daemon: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_text("contents")
    (tree / "link").symlink_to("file")
    lines = (
        f'p = AddToStore(name="tree", dump=nar("{tree}"))',
        "n = NarFromPath(path=p.reply.path).reply.nar",
        f'save(n, "{tmp_path}/out.nar")',
        f'n == nar("{tree}")',
    )
    answers = sent(capsys, daemon, *lines)
    assert answers[-1] is True
    direct = daemon.client().run("nix-store", "--dump", str(tree))
    assert (tmp_path / "out.nar").read_bytes() == direct.stdout


def test_deleting_wants_to_be_asked_for(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    sent(capsys, daemon, adding(daemon, "x", "y"))
    assert (
        main(["send", "--upstream", str(daemon.socket), 'CollectGarbage(action="DeleteDead")']) == 2
    )
    assert "--yes" in capsys.readouterr().err
    (answer,) = sent(capsys, daemon, "--yes", 'CollectGarbage(action="DeleteDead")')
    assert len(answer["reply"]["paths"]) >= 1


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('IsValidPath(pth="x")', "no field pth"),
        ("IsValidPath()", "path is missing"),
        ('IsValidPath("x", "y")', "fields are named"),
        ("IsValidPath(path=5)", "expected StorePath, got int"),
        ('BuildPaths(paths=["x"], mode="Norml")', "is not a value of BuildMode"),
        ('connect("/nowhere")', "cannot reach the daemon at /nowhere"),
        ('connect(version="2.0")', "not a protocol version"),
    ],
)
@pytest.mark.parametrize("nix", ["2.34.8"], indirect=True)
def test_a_mistake_costs_one_line(
    daemon: Daemon, capsys: pytest.CaptureFixture[str], line: str, says: str
) -> None:
    assert main(["send", "--upstream", str(daemon.socket), line]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
