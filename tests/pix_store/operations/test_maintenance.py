"""A store looked after: its contents verified, equal files linked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.nars import nar
from tests.support.serving import watched


def test_corruption_is_found(tmp_path: Path) -> None:
    with watched(store=tmp_path) as c:
        kept, changed, gone = (c.add_text_to_store(name, name) for name in "abc")
        folder = tmp_path / "nix/store"
        file = folder / changed[11:]
        file.chmod(0o644)
        file.write_text("else")
        (folder / gone[11:]).unlink()
        assert c.verify_store(check_contents=True)
        assert c.query_all_valid_paths() == {kept, changed}
        c.add_to_store("b", b"b", "text:sha256", repair=True)
        assert not c.verify_store(check_contents=True)


def test_equal_files_are_linked(tmp_path: Path) -> None:
    links: dict[bytes, Any] = dict.fromkeys((b"l", b"m"), ("symlink", b"one"))
    links |= {b"n": ("symlink", b".."), b"run": ("executable", b"same")}
    tree = nar(links | {b"one": b"same", b"two": b"same"})
    with watched(store=tmp_path) as c:
        path = tmp_path / "nix/store" / c.add_to_store("x", tree)[11:]
        flat = tmp_path / "nix/store" / c.add_to_store("y", b"same", "fixed:sha256")[11:]
        c.optimise_store()
        inodes = [place.stat().st_ino for place in (path / "one", path / "two", flat)]
        assert len(set(inodes)) == 1
        assert (path / "run").stat().st_ino not in inodes
        found = [(path / name).lstat().st_ino for name in "lmn"]
        assert found[0] == found[1] != found[2]
        assert (path / "m").readlink() == Path("one")
        assert not c.verify_store(check_contents=True)
        assert path.stat().st_mtime == 1
