"""What is of another type than a method takes is an EncodeError, and nothing is sent."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pix.codec.errors import EncodeError, PixError
from pix.daemon.operations import Operations
from pix.protocol import operations as op
from tests.pix.daemon.test_connection import HELLO, VALID, asking
from tests.support.scripted_daemon import LAST, playing

GOOD: dict[str, Any] = {"path": HELLO, "paths": [], "name": "x", "source": b"x"}
OF_OTHERS = [None, 1.5, object(), [object()], {1: 2}, (1, 2), [["x"]]]
NOT_ARGUMENTS = {"call", "nar", "protocol"}


def wrongly() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every method with each of its arguments of a type that none takes."""
    for name, method in inspect.getmembers(Operations, inspect.isfunction):
        if name.startswith("_") or name in NOT_ARGUMENTS:
            continue
        parameters = list(inspect.signature(method).parameters.values())[1:]
        needed = [each.name for each in parameters if each.default is each.empty]
        for parameter in parameters:
            if parameter.name == "target":  # whatever writes
                continue
            for value in OF_OTHERS:
                lazy = parameter.name == "source" and isinstance(value, (list, tuple, dict))
                if lazy or value is parameter.default:  # an iterable is looked at as it is sent
                    continue
                named = {each: GOOD.get(each, "x") for each in needed if each != "options"}
                key = "verbosity" if parameter.name == "options" else parameter.name
                yield name, named | {key: value}


@pytest.mark.parametrize("minor", [21, 38])
def test_every_argument_of_another_type(minor: int) -> None:
    with playing(asking(), LAST, VALID, minor=minor) as daemon:
        tried = 0
        for name, arguments in wrongly():
            try:
                getattr(daemon.connection, name)(**arguments)
            except PixError:
                tried += 1
            else:
                pytest.fail(f"{name} takes {arguments}")
        assert tried > 400
        for request in (None, 5, op.IsValidPath):
            with pytest.raises(PixError):
                daemon.connection.call(request)
        assert daemon.connection.is_valid_path(HELLO)


def test_it_is_said_what_was_expected() -> None:
    with playing(asking(), LAST, VALID) as daemon:
        connection: Any = daemon.connection
        wrong: list[tuple[Callable[[], Any], str]] = [
            (lambda: connection.add_signatures(HELLO, "a:1"), "expected a list, got str 'a:1'"),
            (lambda: connection.query_valid_paths([5]), "expected str, got int 5"),
            (lambda: connection.add_text_to_store("x", 5), "expected a text or bytes, got int 5"),
            (lambda: connection.set_options(nosuch=1), "SetOptions: has no field nosuch"),
            (lambda: connection.call(5), "expected a request, got int 5"),
        ]
        for call, says in wrong:
            with pytest.raises(EncodeError) as caught:
                call()
            assert str(caught.value) == says
        assert connection.is_valid_path(HELLO)
