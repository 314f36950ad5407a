"""The dissector in a real tshark: it says of every exchange what `dump` says."""

from __future__ import annotations

import random
import re
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

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
from pix.protocol.types import UnkeyedValidPathInfo
from pix_inspect.filter.fields import fields
from pix_inspect.recording.tcp_headers import HEADERS, PORT
from pix_inspect.wireshark.tables import dissector, lua
from tests.support.captures import Run
from tests.support.places import EVERY_RECORDING, RECORDINGS
from tests.support.playbook import said
from tests.support.recorded_runs import record
from tests.support.recording import V38, Recording
from tests.support.wireshark import described, differences, dissected, dumped, tshark
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


# Packets as networks deliver them


def blocks(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + 12 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + length]
        at += length


def packet(block: bytes) -> bytes:
    """Return the packet in a block, empty for other blocks."""
    kept = int.from_bytes(block[20:24], "little")
    return block[28 : 28 + kept] if block[:4] == b"\6\0\0\0" else b""


def test_packets_that_come_twice_or_too_early_are_read_once(home: Path, tmp_path: Path) -> None:
    original = RECORDINGS / "build-with-log.pcapng"
    disordered: list[bytes] = []
    for block in blocks(original.read_bytes()):
        before = packet(disordered[-1]) if disordered else b""
        if len(packet(block)) > HEADERS and packet(block)[:20] == before[:20]:
            disordered.insert(-1, block)
        else:
            disordered.append(block)
        if len(packet(block)) > HEADERS:
            disordered.append(block)
    path = tmp_path / "disordered.pcapng"
    path.write_bytes(b"".join(disordered))
    assert len(disordered) > 100
    assert differences(dissected(home, path), described(dumped(original))) == []


def test_other_ports_and_links_are_known_by_the_first_word(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "ethernet.pcap"
    written = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1)]
    for block in blocks((RECORDINGS / "add-tree.pcapng").read_bytes()):
        if data := packet(block).replace(PORT.to_bytes(2), (5000).to_bytes(2)):
            frame = bytes(12) + b"\x08\x00" + data
            written.append(struct.pack("<4I", 0, 0, len(frame), len(frame)) + frame)
    path.write_bytes(b"".join(written))
    assert len(shown(home, path, "nix.setOptions.overrides.count == 0")) == 1
    assert len(shown(home, path, 'nix.addToStore.reply.path contains "project"')) == 1


def test_a_capture_that_began_late_is_read_from_its_first_operation(
    home: Path, tmp_path: Path
) -> None:
    path = tmp_path / "late.pcapng"
    data = list(blocks((RECORDINGS / "lookups.pcapng").read_bytes()))
    packets = [i for i, block in enumerate(data) if packet(block)]
    path.write_bytes(b"".join(data[: packets[0]] + data[packets[9] :]))
    assert shown(home, path, "nix.queryPathInfo.reply.info.nar_size > 0")
    assert any("read as 1.38, a guess" in said for said in findings(home, path))


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


def test_the_largest_numbers_are_not_too_large(home: Path, tmp_path: Path) -> None:
    made = Recording(tmp_path / "r.pcapng")
    talk = made.connect()
    info = UnkeyedValidPathInfo(
        nar_hash="0" * 64,
        references=frozenset(),
        registration_time=(1 << 63) - 1,
        nar_size=(1 << 64) - 1,
    )
    talk.trip(QueryPathInfo(path=PATH), StderrLast(), QueryPathInfo.Reply(info=info))
    talk.session().close()
    assert findings(home, made.path) == []
    reply = said(QueryPathInfo.Reply(info=info), V38)
    time = pack_u64(info.registration_time)
    talk = Recording(made.path.with_name("wide.pcapng")).connect()
    (
        talk
        >> QueryPathInfo(path=PATH)
        << said(StderrLast(), V38) + reply.replace(time, pack_u64(1 << 63))
    )
    talk.session().close()
    assert findings(home, talk.recording.path) == ["Nix readers refuse more than 63 bits here"]


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
        data = [bytearray(block) for block in blocks(path.read_bytes())]
        for block in data:
            size = len(packet(bytes(block))) - HEADERS
            if size > 0 and chance.random() < 0.3:
                block[28 + HEADERS + chance.randrange(size)] = chance.randrange(256)
        damaged = tmp_path / "damaged.pcapng"
        damaged.write_bytes(b"".join(data))
        assert "nix" in tshark(home, "-r", damaged, "-2", "-T", "json", "-J", "nix")


def test_values_become_lua() -> None:
    assert lua({"a": [1, True, None], 3: 'x"\\\n', "none": None}) == (
        '{a={1,true,{}},[3]="x\\"\\\\\\010"}'
    )
