"""A word, a text or a field too many or too few at every field of a STDERR frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pix.codec.gates import Protocol
from pix.codec.values import tree
from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol import STDERR_FRAMES
from pix.protocol.logging import (
    StderrError,
    StderrNext,
    StderrResult,
    StderrStartActivity,
    StderrStopActivity,
)
from pix.protocol.types import Trace
from pix_inspect.forensics.messages import all_nodes
from pix_inspect.forensics.mistakes import Mistake
from tests.support.planted import found_in
from tests.support.playbook import said
from tests.support.recording import saved
from tests.support.typical import TypicalPlaybook
from tests.support.words import PATH, text, word

ACTIVITY = 77 << 32 | 5
FRAMES = (
    StderrStartActivity(
        id=ACTIVITY, level=3, type=105, text="building x", fields=(f"{PATH}.drv", "", 1, 1)
    ),
    StderrResult(id=ACTIVITY, type=101, fields=("cc -c a.c",)),
    StderrNext(text="warning: slow\n"),
    StderrResult(id=ACTIVITY, type=105, fields=(1, 2, 3, 4)),
    StderrStopActivity(id=ACTIVITY),
)
ERROR = StderrError(message="it failed", traces=(Trace(hint="while one"), Trace(hint="and two")))
SILENT = 0.05
"""How many may have several explanations, or none."""


def planted(value: Any, protocol: Protocol) -> Iterator[tuple[Mistake, bytes]]:
    """A frame with something put in before each of its fields, or one of them left out."""
    raw = said(value, protocol)
    fields = STDERR_FRAMES[int.from_bytes(raw[:8], "little")].fields
    read = tree(fields, raw[8:], protocol, name="frame", base=8)
    nodes = [node for node, _ in all_nodes(read)]
    for at in sorted({node.start for node in nodes} | {len(raw)}):
        for more in (word(0), word(7), text(b"more")):
            yield Mistake.EXTRA_FIELD, raw[:at] + more + raw[at:]
    for node in nodes:
        if node.children is None and node.end is not None:
            yield Mistake.MISSING_FIELD, raw[: node.start] + raw[node.end :]


def named(talk: TypicalPlaybook, folder: Path) -> set[Mistake]:
    session = saved(talk, folder)
    mistakes = {found.mistake for found in found_in(session) if found.mistake is not None}
    session.close()
    return mistakes


@pytest.mark.parametrize("minor", [21, 38])
@pytest.mark.parametrize("operation", ["IsValidPath", "QueryPathInfo"])
def test_each_is_named_or_nothing_is(minor: int, operation: str, tmp_path: Path) -> None:
    protocol, counts = Protocol(minor), Counter[str]()
    raws = [said(frame, protocol) for frame in FRAMES]
    for k, frame in enumerate(FRAMES):
        for mistake, raw in planted(frame, protocol):
            talk = TypicalPlaybook(minor).whole("IsValidPath").ask(operation)
            talk.daemon(*raws[:k], raw, *raws[k + 1 :])
            talk.answer(operation).whole("IsValidPath", "IsValidPath")
            mistakes = named(talk, tmp_path)
            assert mistakes <= {mistake}
            counts["right" if mistakes else "silent"] += 1
    assert counts["silent"] < SILENT * 2 * counts.total(), counts


def test_in_the_traces_of_an_error(tmp_path: Path) -> None:
    counts = Counter[str]()
    for mistake, raw in planted(ERROR, Protocol(38)):
        talk = TypicalPlaybook(38).whole("IsValidPath").ask("IsValidPath")
        talk.daemon(raw).whole("IsValidPath", "IsValidPath")
        mistakes = named(talk, tmp_path)
        assert mistakes <= {mistake}
        counts["right" if mistakes else "silent"] += 1
    assert counts["silent"] < SILENT * 2 * counts.total(), counts


def test_a_regular_log_lacks_nothing(tmp_path: Path) -> None:
    """However far it goes, and whoever leaves then."""
    protocol = Protocol(38)
    talk = TypicalPlaybook(38).whole("IsValidPath").ask("IsValidPath")
    log = b"".join(said(frame, protocol) for frame in FRAMES)
    for end in range(0, len(log), 8):
        cut = TypicalPlaybook(38, [*talk.turns, (DAEMON, log[:end])])
        for left in (CLIENT, DAEMON, None):
            session = saved(cut, tmp_path, left=left)
            assert not [found.mistake for found in found_in(session) if found.mistake]
            session.close()
