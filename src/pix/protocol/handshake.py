"""What both sides say before the first operation.

In time, in the worker protocol: client magic; daemon magic and version; client version; then
what the negotiated version adds, client and daemon each in one run; at the end the daemon's
first log loop. In the serve protocol (`pix.protocol.serve`): client magic and version; server
magic and version; no more.
Each side's fields are one record here, because each direction is a stream of its own.
Source: Nix `worker-protocol-connection.cc`, `daemon.cc`.
"""

from __future__ import annotations

from pix.codec.declare import field, record, record_of, since
from pix.codec.gates import SERVE, WORKER, Family
from pix.codec.records import Record
from pix.protocol import serve
from pix.protocol.types import AnyBool, Magic, MaybeCpu, Text, Trusted, TrustedFlag, VersionNumber

CLIENT_MAGIC, DAEMON_MAGIC = WORKER.magics
"""`nixc` and `dxio` read as big-endian numbers: bytes 63 78 69 6e, 6f 69 78 64, and four zeros."""

NOT_ALLOWED = 0xAB9A9FF0
"""In place of the daemon's magic: the user is not allowed (Determinate Nix 3.21.3), then close."""


@record
class ClientHello:
    """What the client says in the handshake."""

    magic: Magic = field("0x6e697863", default=CLIENT_MAGIC)
    version: VersionNumber = field("the newest protocol the client speaks, as 0x126 for 1.38")
    features: tuple[Text, ...] = since(
        38, default=(), doc="feature strings the client understands, ascending"
    )
    cpu: MaybeCpu = since(
        14, default=None, doc="processor to run on (Nix 1.6 to 2.5 clients with lock-cpu)"
    )
    reserve_space: AnyBool = since(
        11, default=False, doc="Nix 1.x: let the daemon use the reserved disk space"
    )


@record
class DaemonHello:
    """What the daemon says in the handshake, before its log loop."""

    magic: Magic = field("0x6478696f", default=DAEMON_MAGIC)
    version: VersionNumber = field("the newest protocol the daemon speaks")
    features: tuple[Text, ...] = since(
        38, default=(), doc="feature strings the daemon understands: its offer, not the outcome"
    )
    daemon_nix_version: Text = since(33, default="", doc="the daemon's release, such as 2.26.3")
    trusted: Trusted = since(
        35, default=TrustedFlag.UNKNOWN, doc="whether the daemon trusts this client"
    )


ORDER: tuple[tuple[type, str], ...] = (
    (ClientHello, "magic"),
    (DaemonHello, "magic"),
    (DaemonHello, "version"),
    (ClientHello, "version"),
    (ClientHello, "features"),
    (DaemonHello, "features"),
    (ClientHello, "cpu"),
    (ClientHello, "reserve_space"),
    (DaemonHello, "daemon_nix_version"),
    (DaemonHello, "trusted"),
)
"""Whose field comes after whose: at each change of sides the other one waits."""

ORDERS: dict[Family, tuple[tuple[type, str], ...]] = {
    WORKER: ORDER,
    SERVE: tuple(
        (side, name)
        for side in (serve.ClientHello, serve.ServerHello)
        for name in ("magic", "version")
    ),
}
"""The same by protocol."""

HELLOS: dict[Family, tuple[Record, Record]] = {
    WORKER: (record_of(ClientHello), record_of(DaemonHello)),
    SERVE: (record_of(serve.ClientHello), record_of(serve.ServerHello)),
}
"""By protocol, what the client says in the handshake, and what the other side does."""
