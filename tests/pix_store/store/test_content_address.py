from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from pix.serving import Refusal
from pix_store.store import trees
from pix_store.store.content_address import ContentAddress, Method, address
from pix_store.store.spool import Spool
from pix_store.store.store_paths import StorePaths
from tests.support.nars import Tree, nar
from tests.support.surroundings import lacking


def addressed(method: str, tree: Tree) -> ContentAddress:
    with Spool() as spool:
        return address(Method.parse(method), spool.fill([nar(tree)]))


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
def test_a_flat_address_is_the_hash_of_the_bytes(algorithm: str) -> None:
    found = addressed(f"fixed:{algorithm}", b"contents")
    assert found.digest.raw == hashlib.new(algorithm, b"contents").digest()
    assert str(found).startswith(f"fixed:{algorithm}:")
    assert ContentAddress.parse(str(found)) == found


def test_a_nar_address_is_the_hash_of_the_nar() -> None:
    tree: Tree = {b"a": b"1"}
    found = addressed("fixed:r:sha512", tree)
    assert found.digest.raw == hashlib.sha512(nar(tree)).digest()


@pytest.mark.parametrize("kind", ["text:sha256", "fixed:sha256"])
@pytest.mark.parametrize("tree", [{b"a": b""}, ("symlink", b"x")])
def test_only_a_file_has_a_flat_address(kind: str, tree: Tree) -> None:
    with pytest.raises(Refusal, match="expected a regular file"):
        addressed(kind, tree)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "prefix '.*' is unrecognized"),
        ("sha256", "prefix .*sha256.* is unrecognized"),
        ("text", "must be in form"),
        ("nar:sha256", "prefix .*nar.* is unrecognized"),
        ("fixed:", "unknown hash algorithm"),
        ("fixed:r:", "unknown hash algorithm"),
        ("fixed:blake3", "blake3-hashes"),
        ("fixed:text:sha1", "should use .*sha256"),
        ("fixed:git:md5", "Git file ingestion"),
    ],
)
def test_what_is_no_method(text: str, why: str) -> None:
    with pytest.raises(Refusal, match=why):
        Method.parse(text)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_git_address_is_what_git_says(tmp_path: Path, algorithm: str) -> None:
    if shutil.which("git") is None:
        lacking("git is not installed")
    tree: Tree = {
        b"a": b"one",
        b"a-b": ("executable", b"#!"),
        b"a.c": {b"x": b"deep", b"l": ("symlink", b"../a")},
        b"a0": {b"y": b""},
    }
    with Spool() as spool:
        trees.restore(spool.fill([nar(tree)]), tmp_path / "x")

    def git(*words: str) -> str:
        command = ["git", "-C", str(tmp_path / "x"), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "-q", f"--object-format={algorithm}")
    git("add", "-A")
    assert addressed(f"fixed:git:{algorithm}", tree).digest.hex == git("write-tree")
    assert addressed(f"fixed:git:{algorithm}", b"one").digest.hex == git("hash-object", "a")


def test_a_text_may_not_refer_to_itself() -> None:
    with pytest.raises(Refusal, match="refer to itself"):
        addressed("text:sha256", b"x").path(StorePaths(), "x", (), itself=True)
