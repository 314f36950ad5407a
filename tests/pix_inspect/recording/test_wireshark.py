"""Wireshark opens recordings as they are: what tshark says about them, trap by trap."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pix.codec.wire import pack_u64
from pix.conversation import CLIENT, DAEMON
from pix_inspect.recording.notes import Peer
from pix_inspect.recording.reader import RecordingReader
from pix_inspect.recording.sinks import rotated
from pix_inspect.recording.stream_writer import Loss
from pix_inspect.recording.tcp_headers import CLIENT_PORTS, PORT, TAKEN_PORT
from pix_inspect.recording.writer import RecordingWriter
from tests.support import wireshark as support
from tests.support.captures import Connection, Run
from tests.support.packets import chunks, events, items_of, stream
from tests.support.places import RECORDINGS
from tests.support.recorded_runs import ASLEEP, record
from tests.support.recording import START, Recording, section
from tests.support.words import PATH


@pytest.fixture
def tshark(tmp_path: Path) -> Callable[..., str]:
    """Run tshark, without anybody's preferences; the answer is its standard output."""
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")

    return partial(support.tshark, tmp_path)


Tshark = Callable[..., str]


def warnings(tshark: Tshark, path: Path) -> list[str]:
    """The expert's errors and warnings, and the packets that are malformed."""
    lines = tshark("-r", path, "-Y", "_ws.malformed", "-z", "expert,warn").splitlines()
    return [line.strip() for line in lines if re.match(r"\s*\d", line)]


def fields(tshark: Tshark, path: Path, *names: str, only: str = "") -> list[list[str]]:
    options = [option for name in names for option in ("-e", name)]
    text = tshark("-r", path, "-Y", only or "tcp", "-T", "fields", *options)
    return [line.split("\t") for line in text.splitlines()]


def followed(tshark: Tshark, path: Path, number: int) -> list[bytes]:
    """What *Follow TCP Stream* shows of stream `number`, by side."""
    sides = [b"", b""]
    text = tshark("-r", path, "-q", "-z", f"follow,tcp,raw,{number}")
    for line in text.splitlines():
        if re.fullmatch(r"\t?[0-9a-f]+", line):
            sides[line.startswith("\t")] += bytes.fromhex(line.strip())
    return sides


# Recordings made from all captures


@pytest.fixture(scope="module")
def everything(
    tmp_path_factory: pytest.TempPathFactory, captured_runs: tuple[Run, ...]
) -> tuple[Path, list[Connection]]:
    """One recording of all captures, and their connections."""
    path = tmp_path_factory.mktemp("all") / "all.pcapng"
    return path, record(path, captured_runs)


def test_all_captures(tshark: Tshark, everything: tuple[Path, list[Connection]]) -> None:
    path, connections = everything
    assert warnings(tshark, path) == []
    streams = [int(number) for (number,) in fields(tshark, path, "tcp.stream")]
    assert set(streams) == set(range(len(connections)))
    lengths = [[0, 0] for _ in connections]
    rows = fields(tshark, path, "tcp.stream", "tcp.len", "ip.src")
    for number, length, source in rows:
        lengths[int(number)][source == "127.0.0.2"] += int(length)
    assert lengths == [[len(each.c2s), len(each.s2c)] for each in connections]


def test_streams_of_captures_are_followed_byte_by_byte(
    tshark: Tshark, tmp_path: Path, captured_runs: tuple[Run, ...]
) -> None:
    path = tmp_path / "some.pcapng"
    biggest = sorted(captured_runs, key=lambda run: max(len(c.c2s) for c in run.connections))
    connections = record(path, [captured_runs[0], captured_runs[-1], *biggest[-2:]])
    for number, connection in enumerate(connections):
        assert followed(tshark, path, number) == [connection.c2s, connection.s2c]


def test_all_captures_read_back(everything: tuple[Path, list[Connection]]) -> None:
    path, connections = everything
    streams: dict[tuple[int, int], list[bytes]] = {}
    for chunk in chunks(items_of(path)):
        streams.setdefault((chunk.connection, chunk.side), []).append(chunk.data)
    for number, connection in enumerate(connections, 1):
        assert b"".join(streams.get((number, CLIENT), [])) == connection.c2s
        assert b"".join(streams.get((number, DAEMON), [])) == connection.s2c


