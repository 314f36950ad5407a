"""Runs: the same operation again and again, each waiting for the one before, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from pix.codec.gates import Protocol
from pix.protocol import OPERATIONS_BY_NAME

SHORTEST_RUN = 10
"""Operations of one kind in a row that make a run."""

BATCHED_BY = {
    "IsValidPath": ("QueryValidPaths", 12, None),
    "QueryPathInfo": ("QueryPathInfos", None, "queryPathInfos"),
    "AddTempRoot": ("AddTempRoots", None, "addTempRoots"),
    "AddToStoreNar": ("AddMultipleToStore", 32, None),
    "BuildPaths": ("BuildPaths with all paths at once", 10, None),
    "EnsurePath": ("BuildPaths with all paths at once", 13, None),
    "QuerySubstitutablePathInfo": ("QuerySubstitutablePathInfos", 12, None),
    "HasSubstitutes": ("QuerySubstitutablePaths", 12, None),
    "QueryPathHash": ("QueryPathInfo, which says all at once", 16, None),
    "QueryReferences": ("QueryPathInfo, which says all at once", 16, None),
}
"""What does many of an operation at once: its name, since which minor, with which feature."""


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
    known = BATCHED_BY.get(operation)
    if known is None:
        return ""
    name, minor, feature = known
    code = OPERATIONS_BY_NAME[name].code if name in OPERATIONS_BY_NAME else None
    what = name if code is None else f"{name} (operation {code})"
    if feature is not None:
        if protocol is not None and feature in protocol.features:
            return f"one {what} does it"
        return f"{what} would do it, but the feature {feature} is not in force here"
    if protocol is not None and minor is not None and protocol.minor < minor:
        return f"{what} would do it from 1.{minor} on"
    return f"one {what} does it"
