"""Without grpcio all but the service is there, and that says how to get it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pix.worker_service.extra import NotInstalled, need

WITHOUT = """
import sys
for name in ("grpc", "grpc_reflection", "google"):
    sys.modules[name] = None
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + code], capture_output=True, text=True, timeout=300
    )


def test_the_table_can_be_read() -> None:
    done = run("import pix.worker_service.methods as m; print(len(m.METHODS))")
    assert (done.stdout, done.stderr) == ("29\n", "")


def test_the_command_helps_without_it() -> None:
    done = run("from pix_inspect.cli import main; sys.exit(main(['grpc', '--help']))")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--listen ADDRESS" in done.stdout


def test_the_command_says_how_to_get_it() -> None:
    words = "'grpc', '--listen', 'unix:///nowhere'"
    done = run(f"from pix_inspect.cli import main; sys.exit(main([{words}]))")
    assert done.returncode == 2
    assert done.stderr == (
        "pix-inspect: gRPC is not installed (google.protobuf is missing):"
        " pip install 'pix-inspect[grpc]'\n"
    )


def test_what_is_there_is_given() -> None:
    assert need("pathlib").Path is Path
    with pytest.raises(ImportError, match="pip install"):
        need("no_such_module_at_all")
    with pytest.raises(NotInstalled):
        need("no.such.module")