def test_all_captures_elided(
    tshark: Tshark, tmp_path: Path, captured_runs: tuple[Run, ...]
) -> None:
    path = tmp_path / "elided.pcapng"
    connections = record(path, captured_runs, keep=16)
    assert warnings(tshark, path) == []
    total = sum(int(length) for (length,) in fields(tshark, path, "tcp.len"))
    assert total == sum(len(each.c2s) + len(each.s2c) for each in connections)


# The traps


def taken(tshark: Tshark, path: Path, *options: str) -> list[list[str]]:
    """The packets with data that Wireshark shows as something else than data."""
    text = tshark(
        "-r", path, *options, "-Y", 'tcp.len > 0 && frame.protocols != "raw:ip:tcp:data"',
        "-T", "fields", "-e", "frame.number", "-e", "frame.protocols", "-e", "tcp.payload",
    )  # fmt: skip
    return [line.split("\t") for line in text.splitlines()]


def test_no_packet_is_taken_for_another_protocol(
    tshark: Tshark, everything: tuple[Path, list[Connection]]
) -> None:
    assert taken(tshark, everything[0]) == []


def test_no_packet_of_the_recordings_is_taken_for_another_protocol(tshark: Tshark) -> None:
    for path in sorted(RECORDINGS.glob("*.pcapng")):
        assert taken(tshark, path) == [], path


@pytest.mark.parametrize(
    "data",
    [
        pack_u64(5) + pack_u64(5) + b"2.8.0\0\0\0",  # DCERPC
        pack_u64(0x105) + pack_u64(0x2D) + PATH.encode(),
        pack_u64(0x200),  # RPCAP
        b"\0\6" + bytes(10) + b"2.26.3\0\0",  # STUN
        bytes(7) + pack_u64(0x31) + PATH.encode(),  # LBMSRS
        b"\0\0\0\2\0\0\0" + pack_u64(0x37FE) + bytes(9),
    ],
)
def test_what_looks_like_another_protocol(tshark: Tshark, tmp_path: Path, data: bytes) -> None:
    """It is cut, and still one chunk of the same bytes."""
    made = Recording(tmp_path / "r.pcapng")
    talk = made.open()
    talk.chunk(CLIENT, data)
    talk.close()
    made.save()
    assert taken(tshark, made.path) == []
    assert b"".join(chunk.data for chunk in chunks(items_of(made.path))) == data


def test_a_length_before_what_was_not_kept_looks_like_no_other_protocol(
    tshark: Tshark, tmp_path: Path
) -> None:
    made = Recording(tmp_path / "r.pcapng")
    talk = made.open()
    lengths = [*range(1, 300), *range(0x100, 0x10000, 0x101), 0x8000, 0x6000, 1 << 16, 1 << 20]
    for length in lengths:
        talk.chunk(CLIENT, pack_u64(length), 8 + length)
    talk.close()
    made.save()
    assert {protocols for _, protocols, _ in taken(tshark, made.path)} == {"raw:ip:tcp"}
    heads = [chunk.data for chunk in chunks(items_of(made.path)) if chunk.data]
    assert b"".join(heads) == b"".join(map(pack_u64, lengths))
    assert pack_u64(0x8000) in heads, "most take one packet"


