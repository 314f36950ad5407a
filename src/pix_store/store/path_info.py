"""What the store knows about a valid path, and how that is kept in a file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pix.dataclass import dataclass, field
from pix.protocol.types import UnkeyedValidPathInfo
from pix_store.store.hashes import Digest


@dataclass(frozen=True, slots=True)
class PathInfo:
    """A valid path. Paths are base names; `registered` in seconds since 1970."""

    base: str
    nar_hash: Digest
    nar_size: int
    references: frozenset[str] = frozenset()
    deriver: str | None = None
    registered: int = 0
    ultimate: bool = False
    sigs: frozenset[str] = field(default_factory=frozenset)
    ca: str | None = None
    provenance: str = ""

    @property
    def weight(self) -> int:
        """Bytes of memory that knowing this takes, about."""
        texts = (*self.references, *self.sigs, self.ca or "", self.provenance)
        return 1024 + sum(100 + len(text) for text in texts)

    def signed(self, sigs: frozenset[str]) -> PathInfo:
        """Return the same with more signatures."""
        return replace(self, sigs=self.sigs | sigs)

    def told(self, directory: str) -> UnkeyedValidPathInfo:
        """Return it as the protocol has it, with full paths."""
        return UnkeyedValidPathInfo(
            deriver=None if self.deriver is None else f"{directory}/{self.deriver}",
            nar_hash=self.nar_hash.hex,
            references=frozenset(f"{directory}/{base}" for base in self.references),
            registration_time=self.registered,
            nar_size=self.nar_size,
            ultimate=self.ultimate,
            sigs=self.sigs,
            ca=self.ca,
            provenance=self.provenance,
        )

    def plain(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            "path": self.base,
            "narHash": f"sha256:{self.nar_hash.hex}",
            "narSize": self.nar_size,
            "references": sorted(self.references),
            "deriver": self.deriver,
            "registrationTime": self.registered,
            "ultimate": self.ultimate,
            "signatures": sorted(self.sigs),
            "ca": self.ca,
            "provenance": self.provenance,
        }

    @classmethod
    def of_plain(cls, plain: Any) -> PathInfo:
        """Return what `plain` made.

        Raises Refusal, ValueError, KeyError, TypeError for anything else.
        """
        return cls(
            base=str(plain["path"]),
            nar_hash=Digest.parse(plain["narHash"]),
            nar_size=int(plain["narSize"]),
            references=frozenset(map(str, plain["references"])),
            deriver=plain["deriver"],
            registered=int(plain["registrationTime"]),
            ultimate=bool(plain["ultimate"]),
            sigs=frozenset(map(str, plain["signatures"])),
            ca=plain["ca"],
            provenance=str(plain.get("provenance", "")),
        )
