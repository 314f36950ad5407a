"""What socat -x writes becomes a recording; connections at once, and lines run together, do not.

`socat-x.log` and `socat-x-v.log` are of socat 1.7.4 with `fork`, between Nix 2.34.8 and its daemon.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from pix.codec.wire import pack_u64
from pix.conversation.exchange import CLIENT, DAEMON
from pix.problem import Problem
from pix.protocol.handshake import CLIENT_MAGIC, DAEMON_MAGIC
from pix_inspect import cli
from pix_inspect.findings.collector import Findings
from pix_inspect.importing import socat
from pix_inspect.importing.captures import Captured, captured
from pix_inspect.importing.raw_streams import Passed
from pix_inspect.session.session import Session

HERE = Path(__file__).parent
ASKED, ANSWERED = pack_u64(CLIENT_MAGIC), pack_u64(DAEMON_MAGIC)
Said = tuple[str, int, bytes]


def log(*said: Said) -> str:
    """What socat -x writes: marks, from which byte on, bytes."""
    lines = []
    for i, (mark, start, data) in enumerate(said):
        end = start + len(data) - 1
        clock = f"2026/12/01 05:09:27.{i:06}"
        lines.append(f"{mark} {clock}  length={len(data)} from={start} to={end}")
        lines.append("".join(f" {byte:02x}" for byte in data))
    return "\n".join(lines) + "\n"


def read(text: str, folder: Path) -> tuple[list[Passed], Captured]:
    path = folder / "socat.log"
    path.write_text(text)
    found = captured([path])
    return list(found.passed), found


def spoken(passed: list[Passed]) -> list[tuple[int, int | None, bytes, int]]:
    return [(p.connection, p.side, p.data, p.missing) for p in passed if p.what == "data"]


@pytest.mark.parametrize(
    ("name", "operations"),
    [
        (
            "socat-x.log",
            ["handshake", "SetOptions", "AddToStore", "handshake", "SetOptions", "QueryPathInfo"],
        ),
        ("socat-x-v.log", ["handshake", "SetOptions", "IsValidPath"]),
    ],
)
def test_real_logs(name: str, operations: list[str], tmp_path: Path) -> None:
    made = tmp_path / "r.pcapng"
    assert cli.main(["import", str(HERE / name), "-o", str(made)]) == 0
    session = Session(made).read_all()
    rows = [session.row(i) for i in range(len(session))]
    assert [row.name for row in rows] == operations
    assert {row.state for row in rows} == {"ok"}
    assert all(0 < (row.took or 0) < 10**9 for row in rows)
    assert not Findings(session).finish().kept


@pytest.mark.parametrize("client", "><")
def test_whose_address_is_first_shows_in_the_hello(client: str, tmp_path: Path) -> None:
    daemon = "<" if client == ">" else ">"
    said = [(client, 0, ASKED), (daemon, 0, ANSWERED), (client, 8, b"more")]
    passed, found = read(log(*said), tmp_path)
    assert passed[0].what == "open"
    assert spoken(passed) == [
        (1, CLIENT, ASKED, 0), (1, DAEMON, ANSWERED, 0), (1, CLIENT, b"more", 0)
    ]  # fmt: skip
    assert [b.time - a.time for a, b in pairwise(passed[1:])] == [1000, 1000]
    assert not list(found.remarks())


def test_connections_that_go_on_at_once_are_left_out(tmp_path: Path) -> None:
    alone = [(">", 0, ASKED), ("<", 0, ANSWERED)]
    two = [(">", 0, ASKED), (">", 0, ASKED), ("<", 0, ANSWERED), ("<", 0, ANSWERED)]
    passed, found = read(log(*alone, *two, (">", 8, b"x"), *alone), tmp_path)
    assert {event.connection for event in passed} == {1, 4}
    (remark,) = found.remarks()
    assert "connection 2, 3 went on at once" in remark


def test_of_three_at_once_none_is_taken_for_one_that_said_little(tmp_path: Path) -> None:
    first = [(">", 0, ASKED), ("<", 0, ANSWERED)]
    passed, found = read(log(*first * 3, (">", 8, b"one"), (">", 8, b"second"), *first), tmp_path)
    assert {event.connection for event in passed} == {4}
    assert "connection 1, 2, 3 went on at once" in next(iter(found.remarks()))


def test_a_line_without_end_is_read_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socat, "_LONGEST", 100)
    passed, found = read(log((">", 0, ASKED), ("<", 0, bytes(1000)), (">", 8, b"x")), tmp_path)
    assert spoken(passed) == [(1, CLIENT, ASKED, 0), (1, DAEMON, b"", 1000), (1, CLIENT, b"x", 0)]
    assert "1 block cut off" in next(iter(found.remarks()))


def test_lines_that_ran_into_each_other_are_bytes_that_are_not_there(tmp_path: Path) -> None:
    text = log((">", 0, ASKED), ("<", 0, ANSWERED), (">", 8, b"abcd"))
    passed, _ = read(text.replace(" 61 62 63 64", " 61 62 63> 6 64"), tmp_path)
    assert spoken(passed)[-1] == (1, CLIENT, b"", 4)
    passed, _ = read(text.replace(" 61 62 63 64", " 61 6f 62 63 64"), tmp_path)
    assert spoken(passed)[-1] == (1, CLIENT, b"", 4)


def test_what_stands_before_the_first_hello_is_of_another(tmp_path: Path) -> None:
    passed, found = read(log(("<", 72, b"late"), (">", 0, ASKED)), tmp_path)
    assert spoken(passed) == [(1, CLIENT, ASKED, 0)]
    assert "1 block left out" in next(iter(found.remarks()))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (log((">", 0, b"GET / HTTP/1.1")), "no connection of a Nix client in this log of socat"),
        ("> 2026/12/01 05:09:27.000001  length=8 from=0 to=7\ncxin....", "-x keeps them"),
    ],
)
def test_a_log_without_a_conversation(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(Problem, match=said):
        read(text, tmp_path)


@pytest.mark.parametrize("day", ["2026/13/41", "9999/12/31", "0001/01/01"])
def test_a_day_that_there_is_not(day: str, tmp_path: Path) -> None:
    head, mark, rest = log((">", 0, ASKED), ("<", 0, ANSWERED)).partition("<")
    passed, found = read(head + (mark + rest).replace("2026/12/01", day), tmp_path)
    assert spoken(passed) == [(1, CLIENT, ASKED, 0), (1, DAEMON, ANSWERED, 0)]
    assert len({event.time for event in passed}) == 1
    assert not list(found.remarks())
