"""Guided walks through the bundled recordings: what they say, and which bytes they mean.

A tour is a TOML file in recordings/tours: a title, a summary, and steps. A step names a
recording, a filter whose first hit is the exchange, the way to a field by its labels (`~word`
is the first one that says the word), and a text, in which {value} stands for the field's value,
so that nothing recorded is typed by hand.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from pix.dataclass import dataclass
from pix.problem import Problem
from pix.untrusted import natural
from pix_inspect.describe.field_rows import FieldRow, rows
from pix_inspect.filter.compiled import compile_filter
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.session.session import Session
from pix_inspect.teach import bundled

FOLDER = "tours"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: where it leads, and what there is to say."""

    recording: str
    where: str
    field: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Tour:
    """A tour; `name` is its file's."""

    name: str
    title: str
    summary: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step leads: exchange `number` (from 0) of its recording, and a row of its fields.

    `path` is the way to the row by the numbers of the rows around it.
    """

    number: int
    view: ExchangeView
    path: tuple[int, ...]
    row: FieldRow
    text: str


def names() -> list[str]:
    """Return the names of all tours, in the order in which one would take them."""
    found = {path.stem for path in (bundled.folder() / FOLDER).glob("*.toml")}
    first = [name for name in ("handshake", "build", "nar", "errors") if name in found]
    return [*first, *sorted(found - set(first))]


def tour(name: str) -> Tour:
    """Return a tour. Raises Problem when there is none of that name, or its file is broken."""
    path = bundled.folder() / FOLDER / f"{name}.toml"
    if name not in names():
        raise Problem(f"no tour is called {name!r}: there are {', '.join(names())}")
    return read(path)


def read(path: Path) -> Tour:
    """Return the tour in a file. Raises Problem when it cannot be read."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        steps = tuple(
            Step(
                step["recording"],
                step["where"],
                tuple(step["field"]),
                " ".join(step["text"].split()),
            )
            for step in found["step"]
        )
        return Tour(path.stem, found["title"], found["summary"], steps)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise Problem(f"{path}: {error}") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise Problem(f"{path}: a step lacks {error}") from None


def place(step: Step, session: Session) -> Place:
    """Return where a step leads in its recording, which `session` has read.

    Raises Problem when the recording has no such exchange or field.
    """
    wanted = compile_filter(step.where)
    for i in range(len(session)):
        if wanted.matches(session, i):
            view = session.exchange(i)
            found = field(view, step.field)
            if found is None:
                where = " → ".join(step.field)
                raise Problem(f"exchange {i + 1} of {step.recording} has no field {where}")
            path, row = found
            return Place(i, view, path, row, step.text.replace("{value}", row.value))
    raise Problem(f"no exchange of {step.recording} passes {step.where}")


def field(view: ExchangeView, labels: tuple[str, ...]) -> tuple[tuple[int, ...], FieldRow] | None:
    """Return the row at the end of a way of labels, and its path, None when there is none."""
    path: list[int] = []
    found: FieldRow | None = None
    below: Sequence[FieldRow] = rows(view)
    for label in labels:
        number = next((i for i, row in enumerate(below) if _is(row, label)), None)
        if number is None:
            number = natural(label)
        if number is None or number >= len(below):
            return None
        path.append(number)
        found = below[number]
        below = found.children
    return None if found is None else (tuple(path), found)


def _is(row: FieldRow, label: str) -> bool:
    if label.startswith("~"):
        return label[1:] in f"{row.label} {row.value}"
    return row.label == label
