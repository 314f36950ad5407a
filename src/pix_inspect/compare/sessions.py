"""Two recordings aligned by operation and request: what is different, and how.

What changes from run to run (times, process ids) is masked. Answers are compared by their bytes;
what they mean is looked at only where those differ, and fields only where somebody asks.
Memory: some 20 bytes an exchange and 200 for each operation with one request.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias

from pix.conversation.exchange import CLIENT, DAEMON
from pix.dataclass import dataclass, field
from pix_inspect.analysis.statistics import Tally
from pix_inspect.compare.bulk_bytes import Spoken, spoken
from pix_inspect.compare.changes import VOLATILE, Change
from pix_inspect.compare.exchanges import compare_exchanges, payload_changes
from pix_inspect.compare.fingerprints import (
    MOST,
    SETTING_UP,
    Fingerprints,
    apart,
    payload_operations,
)
from pix_inspect.describe.about import about
from pix_inspect.session.session import Session

SIDES = (CLIENT, DAEMON)

FEW = 100
"""One in so many is looked at alone: all of them are not read for it."""

SLOWER = 3.0
"""How many times as long something has to take to be worth a line, and at least SLOW more."""
SLOW = 10_000_000
"""Nanoseconds."""

Kind: TypeAlias = Literal[
    "only first", "only second", "answered otherwise", "set up otherwise", "more often", "slower",
    "same",
]  # fmt: skip
Progress: TypeAlias = Callable[[int, int], None]


@dataclass(slots=True)
class Pairing:
    """One operation with one request: the exchanges (from 0) that asked it in either recording.

    `otherwise`: the answers differ, `pair` is the first two that do. `times` in nanoseconds.
    """

    operation: str
    first: array[int] = field(default_factory=lambda: array("I"))
    second: array[int] = field(default_factory=lambda: array("I"))
    otherwise: bool = False
    times: tuple[int, int] = (0, 0)
    pair: tuple[int, int] | None = None

    def exchanges(self, which: int) -> array[int]:
        """Return the exchanges of the first (0) or the second recording (1)."""
        return self.second if which else self.first

    @property
    def kind(self) -> Kind:
        """What differs, in words, or `same`."""
        if not self.second:
            return "only first"
        if not self.first:
            return "only second"
        if self.otherwise:
            return "set up otherwise" if self.operation in SETTING_UP else "answered otherwise"
        if len(self.first) != len(self.second):
            return "more often"
        return "slower" if slower(self.times) else "same"

    @property
    def weight(self) -> int:
        """How much it matters among those of its kind: exchanges more, or nanoseconds more."""
        if self.kind == "slower":
            return abs(self.times[0] - self.times[1])
        return abs(len(self.first) - len(self.second))


@dataclass(slots=True)
class Differences:
    """What two sessions do not have in common, in order of first appearance.

    `aligned` counts operations with one request, those that are the same too.
    """

    sessions: tuple[Session, Session]
    mask: frozenset[str]
    aligned: int = 0
    pairings: list[Pairing] = field(default_factory=list)
    tallies: dict[str, tuple[Tally, Tally]] = field(default_factory=dict)
    """How often each operation was asked in either recording, and how long it took in all."""

    def about(self, pairing: Pairing) -> str:
        """Return what the request is about, inert; empty when there is nothing."""
        which = 0 if pairing.first else 1
        at = pairing.exchanges(which)[0] if pairing.pair is None else pairing.pair[which]
        return about(self.sessions[which].exchange(at))

    def changes(self, pairing: Pairing) -> list[Change]:
        """Return how the first two differing answers of a pairing differ, field by field."""
        if pairing.pair is None or not pairing.otherwise:
            return []
        first, second = (
            session.exchange(i) for session, i in zip(self.sessions, pairing.pair, strict=True)
        )
        return compare_exchanges(first, second, self.mask)


def slower(times: tuple[int, int]) -> bool:
    """Return whether two times differ so much that it is worth saying."""
    low, high = sorted(times)
    return high - low > SLOW and high > low * SLOWER


def compare_sessions(
    first: Session,
    second: Session,
    mask: frozenset[str] = VOLATILE,
    progress: Progress = lambda done, whole: None,
) -> Differences:
    """Compare two sessions as far as they have been read.

    `progress` is told how many exchanges were looked at, and of how many; what it raises ends the
    comparison.
    """
    return _Alignment((first, second), mask, progress).differences()


class _Groups:
    """Exchanges that ask the same: how many in each recording, what they took, their answers.

    The answers of a recording are summed up, so that their order does not matter.
    """

    def __init__(self) -> None:
        self.numbers: dict[bytes, int] = {}
        self.names: list[str] = []
        self.named: dict[str, int] = {}
        self.name = array("H")
        self.counts = (array("I"), array("I"))
        self.times = (array("Q"), array("Q"))
        self.answers = (array("Q"), array("Q"))

    def __len__(self) -> int:
        return len(self.name)

    def of(self, name: str, asked: bytes) -> int:
        """Return the group of exchanges that ask this."""
        group = self.numbers.get(asked)
        if group is None:
            group = self.numbers[asked] = len(self.name)
            kind = self.named.setdefault(name, len(self.names))
            if kind == len(self.names):
                self.names.append(name)
            self.name.append(kind)
            for columns in (self.counts, self.times, self.answers):
                columns[0].append(0)
                columns[1].append(0)
        return group

    def called(self, group: int) -> str:
        """Return the operation of a group."""
        return self.names[self.name[group]]


class _Alignment:
    """Two sessions while they are compared; by exchange: its group, and what it was answered."""

    def __init__(
        self, sessions: tuple[Session, Session], mask: frozenset[str], progress: Progress
    ) -> None:
        self.sessions = sessions
        self.prints = Fingerprints(sessions, mask)
        self.groups = _Groups()
        self.found = Differences(sessions, mask)
        self.sizes = [len(session) for session in sessions]
        self.group_of = [array("I", bytes(4 * size)) for size in self.sizes]
        self.answers = [array("Q", bytes(8 * size)) for size in self.sizes]
        self.progress = progress
        self.done = 0
        self.whole = 3 * sum(self.sizes)
        """Steps: each exchange once, those that may differ once or twice more."""

    def differences(self) -> Differences:
        for which in (0, 1):
            self._gather(which)
        self._tally()
        doubtful = self._doubtful()
        self.done = self.whole // 2
        if any(doubtful):
            for which in (0, 1):
                self._understand(which, doubtful)
        carrying = payload_operations(self.groups.names)
        listed = self._listed(self._doubtful(), carrying)
        for pairing in listed.values():
            self._judge(pairing)
            if pairing.operation in carrying and not pairing.otherwise:
                self._compare_payload(pairing)
        self.found.aligned = len(self.groups)
        self.found.pairings = [each for each in listed.values() if each.kind != "same"]
        return self.found

    def _doubtful(self) -> bytearray:
        """Return by group whether both recordings have it and not the same answers."""
        (ours, theirs), (mine, yours) = self.groups.counts, self.groups.answers
        return bytearray(
            bool(ours[g] and theirs[g]) and (ours[g] != theirs[g] or mine[g] != yours[g])
            for g in range(len(self.groups))
        )

    def _listed(self, doubtful: bytearray, carrying: frozenset[str]) -> dict[int, Pairing]:
        """Return the groups that may differ, with their exchanges."""
        groups = self.groups
        counts, times = groups.counts, groups.times
        listed = {}
        for g in range(len(groups)):
            took = (times[0][g], times[1][g])
            one_sided = not (counts[0][g] and counts[1][g])
            name = groups.called(g)
            if doubtful[g] or one_sided or slower(took) or name in carrying:
                listed[g] = Pairing(name, times=took)
        for which, group_of in enumerate(self.group_of):
            for i, g in enumerate(group_of):
                if g in listed:
                    listed[g].exchanges(which).append(i)
        return listed

    def _tell(self) -> None:
        self.done += 1
        if self.done & 63 == 1:
            self.progress(min(self.done, self.whole), self.whole)

    def _gather(self, which: int) -> None:
        """Find the group of each exchange of a session, and what it was answered."""
        session, groups = self.sessions[which], self.groups
        counts, times, answers = groups.counts[which], groups.times[which], groups.answers[which]
        for said in spoken(session, apart=apart):
            self._tell()
            i = said.row.number - 1
            name, asked, answered = self.prints.of(session, said)
            group = groups.of(name, asked)
            self.group_of[which][i] = group
            self.answers[which][i] = answered
            counts[group] += 1
            times[group] += said.row.took or 0
            answers[group] = answers[group] + answered & MOST

    def _understand(self, which: int, doubtful: bytearray) -> None:
        """Take what answers mean for their bytes in groups that are not the same by their bytes."""
        session, group_of = self.sessions[which], self.group_of[which]
        sums = self.groups.answers[which]
        for group in range(len(sums)):
            if doubtful[group]:
                sums[group] = 0
        wanted = [i for i, group in enumerate(group_of) if doubtful[group]]
        said_by: Iterable[Spoken]
        if len(wanted) * FEW < len(session):
            said_by = (Spoken(session.row(i), None, None) for i in wanted)
        else:
            said_by = spoken(session, lambda i: bool(doubtful[group_of[i]]), apart)
        for said in said_by:
            self._tell()
            i = said.row.number - 1
            answered = self.prints.of(session, said, meant=True).answered
            self.answers[which][i] = answered
            sums[group_of[i]] = sums[group_of[i]] + answered & MOST

    def _tally(self) -> None:
        groups, tallies = self.groups, self.found.tallies
        tallies.update((name, (Tally(name), Tally(name))) for name in groups.names)
        for g in range(len(groups)):
            for which, tally in enumerate(tallies[groups.called(g)]):
                tally.count += groups.counts[which][g]
                tally.total += groups.times[which][g]

    def _judge(self, pairing: Pairing) -> None:
        """Find whether answers differ, and the two exchanges to look at.

        As many exchanges have to have the same answers, in any order; where one recording has
        more of them, what was answered at all has to be the same.
        """
        first, second = pairing.first, pairing.second
        if not first or not second:
            return
        pairing.pair = (first[0], second[0])
        one = [self.answers[0][i] for i in first]
        two = [self.answers[1][i] for i in second]
        same = Counter(one) == Counter(two) if len(one) == len(two) else set(one) == set(two)
        if same:
            return
        pairing.otherwise = True
        mine, theirs = set(one), set(two)
        i = next((k for k, each in enumerate(one) if each not in theirs), None)
        j = next((k for k, each in enumerate(two) if each not in mine), None)
        if i is None and j is None:
            i = next(k for k in range(len(one)) if one[k] != two[k])
        i, j = (j if i is None else i) or 0, (i if j is None else j) or 0
        pairing.pair = (first[min(i, len(one) - 1)], second[min(j, len(two) - 1)])

    def _compare_payload(self, pairing: Pairing) -> None:
        """Find the first two exchanges whose payload differs."""
        first, second = self.sessions
        for i, j in zip(pairing.first, pairing.second, strict=False):
            self._tell()
            one, two = first.exchange(i), second.exchange(j)
            if any(True for side in SIDES for _ in payload_changes(one, two, side)):
                pairing.otherwise, pairing.pair = True, (i, j)
                return
