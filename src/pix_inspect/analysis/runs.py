"""Runs: the same operation again and again, each waiting for the one before, and what to do."""

from __future__ import annotations

from pix.codec.gates import Protocol
from pix.dataclass import dataclass
from pix.protocol import OPERATIONS_BY_NAME

SHORTEST_RUN = 10
"""Operations of one kind in a row that make a run."""


@dataclass(slots=True)
class Run:
    """The same operation again and again, each after the one before it was answered.

    `distinct` counts different requests; times in nanoseconds; `first` and `last` are numbers
    of exchanges within the connection.
    """

    operation: str
    connection: int
    first: int
    last: int
    count: int
    distinct: int
    time: int
    thinking: int
    advice: str


def advice(operation: str, protocol: Protocol | None) -> str:
    """Return what would do many of this operation at once in `protocol`, empty if nothing."""
    many = OPERATIONS_BY_NAME[operation].many if operation in OPERATIONS_BY_NAME else None
    if many is None:
        return ""
    other = OPERATIONS_BY_NAME[many.operation]
    what = f"{other.name}{many.how}" if many.how else f"{other.name} (operation {other.number})"
    feature, minor = other.feature, many.since or other.life.introduced.minor or 0
    if feature is not None and (protocol is None or feature not in protocol.features):
        return f"{what} would do it, but the feature {feature} is not in force here"
    if protocol is not None and protocol.minor < minor:
        return f"{what} would do it from 1.{minor} on"
    return f"one {what} does it"
