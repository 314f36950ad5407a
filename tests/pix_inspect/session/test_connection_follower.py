"""Connections that began in an earlier file, whatever their recorder said about that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pix.conversation import CLIENT, DAEMON
from pix_inspect.describe.text_and_json import text_of
from pix_inspect.findings.detector import Detector
from pix_inspect.session.index import Index
from pix_inspect.session.session import Session
from tests.support.recorded import shown
from tests.support.recording import V38, Recording, growing
from tests.support.words import LAST, text, word

ASK = word(1) + text(b"/x")
STATE = {"protocol": "1.37", "features": [], "daemon_nix": "2.18.0"}


def resumed(
    folder: Path, continues: Any, chunks: list[tuple[int, bytes]], notes: list[Any]
) -> Session:
    """A file that begins in mid-connection; each note stands before the chunk of its index."""
    made = Recording()
    talk = made.open(continues=continues)
    for i, (side, data) in enumerate(chunks):
        if i < len(notes) and notes[i] is not None:
            talk.note({"note": notes[i]})
        talk.chunk(side, data)
    talk.close()
    return Session(made.save(folder / "resumed.pcapng")).read_all()


def seen(session: Session) -> list[tuple[str, str | None, int, int]]:
    rows = [session.row(i) for i in range(len(session))]
    return [(row.kind, row.operation, row.up, row.down) for row in rows]


CHUNKS = [
    (CLIENT, ASK), (DAEMON, word(LAST) + word(1)), (CLIENT, ASK), (DAEMON, word(LAST) + word(1)),
]  # fmt: skip
ASKED = ("operation", "IsValidPath", 24, 16)


@pytest.mark.parametrize(
    ("boundary", "expected"),
    [
        ([100, 200], [ASKED, ASKED]),
        ([124, 216], [("opaque", None, 24, 16), ASKED]),
        ([148, 232], [("opaque", None, 48, 32)]),
        (None, [("opaque", None, 48, 32)]),
        ([99, 200], [("opaque", None, 48, 32)]),
        ("x", [("opaque", None, 48, 32)]),
    ],
)
def test_decoding_goes_on_at_the_boundary(
    boundary: Any, expected: list[Any], tmp_path: Path
) -> None:
    continues = {"offsets": [100, 200], "state": {**STATE, "boundary": boundary}}
    session = resumed(tmp_path, continues, CHUNKS, [])
    assert seen(session) == expected
    assert session.connections[1].daemon_nix == "2.18.0"
    if expected[0][0] == "opaque":
        assert session.exchange(0).notes == ("began in the previous file",)
    shown(session)


def test_the_boundary_may_be_noted_later(tmp_path: Path) -> None:
    state = {**STATE, "boundary": None, "exchange": "BuildPaths"}
    note = {**STATE, "boundary": [124, 216]}
    continues = {"offsets": [100, 200], "state": state}
    session = resumed(tmp_path, continues, CHUNKS, [None, note])
    assert seen(session) == [("opaque", None, 24, 16), ASKED]
    said = session.exchange(0).notes
    assert said == ("began in the previous file: BuildPaths was under way",)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 1 << 65) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["boundary", "protocol", "features", "state"]), inner)
    ),
    max_leaves=6,
)
states = st.fixed_dictionaries(
    {},
    optional={
        name: json_values | st.sampled_from([[100, 200], [101, 201], "1.37", "1.10", ["x"]])
        for name in ("protocol", "features", "daemon_nix", "boundary", "exchange", "lost")
    },
)
offsets = st.sampled_from([[100, 200], [0, 0], [1 << 40, 5]]) | json_values


@given(
    json_values
    | st.fixed_dictionaries({}, optional={"offsets": offsets, "state": states | json_values}),
    st.lists(states | json_values, max_size=4),
    st.lists(st.tuples(st.integers(0, 1), st.sampled_from([ASK, word(LAST), b"x"])), max_size=5),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_recording_says_is_survived(
    tmp_path: Path, continues: Any, notes: list[Any], chunks: list[tuple[int, bytes]]
) -> None:
    session = resumed(tmp_path, continues, chunks, notes)
    shown(session)
    for i in range(len(session)):
        assert session.row(i).took is not None
    session.close()


def test_a_handshake_that_is_over_says_what_was_agreed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = growing(tmp_path / "r.pcapng")
    session = Session(made.path)
    agreed: list[str] = []
    end = Index.end

    def ended(index: Index, number: int) -> None:
        agreed.append(
            str(session.connections[1].protocol)
        )  # as another thread sees it from here on
        end(index, number)

    monkeypatch.setattr(Index, "end", ended)
    made.connect()
    made.save()
    session.read_all()
    assert agreed == [str(V38)]
    session.close()


@pytest.mark.parametrize(
    ("note", "hello", "said"),
    [
        ({"upstream": "it is down"}, False, "the client was not led to the daemon: it is down"),
        (
            {"command ended": "exit status 3"},
            False,
            "the command that stands for the daemon ended with exit status 3",
        ),
        (
            {"command ended": "exit status 3"},
            True,
            "the command that stands for the daemon ended with exit status 3",
        ),
        (None, False, "the connection ended before anybody said a word"),
    ],
)
def test_a_connection_that_came_to_nothing_is_an_exchange_that_failed(
    note: Any, hello: bool, said: str, tmp_path: Path
) -> None:
    made = Recording()
    talk = made.open()
    if hello:
        talk.chunk(CLIENT, word(0x6E697863) + word(0x126))
    if note is not None:
        talk.note({"note": note})
    talk.close()
    session = Session(made.save(tmp_path / "s.pcapng")).read_all()
    (row,) = session.rows(0, 9)
    assert (row.kind, row.state, row.up, row.down) == ("handshake", "error", 16 * hello, 0)
    assert session.exchange(0).notes[0] == said
    assert (session.errors, session.connections[1].errors) == (1, 1)
    found = Detector(session).of(0)
    expected = "unreachable" if note is not None else "no-word"
    assert [each.kind.name for each in found] == [expected]
    assert "\n".join(text_of(session.exchange(0), session.started)).count(said) == 1


def test_who_is_still_there_has_not_failed(tmp_path: Path) -> None:
    made = Recording()
    made.open()
    session = Session(made.save(tmp_path / "s.pcapng")).read_all()
    assert len(session) == 0
    assert session.open_connections == 1
