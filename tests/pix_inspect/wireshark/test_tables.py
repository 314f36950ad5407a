"""The dissector in a real tshark: it says of every exchange what `dump` says."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pix.codec.wire import pack_u64
from pix.conversation import CLIENT, DAEMON
from pix.protocol.logging import StderrLast
from pix.protocol.operations import (
    AddToStore,
    HasSubstitutes,
    IsValidPath,
    QueryPathInfo,
)
from pix_inspect.export.printer import Printer
from pix_inspect.filter.fields import fields
from pix_inspect.session.session import Session
from pix_inspect.wireshark.tables import dissector, lua
from tests.support.captures import Run
from tests.support.places import EVERY_RECORDING, RECORDINGS
from tests.support.playbook import said
from tests.support.recorded_runs import record
from tests.support.recording import V38, Recording
from tests.support.wireshark import Parts, alike, described, dissected, tshark
from tests.support.words import PATH

MOST_RUNS = 200


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home directory whose Wireshark has the dissector."""
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    folder = tmp_path_factory.mktemp("home")
    plugins = folder / ".local/lib/wireshark/plugins"
    plugins.mkdir(parents=True)
    (plugins / "nix-daemon.lua").write_text(dissector(), encoding="utf-8")
    return folder


def dumped(path: Path) -> Iterator[str]:
    session = Session(path).read_all()
    printer = Printer(session, "json")
    for i in range(len(session)):
        yield from printer.lines(i)
    session.close()


def differences(
    theirs: dict[tuple[int, int], Parts], ours: dict[tuple[int, int], Parts]
) -> list[Any]:
    """Say where tshark and dump differ; what was understood by neither is not compared."""
    found: list[Any] = []
    for place in sorted(theirs.keys() | ours.keys()):
        one = theirs.get(place, {"log": [], "paths": []})
        other = ours.get(place, {"log": [], "paths": []})
        found += [
            (place, part, one.get(part), other.get(part))
            for part in ("request", "reply", "error")
            if not alike(one.get(part, []), other.get(part, []))
        ]
        frames = [list(each["log"]) for each in (one, other)]
        if [name for name, _ in frames[0]] != [name for name, _ in frames[1]] or not all(
            alike(a, b) for (_, a), (_, b) in zip(*frames, strict=True)
        ):
            found.append((place, "log", *frames))
        if "payload" in other and one.get("payload") != other["payload"]:
            found.append((place, "payload", one.get("payload"), other["payload"]))
        paths = one["paths"], other["paths"]
        if len(paths[0]) != len(paths[1]) or not all(map(alike, *paths)):
            found.append((place, "paths", *paths))
    return found


def compare(home: Path, path: Path) -> int:
    ours = described(dumped(path))
    assert differences(dissected(home, path), ours) == []
    return len(ours)


@pytest.mark.parametrize("path", EVERY_RECORDING, ids=lambda path: path.stem)
def test_every_recording_is_dissected_as_it_is_dumped(home: Path, path: Path) -> None:
    assert compare(home, path)