def test_whoever_wants_no_heuristics_can_have_none(tshark: Tshark, tmp_path: Path) -> None:
    made = Recording(tmp_path / "r.pcapng")
    talk = made.open()
    talk.chunk(CLIENT, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    talk.close()
    made.save()
    assert len(taken(tshark, made.path)) == 1
    assert taken(tshark, made.path, "-d", f"tcp.port=={PORT},data") == []


def test_no_dissector_has_our_ports(tshark: Tshark) -> None:
    taken = {
        int(row[1])
        for line in tshark("-G", "decodes").splitlines()
        if (row := line.split("\t"))[0] in ("tcp.port", "tcp.port.ssl") and row[1].isdigit()
    }
    assert len(taken) > 100
    assert PORT not in taken
    assert not taken & set(CLIENT_PORTS)
    assert taken & set(range(49152, 65536)) <= {TAKEN_PORT}


def test_ports_used_again_are_other_streams(
    tshark: Tshark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("writer_thread", "stream_writer"):
        monkeypatch.setattr(f"pix_inspect.recording.{module}.CLIENT_PORTS", CLIENT_PORTS[:2])
    path = tmp_path / "s.pcapng"
    writer = RecordingWriter(path, about={}, interval=ASLEEP)
    for number in range(9):
        log = writer.open(Peer(), {}, time=START + number)
        log.chunk(CLIENT, START, b"request", 7)
        log.chunk(DAEMON, START, b"reply", 5)
        log.close(START)
        writer._scribe.turn()
    writer.close()
    assert warnings(tshark, path) == []
    assert {number for (number,) in fields(tshark, path, "tcp.stream")} == set("012345678")


def test_chunks_beyond_an_ip_packet_are_split_and_put_together(
    tshark: Tshark, tmp_path: Path
) -> None:
    made = Recording()
    talk = made.open()
    upload, answer = os.urandom(300_000), os.urandom(65_496)
    talk.chunk(CLIENT, b"before")
    talk.chunk(CLIENT, upload)
    talk.chunk(DAEMON, answer)
    talk.chunk(CLIENT, b"after")
    path = made.save(tmp_path / "s.pcapng")
    assert warnings(tshark, path) == []
    assert followed(tshark, path, 0) == [b"before" + upload + b"after", answer]
    assert max(int(length) for (length,) in fields(tshark, path, "ip.len")) == 65_535


def test_elided_bytes_are_known_to_be_missing(tshark: Tshark, tmp_path: Path) -> None:
    made = Recording()
    talk = made.open()
    talk.chunk(CLIENT, b"kept", 32 << 10)
    talk.chunk(CLIENT, b"x" * 70_000, 200_000)
    talk.chunk(DAEMON, b"", 1 << 20)
    talk.chunk(CLIENT, b"next request")
    talk.chunk(DAEMON, b"next reply")
    path = made.save(tmp_path / "s.pcapng")
    assert warnings(tshark, path) == []
    rows = fields(
        tshark, path, "frame.len", "frame.cap_len", "tcp.len", "tcp.seq", only="tcp.len>0"
    )
    assert rows[0] == [str(40 + (32 << 10)), "44", str(32 << 10), "1"]
    last = fields(tshark, path, "tcp.seq", "data.data", only="tcp.len == 12")
    assert last == [[str(1 + (32 << 10) + 200_000), b"next request".hex()]]


def test_a_connection_opens_and_ends(tshark: Tshark, tmp_path: Path) -> None:
    made = Recording()
    first, second, third = made.open(), made.open(), made.open()
    for talk in (first, second, third):
        talk.chunk(CLIENT, b"request")
    first.half_close(CLIENT)
    first.chunk(DAEMON, b"reply")
    first.half_close(DAEMON)
    first.close()
    second.reset(CLIENT)
    second.chunk(DAEMON, b"reply to nobody")
    second.close()
    third.close()
    path = made.save(tmp_path / "s.pcapng")
    assert warnings(tshark, path) == [
        "1   Sequence                TCP  Connection reset (RST)",
    ]
    for number, ends in ((0, ["0x0011"] * 2), (1, ["0x0014", "0x0011"]), (2, ["0x0011"] * 2)):
        flags = [
            flag for (flag,) in fields(tshark, path, "tcp.flags", only=f"tcp.stream=={number}")
        ]
        assert flags[:3] == ["0x0002", "0x0012", "0x0010"]
        assert [flag for flag in flags if flag not in ("0x0010", "0x0018")][2:] == ends


def test_all_ways_to_end(tshark: Tshark, tmp_path: Path) -> None:
    """Whatever comes in whatever order, only a real reset is a warning."""
    made = Recording()
    ways = [("half_close", side) for side in (0, 1)] + [("note", 0)]
    orders = [[a, b, c] for a in ways for b in ways for c in ways]
    for order in orders:
        talk = made.open()
        talk.chunk(CLIENT, b"request")
        for what, side in order:
            if what == "note":
                for _ in range(17):
                    talk.note(b'{"note":1}')
            else:
                talk.half_close(side)
                if talk.track.ended[1 - side] is None:
                    talk.chunk(1 - side, b"more")
        talk.close()
    path = made.save(tmp_path / "s.pcapng")
    assert warnings(tshark, path) == []
    notes = tshark("-r", path, "-q", "-z", "expert,note")
    assert "Duplicate ACK" not in notes
    assert "Retransmission" not in notes


@pytest.mark.parametrize("before", [0, 1, 8, 9, 4000, 70_000])
def test_sequence_numbers_wrap_around(tshark: Tshark, tmp_path: Path, before: int) -> None:
    made = Recording()
    talk = made.open()
    made.blocks = [section()]
    talk.track.offsets = [(1 << 32) - before, (1 << 32) - before]
    talk.resume({})
    sent = [b"", b""]
    for number in range(300):
        for side in (CLIENT, DAEMON):
            data = b"%d-%08d " % (side, number) * (1 + number % 50)
            talk.chunk(side, data)
            sent[side] += data
    talk.chunk(CLIENT, b"x" * 70_000)
    talk.close()
    path = made.save(tmp_path / "s.pcapng")
    assert warnings(tshark, path) == []
    assert followed(tshark, path, 0) == [sent[0] + b"x" * 70_000, sent[1]]


def test_gibibytes_one_way(tshark: Tshark, tmp_path: Path) -> None:
    """More than a window, and than half the sequence numbers, without a word back."""
    made = Recording()
    talk = made.open()
    talk.chunk(CLIENT, b"", 9 << 30)
    talk.chunk(DAEMON, b"done")
    path = made.save(tmp_path / "s.pcapng")
    assert warnings(tshark, path) == []
    assert fields(tshark, path, "data.data", only="ip.src == 127.0.0.2 && data") == [
        [b"done".hex()]
    ]


def test_many_small_packets_one_way(tshark: Tshark, tmp_path: Path) -> None:
    made = Recording()
    talk = made.open()
    for number in range(30_000):
        talk.chunk(DAEMON, b"line %05d\n" % number)
    path = made.save(tmp_path / "s.pcapng")
    assert warnings(tshark, path) == []
    assert len(fields(tshark, path, "tcp.seq", only="tcp.len > 0")) == 30_000


def test_two_threads_confirm_nothing_unseen(tshark: Tshark, tmp_path: Path) -> None:
    path = tmp_path / "s.pcapng"
    writer = RecordingWriter(path, about={}, interval=0.001)
    log = writer.open(Peer(), {})

    def speak(side: int) -> None:
        for number in range(5000):
            log.chunk(side, START + number, b"%06d" % number, 6)

    threads = [threading.Thread(target=speak, args=(side,)) for side in (CLIENT, DAEMON)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    assert warnings(tshark, path) == []


def test_payload_that_looks_like_other_protocols(tshark: Tshark, tmp_path: Path) -> None:
    """What guesses by content may claim it, yet finds nothing malformed."""
    made = Recording()
    for payload in (bytes(400), b"GET / HTTP/1.1\r\n\r\n", b"\x05\x00\x0b\x03" + bytes(12)):
        talk = made.open()
        talk.chunk(CLIENT, b"cxin" + bytes(4))
        talk.chunk(DAEMON, payload)
    path = made.save(tmp_path / "s.pcapng")
    assert warnings(tshark, path) == []


def test_losses_are_packets_of_their_true_length(tshark: Tshark, tmp_path: Path) -> None:
    made = Recording()
    talk = made.open()
    talk.chunk(CLIENT, b"before")
    talk.track.lose(
        CLIENT, Loss(90_000, 100_000, 3, START, START, "disk full"), made.blocks, 1 << 30
    )
    talk.chunk(CLIENT, b"after")
    path = made.save(tmp_path / "s.pcapng")
    assert warnings(tshark, path) == []
    rows = fields(tshark, path, "tcp.len", "frame.comment", only="frame.comment contains lost")
    assert rows[0][0] == "65495"
    assert '"bytes":90000,"passed":100000,"chunks":3' in rows[0][1]
    assert stream(items_of(path), 1, CLIENT) == (b"before" + b"." * 100_000 + b"after", 100_011)


# Files that rotated, were cut, compressed, edited; live


def test_each_rotated_file_alone(tshark: Tshark, tmp_path: Path) -> None:
    path = tmp_path / "s.pcapng"
    writer = RecordingWriter(path, about={}, interval=ASLEEP, max_size=20_000, keep=100)
    logs = [writer.open(Peer(), {}, resume=lambda: {"minor": 38}) for _ in range(3)]
    logs[1].half_close(CLIENT, START)
    for number in range(300):
        for log in logs:
            log.chunk(DAEMON, START + number, b"x" * 100, 100)
        logs[0].chunk(CLIENT, START + number, b"y", 1)
        writer._scribe.turn()
    writer.close()
    files = sorted(tmp_path.glob("*.pcapng"))
    assert len(files) > 5
    assert rotated(path, 5) in files
    for file in (files[0], rotated(path, 1), path):
        assert warnings(tshark, file) == []
        assert len({number for (number,) in fields(tshark, file, "tcp.stream")}) == 3


def test_a_cut_file_shows_its_whole_packets(tshark: Tshark, tmp_path: Path) -> None:
    made = Recording()
    talk = made.open()
    for _ in range(5):
        talk.chunk(CLIENT, b"request")
    path = tmp_path / "s.pcapng"
    path.write_bytes(made.data[:-5])
    text = tshark("-r", path, status=2)
    assert len(text.splitlines()) == 3 + 4
    assert len(chunks(items_of(path))) == 4


def test_compressed_files_are_opened_directly(tshark: Tshark, tmp_path: Path) -> None:
    made = Recording()
    made.open().chunk(CLIENT, b"request")
    path = tmp_path / "s.pcapng.gz"
    path.write_bytes(gzip.compress(made.data))
    assert warnings(tshark, path) == []


def test_what_wireshark_shows_of_a_connection(tshark: Tshark, tmp_path: Path) -> None:
    path = tmp_path / "s.pcapng"
    writer = RecordingWriter(path, about={}, interval=ASLEEP)
    for pid in (10, 20):
        log = writer.open(Peer(pid, 1000, command="nix build"), {"upstream": "/d"}, time=START)
        log.chunk(CLIENT, START + 898_000_007, b"cxin", 4)
        log.chunk(DAEMON, START + 898_000_008, b"dxio", 4)
    writer.close()
    names = ("frame.time_epoch", "frame.packet_flags_direction", "frame.interface_description")
    only = 'frame.interface_name == "conn-2" && tcp.len > 0'
    assert fields(tshark, path, *names, only=only) == [
        ["1700000000.898000008", "0x00000002", "pid 20 uid 1000 nix build"],
        ["1700000000.898000009", "0x00000001", "pid 20 uid 1000 nix build"],
    ]
    (comment,) = fields(tshark, path, "frame.comment", only="tcp.stream == 1 && frame.comment")
    assert comment == [
        '{"event":"open","connection":2,"peer":{"pid":20,"uid":1000,"command":"nix build"},'
        '"about":{"upstream":"/d"}}'
    ]


def test_what_editcap_leaves_is_read(tshark: Tshark, tmp_path: Path) -> None:
    if shutil.which("editcap") is None:
        pytest.skip("editcap is not installed")
    made = Recording()
    talks = [made.open(), made.open()]
    for number in range(10):
        for talk in talks:
            talk.chunk(CLIENT, b"request %d " % number)
    path, edited = made.save(tmp_path / "s.pcapng"), tmp_path / "edited.pcapng"
    subprocess.run(["editcap", "-r", path, edited, "4-6", "13-20"], check=True)
    reader = RecordingReader(edited)
    items = reader.poll()
    assert reader.warnings == []
    assert reader.connections[2]["connection"] == 2
    whole = b"".join(b"request %d " % number for number in range(10))
    for number in (1, 2):
        data, _ = stream(items, number, CLIENT)
        assert whole.startswith(data[data.rindex(b".") + 1 :], data.rindex(b".") + 1)
    opened = [event.note for event in events(items) if event.kind == "open"]
    assert [note is not None and "missing" in note for note in opened] == [False, True]


def test_live_through_a_pipe(tshark: Tshark, tmp_path: Path) -> None:
    command = ["tshark", "-l", "-i", "-", "-Y", "tcp.len > 0 || tcp.flags.fin == 1"]
    command += ["-T", "fields", "-e", "frame.interface_name", "-e", "tcp.payload"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    ) as live:
        assert live.stdin is not None
        assert live.stdout is not None
        writer = RecordingWriter(live.stdin, about={}, interval=0.002)
        for number in (1, 2):
            # a connection that opens while tshark runs: its interface comes in mid-stream
            log = writer.open(Peer(pid=number), {})
            log.chunk(CLIENT, START, b"cxin", 4)
            assert live.stdout.readline() == b"conn-%d\t%s\n" % (number, b"cxin".hex().encode())
        log.half_close(CLIENT, START)
        assert live.stdout.readline() == b"conn-2\t\n"
        writer.close()
        live.stdin.close()
        assert writer.failure is None
        assert live.stdout.read() == b""
    assert live.returncode == 0
