"""Logs of strace: each form of a line, and a real log of a client on a Unix socket."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pix.codec.gates import FAMILIES, Family
from pix.codec.wire import pack_u64
from pix.conversation.exchange import CLIENT, DAEMON
from pix.problem import Problem
from pix_inspect.importing.raw_streams import Passed
from pix_inspect.importing.remarks import Remarks
from pix_inspect.importing.strace import (
    calls,
    connections,
    is_strace,
    processes_of,
    strace_log,
    together,
    unescaped,
)
from tests.support import captures
from tests.support.captures import Run
from tests.support.recorded import steps
from tests.support.surroundings import lacking

HELLO = b"cxin\0\0\0\0\x26\1\0\0\0\0\0\0"
HEX = "".join(f"\\x{byte:02x}" for byte in HELLO)


def passed(log: str) -> list[Passed]:
    """What passed by a log, but for the direction that is not in it."""
    found = connections(sorted(calls(log.splitlines(keepends=True), 1_000)))
    return [event for event in found if event.data or not event.missing]


@pytest.mark.parametrize("family", FAMILIES)
def test_pipes_of_either_protocol_are_one_connection(family: Family) -> None:
    asked, answered = map(pack_u64, family.magics)
    ask, answer = ("".join(f"\\x{byte:02x}" for byte in said) for said in (asked, answered))
    log = f'write(5, "{ask}", 8) = 8\nread(6, "{answer}", 8) = 8\n'
    assert [(e.connection, e.side, e.data) for e in passed(log) if e.data] == [
        (1, CLIENT, asked),
        (1, DAEMON, answered),
    ]


def what(events: list[Passed]) -> list[tuple[int, str, int | None, bytes, int]]:
    return [(e.connection, e.what, e.side, e.data, e.missing) for e in events]


OPEN = (1, "open", None, b"", 0)
CLOSE = (1, "close", None, b"", 0)
SAID = (1, "data", CLIENT, HELLO, 0)


@pytest.mark.parametrize(
    "line",
    [
        f'write(3, "{HEX}", 16) = 16',
        f'[pid  77] write(3, "{HEX}", 16) = 16',
        f'77 write(3, "{HEX}", 16)     = 16',
        f'77 12:00:01 write(3, "{HEX}", 16) = 16',
        f'12:00:01.123456 write(3, "{HEX}", 16) = 16 <0.000012>',
        f'1700000000.123456 write(3, "{HEX}", 16) = 16',
        f'     0.000123 write(3, "{HEX}", 16) = 16',
        f'write(3<socket:[123]>, "{HEX}", 16) = 16',
        f'write(3<UNIX-STREAM:[12->34]>, "{HEX}", 16) = 16',
        f'write(3<UNIX-STREAM:[12->34,"\\x2f>\\x61"]>, "{HEX}", 16) = 16',
        f'sendto(3, "{HEX}", 16, MSG_NOSIGNAL, NULL, 0) = 16',
        f'writev(3, [{{iov_base="{HEX[:32]}", iov_len=8}}, '
        f'{{iov_base="{HEX[32:]}", iov_len=8}}], 2) = 16',
        f'sendmsg(3, {{msg_name=NULL, msg_namelen=0, msg_iov=[{{iov_base="{HEX}", iov_len=16}}], '
        "msg_iovlen=1, msg_controllen=0, msg_flags=0}, 0) = 16",
        'write(3, "cxin\\0\\0\\0\\0&\\1\\0\\0\\0\\0\\0\\0", 16) = 16',
        f'write(3, "{HEX}\\x41\\x42", 18) = 16',
        f'[pid  77<nix>] [   1] [00007fe268b62efe] write(3, "{HEX}", 16) = 16',
        f'77<\\x6e\\x69> 12:00:01.5 [   1] [????????????????] write(3, "{HEX}", 16) = 16',
        f'7 write(3, "{HEX}", 16 <unfinished ...>\n8 close(9) = 0\n7 <... write resumed>) = 16',
    ],
)
def test_forms_of_a_line(line: str) -> None:
    assert what(passed(line)) == [OPEN, SAID, CLOSE]


def test_the_side_that_is_traced() -> None:
    log = f'write(3, "{HEX}", 16) = 16\nread(3, "\\x6f", 99) = 1\n'
    assert [e.side for e in passed(log) if e.what == "data"] == [CLIENT, DAEMON]
    log = f'read(4, "{HEX}", 99) = 16\nwrite(4, "\\x6f", 1) = 1\n'
    assert [e.side for e in passed(log) if e.what == "data"] == [CLIENT, DAEMON]


@pytest.mark.parametrize(
    ("lines", "events"),
    [
        (['read(3, "", 9) = 0'], [(1, "half-close", DAEMON, b"", 0), CLOSE]),
        (["shutdown(3, SHUT_WR) = 0"], [(1, "half-close", CLIENT, b"", 0), CLOSE]),
        (["shutdown(3, SHUT_RD) = 0"], [CLOSE]),
        (["close(3) = 0", 'read(3, "\\x41", 9) = 1'], [CLOSE]),
        (['read(3, "\\x41"..., 9) = 5'], [(1, "data", DAEMON, b"A", 4), CLOSE]),
        (['read(3, 0x7ffe, 9) = -1 EAGAIN (Resource temporarily unavailable)'], [CLOSE]),
        (['read(5, "\\x41", 9) = 1'], [CLOSE]),
        (["read(3, garbage", "", "+++ exited with 0 +++", "--- SIGCHLD {x} ---"], [CLOSE]),
        (
            ["fork() = 9", "close(3) = 0", '9 read(3, "\\x41", 9) = 1'],
            [(1, "data", DAEMON, b"A", 0), CLOSE],
        ),
        (
            ["clone(child_stack=0x1, flags=CLONE_VM|CLONE_FILES) = 9", '9 read(3, "\\x41", 9) = 1'],
            [(1, "data", DAEMON, b"A", 0), CLOSE],
        ),
        (  # a thread of a process that has the descriptors for itself
            ["fork() = 9", "close(3) = 0", "9 clone(flags=CLONE_VM|CLONE_FILES) = 10",
             '10 read(3, "\\x41", 9) = 1'],
            [(1, "data", DAEMON, b"A", 0), CLOSE],
        ),
        (
            [f'write(3, "{HEX}", 16) = 16'],
            [CLOSE, (2, "open", None, b"", 0), (2, "data", CLIENT, HELLO, 0),
             (2, "close", None, b"", 0)],
        ),
    ],
)  # fmt: skip
def test_what_follows_the_hello(
    lines: list[str], events: list[tuple[int, str, int | None, bytes, int]]
) -> None:
    log = "\n".join([f'write(3, "{HEX}", 16) = 16', *lines])
    assert what(passed(log)) == [OPEN, SAID, *events]


def test_written_bytes_pass_when_the_call_begins_and_read_ones_when_it_ends() -> None:
    log = (
        f'1 1700000000.000001 write(3, "{HEX}", 16 <unfinished ...>\n'
        "2 1700000000.000002 read(3,  <unfinished ...>\n"
        "1 1700000000.000003 <... write resumed>) = 16\n"
        '2 1700000000.000004 <... read resumed>"\\x6f", 64) = 1\n'
    )
    assert [(e.time, e.side) for e in passed(log) if e.what == "data"] == [
        (1_700_000_000_000_001_000, CLIENT),
        (1_700_000_000_000_004_000, DAEMON),
    ]


def test_clocks_go_on_past_midnight() -> None:
    log = f'23:59:59.5 write(3, "{HEX}", 16) = 16\n00:00:01.5 read(3, "\\x41", 9) = 1\n'
    first, second = (e.time for e in passed(log) if e.what == "data")
    assert second - first == 2 * 10**9


REQUEST = "".join(f"\\x{byte:02x}" for byte in [11, *bytes(7), 1, *bytes(7), 97, *bytes(7)])
ANSWER = "".join(f"\\x{byte:02x}" for byte in b"stla\0\0\0\0\1\0\0\0\0\0\0\0")
CALLED_LATE = f'7 write(5, "{REQUEST}", 24) = 24\n7 read(5, "{ANSWER}", 99) = 16\n'


@pytest.mark.parametrize("digits", [14, 500, 5000])
def test_numbers_beyond_all_measure_are_none(digits: int) -> None:
    wild = "9" * digits
    log = (
        f'{wild}.5 write(3, "{HEX}", 16) = 16\n{wild} write(3, "{HEX}", 16) = 16\n'
        f'write({wild}, "{HEX}", 16) = 16\nwrite(3, "{HEX}", 16) = {wild}00000\n'
        f'1700000000.1 write(3, "{HEX}", 16) = 16\n'
    )
    assert [e.data for e in passed(log) if e.what == "data"] == [HELLO]


def test_who_comes_late_finds_connections_by_their_answers() -> None:
    remarks = Remarks()
    found = list(connections(calls(f"9 write(5, 1) = 1\n{CALLED_LATE}".splitlines(), 0), remarks))
    assert [(e.what, e.side, len(e.data)) for e in found] == [
        ("join", None, 0), ("data", CLIENT, 24), ("data", DAEMON, 16), ("close", None, 0)
    ]  # fmt: skip
    assert found[1].time < found[2].time
    assert "1 connection had begun before strace came" in next(remarks.lines("log"))


def test_a_request_is_not_that_of_a_descriptor_that_was_closed_or_said_something_else() -> None:
    asked, answered = CALLED_LATE.splitlines()
    for between in ("7 close(5) = 0", '7 write(5, "\\x41\\x42", 2) = 2'):
        events = passed("\n".join(["7 read(3, 1) = 1", asked, between, answered]))
        assert [(e.what, e.side) for e in events] == [
            ("join", None), ("data", DAEMON), ("close", None)
        ]  # fmt: skip


@pytest.mark.parametrize("client", [True, False])
def test_a_connection_over_two_pipes_is_one(client: bool) -> None:
    hello = "".join(f"\\x{byte:02x}" for byte in b"oixd\0\0\0\0\x26\1\0\0\0\0\0\0")
    say, hear = ("write(6", "read(9") if client else ("read(0", "write(1")
    log = f'{say}, "{HEX}", 16) = 16\n{hear}, "{hello}", 16) = 16\n{say}, "\\x41", 1) = 1\n'
    remarks = Remarks()
    found = list(connections(calls(f"read(3, 1) = 1\n{log}".splitlines(), 0), remarks))
    assert [(e.connection, e.what, e.side) for e in found] == [
        (1, "open", None), (1, "data", CLIENT), (1, "data", DAEMON), (1, "data", CLIENT),
        (1, "close", None),
    ]  # fmt: skip
    assert not list(remarks.lines("log"))
    list(connections(calls(log.splitlines()[:1], 0), remarks))
    assert "of connection 1 one direction only is in the log" in next(remarks.lines("log"))


def test_what_a_log_lacks_is_said() -> None:
    log = (
        f'10:00:00 write(3, "{HEX}", 16) = 16\n10:00:01 write(3, "\\x41"..., 100) = 100\n'
        '10:00:01 read(3, "\\x41", 9) = 1\n09:01:00 close(9) = 0\n+++ exited with 0 +++\n'
        " > /lib/libc.so(read+0x1) [0x2]\n\nwhat?\n"
        "7 10:00:02 (+     0.000013) [ 231] [????????????????] +++ exited with 0 +++\n"
        " | 00000  7f 45 4c 46 02 01 01 03  00 00 00 00 00 00 00 00  .ELF............ |\n"
        "% time     seconds  usecs/call     calls    errors syscall\n------ ----------- ---\n"
        " 25.62    0.002454           7       326           mmap\n"
    )
    remarks = Remarks()
    found = list(connections(calls(log.splitlines(), 0, 0, remarks), remarks))
    assert found[-3].missing == 99
    assert list(remarks.lines("log")) == [
        "log: strace cut off 99 bytes: -s 1000000 keeps them",
        "log: 1 line not understood, the first is line 8",
        "log: the clock was set back by up to 59 min 01 s: times stand still until it has caught"
        " up",
    ]


@pytest.mark.parametrize(
    "reads",
    [
        "1 read(6,  <unfinished ...>",
        "1 read(6, 0x7ffe, 9) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)",
        "1 read(6, 0x7ffe, 9) = -1 EAGAIN (Resource temporarily unavailable)",
        '1 read(6, "", 9) = 0',
        "",
    ],
)
def test_who_waits_in_vain_is_not_half_a_connection(reads: str) -> None:
    remarks = Remarks()
    log = f'1 write(6, "{HEX}", 16) = 16\n{reads}'
    found = list(connections(sorted(calls(log.splitlines(), 0)), remarks))
    half = [event for event in found if event.missing]
    assert [(event.side, event.data) for event in half] == ([] if reads else [(DAEMON, b"")])
    assert len(list(remarks.lines("log"))) == len(half)


@pytest.mark.parametrize("times", [True, False])
def test_the_files_of_processes_are_one_log(tmp_path: Path, times: bool) -> None:
    at = ["1700000000.1 ", "1700000000.2 ", "1700000000.3 "] if times else ["", "", ""]
    (tmp_path / "log.8").write_text(f'{at[1]}read(3, "\\x6f", 99) = 1\n')
    (tmp_path / "log.7").write_text(f'{at[0]}write(3, "{HEX}", 16) = 16\n{at[2]}clone() = 8\n')
    (tmp_path / "log.old").write_text("something else")
    files = processes_of(tmp_path / "log")
    assert [each.name for each in files] == ["log.7", "log.8"]
    assert together([tmp_path / "other", *files]) == [[tmp_path / "other"], files]
    assert [e.data for e in strace_log(files) if e.what == "data"][:1] == [HELLO]


@given(st.binary(max_size=40))
def test_unescaped(raw: bytes) -> None:
    assert unescaped("".join(f"\\x{byte:02x}" for byte in raw)) == raw
    assert unescaped("".join(f"\\{byte:03o}" for byte in raw)) == raw


PARTS = [
    "write(3, ", "read(3", '"', HEX, ") = 16", "\n", "<unfinished", " ...>", "<... read resumed>",
    "7 ", "\\", "iov_base=",
]  # fmt: skip


@given(st.lists(st.sampled_from(PARTS)))
def test_any_log_is_read_without_an_error(parts: list[str]) -> None:
    log = "".join(parts)
    is_strace(log.encode())
    passed(log)


def test_a_log_without_a_nix_client_says_how_to_trace(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text('read(3, "\\x41", 9) = 1\n')
    with pytest.raises(Problem, match="no connection of a Nix client in it; trace with"):
        list(strace_log([path]))


PLAYER = """
import socket, sys
end = socket.socket(socket.AF_UNIX); end.connect(sys.argv[1])
for line in open(sys.argv[2]):
    side, data = line.split()
    data = bytes.fromhex(data)
    if side == "0":
        end.sendall(data)
    else:
        while data:
            data = data[len(end.recv(len(data))):]
