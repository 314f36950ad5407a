"""The JSON of a recording: what is written, what is read of it, and that the document says so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pix_inspect.recording import notes
from pix_inspect.recording.notes import (
    NOTES,
    Called,
    CommandEnded,
    Comment,
    Continuation,
    Distance,
    Ending,
    GrpcCall,
    HungUp,
    LeftOut,
    Lost,
    Made,
    Opening,
    PayloadLeftOut,
    Peer,
    Reading,
    Refused,
    ScannerFailed,
    Section,
    StandardError,
    State,
    Stuck,
    TapFailed,
    Undelivered,
    Unrecorded,
    lost_bytes,
    note_of,
)  # fmt: skip
from pix_inspect.recording.pcapng import json_text

DOCUMENT = Path(__file__).parents[3] / "docs/recording-format.md"

WRITTEN = [
    (HungUp("gone"), b'{"hung up":"gone"}'),
    (Refused("no socket"), b'{"upstream":"no socket"}'),
    (CommandEnded("signal 9"), b'{"command ended":"signal 9"}'),
    (StandardError("error: no"), b'{"standard error":"error: no"}'),
    (Undelivered(0, 12), b'{"undelivered":"client","of the last bytes":12}'),
    (Stuck(1, 4096, 5), b'{"does not read":"daemon","held":4096,"since":5}'),
    (Reading(1), b'{"reads again":"daemon"}'),
    (PayloadLeftOut(LeftOut("slow")), b'{"payload left out":{"why":"slow"}}'),
    (PayloadLeftOut(LeftOut("slow", 7)), b'{"payload left out":{"why":"slow","bytes":7}}'),
    (
        Called(GrpcCall("FindRoots", "pid 7")),
        b'{"grpc":{"method":"FindRoots","caller":"pid 7"}}',
    ),
    (ScannerFailed("E()", 0), b'{"scanner failed":"E()","side":"client"}'),
    (TapFailed("E()"), b'{"tap failed":"E()"}'),
    (
        State(protocol="1.38", features=("a",), daemon_nix="2.34", boundary=(24, 16)),
        b'{"protocol":"1.38","features":["a"],"daemon_nix":"2.34","boundary":[24,16]}',
    ),
    (
        State(exchange="BuildPaths"),
        b'{"protocol":null,"features":[],"daemon_nix":null,"boundary":null,"exchange":"BuildPaths"}',
    ),
    (Lost(1, 2, 3, 4, "full"), b'{"bytes":1,"passed":2,"chunks":3,"until":4,"why":"full"}'),
    (Unrecorded(3), b'{"connections not recorded":3}'),
    (Distance(0.01, 0.0, 0.0), b'{"each way":0.01,"rate":0.0,"jitter":0.0}'),
    (Peer(1, 0, 0, "nix", ("sh",)), b'{"pid":1,"uid":0,"gid":0,"command":"nix","parents":["sh"]}'),
    (
        Opening("open", 1, Peer(), {}),
        b'{"event":"open","connection":1,"peer":{},"about":{}}',
    ),
    (
        Opening("open", 1, Peer(7), {}, Continuation((6, 0), State(boundary=(8, 8)))),
        b'{"event":"open","connection":1,"peer":{"pid":7},"about":{},"continues":{"offsets":[6,0],'
        b'"state":{"protocol":null,"features":[],"daemon_nix":null,"boundary":[8,8]}}}',
    ),
    (Ending("close", unended=(0, 1)), b'{"event":"close","unended":[0,1]}'),
]  # fmt: skip


@pytest.mark.parametrize(("comment", "text"), WRITTEN, ids=lambda each: type(each).__name__)
def test_what_is_written_is_read_back(comment: Comment, text: bytes) -> None:
    assert json_text(comment.json()) == text
    said = comment.json()
    assert type(comment).read(said) == comment


@pytest.mark.parametrize("comment", [comment for comment, _ in WRITTEN[:12]])
def test_a_note_is_known_by_its_key(comment: Comment) -> None:
    assert note_of({"note": comment.json()}) == comment


def test_every_note_has_a_key_of_its_own() -> None:
    assert {type(comment) for comment, _ in WRITTEN} >= set(NOTES.values())
    assert len(set(NOTES.values())) == len(NOTES)


def test_only_declared_keys_can_be_said() -> None:
    assert Made.of(pid=1, listen=None, tool="x") == {"pid": 1, "listen": None, "tool": "x"}
    with pytest.raises(KeyError):
        Made.of(sockets=2)
    with pytest.raises(TypeError):
        Peer(name="nix")


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


def kinds(of: type[Comment] = Comment) -> Iterator[type[Comment]]:
    for kind in of.__subclasses__():
        yield kind
        yield from kinds(kind)


KINDS = list(kinds())  # once: a class that a decorator replaced goes at some later time


@given(st.data())
def test_whatever_stands_there_what_is_read_can_be_written(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    names = [each.name for each in kind.keys.values()]
    said = data.draw(st.dictionaries(st.sampled_from(names), VALUES) | VALUES)
    found = kind.read(said)
    if found is not None:
        again = kind.read(found.json())
        assert again is not None
        assert again.json() == found.json()
    assert note_of({"note": said}) is None or isinstance(said, dict)
    assert lost_bytes({"lost": said}) >= 0


def test_the_document_has_every_key_as_it_is_declared() -> None:
    text = DOCUMENT.read_text()
    for kind in kinds():
        (section,) = re.findall(
            rf"^### {kind.__name__}\n\n(.*?)(?=\n##|\Z)", text, re.MULTILINE | re.DOTALL
        )
        assert section.startswith(f"{kind.__doc__}\n")
        rows = [line for line in section.splitlines() if line.startswith("| `")]
        assert rows == [
            f"| `{each.name}` | {each.form.name} | {each.doc} |" for each in kind.keys.values()
        ]
    comments = text.partition("## Comments\n")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `(\w+)` \|", comments, re.MULTILINE)
    assert listed == [notes.EVENT, notes.NOTE, notes.LOST, notes.RECORDER, notes.OMITTED]
    assert Section.read({"recording": notes.OURS}) is not None
