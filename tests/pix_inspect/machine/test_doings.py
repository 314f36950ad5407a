"""What real processes are doing, by the system call in which they are."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pix_inspect.machine.descriptors import Opened
from pix_inspect.machine.doings import CALLS, Deed, Doing, doing
from tests.support.relaying import until

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/syscall").exists(), reason="no /proc"),
    pytest.mark.skipif(
        os.uname().machine not in CALLS["read"][1], reason="numbers of calls are not known here"
    ),
]


def found(code: str, so: Callable[[Doing], bool], cwd: Path) -> Doing:
    """What a process that runs this code is doing, once it is so."""
    seen: list[Doing] = []

    def looked() -> bool:
        each = doing(child.pid)
        seen.extend([each] if each is not None and so(each) else [])
        return bool(seen)

    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=cwd
    ) as child:
        try:
            until(looked)
        finally:
            child.kill()
    return seen[0]


@pytest.mark.parametrize(
    ("code", "deed"),
    [
        ("import time; time.sleep(600)", Deed.SLEEPS),
        ("while True: pass", Deed.COMPUTES),
        ("import subprocess; subprocess.run(['sleep', '60'])", Deed.AWAITS),
        ("import signal; signal.pause()", Deed.SIGNAL),
        ("import select; select.poll().poll()", Deed.POLLS),
    ],
)
def test_what_needs_nothing_else(code: str, deed: Deed, tmp_path: Path) -> None:
    assert found(code, lambda each: each.deed is deed, tmp_path).target is None


def test_what_it_is_done_to(tmp_path: Path) -> None:
    reads = found("import os; os.read(0, 1)", lambda each: each.deed is Deed.READS, tmp_path)
    assert isinstance(reads.target, Opened)
    assert (reads.target.descriptor, reads.target.kind) == (0, "pipe")
    assert reads.words == "reading from its standard input, a pipe"
    code = "import os\nwhile True: os.write(1, bytes(4096))"
    writes = found(code, lambda each: each.deed is Deed.WRITES, tmp_path)
    assert writes.words == "writing to its standard output, a pipe that takes nothing"
    code = "import select\np = select.poll(); p.register(0); p.poll()"
    polls = found(f"import os; {code}", lambda each: each.deed is Deed.POLLS, tmp_path)
    assert polls.target is None or polls.target.descriptor == 0


def test_a_named_pipe_that_nobody_else_opens(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "\x1bpipe")
    code = "open('\\x1bpipe')"
    opens = found(code, lambda each: each.deed is Deed.OPENS, tmp_path)
    assert opens.name in ("", str(tmp_path / "\x1bpipe"))
    assert "\x1b" not in opens.words


def test_a_lock_that_another_has(tmp_path: Path) -> None:
    with (tmp_path / "x.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        code = "import fcntl; f = open('x.lock'); fcntl.flock(f, fcntl.LOCK_EX)"
        waits = found(code, lambda each: each.deed is Deed.LOCKS, tmp_path)
        assert isinstance(waits.target, Opened)
        assert (waits.target.kind, waits.target.name) == ("lock", str(tmp_path / "x.lock"))


def test_nothing_is_known_of_no_process() -> None:
    assert doing(0) is None
