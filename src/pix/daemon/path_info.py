"""What the store knows about a path, as a program wants it."""

from __future__ import annotations

import base64

from pix.daemon.errors import NixDaemonError
from pix.dataclass import dataclass
from pix.protocol.nix32 import from_nix32, nix32
from pix.protocol.types import UnkeyedValidPathInfo


@dataclass()
class PathInfo:
    """What the store knows about a valid path.

    `deriver` is "" when unknown, `nar_hash` the SHA-256 of the NAR as `sha256:` and 52 nix32
    digits, `registration_time` in seconds since 1970, `nar_size` in bytes; `references` and
    `sigs` are sorted. `call(QueryPathInfo(…))` gives the rest.
    """

    deriver: str
    nar_hash: str
    references: list[str]
    registration_time: int
    nar_size: int
    sigs: list[str]

    @property
    def nar_hash_hex(self) -> str:
        """The hash in 64 hexadecimal digits, as it stands on the wire."""
        return self._digest().hex()

    @property
    def nar_hash_sri(self) -> str:
        """The hash as `sha256-` and base64."""
        return f"sha256-{base64.b64encode(self._digest()).decode()}"

    def _digest(self) -> bytes:
        return from_nix32(self.nar_hash.removeprefix("sha256:"))

    @classmethod
    def of(cls, info: UnkeyedValidPathInfo) -> PathInfo:
        """Return what a daemon said. Raises NixDaemonError for a hash that is none."""
        try:
            digest = bytes.fromhex(info.nar_hash)
        except ValueError:
            digest = b""
        if len(digest) != 32:
            raise NixDaemonError(f"the daemon's NAR hash {info.nar_hash!r:.80} is not a SHA-256")
        return cls(
            deriver=info.deriver or "",
            nar_hash=f"sha256:{nix32(digest)}",
            references=sorted(info.references),
            registration_time=info.registration_time,
            nar_size=info.nar_size,
            sigs=sorted(info.sigs),
        )
