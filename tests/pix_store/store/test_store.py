from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pix.serving import Refusal
from pix_store.store.backend import MemoryShelf
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


@pytest.fixture(params=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "home" if request.param == "folder" else None)
    yield store
    store.close()


def test_what_is_added_is_valid(store: Store) -> None:
    info = add(store, A)
    assert store.known(A) == info
    assert store.all() == {A}
    assert len(store) == 1
    assert b"".join(store.nar(A)) == nar(A.encode())
    assert store.by_digits("a" * 32) == A
    assert info.registered > 0


def test_references_lead_both_ways(store: Store) -> None:
    add(store, A)
    add(store, B, A)
    add(store, C, B, C)
    assert store.referrers(A) == {B}
    assert store.closure([C]) == {A, B, C}
    assert store.referrers_closure(A) == {A, B, C}
    store.remove(C)
    assert store.referrers_closure(A) == {A, B}
    assert store.known(C) is None


def test_a_reference_has_to_be_valid(store: Store) -> None:
    with pytest.raises(Refusal, match="is not valid"):
        add(store, B, A)
    assert store.all() == frozenset()


def test_adding_again_changes_nothing(store: Store) -> None:
    first = add(store, A, data=b"one")
    assert add(store, A, data=b"two") == first
    assert b"".join(store.nar(A)) == nar(b"one")


def test_what_is_not_there_is_refused(store: Store) -> None:
    with pytest.raises(Refusal, match="is not valid"):
        store.nar(A)
    with pytest.raises(Refusal, match="is not valid"):
        store.info(A)


def test_threads_that_add_the_same(store: Store) -> None:
    threads = [threading.Thread(target=add, args=(store, A)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert b"".join(store.nar(A)) == nar(A.encode())
    assert store.all() == {A}


def test_memory_is_bounded() -> None:
    store = Store()
    store.shelf = MemoryShelf(3000)
    add(store, A, data=b"x" * 500)
    with pytest.raises(Refusal, match="no room"):
        add(store, B, data=b"x" * 500)
    assert store.all() == {A}
    store.remove(A)
    add(store, B, data=b"x" * 500)


def test_what_costs_nothing_to_ask_for_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pix_store.store.store.MOST", 2)
    monkeypatch.setattr("pix_store.store.backend.MOST_LOGS", 10)
    store = Store()
    info = add(store, A)
    for name in ("x", "y", "x"):
        store.link(name)
        store.realise(name, A)
    with pytest.raises(Refusal, match="2 roots already"):
        store.link("z")
    with pytest.raises(Refusal, match="2 realisations already"):
        store.realise("z", A)
    with pytest.raises(Refusal, match="1000 signatures"):
        store.update(info.signed(frozenset(f"k:{i}" for i in range(1001))))
    assert isinstance(store.shelf, MemoryShelf)
    for name in "abc":
        store.shelf.append(name, iter([b"12345"]))
    assert set(store.shelf.logs) == {"b", "c"}
