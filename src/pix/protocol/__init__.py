"""The declarations: every operation, type, log frame and handshake field, once.

operation   its number, request, reply, payload, and its life: since when, until when (operations
            of the worker protocol, serve: commands of the serve protocol)
type        what requests and replies are made of (types, derived_path)
frame       what the daemon says meanwhile: log, activities, results, error (logging)
handshake   versions, features, trust (handshake), spoken by either side (shake_hands)
name        every declared thing by its name (names); what payload holds (payload_items)
vendor      what a user's TOML file declares besides (vendors, declaration_file)
deletion    which requests delete store paths; whoever sends asks first (deletion)
text        hashes in Nix's base 32 (nix32); requests that a refusal leaves unread (unread)

Nothing outside this package lists them again. Imports `pix.codec`. Begin at `operations`.
"""

from __future__ import annotations

from pathlib import Path

from pix.codec.declare import OPERATION_NAMES, OPERATIONS, STDERR_FRAMES, Frame, Operation
from pix.codec.gates import Family
from pix.protocol import handshake, logging, operations, serve, types

OPERATIONS_BY_NAME: dict[str, Operation] = {op.name: op for op in OPERATIONS.values()}
"""Every declared operation by its name."""


def operations_of(family: Family) -> dict[int, Operation]:
    """Return the operations of a protocol by the number that they have on the wire."""
    return {op.number: op for op in OPERATIONS.values() if op.family is family}


def load_declarations(path: Path | str) -> None:
    """Declare what a TOML file of a vendor's operations, features and types declares.

    All of it or nothing, once: what is declared already stays. To be called before anything is
    decoded. Raises a Problem (`pix.protocol.declaration_file.DeclarationError`) with its place.
    """
    from pix.protocol import vendors

    vendors.load(path)


__all__ = [
    "OPERATIONS",
    "OPERATIONS_BY_NAME",
    "OPERATION_NAMES",
    "STDERR_FRAMES",
    "Frame",
    "Operation",
    "handshake",
    "load_declarations",
    "logging",
    "operations",
    "operations_of",
    "serve",
    "types",
]
