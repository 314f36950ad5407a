"""Hypothesis strategies made from the schema: any value of any wire type at any version."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from pix.codec.declare import wire_of
from pix.codec.gates import NEWEST_MINOR, OLDEST_MINOR, WORKER, Protocol
from pix.codec.lists import ListOf, MapOf, ToEmpty
from pix.codec.records import Maybe, Nonzero, Record, Tagged
from pix.codec.wire import Boolean, Enumeration, String, Wire, Word, text_of
from pix.protocol import STDERR_FRAMES, operations_of
from pix.protocol.derived_path import SingleDerivedPath
from pix.protocol.handshake import ClientHello, DaemonHello
from pix.protocol.types import FEATURES
from tests.support.readings import records


def every_record() -> dict[str, Record]:
    """Return every declared record by a name that says where it is."""
    found: dict[str, Record] = {}
    for operation in operations_of(WORKER).values():
        found[f"{operation.name}.request"] = operation.request
        found[f"{operation.name}.reply"] = operation.reply
    for frame in STDERR_FRAMES.values():
        found[frame.name] = frame.fields
    for hello in (ClientHello, DaemonHello):
        wire = wire_of(hello)
        assert isinstance(wire, Record)
        found[hello.__name__] = wire
    for outer in list(found.values()):
        for inner in records(outer):
            if inner not in found.values():
                found[inner.name] = inner
    return found


RECORDS = every_record()

PROTOCOLS = st.one_of(
    st.integers(OLDEST_MINOR, NEWEST_MINOR).map(Protocol),
    st.frozensets(st.sampled_from(sorted(FEATURES))).map(lambda f: Protocol(NEWEST_MINOR, f)),
)
"""Every protocol from 1.10 to 1.38, and 1.38 with any features."""

TEXTS: st.SearchStrategy[str] = st.one_of(
    st.binary(max_size=20).map(text_of),
    st.sampled_from(["", "/nix/store/g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-hello", "大白兔", "a\0b"]),
)


def values(wire: Wire, protocol: Protocol) -> st.SearchStrategy[Any]:
    """Return a strategy for what `wire` can carry in `protocol`."""
    match wire:
        case Word():
            return st.one_of(st.integers(0, 300), st.integers(0, wire.limit - 1))
        case Boolean():
            return st.booleans()
        case Enumeration():
            unknown = st.integers(0, (1 << 64) - 1).filter(lambda n: n not in wire.by_value)
            return st.one_of(st.sampled_from(list(wire.members)), unknown)
        case String(optional=True):
            return st.one_of(st.none(), TEXTS.filter(bool))
        case String():
            return TEXTS
        case ListOf(unordered=True):
            return st.frozensets(values(wire.element, protocol), max_size=4)
        case ToEmpty():
            named = values(wire.element, protocol).filter(lambda value: value.path)
            return st.lists(named, max_size=3).map(tuple)
        case ListOf():
            return st.lists(values(wire.element, protocol), max_size=4).map(tuple)
        case MapOf():
            return st.dictionaries(TEXTS, values(wire.value, protocol), max_size=4)
        case Nonzero():
            said = values(wire.inner, protocol).filter(lambda value: value.status)
            return st.one_of(st.none(), said)
        case Maybe() if not wire.gate.admits(protocol):
            return values(wire.inner, protocol)
        case Maybe():
            return st.none() | values(wire.inner, protocol)
        case Tagged():
            return st.one_of(
                [
                    st.none() if choice is None else values(choice, protocol)
                    for _, _, choice in wire.choices.values()
                ]
            )
        case Record():
            fields = {f.name: values(f.wire, protocol) for f in wire.layout(protocol)}
            made: st.SearchStrategy[Any] = st.builds(wire.kind, **fields)
            return made
    assert wire.name == "SingleDerivedPath", wire
    steps = st.lists(TEXTS, max_size=4).map(tuple)
    return st.builds(SingleDerivedPath, path=TEXTS, outputs=steps)
