"""What a store path drags in: every path of its closure with its size, and the sum.

    python examples/closure_size.py /nix/store/…-hello-2.12 [SOCKET]

A client of the daemon in twenty lines, with `pix.daemon` alone: standard library, no Nix here.
"""

from __future__ import annotations

import sys

from pix.daemon import DaemonConnection, NixDaemonError


def closure_sizes(daemon: DaemonConnection, path: str) -> dict[str, int]:
    """Return the bytes in the NAR of each path that `path` needs, itself among them."""
    sizes: dict[str, int] = {}
    ahead = [path]
    while ahead:
        path = ahead.pop()
        if path not in sizes:
            info = daemon.query_path_info(path)
            sizes[path] = info.nar_size
            ahead += info.references
    return sizes


def main(path: str, socket: str | None = None) -> None:
    """Print the closure, the largest path first."""
    try:
        with DaemonConnection(socket) as daemon:
            sizes = closure_sizes(daemon, path)
    except NixDaemonError as error:
        sys.exit(f"closure_size: {error}")
    for each, size in sorted(sizes.items(), key=lambda item: -item[1]):
        print(f"{size:>14,}  {each}")
    print(f"{sum(sizes.values()):>14,}  in {len(sizes)} paths")


if __name__ == "__main__":
    main(*sys.argv[1:])
