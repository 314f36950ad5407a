"""The scripts in examples/, run as a reader would: against the daemon in the box and recordings."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pix.daemon import DaemonConnection, NixDaemonError
from pix_store import EmbeddedDaemon

ROOT = Path(__file__).resolve().parents[1]


def run(script: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "examples" / script, *words],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_closure_of_a_path_with_its_sizes() -> None:
    with EmbeddedDaemon() as daemon, DaemonConnection(daemon.path) as client:
        small = client.add_text_to_store("small", "text")
        large = client.add_text_to_store("large", small * 100, references=[small])
        sizes = [client.query_path_info(path).nar_size for path in (large, small)]
        ran = run("closure_size.py", large, daemon.path)
        refused = run("closure_size.py", large + "x", daemon.path)
    rows = [line.split(maxsplit=1) for line in ran.stdout.splitlines()]
    assert [(row[1], int(row[0].replace(",", ""))) for row in rows] == [
        (large, sizes[0]),
        (small, sizes[1]),
        ("in 2 paths", sum(sizes)),
    ]
    assert refused.returncode
    assert refused.stderr.count("\n") == 1
    assert "is not valid" in refused.stderr


def test_a_log_of_operations_as_they_end(tmp_path: Path) -> None:
    socket = tmp_path / "s"
    with EmbeddedDaemon() as daemon:
        process = subprocess.Popen(
            [sys.executable, ROOT / "examples/operation_log.py", socket, daemon.path],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stderr is not None
            assert process.stderr.readline() == f"listening on {socket}\n"
            with DaemonConnection(socket) as client:
                path = client.add_text_to_store("hello.txt", "hello")
                with pytest.raises(NixDaemonError, match="is not valid"):
                    client.query_path_info(path + "x")
            said, _ = process.communicate(timeout=300)
        finally:
            process.kill()
    names = [line.split()[1:3] for line in said.splitlines()]
    assert names == [["handshake", "ok"], ["AddToStore", "ok"], ["QueryPathInfo", "ok"]]
    assert process.returncode == 0


def test_the_time_of_a_recording_by_path() -> None:
    recording = ROOT / "recordings/queries.pcapng"
    ran = run("time_by_path.py", recording, "op = QueryPathInfo and not error")
    rows = [line.split() for line in ran.stdout.splitlines()]
    times = [float(row[0]) for row in rows]
    assert times == sorted(times, reverse=True)
    assert {row[2] for row in rows} == {
        "…git-2.44.1",
        "…curl-8.7.1",
        "…zlib-1.3.1",
        "…nothing-here",
    }
    wrong = run("time_by_path.py", recording, "op =")
    assert wrong.stderr == (
        "time_by_path: a value is missing after '=' (at character 5 of the filter)\n"
    )


def test_a_test_of_ones_own_client() -> None:
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null"]
    ran = subprocess.run(
        [*words, "examples/test_my_client.py"], cwd=ROOT, capture_output=True, text=True
    )
    assert "3 passed" in ran.stdout


def test_the_notebook_runs_from_top_to_bottom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its code in one namespace, where a notebook runs: in its own folder."""
    notebook = json.loads((ROOT / "examples/recording.ipynb").read_text())
    assert notebook["nbformat"] == 4
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    program = "\n\n".join("".join(cell["source"]) for cell in code)
    monkeypatch.delenv("RECORDING", raising=False)
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT / "examples", capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert re.match(r"\d+ operations of \d+ clients\n", ran.stdout)
    assert "\nQueryPathInfo " in ran.stdout
    assert "questions were asked more than once\n" in ran.stdout
    assert re.search(r"^  1 \|[ ░▒▓█]{40}\|$", ran.stdout, re.MULTILINE)
