"""A Nix daemon in the box: the worker protocol over a small store of its own.

    with EmbeddedDaemon(allow_build=True) as daemon:
        DaemonConnection(daemon.path)

Standard library only. The store is in memory or in a folder that survives restarts; paths
and hashes are those that Nix gives the same contents. Start reading at
`pix_inspect.embedded.daemon`.

Real clients ask a daemon for metadata, but read files from the disk themselves: derivations
(realise, query outputs, evaluate), outputs (`nix-store --dump`, `--export`, `--verify-path`,
`nix copy --from`, `nix store ls`) and logs. So where the files are decides what works:

    in memory                 adding, queries of metadata, garbage collection, `nix copy` to it;
                              everything by `ssh-ng://localhost?remote-program=SCRIPT`, where the
                              script runs `pix-inspect stdio --upstream SOCKET`
    --store DIR               all of that; and with `NIX_REMOTE=unix://SOCKET?root=DIR` (Nix 2.4
                              and later) everything but `nix-store --dump` and readFile
    --store DIR --store-dir DIR/store   everything, with every version

There is no sandbox, no substituter and no trusted key. Builders run as this user, one at a
time for each client.
"""

from __future__ import annotations

from pix_inspect.embedded.daemon import EmbeddedDaemon

__all__ = ["EmbeddedDaemon"]
