"""A Nix daemon in the box: the worker protocol over a small store of its own.

    with EmbeddedDaemon(allow_build=True) as daemon:
        DaemonConnection(daemon.path)

Standard library only. The store is in memory or in a folder that survives restarts; paths
and hashes are those that Nix gives the same contents. Start reading at
`pix_inspect.embedded.daemon`.
"""

from __future__ import annotations

from pix_inspect.embedded.daemon import EmbeddedDaemon

__all__ = ["EmbeddedDaemon"]
