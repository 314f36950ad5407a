"""`--declare`: a session of a vendor's operations, from the relay to what is said of it."""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pix.codec.declare import DECLARED
from pix.codec.gates import Protocol
from pix.problem import Problem
from pix.protocol import OPERATIONS, OPERATIONS_BY_NAME, vendors
from pix.protocol.logging import StderrLast
from pix_inspect.options.declarations import VARIABLE, declare_always, declare_argument
from pix_inspect.recording.about import with_declarations
from pix_inspect.recording.notes import made_of
from pix_inspect.recording.reader import RecordingReader
from pix_inspect.session.session import Session
from tests.support.otlp import collector
from tests.support.playbook import Playbook
from tests.support.processes import PIX, environment, pix, recording
from tests.support.recording import growing
from tests.support.relaying import listens, until
from tests.support.vendors import (
    EXAMPLE,
    LEAF,
    PRESSED,
    TREE,
    declared,
    kept,
    reply,
    request,
    serving,
)

LINES = f"""
connect("s", features=["example-shades"])
QueryColour(path="{LEAF}")
QueryColour(path="{LEAF}-absent")
QueryLeaves(paths=["{LEAF}"], depth=3)
QueryLeaf(path="{LEAF}", hint=Leaf(colour="Red", shade=3))
QueryLeaf(path="{LEAF}", hint=7)
Paint(path="{LEAF}", colour="DarkBlue", labels=["a", "b"], settings={{"brush": "wide"}})
AddLeaf(label="x", nar=nar("leaf"))
AddLeafLog(path="{LEAF}", log=file("leaf"))
LeafFromPath(path="{LEAF}")
ExportLeaf(path="{LEAF}")
ImportLeaf(pressed=file("leaf"))
"""
ASKED = [
    *("handshake", "QueryColour", "QueryColour", "QueryLeaves", "QueryLeaf", "QueryLeaf", "Paint"),
    *("AddLeaf", "AddLeafLog", "LeafFromPath", "ExportLeaf", "ImportLeaf"),
]


def test_processes_that_are_started_know_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.chdir(EXAMPLE.parent)
    parser = argparse.ArgumentParser()
    inner = parser.add_subparsers().add_parser("inner")
    assert inner is not None
    declare_argument(parser)
    with kept():
        parser.parse_args(["--declare", "vendor.toml", "inner", "--declare", str(EXAMPLE)])
        assert list(DECLARED.values()) == [EXAMPLE.read_text()]
    assert os.environ[VARIABLE] == f"{EXAMPLE}:{EXAMPLE}"
    with kept():
        declare_always()
        assert "Paint" in OPERATIONS_BY_NAME
    assert 104 not in OPERATIONS


