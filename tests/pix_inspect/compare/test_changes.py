"""Changes: where two values differ, told as people would."""

from __future__ import annotations

from typing import Any

import pytest

from pix_inspect.compare.changes import VOLATILE, Change, Unordered, changes, masked


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [Change("a", 1, 2)]),
        ({"a": [1, 2]}, {"a": [1]}, [Change("a[1]", 2, None)]),
        ({"a": {"b": 1}}, {"a": {"c": 1}}, [Change("a.b", 1, None), Change("a.c", None, 1)]),
        ({"registration_time": 1, "x": 1}, {"registration_time": 2, "x": 1}, []),
        ({"id": "sha256:0"}, {"id": "sha256:1"}, [Change("id", "sha256:0", "sha256:1")]),
        ([1], {"a": 1}, [Change("", [1], {"a": 1})]),
        ([1, 2, 3, 4], [1, 3, 4], [Change("[1]", 2, None)]),
        ([1, 2], [0, 1, 2], [Change("[0]", None, 0)]),
        ([{"a": 1, "b": 2}, 3], [{"a": 1, "b": 5}, 3], [Change("[0].b", 2, 5)]),
        ([{"stop_time": 1}], [{"stop_time": 2}], []),
        ([], [1], [Change("[0]", None, 1)]),
        ({"s": Unordered([1, 2])}, {"s": Unordered([2, 1])}, []),
        (Unordered([1, 2]), Unordered([2, 3]), [Change("[]", 1, None), Change("[]", None, 3)]),
    ],
)  # fmt: skip
def test_changes(first: object, second: object, expected: list[Change]) -> None:
    assert list(changes(first, second)) == expected


def test_what_was_put_into_a_long_list() -> None:
    paths = [f"/nix/store/{i}" for i in range(5000)]
    other = [*paths[:2000], "new", *paths[2000:4000], *paths[4001:]]
    found = list(changes({"paths": paths}, {"paths": other}))
    assert found == [Change("paths[2000]", None, "new"), Change("paths[4000]", paths[4000], None)]


def test_elements_of_a_long_list_are_compared_field_by_field() -> None:
    infos: list[dict[str, Any]] = [{"path": f"/nix/store/{i}", "size": i} for i in range(1000)]
    other = [{**each, "size": each["size"] + (each["size"] % 100 == 7)} for each in infos]
    found = list(changes(infos, [*other, {"path": "new", "size": 1}]))
    assert len(found) == 11
    assert found[0] == Change("[7].size", 7, 8)
    assert found[-1].second == {"path": "new", "size": 1}


def test_a_long_list_in_another_order_is_compared_by_place() -> None:
    found = list(changes([*range(1000)], [*reversed(range(1000))]))
    assert found[0] == Change("[0]", 0, 999)
    assert len(found) == 1000


def test_masked() -> None:
    value = {"a": [{"registration_time": 1, "b": 1}], "c": Unordered([2, 1])}
    assert masked(value, VOLATILE) == {"a": [{"b": 1}], "c": [1, 2]}
