"""Trees of real processes: who is below whom, who computes, what they have open."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pix_inspect.machine import process_tree
from pix_inspect.machine.doings import Deed
from pix_inspect.machine.process_tree import Trees, children, relative
from tests.support.relaying import until

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task/self/children".replace("task/self", f"task/{os.getpid()}")).exists(),
    reason="the kernel does not tell of children",
)


@contextmanager
def shell(code: str) -> Iterator[int]:
    """A process that runs this in a shell; all below it is killed at the end."""
    with subprocess.Popen(["/bin/sh", "-c", code], stdin=subprocess.PIPE, process_group=0) as top:
        try:
            yield top.pid
        finally:
            os.killpg(top.pid, 9)


def test_a_pipeline(tmp_path: Path) -> None:
    with shell("(/bin/sleep 600 | /bin/cat; :); :") as top:

        def begun() -> bool:
            leaves = Trees().look([top], {})[top].leaves
            if [leaf.command for leaf in leaves] != ["/bin/sleep 600", "/bin/cat"]:
                return False
            reads = leaves[1].doing  # not before its libraries are loaded
            return reads is not None and reads.deed is Deed.READS and reads.target is not None

        until(begun)
        tree = Trees().look([top], {})[top]
        assert [member.depth for member in tree.members] == [0, 1, 2, 2]
        assert tree.root is not None
        assert tree.root.pid == top
        sleep, cat = tree.leaves
        assert cat.doing is not None
        assert cat.doing.target is not None
        pipes = [each for each in sleep.opened if each.inode == cat.doing.target.inode]
        assert [each.writes for each in pipes] == [True]
        assert all(member.age < 60 * 10**9 for member in tree.members)


def test_who_computes_is_seen_by_a_second_look() -> None:
    with shell("while :; do :; done & exec /bin/sleep 600") as top:
        trees = Trees()
        until(lambda: len(trees.look([top], {})[top].leaves) == 1)

        def computes() -> bool:
            (leaf,) = trees.look([top], {})[top].leaves
            return leaf.share is not None and leaf.share > 0 and leaf.computes

        until(computes)

        def sleeps() -> bool:
            root = trees.look([top], {})[top].root
            if root is None or root.doing is None:
                return False
            return root.doing.deed is Deed.SLEEPS and not root.computes

        until(sleeps)  # it may become that program later than the other begins


def test_a_tree_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_tree, "MOST", 2)
    with shell("for i in 1 2 3 4; do /bin/sleep 600 & done; wait") as top:
        until(lambda: len(children(top)) == 4)
        tree = Trees().look([top], {})[top]
        assert (len(tree.members), tree.more) == (2, 3)


@pytest.mark.skipif(os.getuid() != 0, reason="only root has processes of others")
def test_what_may_not_be_looked_into_is_hidden() -> None:
    code = (
        "import os, sys\n"
        "from pix_inspect.machine.process_tree import relative\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        f"found = relative({os.getpid()})\n"
        "print(found.hidden, found.doing, len(found.opened), bool(found.command))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "None", "0", "True"]


def test_a_process_that_is_gone() -> None:
    with subprocess.Popen(["/bin/true"]) as child:
        pass
    assert relative(child.pid) is None
    assert children(child.pid) == []
    assert Trees().look([child.pid], {})[child.pid].root is None
