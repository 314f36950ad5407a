"""`pix-inspect manual`: a folder of pages, made again in place, and nobody else's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix_inspect.cli import main


@pytest.mark.parametrize(("form", "ending"), [("html", "html"), ("markdown", "md")])
def test_a_folder_of_pages(
    form: str, ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "manual"
    for _ in range(2):
        assert main(["manual", "-o", str(folder), "--format", form]) == 0
        assert f"begin with {folder / 'index'}.{ending}" in capsys.readouterr().err
    assert (folder / f"operations/QueryPathInfo.{ending}").stat().st_size > 1000
    assert len(list(folder.rglob(f"*.{ending}"))) > 120
    assert (folder / "recordings/queries.pcapng").read_bytes()  # for the exercises


def test_a_folder_with_other_things_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "letter").write_text("dear")
    assert main(["manual", "-o", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["letter"]


def test_a_place_that_cannot_be_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["manual", "-o", str(tmp_path / "file" / "manual")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(tmp_path / "file") in said
