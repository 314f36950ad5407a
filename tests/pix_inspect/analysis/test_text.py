"""An analysis in words: what there is to say, and nothing else."""

from __future__ import annotations

from pix_inspect.analysis.round_trips import Again, Analysis, Distance, Idle, Split
from pix_inspect.analysis.runs import Run
from pix_inspect.analysis.text import as_text

MS = 1_000_000


def said(found: Analysis, distance: Distance | None = None, predicted: int = 0) -> str:
    return "\n".join(as_text(found, distance, predicted))


def test_payload_that_was_asked_for_piece_by_piece() -> None:
    found = Analysis(operations={"AddToStoreNar": Split("AddToStoreNar", up=320 << 10, reads=10)})
    text = said(found)
    assert "AddToStoreNar: 10 STDERR_READs for 320 KiB, 32 KiB each" in text
    assert "from 1.23 on it is sent without being asked for" in text


def test_runs_and_their_advice() -> None:
    run = Run("IsValidPath", 1, 1, 200, 200, 182, 80 * MS, 0, "one QueryValidPaths does it")
    text = said(Analysis(runs=[run] * 12))
    assert "200 × IsValidPath on connection 1, 91 % distinct, 400 µs each" in text
    assert "one QueryValidPaths does it" in text
    assert "2 more runs" in text


def test_what_was_asked_again_and_who_did_not_read() -> None:
    found = Analysis(
        again=[
            Again("QueryPathInfo", "/nix/store/x-\x1b[2J", 345, 3450),
            Again("SetOptions", "", 2),
        ],
        stalls=(Idle(9_500 * MS, 3), Idle(0, 0)),
    )
    text = said(found)
    assert "345 × QueryPathInfo /nix/store/x-" in text
    assert "SetOptions" not in text, "twice is not often"
    assert "\x1b" not in text
    assert "the client did not read for 9.5 s, 3 times: the daemon waited" in text
    assert "the daemon did not read" not in text
    found.stalls = (Idle(0, 0), Idle(2_000 * MS, 1, 1))
    said_so = "the daemon did not read for at least 2 s, once, and does not yet: the client waited"
    assert said_so in said(found)


def test_a_distance_is_told_as_a_factor() -> None:
    found = Analysis(started=0, ended=100 * MS)
    text = said(found, Distance(50 * MS, 20 << 20), 300 * MS)
    assert "50 ms and 20 MiB a second it would have taken about 300 ms, 3 times as long" in text
    assert "about 100 ms, as long as it did" in said(found, Distance(50 * MS), 100 * MS)
    assert "about 2 min 47 s, 1,670 times as long" in said(found, Distance(50 * MS), 167_000 * MS)


def test_nothing_is_said_of_what_there_was_not() -> None:
    text = said(Analysis())
    assert "STDERR_READ" not in text
    assert "again and again" not in text
    assert "round trip of" not in text
