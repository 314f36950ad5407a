"""What derivations need, from files that are there, are not, and are hostile."""

from __future__ import annotations

from pathlib import Path

from pix_inspect.machine import derivations
from pix_inspect.machine.derivations import needed


def test_all_that_is_needed(tmp_path: Path) -> None:
    top, middle, leaf = (str(tmp_path / name) for name in ("top.drv", "middle.drv", "leaf.drv"))
    Path(top).write_text(
        f'Derive([("out","/x","","")],[("{middle}",["out"])],["/src"],"","",[],[])'
    )
    Path(middle).write_text(f'Derive([],[("{leaf}",["out"]),("{top}",["out"])],[],"","",[],[])')
    assert needed([top]) == {top, middle, leaf}
    assert needed([leaf]) == {leaf}
    assert needed(["/a\0b.drv", "no path"]) == {"/a\0b.drv", "no path"}


def test_it_ends(tmp_path: Path) -> None:
    for number in range(derivations.MOST + 10):
        path = tmp_path / f"{number}.drv"
        path.write_text(f'"{tmp_path}/{number + 1}.drv"')
    assert len(needed([str(tmp_path / "0.drv")])) == derivations.MOST + 1
