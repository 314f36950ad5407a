"""The client's part of the handshake, up to the log loop that ends it.

Source: Nix `worker-protocol-connection.cc`.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress

from pix.codec.errors import Lost
from pix.codec.gates import SERVE, Protocol, is_guix, negotiate, version_text
from pix.codec.words import foreign
from pix.daemon.errors import NixDaemonError
from pix.daemon.transport import Stream
from pix.dataclass import dataclass
from pix.protocol import serve
from pix.protocol.handshake import DAEMON_MAGIC, NOT_ALLOWED, ClientHello, DaemonHello
from pix.protocol.shake_hands import shake_hands
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
    if ours.family is SERVE:
        return _serve_handshake(stream, ours)
    said = ClientHello(version=ours.number, features=tuple(sorted(ours.features)))
    heard = DaemonHello(magic=0, version=0)

    def send(data: bytes) -> None:
        # a daemon that refuses us may have closed already, but spoken
        with suppress(Lost) if not heard.magic else nullcontext():
            stream.send(data)

    def negotiated(name: str) -> Protocol | None:
        if heard.magic == NOT_ALLOWED:
            raise NixDaemonError("the daemon does not allow this user to connect")
        if heard.magic != DAEMON_MAGIC:
            raise NixDaemonError(f"no Nix daemon: it greets with {foreign(heard.magic)}")
        return _agree(ours, heard.version) if name == "version" else None

    try:
        protocol = shake_hands(said, heard, send, stream.value, negotiated)
    except Lost as lost:
        if not heard.magic:
            raise Lost(f"{lost}; it may not allow this user, see its log") from None
        raise turned_away(ours, lost) if heard.version else lost from None
    return Agreed(protocol, heard.daemon_nix_version or None, heard.trusted)


def _serve_handshake(stream: Stream, ours: Protocol) -> Agreed:
    """The same with `nix-store --serve`. Raises Lost, NixDaemonError."""
    said, heard = serve.ClientHello(version=ours.number), serve.ServerHello(magic=0, version=0)

    def negotiated(name: str) -> Protocol | None:
        if heard.magic != SERVE.magics[1]:
            greeting = foreign(heard.magic)
            raise NixDaemonError(f"this is not nix-store --serve: it greets with {greeting}")
        if name == "version" and heard.version >> 8 != SERVE.major:
            text = version_text(heard.version)
            raise NixDaemonError(f"the server speaks {text} ({heard.version:#x}); 2.x is known")
        return Protocol(negotiate(ours.number, heard.version, SERVE), family=SERVE)

    protocol = shake_hands(said, heard, stream.send, stream.value, negotiated)
    return Agreed(protocol, None, TrustedFlag.UNKNOWN)


def turned_away(ours: Protocol, lost: Lost) -> Lost:
    """Return the error with what a daemon may have against us."""
    return Lost(f"{lost}; it may not accept protocol {ours.text}, see its log")


def _agree(ours: Protocol, theirs: int) -> Protocol:
    """Return the version that follows from both sides'. Raises NixDaemonError."""
    text = version_text(theirs)
    if is_guix(theirs):
        raise NixDaemonError(f"this is a Guix daemon ({text}), whose protocol is another one")
    if theirs >> 8 != 1:
        raise NixDaemonError(f"the daemon speaks version {text} ({theirs:#x}); 1.x is known")
    agreed = Protocol(negotiate(ours.number, theirs))
    if agreed.minor < min(OLDEST_DAEMON, ours.minor):
        raise NixDaemonError(
            f"the daemon speaks {text}, which is too old: 1.{OLDEST_DAEMON} at least is needed"
        )
    return agreed
