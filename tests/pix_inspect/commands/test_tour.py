"""`pix-inspect tour` without a terminal: the list, and a tour as text."""

from __future__ import annotations

import pytest

from pix_inspect.cli import main
from pix_inspect.teach import tours


def test_without_a_name_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tour"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(tours.names())


@pytest.mark.parametrize("name", tours.names())
def test_a_tour_is_text_with_its_bytes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tour", name, "--text"]) == 0
    said = capsys.readouterr().out
    steps = len(tours.tour(name).steps)
    assert f"{steps} of {steps}" in said
    assert " 00 00 00 " in said


def test_an_unknown_tour_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tour", "nothing"]) == 2
    assert "no tour is called 'nothing'" in capsys.readouterr().err
