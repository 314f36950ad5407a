"""`.nixwire` files, whole, cut and wrong."""

from __future__ import annotations

import contextlib
from pathlib import Path
from struct import pack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pix.conversation.exchange import CLIENT, DAEMON
from pix.problem import Problem
from pix_inspect.importing.nixwire import nixwire

EPOCH = 1_700_000_000_000_000_000
HEADER = pack("<8sHHQI", b"NIXWREC\0", 1, 0, EPOCH, 0)


def record(after: int, direction: int, data: bytes) -> bytes:
    return pack("<QBI", after, direction, len(data)) + data


@pytest.mark.parametrize("client", [0, 1])
def test_records_are_chunks_in_either_direction(client: int, tmp_path: Path) -> None:
    path = tmp_path / "x.nixwire"
    path.write_bytes(
        HEADER + record(5, client, b"cxin...") + record(9, 1 - client, b"oixd") + record(7, 0, b"")
    )
    assert [(e.time - EPOCH, e.what, e.side, e.data) for e in nixwire(path)] == [
        (0, "open", None, b""),
        (5, "data", CLIENT, b"cxin..."),
        (9, "data", DAEMON, b"oixd"),
        (9, "close", None, b""),
    ]


def test_a_cut_file_reads_up_to_there(tmp_path: Path) -> None:
    whole = HEADER + record(5, 0, b"cxin") + record(6, 1, b"oixd")
    path = tmp_path / "x.nixwire"
    for cut in range(len(HEADER), len(whole)):
        path.write_bytes(whole[:cut])
        data = [e.data for e in nixwire(path) if e.what == "data"]
        assert data == ([b"cxin"] if cut >= len(HEADER) + 17 else [])


def chunk(after: int, sender: bytes, data: bytes) -> bytes:
    return pack("<cQQ", sender, after, len(data)) + data


@pytest.mark.parametrize("head", [b"NIXWIRE1", b"NIXWIRE2" + pack("<H", 11) + b"/nix/stores"])
def test_chunks_of_the_other_recorder(head: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.nixwire"
    whole = head + chunk(5, b"C", b"cxin") + chunk(9, b"S", b"oixd...") + chunk(7, b"C", b"")
    for cut in (len(whole), len(whole) - 5):
        path.write_bytes(whole[:cut])
        start = path.stat().st_mtime_ns
        assert [(e.time - start, e.what, e.side, e.data) for e in nixwire(path)] == [
            (0, "open", None, b""),
            (5, "data", CLIENT, b"cxin"),
            (9, "data", DAEMON, b"oixd..."),
            (9, "close", None, b""),
        ]
    path.write_bytes(head + chunk(5, b"X", b"cxin"))
    with pytest.raises(Problem, match=r"a record of direction b'X' at \d+: C or S"):
        list(nixwire(path))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is not a .nixwire file"),
        (b"NIXWREC\0", "is not a .nixwire file"),
        (HEADER[:8] + b"\2" + HEADER[9:], "of version 2: only 1 is known"),
        (HEADER + record(1, 7, b"x"), "a record of direction 7 at 37: 0 or 1"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.nixwire"
    path.write_bytes(data)
    with pytest.raises(Problem, match=said):
        list(nixwire(path))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="cannot read"):
        list(nixwire(tmp_path / "none"))


@given(st.binary(max_size=100))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes(tmp_path: Path, rest: bytes) -> None:
    path = tmp_path / "x.nixwire"
    path.write_bytes(HEADER + rest)
    with contextlib.suppress(Problem):
        assert all(len(e.data) <= len(rest) for e in nixwire(path))
