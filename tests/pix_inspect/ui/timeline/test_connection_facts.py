"""The line about a connection: who made it comes first, then what was agreed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pix_inspect.recording.notes import Peer
from pix_inspect.session.session import Session
from pix_inspect.ui.timeline.connection_facts import ConnectionFacts, command_of
from pix_inspect.ui.widgets.text import safe
from tests.support.hostile import HOSTILE
from tests.support.recording import growing


@pytest.mark.parametrize(
    ("peer", "said"),
    [
        ({"command": "nix build nixpkgs#hello"}, "nix build nixpkgs#hello"),
        ({"command": "/nix/store/abc-nix-2.34/bin/nix build /x"}, "nix build /x"),
        ({"command": "/usr/bin/nix-daemon"}, "nix-daemon"),
        ({"command": "odd/ name"}, "odd/ name"),
        ({"command": ""}, ""),
        ({"command": 7}, ""),
        ({}, ""),
    ],
)
def test_a_program_without_its_folder(peer: dict[str, Any], said: str) -> None:
    assert command_of(Peer.read(peer) or Peer(), 80) == said


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_commands_are_harmless(text: str) -> None:
    said = command_of(Peer(command=f"/bin/{text} {text}"), 60)
    assert safe(said) == said


def test_who_then_what(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    made.connect(peer={"pid": 7, "command": "/bin/nix store info"})
    session = Session(made.save()).read_all()
    facts = ConnectionFacts(session)
    assert facts.text(1).startswith("nix store info · pid 7 · 1 exchange · 1.38 · nix 2.34.8")
    assert facts.text(2) == ""
