"""A client of the Nix daemon: `with DaemonConnection() as daemon: daemon.query_path_info(path)`.

connection   what a program holds, one method an operation (connection, operations, path_info)
dialogue     one request, its log and its reply over a stream (dialogue)
handshake    what client and daemon agree on first (handshake)
upload       paths and their NARs on the way to the store (upload, path_names)
transport    the socket (transport); what goes wrong (errors, arguments)

Imports `pix.protocol` and `pix.codec`. Begin at `connection`.
"""

from __future__ import annotations

from pix.codec.payload import Source
from pix.daemon.connection import DEFAULT_SOCKET, DaemonConnection
from pix.daemon.errors import NixDaemonError
from pix.daemon.operations import Target
from pix.daemon.path_info import PathInfo

__all__ = ["DEFAULT_SOCKET", "DaemonConnection", "NixDaemonError", "PathInfo", "Source", "Target"]
