"""The chapters that teach: what they say of layouts is what is declared."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from pix.codec.lists import ListOf
from pix.codec.wire import String
from pix.protocol import STDERR_FRAMES
from pix.protocol.names import records
from pix_inspect.cli import main
from pix_inspect.commands.catalogue import COMMANDS, parser_of
from pix_inspect.teach.manual import client
from pix_inspect.teach.manual.blocks import Code
from pix_inspect.teach.manual.chapters import CHAPTERS
from pix_inspect.teach.manual.textbook import CLIENT_SPEAKS, MAY, frame_tags, letters
from pix_store import EmbeddedDaemon

AGENTS = Path(__file__).resolve().parents[4] / "docs/agents.md"


def test_the_client_reads_path_infos_as_they_are_declared() -> None:
    assert f'"{letters(records()["UnkeyedValidPathInfo"])}"' in client.QUESTION


def test_the_client_reads_frames_as_they_are_declared() -> None:
    said = dict(re.findall(r'b"(\w{4})": "(\w+)"', client.LOG))
    declared = {}
    for number, frame in STDERR_FRAMES.items():
        tag = number.to_bytes(4, "little").decode()
        fields = [part for part in frame.fields.fields if part.gate.admits(CLIENT_SPEAKS)]
        kinds = [(part.name, part.wire) for part in fields]
        declared[tag] = "".join(
            "f" if name == "fields"
            else "t" if isinstance(wire, String)
            else "l" if isinstance(wire, ListOf)
            else "n"
            for name, wire in kinds
        )  # fmt: skip
    with_payload = {"atad", "\x16tad"}
    assert said == {
        tag: shape for tag, shape in declared.items() if tag != "stla" and tag not in with_payload
    }


def test_tags_can_be_read() -> None:
    tags = {row[0]: row[2] for row in frame_tags().rows}
    assert tags["STDERR_ERROR"] == "ptxc"
    assert tags["STDERR_LAST"] == "stla"
    assert all(tag.isprintable() for tag in tags.values())


def test_who_may_do_what_is_said_once() -> None:
    text = AGENTS.read_text().partition("## What it could have done")[2]
    rows = re.findall(r"^\| ([a-z ]+) \| (.*) \| (.*) \|$", text, re.MULTILINE)
    assert [tuple(cell.replace("**", "") for cell in row) for row in rows] == MAY.rows


def typed() -> list[list[str]]:
    """The commands of ours in the chapters, as words."""
    blocks = [part for chapter in CHAPTERS for part in chapter.parts if isinstance(part, Code)]
    lines = "\n".join(block.text.replace("\\\n", " ") for block in blocks).splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("pix-inspect ")]


def test_every_command_and_option_of_the_chapters_is_one() -> None:
    named = set()
    for words in typed():
        ours = words[: words.index("--")] if "--" in words else words
        if words[0] in COMMANDS:
            known = {each for act in parser_of(words[0])._actions for each in act.option_strings}
            assert {word for word in ours if word.startswith("-")} <= known, words
            named.add(words[0])
    assert {"daemon", "send", "run"} <= named


def test_a_text_is_added_without_nix(capsys: pytest.CaptureFixture[str]) -> None:
    (words,) = [words for words in typed() if words[0] == "send"]
    with EmbeddedDaemon() as daemon:
        words[words.index("/tmp/daemon")] = str(daemon.path)
        assert main(words) == 0
        assert "-hello" in capsys.readouterr().out
