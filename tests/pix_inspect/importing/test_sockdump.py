"""What sockdump writes of a Unix socket becomes a recording, in either order of processes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from struct import pack

import pytest

from pix.codec.gates import SERVE, WORKER, Family
from pix.codec.wire import pack_u64
from pix.conversation.exchange import CLIENT, DAEMON
from pix.problem import Problem
from pix_inspect import cli
from pix_inspect.importing.captures import Captured, captured
from pix_inspect.importing.packet_files import Packet
from pix_inspect.importing.raw_streams import Passed
from pix_inspect.importing.sockdump import USER0
from pix_inspect.session.session import Session
from tests.support import captures
from tests.support.captures import Run
from tests.support.recorded import steps
from tests.support.tcp_packets import TIME, pcap

LISTENING, ANSWERING, ASKING = 100, 4711, 31042
ASKED, ANSWERED = (pack_u64(magic) for magic in WORKER.magics)


def dumped(sent: Iterable[tuple[int, int, bytes]], *, sender_first: bool = False) -> bytes:
    """Return a file of what processes sent: from whom, to whom, what."""
    found = []
    for number, (sender, receiver, data) in enumerate(sent):
        processes = (sender, receiver) if sender_first else (receiver, sender)
        body = pack(">QQ", *processes) + data
        found.append(Packet(TIME + number * 1000, USER0, body, len(body)))
    return pcap(found, USER0)


def read(data: bytes, tmp_path: Path) -> tuple[list[Passed], Captured]:
    path = tmp_path / "dump.pcap"
    path.write_bytes(data)
    found = captured([path])
    return list(found.passed), found


@pytest.mark.parametrize("sender_first", [False, True])
@pytest.mark.parametrize("family", [WORKER, SERVE])
def test_who_is_the_client_shows_in_what_is_said(
    sender_first: bool, family: Family, tmp_path: Path
) -> None:
    asked, answered = map(pack_u64, family.magics)
    sent = [
        (1, 2, b"of somebody else"),
        (ASKING, LISTENING, asked),
        (ANSWERING, ASKING, answered),
        (ASKING, LISTENING, b"more"),
        (ASKING, LISTENING, asked),
        (ANSWERING + 1, ASKING, answered),
    ]
    found, capture = read(dumped(sent, sender_first=sender_first), tmp_path)
    assert [(each.connection, each.what, each.side, each.data) for each in found] == [
        (1, "open", None, b""),
        (1, "data", CLIENT, asked),
        (1, "data", DAEMON, answered),
        (1, "data", CLIENT, b"more"),
        (1, "close", None, b""),
        (2, "open", None, b""),
        (2, "data", CLIENT, asked),
        (2, "data", DAEMON, answered),
    ]
    assert found[0].peer is not None
    assert found[0].peer.pid == ASKING
    (remark,) = capture.remarks()
    assert "1 packet left out" in remark


def test_two_connections_at_once_of_a_process_are_not_told_apart(tmp_path: Path) -> None:
    sent = [
        (ASKING, LISTENING, ASKED),
        (ANSWERING, ASKING, ANSWERED),
        (ASKING, LISTENING, ASKED),
        (ASKING, LISTENING, b"of which?"),
        (ANSWERING + 1, ASKING, ANSWERED),
        (ANSWERING, ASKING, b"an answer of the first"),
        (7, LISTENING, ASKED),
    ]
    found, capture = read(dumped(sent), tmp_path)
    assert [(each.connection, each.data) for each in found if each.what == "data"] == [
        (1, ASKED),
        (1, ANSWERED),
        (2, ASKED),
    ]
    assert not any(each.what == "close" for each in found)
    (remark,) = capture.remarks()
    assert f"process {ASKING} had two connections at once" in remark


def test_bytes_beyond_what_sockdump_keeps_are_missing(tmp_path: Path) -> None:
    body = pack(">QQ", LISTENING, ASKING) + ASKED
    data = pcap([Packet(TIME, USER0, body, len(body) + 5)], USER0)
    found, _ = read(data, tmp_path)
    assert [(each.data, each.missing) for each in found if each.what == "data"] == [(ASKED, 5)]


def test_a_file_in_which_nobody_says_hello(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="no connection of a Nix client in this file of sockdump"):
        read(dumped([(1, 2, b"GET / HTTP/1.1")]), tmp_path)


def test_a_real_session_as_sockdump_has_it(captured_runs: tuple[Run, ...], tmp_path: Path) -> None:
    connection = captures.run("2.34.8-2.34.8/build-fail").connections[0]
    sent = [
        (ASKING, LISTENING, step.data) if step.side == CLIENT else (ANSWERING, ASKING, step.data)
        for step in steps(connection)
        if step.what == "data"
    ]
    (tmp_path / "dump.pcap").write_bytes(dumped(sent))
    made = tmp_path / "made.pcapng"
    assert cli.main(["import", str(tmp_path / "dump.pcap"), "-o", str(made)]) == 0
    session = Session(made).read_all()
    states = [session.row(i).state for i in range(len(session))]
    assert states.count("ok") > 3
    assert set(states) <= {"ok", "error"}
