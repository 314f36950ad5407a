from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pix.codec.nar_files import nar_of
from pix.serving import Refusal
from pix_store.store import trees
from pix_store.store.spool import Spool
from tests.support.nars import Tree, nar, tokens
from tests.support.serving import TREE
from tests.support.words import text

NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: name not in (b".", b"..") and b"/" not in name and b"\0" not in name
)
LEAVES = st.one_of(
    st.binary(max_size=200),
    st.tuples(st.just("executable"), st.binary(max_size=50)),
    st.tuples(st.just("symlink"), st.binary(min_size=1, max_size=30).filter(lambda t: 0 not in t)),
)
TREES: st.SearchStrategy[Tree] = st.recursive(
    LEAVES, lambda inner: st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)


def restored(data: bytes, place: Path) -> Path:
    with Spool() as spool:
        trees.restore(spool.fill([data]), place)
    trees.seal(place)
    return place


@settings(max_examples=60)
@given(TREES)
def test_a_tree_comes_back_as_the_same_nar(
    tmp_path_factory: pytest.TempPathFactory, tree: Tree
) -> None:
    folder = tmp_path_factory.mktemp("tree")
    data = nar(tree)
    place = restored(data, folder / "x")
    assert b"".join(nar_of(place)) == data
    trees.remove(place)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("target", [b"a/", b"./a", b"a//b", b"/", b"..", b"\xff \n"])
def test_links_lead_where_they_led(tmp_path: Path, target: bytes) -> None:
    data = nar(("symlink", target))
    assert b"".join(nar_of(restored(data, tmp_path / "x"))) == data


def test_files_are_read_only_and_dated(tmp_path: Path) -> None:
    place = restored(TREE, tmp_path / "x")
    for path, mode in ((place, 0o555), (place / "a", 0o444), (place / "run", 0o555)):
        status = path.lstat()
        assert (stat.S_IMODE(status.st_mode), status.st_mtime) == (mode, 1)
    assert (place / "dir/link").lstat().st_mtime == 1


def one_entry(name: bytes, inner: bytes) -> bytes:
    entry = tokens(b"entry", b"(", b"name", name, b"node") + inner + text(b")")
    return tokens(b"(", b"type", b"directory") + entry + text(b")")


FILE = tokens(b"(", b"type", b"regular", b"contents", b"gotcha", b")")
LINK = tokens(b"(", b"type", b"symlink", b"target", b"/", b")")


@pytest.mark.parametrize(
    "node",
    [
        *(one_entry(name, FILE) for name in (b"..", b".", b"", b"a/b", b"/etc/x", b"a\0b")),
        one_entry(b"x" * 256, FILE),
        tokens(b"(", b"type", b"directory")
        + tokens(b"entry", b"(", b"name", b"a", b"node") + LINK + text(b")")
        + tokens(b"entry", b"(", b"name", b"a", b"node") + one_entry(b"x", FILE) + text(b")")
        + text(b")"),
        tokens(b"(", b"type", b"directory")
        + tokens(b"entry", b"(", b"name", b"b", b"node") + FILE + text(b")")
        + tokens(b"entry", b"(", b"name", b"a", b"node") + FILE + text(b")")
        + text(b")"),
        tokens(b"(", b"type", b"symlink", b"target", b"", b")"),
        tokens(b"(", b"type", b"fifo", b")"),
        b"",
        FILE[:-4],
        FILE + b"more",
    ],
)  # fmt: skip
def test_no_hostile_nar_is_restored(tmp_path: Path, node: bytes) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    with Spool() as spool, pytest.raises(Refusal):
        trees.restore(spool.fill([text(b"nix-archive-1") + node]), folder / "x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]
    assert not list(folder.iterdir())


def test_deep_nars_are_refused(tmp_path: Path) -> None:
    node = FILE
    for _ in range(70):
        node = one_entry(b"d", node)
    with Spool() as spool, pytest.raises(Refusal, match="levels"):
        trees.restore(spool.fill([text(b"nix-archive-1") + node]), tmp_path / "x")


def test_nothing_is_written_over_or_through_what_is_there(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "x").symlink_to(outside)
    for data in (TREE, nar(b"file")):
        with Spool() as spool, pytest.raises(OSError, match="exists"):
            trees.restore(spool.fill([data]), tmp_path / "x")
    assert not list(outside.iterdir())


def test_removing_does_not_follow_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep").write_text("")
    place = tmp_path / "x"
    place.mkdir()
    (place / "link").symlink_to(outside)
    (place / "closed/inner").mkdir(parents=True)
    (place / "closed").chmod(0)
    trees.remove(place)
    trees.remove(tmp_path / "nowhere")
    (tmp_path / "x").symlink_to(outside)
    trees.remove(tmp_path / "x")
    assert (outside / "keep").exists()
    assert not os.path.lexists(place)


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    fds = Path("/proc/self/fd")
    before = sum(1 for _ in fds.iterdir()) if fds.is_dir() else 0
    for i in range(20):
        with Spool() as spool, pytest.raises(Refusal):
            trees.restore(spool.fill([TREE[:-8]]), tmp_path / f"{i}")
    after = sum(1 for _ in fds.iterdir()) if fds.is_dir() else 0
    assert after <= before + 1