@pytest.mark.slow
def test_captures_are_dissected_as_they_are_dumped(
    home: Path, captured_runs: tuple[Run, ...], tmp_path: Path
) -> None:
    runs = captured_runs[:: len(captured_runs) // MOST_RUNS][:MOST_RUNS]
    assert len(runs) == MOST_RUNS
    path = tmp_path / "captures.pcapng"
    record(path, runs)
    assert compare(home, path) > 10 * MOST_RUNS


def test_packets_that_were_cut_are_dissected_as_they_are_dumped(
    home: Path, captured_runs: tuple[Run, ...], tmp_path: Path
) -> None:
    path = tmp_path / "cut.pcapng"
    record(path, captured_runs[::40], keep=200)
    compare(home, path)


def test_a_difference_would_be_seen(home: Path) -> None:
    path = RECORDINGS / "lookups.pcapng"
    ours = described(dumped(path))
    place = next(place for place, parts in ours.items() if parts.get("reply"))
    name, value = ours[place]["reply"][-1]
    ours[place]["reply"][-1] = (name, f"{value}x" if isinstance(value, str) else value + 1)
    assert len(differences(dissected(home, path), ours)) == 1


# Filters


def shown(home: Path, path: Path, wanted: str, *names: str) -> list[list[str]]:
    options = [word for name in names or ["frame.number"] for word in ("-e", name)]
    text = tshark(home, "-r", path, "-Y", wanted, "-2", "-T", "fields", *options)
    return [line.split("\t") for line in text.splitlines()]


def test_filters_are_named_as_ours_are(home: Path) -> None:
    lines = tshark(home, "-G", "fields").splitlines()
    known = {line.split("\t")[2] for line in lines if line.startswith("F\t")}
    known = {name for name in known if name.startswith("nix.")}
    assert {"nix.queryPathInfo.path", "nix.queryPathInfo.reply.info.nar_hash"} <= known
    assert {"nix.setOptions.overrides.key", "nix.STDERR_ERROR.traces.hint"} <= known
    assert "nix.serve.buildDerivation.options.build_timeout" in known
    ends = {re.sub(r"^nix\.(serve\.)?\w+\.(reply\.)?", "", name) for name in known}
    for path in fields():
        name = path.partition(".")[2]
        assert any(f"{end}.".startswith(f"{name}.") for end in ends), path


@pytest.mark.parametrize(
    ("wanted", "recording"),
    [
        ('nix.queryPathInfo.path contains "hello"', "build-with-log"),
        ("nix.buildPaths && nix.exchange > 5", "build-with-log"),
        ("nix.STDERR_START_ACTIVITY.type == 105", "build-with-log"),
        ("nix.STDERR_ERROR", "build-failure"),
        ('nix.nar.path == "bin/start" && nix.nar.type == "executable"', "add-tree"),
        ('nix.operation == "AddToStore" && nix.part == "reply"', "add-tree"),
        ("nix.serve.queryPathInfos.reply.infos.info.nar_size > 100", "serve-closure"),
    ],
)
def test_filters_find_packets(home: Path, wanted: str, recording: str) -> None:
    assert shown(home, RECORDINGS / f"{recording}.pcapng", wanted)


def test_requests_and_replies_lead_to_each_other(home: Path, tmp_path: Path) -> None:
    made = Recording(tmp_path / "r.pcapng")
    talk = made.connect()
    talk.trip(IsValidPath(path=PATH), StderrLast(), IsValidPath.Reply(valid=True))
    talk.session().close()
    [[asked, answer]] = shown(home, made.path, "nix.isValidPath", "frame.number", "nix.response_in")
    [[answered, to]] = shown(
        home, made.path, "nix.isValidPath.reply", "frame.number", "nix.response_to"
    )
    assert (asked, answer) == (to, answered)


# What is said of the irregular


def findings(home: Path, path: Path) -> list[str]:
    return [row[0] for row in shown(home, path, "nix && _ws.expert", "_ws.expert.message")]


def test_an_obsolete_operation_is_named_with_what_replaced_it(home: Path, tmp_path: Path) -> None:
    made = Recording(tmp_path / "r.pcapng")
    talk = made.connect()
    talk.trip(HasSubstitutes(path=PATH), StderrLast(), HasSubstitutes.Reply(substitutable=True))
    talk.trip(IsValidPath(path=PATH), StderrLast(), IsValidPath.Reply(valid=True))
    talk.session().close()
    [found] = findings(home, made.path)
    assert "HasSubstitutes was removed in Nix 2.34" in found or "is obsolete from 1.12" in found
    assert "QuerySubstitutablePaths" in found


def test_an_unknown_operation_and_what_follows_is_said_to_be_unknown(
    home: Path, tmp_path: Path
) -> None:
    made = Recording(tmp_path / "r.pcapng")
    talk = made.connect()
    talk.chunk(CLIENT, pack_u64(999) + pack_u64(1))
    talk.session().close()
    found = " ".join(findings(home, made.path))
    assert "not a known operation" in found
    assert "expected a known operation before this, found 999" in found


def test_padding_that_is_not_zero_is_seen(home: Path, tmp_path: Path) -> None:
    made = Recording(tmp_path / "r.pcapng")
    talk = made.connect()
    request = bytearray(said(QueryPathInfo(path=PATH), V38))
    request[-1] = 1
    talk.chunk(CLIENT, bytes(request))
    talk.session().close()
    assert any("padding is not zero" in each for each in findings(home, made.path))


def test_payload_that_was_not_kept_is_said_to_be_missing(home: Path, tmp_path: Path) -> None:
    made = Recording(tmp_path / "r.pcapng")
    talk = made.connect()
    request = said(AddToStore(name="x", method="fixed:sha256", dump=bytes(50_000)), V38)
    talk.chunk(CLIENT, request[:400], 2000)
    talk.chunk(CLIENT, b"", 30_000)
    talk.chunk(CLIENT, request[32_000:])
    talk.chunk(DAEMON, pack_u64(StderrLast.frame.code))  # type: ignore[attr-defined]
    talk.session().close()
    rows = shown(home, made.path, "nix.payload", "nix.payload.missing", "nix.payload.bytes")
    assert sum(int(row[0] or 0) for row in rows) == 31_600
    assert rows[-1][1] == "50000"


@pytest.mark.slow
def test_damaged_recordings_do_no_harm(home: Path, tmp_path: Path) -> None:
    """Bytes that are anything: whatever is shown, the dissector raises nothing and ends."""
    chance = random.Random(7)
    for path in EVERY_RECORDING[::2]:
        data = bytearray(path.read_bytes())
        for packet in packets(bytes(data)):
            if len(packet) and chance.random() < 0.3:
                data[packet[chance.randrange(len(packet))]] = chance.randrange(256)
        damaged = tmp_path / "damaged.pcapng"
        damaged.write_bytes(data)
        assert "nix" in tshark(home, "-r", damaged, "-2", "-T", "json", "-J", "nix")


def packets(data: bytes) -> Iterator[range]:
    """Yield where what packets carry stands in a recording, behind the TCP header."""
    at = 0
    while at + 12 <= len(data):
        kind, length = (int.from_bytes(data[at + i : at + i + 4], "little") for i in (0, 4))
        kept = int.from_bytes(data[at + 20 : at + 24], "little")
        if kind == 6:
            yield range(at + 28 + 40, at + 28 + max(kept, 40))
        at += length


def test_values_become_lua() -> None:
    assert lua({"a": [1, True, None], 3: 'x"\\\n', "none": None}) == (
        '{a={1,true,{}},[3]="x\\"\\\\\\010"}'
    )
