"""The tours: every step leads to an exchange and a field that are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix.problem import Problem
from pix_inspect.session.session import Session
from pix_inspect.teach import bundled, tours

STEPS = [(name, number) for name in tours.names() for number in range(len(tours.tour(name).steps))]


@pytest.mark.parametrize(("name", "number"), STEPS, ids=str)
def test_every_step_leads_somewhere(name: str, number: int) -> None:
    step = tours.tour(name).steps[number]
    session = Session(bundled.recording(step.recording)).read_all()
    place = tours.place(step, session)
    assert place.view.row.number == place.number + 1
    assert place.row.label
    assert "{" not in place.text
    assert 60 < len(place.text) < 420
    if "{value}" in step.text:
        assert place.row.value
        assert place.row.value in place.text
    session.close()


def test_there_are_tours_for_what_people_ask_first() -> None:
    assert {"handshake", "build", "nar", "errors", "old-and-new"} <= set(tours.names())
    assert all(len(tours.tour(name).steps) >= 4 for name in tours.names())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("title = 3", "lacks 'step'"),
        ("title =", "Invalid value"),
        ('title = "a"\nsummary = "b"\n[[step]]\nrecording = "queries"', "lacks 'where'"),
    ],
)
def test_a_broken_file_is_one_line(text: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(text)
    with pytest.raises(Problem, match=complaint):
        tours.read(path)


@pytest.mark.parametrize(
    ("where", "field", "complaint"),
    [
        ("op = BuildPaths", ("request",), "no exchange of queries"),
        ("op = QueryPathInfo", ("request", "nothing"), "has no field request → nothing"),
    ],
)
def test_a_step_that_leads_nowhere_is_one_line(
    where: str, field: tuple[str, ...], complaint: str
) -> None:
    session = Session(bundled.recording("queries")).read_all()
    with pytest.raises(Problem, match=complaint):
        tours.place(tours.Step("queries", where, field, ""), session)
    session.close()


def test_an_unknown_tour_names_the_others() -> None:
    with pytest.raises(Problem, match="there are handshake, build"):
        tours.tour("../recordings")
