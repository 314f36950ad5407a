"""Who holds a lock: really locked files, and lists of locks as the kernel writes them."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from pix_inspect.machine import file_locks
from pix_inspect.machine.file_locks import lock_holders


@pytest.mark.skipif(not file_locks.LOCKS.exists(), reason="the kernel lists no locks")
def test_a_lock_that_is_held(tmp_path: Path) -> None:
    path = tmp_path / "hello-2.12"
    assert lock_holders(str(path)) == []
    with (tmp_path / "hello-2.12.lock").open("w") as file:
        assert lock_holders(str(path)) == []
        fcntl.flock(file, fcntl.LOCK_EX)
        assert lock_holders(str(path)) == [os.getpid()]
        assert lock_holders(str(tmp_path / "elsewhere")) == []


def test_who_waits_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "a.lock"
    lock.touch()
    inode = lock.stat().st_ino
    listed = tmp_path / "locks"
    monkeypatch.setattr(file_locks, "LOCKS", listed)
    listed.write_text(
        f"1: FLOCK  ADVISORY  WRITE 77 fd:01:{inode} 0 EOF\n"
        f"1: -> FLOCK  ADVISORY  WRITE 88 fd:01:{inode} 0 EOF\n"
        f"2: POSIX  ADVISORY  READ 99 fd:01:{inode + 1} 0 EOF\n"
        f"3: OFDLCK ADVISORY  READ -1 fd:01:{inode} 0 EOF\n"
        "rubbish\n\n4: FLOCK\n"
    )
    assert lock_holders(str(tmp_path / "a")) == [77]
    listed.unlink()
    assert lock_holders(str(tmp_path / "a")) == []


def test_hostile_paths() -> None:
    assert lock_holders("/a\0b") == []
    assert lock_holders("/" + "a" * 5000) == []