end.shutdown(socket.SHUT_WR)
end.close()
"""


@pytest.mark.parametrize("options", [["-ttt", "-Y", "-n", "-i"], ["-tt", "-yy"], ["-r"], []])
def test_a_real_log(options: list[str], captured_runs: tuple[Run, ...], tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        lacking("strace is not installed")
    connection = captures.run("2.34.8-2.34.8/add-tree").connections[0]
    turns = [step for step in steps(connection) if step.what == "data"]
    script = tmp_path / "script"
    script.write_text("".join(f"{step.side} {step.data.hex()}\n" for step in turns if step.data))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "socket"))
    listener.listen()
    listener.settimeout(60)

    def daemon() -> None:
        end, _ = listener.accept()
        end.settimeout(60)
        for step in turns:
            data = step.data
            if step.side == DAEMON:
                end.sendall(data)
            while step.side == CLIENT and data:
                data = data[len(end.recv(len(data))) :]
        end.close()

    thread = threading.Thread(target=daemon, daemon=True)
    thread.start()
    log = tmp_path / "log"
    command = ["strace", "-f", "-xx", "-s", "1000000", *options, "-o", str(log),
               sys.executable, "-c", PLAYER, str(tmp_path / "socket"), str(script)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if "Operation not permitted" in done.stderr:
        lacking("strace may not trace here")
    assert done.returncode == 0, done.stderr
    thread.join(60)
    listener.close()
    assert is_strace(log.read_bytes()[: 1 << 16])
    events = list(strace_log([log]))
    streams = [b"".join(e.data for e in events if e.side == side) for side in (CLIENT, DAEMON)]
    assert streams == [connection.c2s, connection.s2c]
    assert not any(e.missing for e in events)
    assert [e.what for e in events if e.what != "data"] == ["open", "half-close", "close"]
    assert [e.time for e in events] == sorted(e.time for e in events)
