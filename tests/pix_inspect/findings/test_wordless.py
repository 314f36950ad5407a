"""No decision reads a sentence: with every sentence replaced by the name of its reason, findings,
forensics, filters and expectations come to the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import chain, product
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from pix.codec.irregular import Irregularity
from pix.conversation.notes import Note, Reason
from pix_inspect.expectations.expectation import expectation
from pix_inspect.expectations.verdicts import verdicts
from pix_inspect.filter.compiled import Subject, compile_filter
from pix_inspect.findings.collector import Findings
from pix_inspect.findings.kinds import KINDS
from pix_inspect.findings.look import Look
from pix_inspect.forensics.mistakes import Diagnosis, Mistake, Proviso
from pix_inspect.recording.notes import CommandEnded, Refused
from pix_inspect.session.session import Session
from tests.fuzz.sessions import corpus, mutated
from tests.support.captures import Run
from tests.support.mistaken import PLANTED, some
from tests.support.places import RECORDINGS
from tests.support.recorded import interleaved, record
from tests.support.recording import Recording, saved
from tests.support.surroundings import one_in

FILTERS = ("finding", "notes ~ /./")
EXPECTED = tuple(map(expectation, ("no finding = error", "count(finding = note) < 2")))
BROKEN = 150
RARE = {
    Mistake.UNDUE_FEATURES, Mistake.MISSING_TRUST, Mistake.UNDUE_TRUST, Mistake.OTHER_VERSION,
}  # fmt: skip
"""Mistakes that few of the planted sessions have."""
ELSEWHERE = {
    Mistake.DOUBLED_VERSION, Mistake.MISSING_FEATURES,
    Mistake.OTHER_PROTOCOL, Mistake.FRAMED_NAR, Mistake.EARLY_ANSWERS,
}  # fmt: skip
"""Of handshakes, of the order, and of those who speak the serve protocol: not planted here."""


class Decided(NamedTuple):
    """All that is decided of one session."""

    findings: list[tuple[Any, ...]]
    counts: dict[str, int]
    by_index: dict[str, int]
    filters: dict[str, list[int]]
    verdicts: list[tuple[bool, float | None]]
    reasons: list[list[Reason]]
    notes: list[int]


def decided(session: Session) -> Decided:
    thorough = Findings(session, thorough=True).finish()
    findings = [
        (
            each.kind.name, each.grade, each.exchange, each.side, each.offset, each.field,
            each.mistake, each.diagnosis is not None and each.diagnosis.proviso,
        )
        for each in thorough.kept
    ]  # fmt: skip
    texts = [*FILTERS]
    for name in sorted(thorough.counts):
        texts += [f"finding = {name}", f"finding ~ /^{name}$/"]
    subjects = [Subject(session, row) for row in session.rows(0, len(session))]
    filters = {
        text: [each.row.number for each in subjects if test(each)]
        for text, test in ((text, compile_filter(text).test) for text in texts)
    }
    return Decided(
        findings,
        thorough.counts,
        Findings(session, most_decoded=0).finish().counts,
        filters,
        [(verdict.holds, verdict.value) for verdict in verdicts(session, EXPECTED)],
        [[note.reason for note in session.remarks(i)] for i in range(len(session))],
        [len(session.exchange(i).notes) for i in range(len(session))],
    )


def without_words(patch: pytest.MonkeyPatch) -> None:
    """Put the name of its reason in place of every sentence of a note, a finding, a diagnosis."""
    for worded in chain(Reason, Irregularity, Proviso):
        patch.setattr(worded, "sentence", worded.name)
    for mistake in Mistake:
        for text in ("label", "what", "source"):
            patch.setattr(mistake, text, mistake.name)
    patch.setattr(Note, "__str__", lambda note: note.reason.name)
    patch.setattr(Note, "said", property(lambda note: note.reason.name))
    patch.setattr(Diagnosis, "lines", property(lambda it: (it.mistake.name if it.mistake else "",)))
    for name, kind in KINDS.items():
        patch.setitem(KINDS, name, replace(kind, what=name, why=name, advice=name, source=name))
    plain = Look.found

    def found(look: Look, name: str, said: str = "", *place: Any, **more: Any) -> Any:
        return plain(look, name, name, *place, **more)

    patch.setattr(Look, "found", found)


def decided_alike(path: Path) -> Decided:
    """What is decided of a session; the same with and without words."""
    with closing(Session(path)) as session:
        worded = decided(session.read_all())
    with pytest.MonkeyPatch.context() as patch, closing(Session(path)) as session:
        without_words(patch)
        wordless = decided(session.read_all())
    assert wordless == worded
    return worded


def test_the_names_stand_in_for_the_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    without_words(monkeypatch)
    session = Session(RECORDINGS / "old-client.pcapng").read_all()
    found = Findings(session).finish().kept
    assert {finding.said for finding in found} == {"downgrade"} == {f.kind.what for f in found}
    assert {finding.explanation for finding in found} == {("",)}
    assert str(Note(Reason.WRONG_MAGIC, 8, expected="x", found="y")) == "WRONG_MAGIC"


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.pcapng")), ids=lambda path: path.stem)
def test_recordings(path: Path) -> None:
    decided_alike(path)


@pytest.mark.slow
def test_planted_mistakes(tmp_path: Path) -> None:
    met: set[Mistake] = set()
    for mistake, minor in product(PLANTED, (21, 38)):
        for case in some(mistake, minor, 15 * one_in(2)):
            session = saved(case.talk, tmp_path, left=case.left)
            session.close()
            alike = decided_alike(session.path)
            met |= {finding[6] for finding in alike.findings if finding[6] is not None}
    assert met >= set(Mistake) - ELSEWHERE - {*RARE}


def broken() -> Iterator[Recording]:
    """Sessions with faults of any kind, as recordings."""
    sessions = corpus()
    for i in range(0, BROKEN, one_in(2)):
        random = Random(f"wordless {i}")
        recording = Recording()
        talk = recording.open(peer={"pid": 1})
        for side, data in mutated(random.choice(sessions), sessions, random):
            if data:
                talk.chunk(side, data)
        if random.random() < 0.5:
            talk.half_close(random.randrange(2))
        talk.close()
        yield recording
    for note in (Refused("nobody listens"), CommandEnded("exit status 3"), None):
        recording = Recording()
        talk = recording.open()
        if note is not None:
            talk.note({"note": note.json()})
        talk.close()
        yield recording


@pytest.mark.slow
def test_broken_sessions(tmp_path: Path) -> None:
    met: set[Reason] = set()
    kinds: set[str] = set()
    for recording in broken():
        path = recording.save(tmp_path / "broken.pcapng")
        alike = decided_alike(path)
        met.update(chain.from_iterable(alike.reasons))
        kinds.update(alike.counts)
    assert len(met) > len(Reason) / 3
    assert len(kinds) > len(KINDS) / 3


@pytest.mark.slow
def test_captures(some_runs: tuple[Run, ...], tmp_path: Path) -> None:
    for run in some_runs[:: one_in(2)]:
        path = record(tmp_path / "run.pcapng", interleaved(run.connections), 65536)
        decided_alike(path)
        path.unlink()