def test_problems_are_raised_where_there_is_no_command_line(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    declare_argument(parser)
    with pytest.raises(Problem, match="No such file"):
        parser.parse_args(["--declare", str(tmp_path / "nothing.toml")])
    with pytest.raises(Problem, match="names no file"):
        parser.parse_args(["--declare", ""])


def test_a_file_that_is_too_long_to_be_kept_is_named(tmp_path: Path) -> None:
    with kept():
        vendors.declare(EXAMPLE.read_text() + "# and so on\n" * 5000, "a/long.toml")
        said = with_declarations()
    assert said == {"declared": {"long.toml": ""}}
    growing(tmp_path / "r.pcapng", **said)
    ran = pix("explain", "--declare", "r.pcapng", "Paint", cwd=tmp_path)
    assert ran.stderr == (
        "pix-inspect: r.pcapng was made with long.toml, too long to be kept: --declare that file\n"
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the recording `r.pcapng` of all of LINES, and the daemon at `d`."""
    place = tmp_path_factory.mktemp("vendors")
    (place / "leaf").write_bytes(b"green")
    with declared(), serving(place / "d"):
        started = pix(
            *("--declare", EXAMPLE, "--listen", "s", "--upstream", "d", "-o", "r.pcapng"),
            "--detach",
            cwd=place,
        )
        assert started.returncode == 0, started.stderr
        asked = subprocess.run(
            [*PIX, "repl", "--declare", EXAMPLE, "--upstream", "s"],
            input=LINES, capture_output=True, text=True, cwd=place, env=environment(place),
            timeout=300, check=False,
        )  # fmt: skip
        (place / "said").write_text(asked.stdout + asked.stderr)
        stopped = pix("stop", "s", cwd=place)
        assert stopped.returncode == 0, stopped.stderr
        until(lambda: not (place / "s").exists())
        yield place


def test_what_is_asked_by_hand_is_answered_and_told(place: Path) -> None:
    said = (place / "said").read_text()
    for words in (
        "protocol 1.38 with example-shades",
        "colour: DarkBlue",
        "this path has no colour",
        f"nar: {len(TREE)} B",
        f"pressed: {len(PRESSED) / 1024:.1f} KiB",
        f"{LEAF}-5",  # bytes of the file, which was pulled
    ):
        assert words in said
    assert said.count("the daemon refused") == 1


def test_the_recording_holds_the_declarations(place: Path) -> None:
    reader = RecordingReader(place / "r.pcapng")
    reader.close()
    assert made_of(reader.about).declared == {"vendor.toml": EXAMPLE.read_text()}
    plain = pix("dump", "--json", "r.pcapng", cwd=place)
    assert json.loads(plain.stdout.splitlines()[1])["operation"] is None
    assert plain.stderr == (
        "pix-inspect: it was recorded with --declare vendor.toml: --declare the recording, which"
        " holds it\n"
    )
    known = pix("dump", "--json", "r.pcapng", "--declare", "r.pcapng", cwd=place)
    assert known.stderr == ""
    found = [json.loads(line) for line in known.stdout.splitlines()]
    assert [each["operation"] for each in found[1:]] == ASKED[1:]
    assert all(each["complete"] and not each["notes"] for each in found)
    assert found[5]["request"] == {"path": LEAF, "hint": 7}
    assert found[4]["request"]["hint"] == {"colour": "Red", "weight": 1, "shade": 3}
    assert found[3]["reply"]["leaves"][LEAF][1]["colour"] == "DarkBlue"


@pytest.mark.parametrize(
    ("filtered", "numbers"),
    [
        ("op = queryleaf", [5, 6]),
        ("reply.colour = DarkBlue", [2, 4, 5, 6]),
        ("request.hint.weight = 1", [5]),
        ("request.labels = b", [7]),
        ("reply.leaves.shade = 3", []),
        ("finding = obsolete", [7]),
        ("payload > 1K", [11]),
    ],
)
def test_filters_know_them(place: Path, filtered: str, numbers: list[int]) -> None:
    found = pix(
        *("dump", "--json", "r.pcapng", "--filter", filtered),
        cwd=place,
        env={VARIABLE: str(EXAMPLE)},
    )
    assert [json.loads(line)["exchange"] for line in found.stdout.splitlines()] == numbers


def test_every_way_to_look_at_the_recording(place: Path) -> None:
    env = {VARIABLE: str(EXAMPLE)}
    check = pix("check", "r.pcapng", "count(op = QueryLeaf) = 2", cwd=place, env=env)
    assert check.returncode == 0
    assert "Paint is obsolete from 1.37 (Example Nix 2.9) on; instead: nothing" in check.stdout
    assert "unknown" not in check.stdout
    assert "ImportLeaf: 2 STDERR_READs" in pix("analyse", "r.pcapng", cwd=place, env=env).stdout
    listed = pix("payload", "r.pcapng", cwd=place, env=env).stdout
    names = [line.split()[1] for line in listed.splitlines()]
    assert names == ASKED[-5:]
    assert "leaf" in pix("excerpt", "r.pcapng", "5", cwd=place, env=env).stdout
    same = pix("diff", "r.pcapng", "r.pcapng", cwd=place, env=env)
    assert (same.returncode, "no difference" in same.stdout) == (0, True)


def test_it_is_replayed_to_the_daemon_and_recorded_again(place: Path) -> None:
    words = ("replay", "client", "--declare", "r.pcapng", "r.pcapng", "--upstream", "d")
    again = pix(*words, "-o", "again.pcapng", cwd=place)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.splitlines()[-1] == f"{len(ASKED)} exchanges: {len(ASKED)} same"
    with declared():
        session = Session(place / "again.pcapng").read_all()
        session.close()
        assert [session.row(i).name for i in range(len(session))] == ASKED
        assert session.made.declared == {"vendor.toml": EXAMPLE.read_text()}


def test_its_daemon_is_played(place: Path) -> None:
    known = ("--declare", "r.pcapng", "r.pcapng")
    playing = subprocess.Popen(
        [*PIX, "replay", "daemon", *known, "--listen", "p"], cwd=place, env=environment(place),
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: listens(place / "p"))
        again = pix("replay", "client", *known, "--upstream", "p", cwd=place)
    finally:
        playing.terminate()
        playing.wait()
    assert again.stdout.splitlines()[-1] == f"{len(ASKED)} exchanges: {len(ASKED)} same"


def test_a_relay_that_does_not_know_them_records_what_passes(place: Path) -> None:
    line = f'QueryLeaves(paths=["{LEAF}"])'
    words = ("run", "--quiet", "--upstream", "d", "-o", "unknown.pcapng", "--", *PIX, "send")
    ran = pix(*words, "--declare", EXAMPLE, line, cwd=place)
    assert ran.returncode == 0, ran.stderr
    found = pix("dump", "--declare", EXAMPLE, "unknown.pcapng", cwd=place).stdout
    assert "QueryLeaves (102)" in found
    assert "weight: 3" in found


def test_the_process_that_sends_spans_knows_them(tmp_path: Path) -> None:
    with collector() as received, declared():
        words = ("--declare", str(EXAMPLE), "--otlp", received.url)
        with recording(tmp_path, *words) as relay:
            talk = Playbook(Protocol(38)).greet()
            talk >> request("QueryColour", path=LEAF) << StderrLast()
            talk << reply("QueryColour", colour=7)
            client, daemon = relay.pair()
            with client, daemon:
                for side, data in talk.turns:
                    assert data
                    (client, daemon)[side].sendall(data)
                    (daemon, client)[side].recv(len(data), socket.MSG_WAITALL)
            until(lambda: any(each.name == "nix.worker/QueryColour" for each in received.spans))
            assert relay.stop() == 0


def test_it_is_sent_written_and_read(place: Path) -> None:
    env = {VARIABLE: str(EXAMPLE)}
    line = f'QueryColour(path="{LEAF}")'
    sent = pix("send", line, "--upstream", "d", cwd=place, env=env)
    assert "colour: DarkBlue" in sent.stdout
    (place / "leaf.json").write_text('{"colour": "Red", "shade": null}')
    written = subprocess.run(
        [*PIX, "encode", "Leaf", "leaf.json", "--features", "example-shades"],
        capture_output=True, cwd=place, env=environment(place, env), timeout=300, check=True,
    )  # fmt: skip
    assert written.stdout == b"".join(n.to_bytes(8, "little") for n in (0, 1, 0))
    (place / "leaf.bin").write_bytes(written.stdout)
    read = pix(
        "decode", "--json", "Leaf", "leaf.bin", "--features", "example-shades", cwd=place, env=env
    )
    assert json.loads(read.stdout) == {"colour": "Red", "weight": 1, "shade": None}


def test_it_is_told_wherever_our_own_is(tmp_path: Path) -> None:
    """In the settings' folder it is known to every command: also to the shell's completion."""
    folder = tmp_path / "config/pix-inspect/declare"
    folder.mkdir(parents=True)
    (folder / "vendor.toml").write_bytes(EXAMPLE.read_bytes())
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    told = pix("explain", "Paint", cwd=tmp_path, env=env).stdout
    assert "An operation of Example Nix, as vendor.toml declares it." in told
    offered = {
        kind: pix("completion", "--words", kind, cwd=tmp_path, env=env).stdout.split()
        for kind in ("operations", "types", "fields", "names")
    }
    assert "QueryLeaf" in offered["operations"]
    assert {"Leaf", "Colour", "Hint", "Paint.reply"} <= set(offered["types"])
    assert {"request.hint.colour", "reply.leaves.shade"} <= set(offered["fields"])
    assert "example-shades" in offered["names"]
    spec = json.loads(pix("spec", "--json", cwd=tmp_path, env=env).stdout)
    paint = next(each for each in spec["operations"] if each["number"] == 104)
    assert (paint["name"], paint["obsolete"]) == ("Paint", "1.37 (Example Nix 2.9)")
    assert paint["request"][1]["type"] == "Colour"
    pix("manual", "-o", "manual", cwd=tmp_path, env=env)
    pages = "\n".join(page.read_text() for page in (tmp_path / "manual").rglob("*.html"))
    assert "Which colour does this path have?" in pages
    alone = pix("explain", "Paint", cwd=tmp_path, env=env | {"PIX_INSPECT_NO_SETTINGS": "1"})
    assert alone.returncode == 2


@pytest.mark.parametrize("by", ["option", "option first", "variable", "settings"])
def test_a_mistake_is_one_line(tmp_path: Path, by: str) -> None:
    path = tmp_path / "pix-inspect/declare/acme.toml"
    path.parent.mkdir(parents=True)
    path.write_text('vendor = "Acme"\n[[operations]]\nnumber = 26\nname = "A"\ndoc = "b"\n')
    words: tuple[str | Path, ...] = ("explain", "Paint")
    words = {
        "option": (*words, "--declare", path),
        "option first": ("--declare", path, *words),
    }.get(by, words)
    named = {"variable": {VARIABLE: str(path)}, "settings": {"XDG_CONFIG_HOME": str(tmp_path)}}
    ran = pix(*words, cwd=tmp_path, env=named.get(by))
    assert (ran.returncode, ran.stdout) == (2, "")
    place = f"{path}:3: operations[1].number"
    assert ran.stderr == f"pix-inspect: {place}: 26 is QueryPathInfo already; choose another\n"


def test_a_recording_without_declarations(tmp_path: Path) -> None:
    queries = Path(__file__).parents[3] / "recordings/queries.pcapng"
    ran = pix("explain", "--declare", queries, "Paint", cwd=tmp_path)
    assert ran.returncode == 2
    assert ran.stderr == (
        f"pix-inspect: {queries} was made without declarations; give a TOML file to --declare\n"
    )
