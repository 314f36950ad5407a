"""What came of each exchange that was sent again: the same answer, another one, or none.

Answers are compared as values, field by field. Sets are compared as sets; fields that only one
of the two versions has are left out, and so is what is volatile. Payload is compared as far as
both recordings kept it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from typing import Any, Literal, TypeAlias

from pix.codec.gates import Protocol
from pix.conversation.exchange import DAEMON
from pix.dataclass import dataclass, field
from pix_inspect.compare.changes import Change, Unordered, changes
from pix_inspect.compare.exchanges import part_of, payload_changes
from pix_inspect.compare.volatile import FIELDS
from pix_inspect.describe.about import about
from pix_inspect.replay.recorded import RecordedSession
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.session.session import Session

Outcome: TypeAlias = Literal["same", "different", "failed", "skipped"]

PIECE = 1 << 20
"""Bytes of payload that are compared at a time."""


@dataclass(slots=True)
class Verdict:
    """What came of a recorded exchange. `again` is its number in the new recording, from 1.

    `why` says what failed, or why it was not sent.
    """

    number: int
    connection: int
    operation: str
    about: str
    outcome: Outcome
    changes: list[Change] = field(default_factory=list)
    why: str = ""
    again: int | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """What is not compared: fields by name, anywhere, or by a path such as `QueryPathInfo.sigs`."""

    names: frozenset[str] = frozenset(FIELDS)
    paths: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def volatile_and(cls, ignored: Iterable[str]) -> Ignored:
        """Return what is always ignored, and these names and paths too."""
        told = [tuple(each.split(".")) for each in ignored]
        names = frozenset(path[0] for path in told if len(path) == 1)
        return cls(frozenset(FIELDS) | names, tuple(path for path in told if len(path) > 1))

    def covers(self, operation: str, change: Change) -> bool:
        """Return whether a difference is none that counts."""
        parts = [operation, *change.path.replace("[", ".[").split(".")]
        return any(_within(path, parts) for path in self.paths)


def _within(path: tuple[str, ...], parts: list[str]) -> bool:
    """Return whether the names of `path` occur in `parts` in that order."""
    rest = iter(parts)
    return all(name in rest for name in path)


def verdict(
    first: ExchangeView, second: ExchangeView, ignored: Ignored, *, log: bool = False
) -> Verdict:
    """Compare how an exchange was answered with how it is answered now."""
    row = first.row
    name = row.name
    protocols = (first.protocol or Protocol(0), second.protocol or Protocol(0))
    one, two = (_said(view, protocols, log) for view in (first, second))
    found = [
        change
        for change in changes(one, two, mask=ignored.names)
        if not ignored.covers(name, change)
    ]
    found += payload_changes(first, second, DAEMON)
    outcome: Outcome = "different" if found else "same"
    return Verdict(
        row.number, row.connection, name, about(first), outcome, found, again=second.row.number
    )


def _said(view: ExchangeView, protocols: tuple[Protocol, Protocol], log: bool) -> dict[str, Any]:
    said: dict[str, Any] = {
        name: part_of(view.part(name), protocols) for name in ("reply", "error")
    }
    said["complete"] = view.row.complete
    if view.row.kind == "handshake":
        said["reply"] = _agreed(view, said["reply"])
    if log:
        said["log"] = [{"frame": part.name, **part_of(part, protocols)} for part in view.log]
    return said


def _agreed(view: ExchangeView, reply: Any) -> Any:
    """Return what a handshake came to; what either side could do beyond that is left out."""
    if not isinstance(reply, dict) or view.protocol is None:
        return reply
    agreed = {"version": view.protocol.text, "features": Unordered(sorted(view.protocol.features))}
    return agreed | {name: reply[name] for name in ("trusted",) if name in reply}


class Judge:
    """Tells what came of the exchanges of a recording, as the recording of the replay grows.

    `sent` are the recorded exchanges (from 0) that each new connection's are, in order.
    """

    def __init__(
        self,
        recorded: RecordedSession,
        again: Session,
        sent: dict[int, list[int]],
        ignored: Ignored,
        *,
        log: bool = False,
    ) -> None:
        self.recorded = recorded
        self.again = again
        self.sent = sent
        self.ignored = ignored
        self.log = log
        self._seen = 0
        self._counts: Counter[int] = Counter()
        self._open: list[tuple[int, int]] = []

    def verdicts(self, skip: Container[int] = ()) -> Iterator[Verdict]:
        """Yield the verdicts on what is over since the last call, but for those in `skip`."""
        again = self.again
        again.poll()
        for i in range(self._seen, len(again)):
            row = again.row(i)
            if row.kind in ("handshake", "operation"):
                which = self.sent.get(row.connection, [])
                place = self._counts[row.connection]
                self._counts[row.connection] += 1
                if place < len(which) and which[place] >= 0:
                    self._open.append((i, which[place]))
        self._seen = len(again)
        still = []
        for i, index in self._open:
            if again.row(i).took is None:
                still.append((i, index))
            elif index not in skip:
                first = self.recorded.exchange(index).view
                yield verdict(first, again.exchange(i), self.ignored, log=self.log)
        self._open = still

    def silent(self, index: int, outcome: Outcome, why: str) -> Verdict:
        """Return the verdict on an exchange without an answer."""
        view = self.recorded.exchange(index).view
        row = view.row
        name = row.name
        return Verdict(row.number, row.connection, name, about(view), outcome, why=why)
