"""Relays that run: who looks while one registers finds all of it, and takes nothing away."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pix_inspect.machine.running_relays import registered, relays


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def test_a_relay_is_listed_while_it_runs(tmp_path: Path) -> None:
    with registered(tmp_path / "sock", "/daemon", tmp_path / "r.pcapng"):
        (found,) = relays()
        assert (found.listen, found.upstream) == (str(tmp_path / "sock"), "/daemon")
    assert relays() == []


def test_who_looks_while_one_registers_takes_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    dump = json.dump

    def looked_at(*args: object) -> None:
        seen.append(relays())
        dump(*args)  # type: ignore[arg-type]  # handed on
        seen.append(relays())

    monkeypatch.setattr(json, "dump", looked_at)
    with registered(tmp_path / "sock", "/daemon", None):
        assert seen == [[], []]
        assert len(relays()) == 1


def test_what_is_no_registration_or_no_longer_one_is_removed(state: Path) -> None:
    folder = state / "pix-inspect" / "running"
    with registered(None, "/daemon", None):
        for name, text in [("1", "{"), ("2", "[" * 99_999), ("3", '{"pid": 3}'), ("4", "9" * 5000)]:
            (folder / f"{name}.json").write_text(text)
        stale = {"pid": 1, "born": 7, "listen": None, "upstream": "x", "recording": None}
        (folder / "5.json").write_text(json.dumps(stale))
        (mine,) = folder.glob(f"{os.getpid()}.json")
        for number, path in enumerate(("a\0b", "\ud800", 7)):  # what no file can be called
            entry = json.loads(mine.read_text()) | {"recording": path}
            (folder / f"{6 + number}.json").write_text(json.dumps(entry))
        assert len(relays()) == 1
        assert len(list(folder.glob("*.json"))) == 1
