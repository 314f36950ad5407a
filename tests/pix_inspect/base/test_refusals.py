"""What the system refuses costs one line and status 2; what is our mistake is called one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from pix_inspect.base.refusals import refusal
from tests.support.processes import environment


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def test_what_is_refused_is_said() -> None:
    assert refusal(MemoryError()) == "there is not enough memory"
    assert refusal(OSError(24, "Too many open files")) == "Too many open files"
    assert refusal(OSError(28, "No space left", "/x\udcff")) == "/x\udcff: No space left"
    for ours in (OSError(9, "Bad file descriptor"), ValueError(), RuntimeError(), KeyError("x")):
        assert refusal(raised(ours)) is None


def test_a_thread_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise RuntimeError

    for name in ("_start_new_thread", "_start_joinable_thread"):
        monkeypatch.setattr(threading, name, refuse, raising=False)
    # what a thread begins with is called by `start` itself
    with pytest.raises(RuntimeError) as caught:
        threading.Thread().start()
    error = caught.value
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code is not threading.Thread.start.__code__:
        trace = trace.tb_next
    assert trace is not None
    trace.tb_next = None
    assert refusal(error) == "no more threads can be started"


def test_directories_that_are_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = FileNotFoundError(2, "No such file")
    assert refusal(missing) is None
    with monkeypatch.context() as here:
        here.setattr(tempfile, "gettempdir", lambda: raised_now(missing))
        assert "set TMPDIR" in str(refusal(missing))
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert "current directory is gone" in str(refusal(missing))
    monkeypatch.chdir(tmp_path)


def raised_now(error: BaseException) -> str:
    raise error


@pytest.mark.parametrize(
    ("limits", "words", "said"),
    [
        ("ulimit -n 7", ["demo"], "Too many open files"),
        ("mkdir gone; cd gone; rmdir ../gone", ["record", "--listen", "s"], "is gone"),
        ("mkdir gone; cd gone; rmdir ../gone", ["stdio", "--upstream", "s"], "is gone"),
        ("ulimit -f 0", ["spec"], "set TMPDIR"),
    ],
)
def test_a_command_meets_it(tmp_path: Path, limits: str, words: list[str], said: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'{limits}; exec "$@"', "sh", sys.executable, "-m", "pix_inspect", *words],
        capture_output=True, text=True, cwd=tmp_path, env=environment(tmp_path), check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
