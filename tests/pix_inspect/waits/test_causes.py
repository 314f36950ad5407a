"""Which process of a tree matters, and what is said of it, of trees made here."""

from __future__ import annotations

from typing import Any

import pytest

from pix_inspect.machine.descriptors import Opened
from pix_inspect.machine.doings import Deed, Doing
from pix_inspect.machine.process_tree import Relative, Tree
from pix_inspect.waits.causes import (
    Cause,
    Reason,
    halted,
    of_builders,
    process_lines,
    short_command,
    short_name,
)

SECOND = 10**9
STORE = "/nix/store/" + "0" * 32 + "-"


def member(pid: int, parent: int, command: str = "sh", **more: Any) -> Relative:
    """A process that is asleep, at depth 0 for the parent 0, else below it."""
    about = {"state": "asleep", "born": 1, "age": 60 * SECOND, "used": SECOND, "share": 0.0}
    return Relative(pid, parent, min(parent, 1), command, **{**about, **more})


def tree(*below: Relative) -> Tree:
    return Tree([member(1, 0, "nix-daemon"), *below])


def cause(*below: Relative) -> Cause:
    found = of_builders(tree(*below))
    assert found is not None
    return found


SLEEPS = Doing(Deed.SLEEPS)
AWAITS = Doing(Deed.AWAITS)
FIFO = Opened(0, "named pipe", "/build/fifo", 9, reads=True, writes=False)


def test_nobody_is_below_the_daemon() -> None:
    assert of_builders(tree()) is None
    assert of_builders(Tree()) is None
    assert of_builders(tree(member(2, 1, state="dead"))) is None


def test_the_one_at_the_end_matters() -> None:
    found = cause(member(2, 1, "bash", doing=AWAITS), member(3, 2, "/bin/sleep 60", doing=SLEEPS))
    assert (found.reason, found.pid, found.at_work) == (Reason.SLEEPS, 3, False)
    assert found.what == "The builder's sleep (pid 3) sleeps"


def test_who_computes_goes_before_who_sleeps() -> None:
    works = member(3, 1, "cc1", share=0.97, doing=Doing(Deed.READS))
    found = cause(member(2, 1, "sleep", doing=SLEEPS), works, member(4, 1, share=0.5))
    assert (found.reason, found.pid, found.at_work) == (Reason.COMPUTES, 3, True)
    assert "97 % of one now" in found.evidence[0]
    assert "1 other process of it" in found.evidence[1]


@pytest.mark.parametrize("state", ["stopped", "traced"])
def test_who_does_not_run_goes_before_all(state: str) -> None:
    works = member(3, 1, share=1.0, doing=Doing(Deed.COMPUTES))
    found = cause(member(2, 1, "cc1", state=state), works)
    assert (found.pid, found.at_work) == (2, False)
    assert found.what.startswith("The builder's cc1 (pid 2) is ")
    assert "2" in found.to_do[0]
    assert halted(2, "running", "It") is None


def test_who_could_write_into_a_pipe() -> None:
    reads = Doing(Deed.READS, FIFO)
    end = Opened(3, "named pipe", "/build/fifo", 9, reads=True, writes=True)
    found = cause(member(3, 1, "cat", doing=reads, opened=(FIFO,)))
    assert "no other process of the build can write into it" in found.evidence
    above = member(2, 1, doing=AWAITS, opened=(end,))
    found = cause(above, member(3, 2, "cat", doing=reads, opened=(FIFO,)))
    assert (
        "of the build only sh (pid 2) could write into it, and waits for its end" in found.evidence
    )
    above = member(2, 1, doing=SLEEPS, opened=(end,))
    found = cause(above, member(3, 2, "cat", doing=reads, opened=(FIFO,)))
    assert (found.pid, "of the build sh (pid 2) can write into it" in found.evidence) == (3, True)
    hidden = member(2, 1, hidden=True)
    found = cause(hidden, member(3, 1, "cat", doing=reads, opened=(FIFO,)))
    assert not any("write into it" in said for said in found.evidence)


def test_of_a_pipeline_the_end_that_others_wait_for_matters() -> None:
    end = Opened(1, "pipe", "", 9, reads=False, writes=True)
    start = Opened(0, "pipe", "", 9, reads=True, writes=False)
    writes = member(2, 1, "gen", doing=SLEEPS, opened=(end,))
    reads = member(3, 1, "cat", doing=Doing(Deed.READS, start), opened=(start,))
    assert cause(writes, reads).pid == cause(reads, writes).pid == 2
    stuck = member(2, 1, "gen", doing=Doing(Deed.WRITES, end), opened=(end,))
    asleep = member(3, 1, "less", doing=SLEEPS, opened=(start,))
    assert cause(stuck, asleep).pid == 3


def test_the_other_end_of_a_socket_is_named() -> None:
    sock = Opened(5, "socket", "[::1]:443", 9, reads=True, writes=True)
    found = cause(member(2, 1, "curl", doing=Doing(Deed.POLLS, sock)))
    assert (
        found.what == "The builder's curl (pid 2) is waiting for input from a socket to [::1]:443"
    )


def test_what_may_not_be_looked_into_is_said_to_be_so() -> None:
    found = cause(member(2, 1, "cc1", hidden=True, share=0.0))
    assert (found.reason, found.pid) == (Reason.HIDDEN, 2)
    assert of_builders(tree(member(2, 1))) is None


def test_commands_as_people_typed_them() -> None:
    loader = "/lib/ld-linux-x86-64.so.2 --inhibit-cache --library-path /lib /usr/bin/nix-daemon --x"
    assert short_command(loader) == "nix-daemon --x"
    assert short_name(loader) == "nix-daemon"
    assert short_command(f"{STORE}bash/bin/bash -e {STORE}builder.sh") == "bash -e …builder.sh"
    assert short_name("") == ""
    assert short_command("/lib/ld-linux.so.2") == "ld-linux.so.2"
    assert "\x1b" not in short_command("\x1b]0;x\x07")


def test_hostile_names_stay_inert() -> None:
    evil = "\x1b]0;x\x07\n"
    opens = Doing(Deed.OPENS, None, f"/{evil}")
    each = member(2, 1, evil, doing=opens, opened=(Opened(3, "file", evil, 1, True, True),))
    found = cause(each)
    said = [found.what, *found.evidence, *found.to_do]
    said += [line for _, line in process_lines(tree(each), 80)]
    assert all(text.isprintable() for text in said)


def test_columns_never_collide() -> None:
    long = member(4_194_303, 1, "x" * 500, age=10**18, share=12.5, state="stopped", doing=AWAITS)
    for width in (20, 40, 80, 200):
        lines = [line for _, line in process_lines(tree(long), width)]
        assert all(len(line) <= max(width, 45) for line in lines)
    words = next(line for line in lines if "4194303" in line).split()
    assert words[:2] == ["4194303", "stopped"]
    assert words[-2] == "%"
