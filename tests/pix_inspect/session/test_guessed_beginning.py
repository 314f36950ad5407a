"""Connections whose beginning was cut off: read from a boundary on, as the version that fits."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path

import pytest

from pix.conversation.exchange import CLIENT, DAEMON
from pix_inspect.analysis.round_trips import Analyst
from pix_inspect.session.guessed_beginning import Piece, beginning
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS
from tests.support.surroundings import lacking


def rewritten(tmp_path: Path, *words: str) -> Path:
    """Return what one of Wireshark's tools makes, whose command line ends in a new name."""
    if shutil.which(words[0]) is None:
        lacking(f"{words[0]} is not installed")
    made = tmp_path / "made.pcapng"
    where = ["-w", str(made)] if words[0] in ("mergecap", "tshark") else []
    line = [words[0], *where, *(str(made) if word == "MADE" else word for word in words[1:])]
    subprocess.run(line, check=True, capture_output=True)
    return made


def names(path: Path) -> list[tuple[str, bool]]:
    session = Session(path).read_all()
    return [(session.row(i).name, session.row(i).complete) for i in range(len(session))]


COPY, BUILDS = str(RECORDINGS / "copy.pcapng"), str(RECORDINGS / "two-clients.pcapng")


def test_a_slice_is_read_from_the_first_boundary_on(tmp_path: Path) -> None:
    path = rewritten(tmp_path, "editcap", "-r", COPY, "MADE", "5-20")
    session = Session(path).read_all()
    whole = Session(Path(COPY)).read_all()
    assert names(path)[1:] == names(Path(COPY))[1:4]
    assert [str(note) for note in session.exchange(0).notes] == [
        "its beginning was not recorded", "what follows is read as protocol 1.38, which is a guess"
    ]  # fmt: skip
    assert session.connections[1].guessed
    asked = [each.exchange(2).field("request", "paths") for each in (session, whole)]
    assert asked[0] is not None
    assert asked[1] is not None
    assert asked[0].plain() == asked[1].plain()


def test_parts_that_are_joined_again_are_one_recording(tmp_path: Path) -> None:
    rewritten(tmp_path, "editcap", "-c", "8", BUILDS, "MADE")
    whole = tmp_path / "whole.pcapng"
    whole.write_bytes(b"".join(part.read_bytes() for part in sorted(tmp_path.glob("made_*"))))
    assert names(whole) == names(Path(BUILDS))


def test_a_clock_that_was_set_back_is_said_and_nothing_took_less_than_no_time(
    tmp_path: Path,
) -> None:
    """Half of a recording, an hour earlier, behind the other half."""
    first = rewritten(tmp_path, "editcap", "-r", COPY, "MADE", "1-14").read_bytes()
    path = rewritten(tmp_path, "editcap", "-r", "-t", "-3600", COPY, "MADE", "15-999")
    path.write_bytes(first + path.read_bytes())
    session = Session(path).read_all()
    assert len(session) == len(names(Path(COPY)))
    assert all((session.row(i).took or 0) >= 0 for i in range(len(session)))
    (said,) = session.reader.warnings
    assert "its times go back by 59 min 59 s" in said
    for each in RECORDINGS.glob("*.pcapng"):
        assert not Session(each).read_all().reader.warnings, "none of these was set back"
    found = Analyst(path, None).read()
    assert all(split.total >= 0 for split in found.operations.values())


@pytest.mark.parametrize(
    "words",
    [
        ("mergecap", BUILDS, COPY),
        ("mergecap", COPY, BUILDS),
        ("mergecap", "-a", str(RECORDINGS / "lookups.pcapng"), str(RECORDINGS / "queries.pcapng")),
        ("mergecap", "-I", "none", COPY, COPY),
        ("tshark", "-r", BUILDS),
        ("editcap", "-a", "3:note", BUILDS, "MADE"),
        ("editcap", BUILDS, "MADE"),
    ],
    ids=" ".join,
)
def test_what_other_tools_rewrite_is_read(tmp_path: Path, words: tuple[str, ...]) -> None:
    given = [names(Path(word)) for word in words if word.endswith(".pcapng")]
    assert sorted(names(rewritten(tmp_path, *words))) == sorted(itertools.chain(*given))


def pieces(*said: tuple[int, bytes]) -> list[Piece]:
    found, passed = [], [0, 0]
    for i, (side, data) in enumerate(said):
        found.append(Piece(side, i, passed[side], data, len(data), i))
        passed[side] += len(data)
    return found


def test_what_looks_like_nothing_known_is_not_guessed() -> None:
    words = [number.to_bytes(8, "little") for number in (1, 0x616C7473, 5)]
    assert beginning(pieces((CLIENT, b"GET / HTTP/1.1"), (DAEMON, b"HTTP/1.1 200 OK"))) is None
    assert beginning(pieces((CLIENT, words[0]), (DAEMON, words[2]))) is None
    # a request that is not whole: nothing shows that it is one
    assert beginning(pieces((CLIENT, words[0]), (DAEMON, words[1]))) is None
