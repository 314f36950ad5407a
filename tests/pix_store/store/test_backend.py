"""A store in a folder: it survives, and belongs to one daemon."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pix.problem import Problem
from pix_store.store.path_info import PathInfo
from pix_store.store.spool import Spool
from pix_store.store.store import Store
from tests.support.nars import nar

A, B, C = (f"{digit * 32}-{digit}" for digit in "abc")


def add(store: Store, base: str, *references: str, data: bytes = b"") -> PathInfo:
    with Spool() as spool:
        spool.fill([nar(data or base.encode())])
        info = PathInfo(base, spool.sha256, spool.size, frozenset(references))
        return store.add(info, spool)


def test_a_folder_survives_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path)
    info = add(store, A)
    add(store, B, A)
    store.update(info.signed(frozenset({"key:sig"})))
    store.realise("sha256:00!out", B, ["key:sig"])
    store.link("/somewhere/result")
    add(store, C)
    store.remove(C)
    store.close()
    again = Store(tmp_path)
    assert again.all() == {A, B}
    assert again.info(A).sigs == {"key:sig"}
    assert again.referrers(A) == {B}
    assert again.realisations == {"sha256:00!out": (B, frozenset({"key:sig"}))}
    assert again.links == {"/somewhere/result"}
    assert b"".join(again.nar(B)) == nar(B.encode())
    again.close()


def test_a_folder_is_for_one_daemon(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(Problem, match="in use by another daemon"):
        Store(tmp_path)
    store.close()
    Store(tmp_path).close()


def test_what_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(Problem, match="is not a folder"):
        Store(file)
    with pytest.raises(Problem, match="cannot keep a store"):
        Store(file / "below")


def test_a_store_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "nix/store"
    theirs.mkdir(parents=True)
    tmp_path.chmod(0o755)
    (theirs / A).write_text("theirs")
    with pytest.raises(Problem, match="holds files, but is not a store"):
        Store(tmp_path)
    with pytest.raises(Problem, match="holds files, but is not a store"):
        Store(tmp_path, str(theirs))
    assert [path.name for path in tmp_path.iterdir()] == ["nix"]
    (theirs / A).unlink()
    (tmp_path / "new").mkdir()
    (tmp_path / "new/mine").write_text("")
    Store(tmp_path).close()
    assert (tmp_path / "new/mine").exists()
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_records_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    store = Store(tmp_path)
    add(store, A)
    store.close()
    valid = tmp_path / "pix-inspect/records/valid"
    (valid / "junk").write_bytes(b"\xff{")
    (valid / "half").write_text(json.dumps({"key": "x"}))
    (valid / "odd").write_text(json.dumps({"key": B, "value": {"path": B}}))
    again = Store(tmp_path)
    assert again.all() == {A}
    again.close()


def test_a_store_directory_inside_the_folder_is_where_it_says(tmp_path: Path) -> None:
    store = Store(tmp_path, f"{tmp_path}/store")
    add(store, A, data=b"here")
    assert (tmp_path / "store" / A).read_bytes() == b"here"
    store.close()
