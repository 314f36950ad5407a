"""Exchanges as lines of the REPL: what a line would send is what was recorded."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pix.codec.values import encode
from pix.codec.wire import pack_u64
from pix.conversation.exchange import CLIENT
from pix.problem import Problem
from pix_inspect.repl.as_line import line_of, literal
from pix_inspect.repl.expressions import Evaluator
from pix_inspect.session.session import Session
from tests.support.places import EVERY_RECORDING


def evaluated(text: str) -> object:
    return Evaluator({}, lambda value, name: None).run(text)


@pytest.mark.parametrize("path", EVERY_RECORDING, ids=lambda path: path.stem)
def test_every_recorded_request_is_a_line_that_gives_its_bytes(path: Path) -> None:
    session = Session(path).read_all()
    seen = 0
    for i in range(len(session)):
        view = session.exchange(i)
        try:
            line = line_of(view)
        except Problem:
            assert view.row.kind not in ("operation", "handshake")
            continue
        assert line.isprintable()
        operation = view.exchange.operation if view.exchange is not None else None
        if operation is None or view.protocol is None or line.startswith("raw("):
            continue
        fields: dict[str, object] = {}

        def sent(fields: dict[str, object] = fields, **given: object) -> None:
            fields.update(given)

        Evaluator({operation.short: sent, "recorded": lambda *about: b""}, getattr).run(line)
        if operation.request.payload is not None:
            assert operation.request.payload.name in fields
            fields.pop(operation.request.payload.name)
        value = operation.request.value_of(fields)
        head = pack_u64(operation.number) + encode(operation.request, value, view.protocol)
        start = view.span(CLIENT)[0]
        assert head == view.kept[CLIENT].whole(start, start + len(head)), line
        seen += 1
    assert seen
    session.close()


@given(st.text() | st.binary() | st.lists(st.text()) | st.dictionaries(st.text(), st.text()))
def test_a_literal_is_read_back(value: object) -> None:
    written = literal(value)
    assert written.isprintable()
    assert evaluated(written) == value


def test_bytes_that_are_no_text_come_back() -> None:
    text = b"\xff\x00\x1b".decode("utf-8", "surrogateescape")
    assert evaluated(literal(text)) == text
