"""Dataclasses whose methods are made when they are first used, beside the standard library's."""

from __future__ import annotations

import copy
import dataclasses
import threading
from typing import Any, ClassVar

import pytest

from pix.dataclass import dataclass, field


@dataclass(frozen=True, slots=True)
class Frozen:
    """What cannot be changed."""

    PLACES: ClassVar[int] = 3
    x: int
    y: int = 2

    @property
    def sum(self) -> int:
        return self.x + self.y


@dataclass(slots=True)
class Base:
    """A list of names."""

    names: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Derived(Base):
    """One more field."""

    size: int


@dataclass(eq=False)
class Open:
    """With a dictionary, compared by identity."""

    x: int = 1


@dataclass(frozen=True)
class Matched:
    """For patterns."""

    x: int
    y: int


def test_a_value_is_made_compared_shown_and_hashed() -> None:
    one = Frozen(1)
    assert (one, hash(one), repr(one)) == (Frozen(1, 2), hash(Frozen(x=1)), "Frozen(x=1, y=2)")
    assert one != Frozen(2)
    assert (one.sum, Frozen.PLACES) == (3, 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.x = 2  # type: ignore[misc]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        Frozen()  # type: ignore[call-arg]
    assert not hasattr(one, "__dict__")


def test_fields_are_known_before_any_value_is_made() -> None:
    assert [each.name for each in dataclasses.fields(Derived)] == ["names", "size"]
    match Matched(1, 2):
        case Matched(x, y):
            assert (x, y) == (1, 2)


def test_a_derived_class_has_the_fields_of_its_base() -> None:
    one, other = Derived(size=1), Derived(["a"], size=2)
    assert (one.names, other.names) == ([], ["a"])
    assert dataclasses.replace(other, size=3) == Derived(["a"], size=3)
    assert dataclasses.asdict(other) == {"names": ["a"], "size": 2}
    assert copy.copy(other) == other
    assert not hasattr(one, "__dict__")
    with pytest.raises(TypeError):
        hash(one)


def test_without_slots_and_comparison() -> None:
    one = Open()
    one.more = 2  # type: ignore[attr-defined]
    assert one != Open()
    assert hash(one) == object.__hash__(one)


def test_threads_may_make_the_first_values_at_once() -> None:
    for _ in range(50):

        @dataclass(frozen=True, slots=True)
        class Fresh:
            x: int
            names: tuple[str, ...] = field(default_factory=tuple)

        found: list[Fresh] = []
        begin = threading.Barrier(4)

        def make() -> None:
            begin.wait()  # noqa: B023
            found.append(Fresh(1))  # noqa: B023

        threads = [threading.Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [Fresh(1)] * 4


def test_slots_are_of_all_fields_whether_or_not_annotations_are_evaluated() -> None:
    code = """
from typing import ClassVar
from pix.dataclass import dataclass
@dataclass(slots=True, frozen=True)
class Point:
    x: int
    usual: ClassVar[int] = 3
    y: int = 0
"""
    for first in ("", "from __future__ import annotations"):
        made: dict[str, Any] = {"__name__": __name__}
        exec(compile(first + code, "points", "exec", dont_inherit=True), made)
        point = made["Point"](1)
        assert (point.x, point.y, point.usual) == (1, 0, 3)
        assert made["Point"].__slots__ == ("x", "y")
        assert not hasattr(point, "__dict__")


def test_what_is_wrong_with_the_arguments_is_said_of_the_class() -> None:
    with pytest.raises(TypeError, match=r"Derived\.__init__\(\) missing 1 required keyword-only"):
        Derived(["a"])  # type: ignore[call-arg]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del Frozen(1).x
    assert dataclasses.replace(Frozen(1), y=3) == Frozen(1, 3)


class Counted:
    """A base that has something of its own to set up."""

    made = 0

    def __post_init__(self) -> None:
        Counted.made += 1


@dataclass(slots=True)
class Told(Counted):
    """What such a base is told of."""

    x: int


def test_a_base_sets_up_what_is_its_own() -> None:
    before = Counted.made
    assert Told(1).x == 1
    assert Counted.made == before + 1
