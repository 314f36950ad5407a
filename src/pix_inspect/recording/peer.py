"""Who is at the other end of a connection, as a recording keeps it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Peer:
    """Who opened a connection, as far as it is known."""

    pid: int | None = None
    uid: int | None = None
    gid: int | None = None
    command: str | None = None
    """The command line, its words joined by spaces."""
    parents: tuple[str, ...] = ()

    def json(self) -> dict[str, Any]:
        """Return what is known, long texts cut, as the recording holds it."""
        known = {key: value for key, value in asdict(self).items() if value not in (None, ())}
        if self.command is not None:
            known["command"] = self.command[:4096]
        if self.parents:
            known["parents"] = [parent[:1024] for parent in self.parents[:16]]
        return known

    def __str__(self) -> str:
        known = (("pid", self.pid), ("uid", self.uid))
        words = [f"{name} {number}" for name, number in known if number is not None]
        command = "".join(c if c.isprintable() else repr(c)[1:-1] for c in self.command or "")
        return " ".join([*words, command[:200]]).strip()
