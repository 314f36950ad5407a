"""A client of the Nix daemon: `with DaemonConnection() as daemon: daemon.query_path_info(path)`.

connection   what a program holds, one method an operation (connection, operations, path_info)
dialogue     one request, its log and its reply over a stream (dialogue)
handshake    what client and daemon agree on first (handshake)
upload       paths and their NARs on the way to the store (upload, path_names)
transport    the socket (transport); what goes wrong (errors, arguments)

What its methods take, return and raise is here, too; docs/client.md shows it in use.
Imports `pix.protocol` and `pix.codec`. Begin at `connection`.
"""

from __future__ import annotations

from pix.codec.errors import EncodeError
from pix.codec.nar_files import nar_of
from pix.codec.payload import Source
from pix.daemon.connection import DEFAULT_SOCKET, DaemonConnection
from pix.daemon.errors import NixDaemonError
from pix.daemon.operations import Target
from pix.daemon.path_info import PathInfo
from pix.protocol.types import (
    SUCCESSES,
    BasicDerivation,
    BuildMode,
    BuildResult,
    BuildStatus,
    DerivationOutput,
    DrvOutput,
    GCAction,
    TrustedFlag,
    UnkeyedValidPathInfo,
    ValidPathInfo,
)

__all__ = [
    "DEFAULT_SOCKET",
    "SUCCESSES",
    "BasicDerivation",
    "BuildMode",
    "BuildResult",
    "BuildStatus",
    "DaemonConnection",
    "DerivationOutput",
    "DrvOutput",
    "EncodeError",
    "GCAction",
    "NixDaemonError",
    "PathInfo",
    "Source",
    "Target",
    "TrustedFlag",
    "UnkeyedValidPathInfo",
    "ValidPathInfo",
    "nar_of",
]
