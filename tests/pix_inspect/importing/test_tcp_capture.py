"""Captures of TCP become recordings: real ones, recordings as packets, and what is odd in them.

`socat-any.pcap` (tcpdump, `any`, ns, SLL2) and `socat-lo.pcapng` (tshark, Ethernet) saw the same: a
client of Nix 2.26.3 and a daemon of 2.34.8 with socat between, over IPv6 and then over IPv4.
`lossy-tun.pcap` has two of their connections over a link that lost 3 of 100 packets, doubled as
many and held up 20: each is there twice, as either end of the link saw it.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

import pytest

from pix.conversation.exchange import CLIENT, DAEMON
from pix.problem import Problem
from pix_inspect import cli
from pix_inspect.describe.about import short_command
from pix_inspect.describe.text_and_json import connection_line
from pix_inspect.importing.captures import captured
from pix_inspect.importing.packet_files import PacketFile
from pix_inspect.importing.raw_streams import Passed
from pix_inspect.importing.tcp_segments import End
from pix_inspect.recording.tcp_headers import ACK, FIN, RST, SYN
from pix_inspect.recording.tcp_headers import PORT as OUR_PORT
from pix_inspect.session.session import Session
from tests.support.tcp_packets import PORT, TIME, Talk, packets, pcap, pcapng

HERE = Path(__file__).parent
REAL = ("socat-any.pcap", "socat-lo.pcapng")
REAL_PORT = 29990
RECORDINGS = Path(__file__).parents[3] / "recordings"
HELLO = b"cxin\0\0\0\0"


def lines(path: Path) -> list[tuple[object, ...]]:
    session = Session(path).read_all()
    return [
        (row.connection, row.kind, row.code, row.up, row.down, row.state, row.frames)
        for row in map(session.row, range(len(session)))
    ]


def imported(path: Path, port: int, tmp_path: Path) -> Path:
    made = tmp_path / "made.pcapng"
    made.unlink(missing_ok=True)
    assert cli.main(["import", str(path), "--port", str(port), "-o", str(made)]) == 0
    return made


@pytest.mark.parametrize("name", REAL)
def test_real_captures(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = Session(imported(HERE / name, REAL_PORT, tmp_path)).read_all()
    said = [(row.connection, row.name, row.state) for row in map(session.row, range(len(session)))]
    assert said == [
        (1, "handshake", "ok"), (1, "SetOptions", "ok"), (1, "AddToStore", "ok"),
        (2, "handshake", "ok"), (2, "SetOptions", "ok"), (2, "AddToStore", "ok"),
        (2, "QueryMissing", "ok"), (2, "QueryPathInfo", "ok"), (2, "BuildPaths", "error"),
        (3, "handshake", "ok"), (3, "SetOptions", "ok"), (3, "AddToStore", "ok"),
    ]  # fmt: skip
    rows = session.connections.values()
    assert [row.daemon_nix for row in rows] == ["2.34.8"] * 3
    assert [str(row.peer)[:7] for row in rows] == ["[::1]:3", "[::1]:3", "127.0.0"]
    assert all(row.closed for row in rows)
    heading = connection_line(session.connections[3])
    assert heading.startswith("── connection 3  127.0.0.1:")
    assert connection_line(session.connections[3], command=False) == "── connection 3 ──"
    assert short_command(session.connections[3].peer).startswith("127.0.0.1:")
    err = capsys.readouterr().err
    assert ("12 packets not of TCP port 29990 left out" in err) == (name == REAL[0])


def test_both_ends_of_a_link_that_loses_packets_tell_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = lines(imported(HERE / "lossy-tun.pcap", PORT, tmp_path))
    ends = [[line[1:] for line in found if line[0] == number] for number in range(1, 5)]
    assert ends[0] == ends[1]
    assert ends[2] == ends[3]
    assert len(found) == 24
    assert {line[5] for line in found} == {"ok"}
    assert capsys.readouterr().err.count("\n") == 1  # and nothing is missing


@pytest.mark.parametrize(
    "name", ["add-tree", "import-over-1-21", "two-clients", "serve-copy", "build-failure"]
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_recording_as_packets_of_another_program(name: str, order: str, tmp_path: Path) -> None:
    recording = RECORDINGS / f"{name}.pcapng"
    with recording.open("rb") as file:
        found = list(PacketFile(file))
    capture = tmp_path / "capture.pcap"
    capture.write_bytes(pcap(found, 101, order, nano=True))
    assert lines(imported(capture, OUR_PORT, tmp_path)) == lines(recording)
    capture.write_bytes(pcapng(found, 101, order))
    assert lines(imported(capture, OUR_PORT, tmp_path)) == lines(recording)


def passed(tmp_path: Path, talks: Iterable[Talk], link: int = 1) -> tuple[list[Passed], list[str]]:
    """Return what passed in a capture of these, and the remarks."""
    path = tmp_path / "x.pcap"
    segments = sorted((each for talk in talks for each in talk.segments), key=lambda s: s.time)
    path.write_bytes(pcap(packets(segments, link), link, nano=True))
    capture = captured([path], PORT)
    return list(capture.passed), [each.removeprefix(f"{path}: ") for each in capture.remarks()]


def spoken(said: bytes = b"hello", port: int = 40000, after: int = 0, to: int = PORT) -> Talk:
    client, server = (End(ip_address(f"10.0.0.{n}").packed, p) for n, p in ((1, port), (2, to)))
    talk = Talk((client, server), time=TIME + after)
    talk.open()
    talk.say(CLIENT, said)
    talk.say(DAEMON, said[::-1])
    talk.close()
    return talk


def test_several_connections_and_one_of_the_same_ports_again(tmp_path: Path) -> None:
    again = spoken(b"later", after=10**9)
    again.segments = [each._replace(seq=each.seq + 99 & 0xFFFFFFFF) for each in again.segments]
    found, remarks = passed(tmp_path, [spoken(), spoken(port=40001, after=1), again])
    data = {(each.connection, each.side): each.data for each in found if each.what == "data"}
    assert data == {
        (1, CLIENT): b"hello", (1, DAEMON): b"olleh",
        (2, CLIENT): b"hello", (2, DAEMON): b"olleh",
        (3, CLIENT): b"later", (3, DAEMON): b"retal",
    }  # fmt: skip
    assert [each.connection for each in found if each.what == "close"] == [1, 2, 3]
    assert [each.time for each in found] == sorted(each.time for each in found)
    assert remarks == []


def test_a_capture_in_several_files_is_one(tmp_path: Path) -> None:
    found = list(packets(spoken(b"hello " * 100).segments))
    paths = [tmp_path / "late.pcapng", tmp_path / "early.pcap"]
    paths[0].write_bytes(pcapng(found[4:]) + b"junk")
    paths[1].write_bytes(pcap(found[:4]))
    capture = captured(paths, PORT)
    whole = list(capture.passed)
    assert [each.what for each in whole] == ["open", "data", "data", *["half-close"] * 2, "close"]
    (remark,) = capture.remarks()
    assert remark.startswith(f"{paths[0]}: is cut off or damaged")


def test_both_ends_may_have_the_port(tmp_path: Path) -> None:
    found, _ = passed(tmp_path, [spoken(port=PORT)])
    assert [(each.side, each.data) for each in found if each.data] == [
        (CLIENT, b"hello"),
        (DAEMON, b"olleh"),
    ]


def test_remarks_say_what_a_capture_lacks(tmp_path: Path) -> None:
    joined, lost = spoken(port=1), spoken(port=3)
    del joined.segments[:3], lost.segments[3]
    found, remarks = passed(tmp_path, [joined, lost, spoken(to=22), spoken(to=80)])
    assert sum(each.missing for each in found) == 5
    assert remarks == [
        "14 packets not of TCP port 9999 left out",
        "1 connection had begun before the capture: what passed before is not there, and the"
        " version has to be guessed",
        "5 bytes passed that the capture missed; a larger buffer (`tcpdump -B 65536`) misses less",
    ]


def test_a_clock_that_was_set_back_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    late = [each._replace(time=each.time - 5 * 10**9) for each in spoken().segments[4:]]
    path.write_bytes(pcap(packets([*spoken().segments[:4], *late])))
    capture = captured([path], PORT)
    times = [each.time for each in capture.passed]
    assert times == sorted(times)
    (remark,) = capture.remarks()
    assert "the clock was set back by up to 5 s" in remark


def test_a_capture_that_breaks_off(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    whole = pcap(packets(spoken().segments))
    path.write_bytes(whole + b"junk")
    capture = captured([path], PORT)
    assert sum(len(each.data) for each in capture.passed) == 10
    (remark,) = capture.remarks()
    assert f"is cut off or damaged at offset {len(whole)}: the rest is not read" in remark


def test_the_snapshot_length_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    found = [each._replace(data=each.data[:56]) for each in packets(spoken().segments)]
    path.write_bytes(pcap(found))
    capture = captured([path], PORT)
    assert [(e.data, e.missing) for e in capture.passed if e.what == "data"] == [
        (b"he", 0), (b"", 3), (b"ol", 0), (b"", 3),
    ]  # fmt: skip
    assert list(capture.remarks()) == [
        f"{path}: the snapshot length cut off 6 bytes: `tcpdump -s 0` keeps them"
    ]


@pytest.mark.parametrize("flags", [RST | ACK, FIN | ACK, ACK])
def test_what_nothing_passed_on_is_no_connection(flags: int, tmp_path: Path) -> None:
    talk = Talk()
    talk.say(CLIENT, flags=flags)
    with pytest.raises(Problem, match="nothing passed to TCP port 9999 in it"):
        passed(tmp_path, [talk])


def test_a_connection_that_was_refused(tmp_path: Path) -> None:
    talk = Talk()
    talk.say(CLIENT, flags=SYN)
    talk.say(DAEMON, flags=RST | ACK)
    assert [(each.what, each.side) for each in passed(tmp_path, [talk])[0]] == [
        ("open", None),
        ("reset", DAEMON),
        ("close", None),
    ]


@pytest.mark.parametrize(
    ("talks", "port", "said"),
    [
        ([spoken(HELLO), spoken(to=22), spoken(to=22, port=7)], None,
         "say with --port N which port is the daemon's; ports there: 9999 (1 connection, where Nix"
         " is spoken), 22 (2 connections)"),
        ([spoken(HELLO)], 80, "nothing passed to TCP port 80 in it; ports there: 9999"
         " (1 connection, where Nix is spoken)"),
        ([spoken(to=n) for n in range(1, 12)], 80, "8 (1 connection), 3 more"),
        ([], None, "there is no TCP among its 0 packets"),
    ],
)  # fmt: skip
def test_which_ports_there_are_is_said(
    talks: list[Talk], port: int | None, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap(packets(each for talk in talks for each in talk.segments)))
    with pytest.raises(Problem) as problem:
        list(captured([path], port).passed)
    assert said in str(problem.value)


def test_what_to_do_is_said_where_a_recording_is_wanted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "big.pcapng").write_bytes(pcapng([], 1, ">"))
    for path in (HERE / REAL[0], HERE / REAL[1], tmp_path / "big.pcapng"):
        for command in ("dump", "check"):
            assert cli.main([command, str(path)]) == 2
            err = capsys.readouterr().err
            assert "`pix-inspect import FILE --port N -o NEW.pcapng`" in err
            assert err.count("\n") == 1


def test_a_port_is_for_captures_of_packets(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="is a recording already"):
        captured([HERE / REAL[0], RECORDINGS / "queries.pcapng"], PORT)
    path = tmp_path / "x.nixwire"
    path.write_bytes(b"NIXWIRE1")
    with pytest.raises(Problem, match="--port is for captures of TCP, this is none"):
        captured([path], PORT)


@pytest.mark.parametrize("seed", range(100))
def test_broken_captures_are_read_as_far_as_they_go_or_refused(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    data = bytearray((HERE / chance.choice(REAL)).read_bytes())
    for _ in range(chance.choice((1, 3, 30))):
        at = chance.randrange(len(data))
        match chance.randrange(3):
            case 0:
                data[at] = chance.choice((0, 255, chance.randrange(256)))
            case 1:
                del data[at : at + chance.randrange(1, 200)]
            case _:
                data[at:at] = data[at : at + chance.randrange(1, 200)]
    path = tmp_path / "x.pcap"
    path.write_bytes(data)
    with contextlib.suppress(Problem):
        capture = captured([path], REAL_PORT)
        found = list(capture.passed)
        assert sum(len(each.data) for each in found) <= len(data)
        assert all(each.missing >= 0 for each in found)
        list(capture.remarks())
