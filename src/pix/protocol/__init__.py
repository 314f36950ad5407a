"""The declarations: every operation, type, log frame and handshake field, once.

Nothing outside this package lists them again.
"""

from __future__ import annotations

from pix.codec.declare import OPERATIONS, STDERR_FRAMES, Frame, Operation
from pix.protocol import handshake, logging, operations, types

OPERATIONS_BY_NAME: dict[str, Operation] = {op.name: op for op in OPERATIONS.values()}
"""Every declared operation by its name."""

__all__ = [
    "OPERATIONS",
    "OPERATIONS_BY_NAME",
    "STDERR_FRAMES",
    "Frame",
    "Operation",
    "handshake",
    "logging",
    "operations",
    "types",
]
