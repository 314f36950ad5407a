"""From a method of the client to its operation: each is named, and no current one is left out."""

from __future__ import annotations

from pix.protocol import OPERATIONS
from pix_inspect.teach.manual.from_pix import methods


def test_every_method_asks_something() -> None:
    asked = {name: operations for name, _, operations in methods()}
    assert all(asked.values())
    assert asked["query_path_info"] == ("QueryPathInfo",)
    assert asked["nar_from_path"] == ("NarFromPath",)
    assert asked["add_text_to_store"] == ("AddTextToStore", "AddToStore")


def test_what_no_method_asks_is_obsolete_or_of_the_other_protocol() -> None:
    asked = {each for _, _, operations in methods() for each in operations}
    for operation in OPERATIONS.values():
        if operation.name not in asked and not operation.family.prefix:
            assert operation.life.obsolete or operation.life.removed, operation.name
