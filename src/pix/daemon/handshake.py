"""The client's part of the handshake, up to the log loop that ends it.

Source: Nix `worker-protocol-connection.cc`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from pix.codec.declare import record_of
from pix.codec.errors import Lost
from pix.codec.gates import GUIX_MINOR, Protocol, negotiate, version_text
from pix.codec.values import encode, fitted
from pix.codec.wire import pack_u64
from pix.codec.words import foreign
from pix.daemon.errors import NixDaemonError
from pix.daemon.transport import Stream
from pix.protocol.handshake import CLIENT_MAGIC, DAEMON_MAGIC, NOT_ALLOWED, ClientHello, DaemonHello
from pix.protocol.types import TrustedFlag

OLDEST_DAEMON = 18
"""Daemons below 1.18 are not spoken to, unless the caller's own version is lower still."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """What the handshake came to; `nix_version` from 1.33, `trusted` from 1.35 on."""

    protocol: Protocol
    nix_version: str | None
    trusted: TrustedFlag | int


def handshake(stream: Stream, ours: Protocol) -> Agreed:
    """Say who we are, and learn who the daemon is.

    `ours` is the newest version and all features that we are willing to speak. Raises Lost,
    and NixDaemonError for a daemon that refuses us, is none, or is too old.
    """
    try:
        with suppress(Lost):  # a daemon that refuses us may have closed already, but spoken
            stream.send(pack_u64(CLIENT_MAGIC))
        magic = stream.word()
    except Lost as lost:
        raise Lost(f"{lost}; it may not allow this user, see its log") from None
    if magic == NOT_ALLOWED:
        raise NixDaemonError("the daemon does not allow this user to connect")
    if magic != DAEMON_MAGIC:
        raise NixDaemonError(f"no Nix daemon: it greets with {foreign(magic)}")
    theirs = stream.word()
    protocol = _agree(ours, theirs)
    wire = record_of(ClientHello)
    said = ClientHello(version=ours.number, features=tuple(sorted(ours.features)))
    heard = DaemonHello(version=theirs)
    with accepting(ours):
        stream.send(encode(wire, fitted(wire, said, protocol), protocol)[8:])
        for field in record_of(DaemonHello).layout(protocol)[2:]:
            setattr(heard, field.name, stream.value(field.wire, protocol))
    return Agreed(
        Protocol(protocol.minor, ours.features & set(heard.features)),
        heard.daemon_nix_version or None,
        heard.trusted,
    )


@contextmanager
def accepting(ours: Protocol) -> Iterator[None]:
    """To be turned away inside is told with what the daemon may have against it. Raises Lost."""
    try:
        yield
    except Lost as lost:
        raise Lost(f"{lost}; it may not accept protocol {ours.text}, see its log") from None


def _agree(ours: Protocol, theirs: int) -> Protocol:
    """Return the version that follows from both sides'. Raises NixDaemonError."""
    text = version_text(theirs)
    if theirs & 0xFF >= GUIX_MINOR:
        raise NixDaemonError(f"this is a Guix daemon ({text}), whose protocol is another one")
    if theirs >> 8 != 1:
        raise NixDaemonError(f"the daemon speaks version {text} ({theirs:#x}); 1.x is known")
    agreed = Protocol(negotiate(ours.number, theirs))
    if agreed.minor < min(OLDEST_DAEMON, ours.minor):
        raise NixDaemonError(
            f"the daemon speaks {text}, which is too old: 1.{OLDEST_DAEMON} at least is needed"
        )
    return agreed
