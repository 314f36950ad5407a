"""The daemon in the box: the worker protocol over a small Nix store of its own.

    with EmbeddedDaemon(allow_build=True) as daemon:
        DaemonConnection(daemon.path)

daemon › operations › build › derivations › connection › store: a lower package never imports
an upper one, and all import `pix` only. Paths and hashes are those that Nix gives the same
contents; there is no sandbox and no substituter, and no key is trusted unasked. Begin at `daemon`.
"""

from __future__ import annotations

from pix_store.daemon import EmbeddedDaemon

__all__ = ["EmbeddedDaemon"]
