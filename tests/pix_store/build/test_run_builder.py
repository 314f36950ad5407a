"""A builder's surroundings, its limits, and how it is ended."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pix.daemon import DaemonConnection, NixDaemonError
from pix.protocol.logging import (
    ActivityType,
    ResultType,
    StderrNext,
    StderrResult,
    StderrStartActivity,
    StderrStopActivity,
)
from tests.support.relaying import until
from tests.support.serving import WAIT, Drv, client, serving, watched


@contextmanager
def builder(version: str = "1.38", **options: Any) -> Iterator[DaemonConnection]:
    with watched(version, allow_build=True, **options) as connection:
        yield connection


def contents(c: DaemonConnection, path: str) -> bytes:
    """The bytes of a path that is one file."""
    data = b"".join(c.nar(path))
    size = int.from_bytes(data[88:96], "little")
    return data[96 : 96 + size]


def test_the_builder_s_surroundings() -> None:
    script = (
        "cat $textPath; echo; env | grep -c . ; pwd; echo $HOME $NIX_BUILD_TOP; echo > $out;"
        "umask; ls -A; tty; cat"
    )
    heard: list[Any] = []
    with serving(allow_build=True) as daemon, client(daemon, log=heard.append) as c:
        drv = Drv(c, script, env={"text": "in a file\n", "passAsFile": "text"})
        os.environ["PIX_TEST_SECRET"] = "secret"
        try:
            c.build_paths([drv.all])
        finally:
            del os.environ["PIX_TEST_SECRET"]
    lines = [
        f.fields[0]
        for f in heard
        if isinstance(f, StderrResult) and f.type == ResultType.BUILD_LOG_LINE
    ]
    text = "\n".join(map(str, lines))
    assert text.startswith("in a file\n")
    assert "/homeless-shelter" in text
    assert "secret" not in text
    top = next(str(line) for line in lines if str(line).startswith("/homeless-shelter")).split()[1]
    assert f"\n{top}\n" in text
    assert not Path(top).exists()


def test_structured_attributes() -> None:
    attributes = {"list": ["a", "it's"], "flag": True, "map": {"k": 1}, "text": "t", "n": None}
    script = "/bin/cat $NIX_ATTRS_JSON_FILE; echo; /bin/cat $NIX_ATTRS_SH_FILE; exit 5"
    with builder() as c:
        drv = Drv(c, script, env={"__json": json.dumps(attributes)})
        with pytest.raises(NixDaemonError) as caught:
            c.build_paths([drv.all])
        first, *shell = (line for line in caught.value.log if not line.startswith("building"))
        assert json.loads(first) == attributes | {"outputs": {"out": drv.out}}
        assert shell == [
            f"declare -A outputs=(['out']='{drv.out}' )",
            "declare -a list=('a' 'it'\\''s' )",
            "declare flag=1",
            "declare -A map=(['k']=1 )",
            "declare text='t'",
            "declare n=''",
        ]
        bad = Drv(c, "true", "bad", env={"__json": "["})
        with pytest.raises(NixDaemonError, match="cannot process __json"):
            c.build_paths([bad.all])


@pytest.mark.parametrize("overrides", [{"timeout": "1"}, {}])
def test_time_limits(overrides: dict[str, str]) -> None:
    with builder() as c:
        c.set_options(overrides, max_silent_time=0 if overrides else 1)
        drv = Drv(c, "echo begun; sleep 600")
        with pytest.raises(NixDaemonError, match="timed out after 1 seconds"):
            c.build_paths([drv.all])


@pytest.mark.parametrize("end", ["client", "daemon"])
def test_a_build_ends_with_its_client_and_with_the_daemon(end: str, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with serving(allow_build=True) as daemon:
        with client(daemon) as c:
            drv = Drv(c, f"sh -c 'echo $$ > {pid}.new; mv {pid}.new {pid}; sleep 600' & wait")

            def build() -> None:
                with pytest.raises((NixDaemonError, OSError, ValueError)):
                    c.build_paths([drv.all])

            thread = threading.Thread(target=build)
            thread.start()
            until(pid.exists)
            process = Path("/proc") / pid.read_text().strip()
            if end == "client":
                assert c._dialogue is not None
                c._dialogue.stream._sock.shutdown(2)
            else:
                daemon.close()
            thread.join(WAIT)
            assert not thread.is_alive()
            until(lambda: not process.exists())
        until(lambda: not daemon.clients)


def test_what_a_builder_says_in_structure(tmp_path: Path) -> None:
    lines = [
        {"action": "msg", "level": 1, "msg": "a warning"},
        {"action": "msg", "level": 7, "msg": "not wanted"},
        {"action": "start", "id": 5, "level": 3, "type": 101, "text": "down", "fields": ["u"]},
        {"action": "result", "id": 5, "type": 105, "fields": [1, 2]},
        {"action": "result", "id": 6, "type": 105, "fields": [1, 2]},
        {"action": "stop", "id": 5},
        {"action": "stop", "id": 5},
        {"action": "start", "id": 7, "level": 3, "type": 101, "text": "left open"},
        {"action": "start", "id": 8, "level": 3, "type": 105, "text": "not a download"},
        {"action": "setPhase", "phase": "installPhase"},
    ]
    said = "\n".join(f"@nix {json.dumps(line)}" for line in lines)
    (tmp_path / "said").write_text(said + "\n")
    heard: list[Any] = []
    with serving(allow_build=True) as daemon, client(daemon, log=heard.append) as c:
        c.build_paths([Drv(c, f"cat {tmp_path}/said; echo > $out").all])
    assert [f.text for f in heard if isinstance(f, StderrNext)] == ["a warning\n"]
    started = {
        f.id: (f.text, f.fields)
        for f in heard
        if isinstance(f, StderrStartActivity) and f.type == ActivityType.FILE_TRANSFER
    }
    assert list(started.values()) == [("down", ("u",)), ("left open", ())]
    assert started.keys() <= {f.id for f in heard if isinstance(f, StderrStopActivity)}
    results = [f for f in heard if isinstance(f, StderrResult)]
    assert [f.fields for f in results if f.id in started] == [(1, 2)]
    assert [f.fields[0] for f in results if f.type == ResultType.SET_PHASE] == ["installPhase"]
    assert not [f for f in results if f.type == ResultType.BUILD_LOG_LINE]


@pytest.mark.parametrize(
    "line",
    [
        *("", "[]", "1", '"x"', "{}", "{", '{"action": 1}', '{"action": "other"}', "[" * 9999),
        *('{"action": "msg"}', '{"action": "msg", "msg": "x", "level": "y"}'),
        '{"action": "msg", "msg": "x", "level": 1e400}',
        '{"action": "start", "id": 1e400, "type": 101, "text": "x", "level": 1}',
        '{"action": "start", "id": 1, "type": 101, "text": "x", "level": 1, "fields": [-1]}',
        '{"action": "start", "id": 1, "type": 101, "text": "x", "level": 1, "fields": 7}',
        r'{"action": "start", "id": 1, "type": 101, "text": "\ud800", "level": 1}',
        '{"action": "setPhase"}',
    ],
)
def test_what_is_no_structure_is_a_line(line: str, tmp_path: Path) -> None:
    (tmp_path / "said").write_text(f"@nix {line}\n")
    heard: list[Any] = []
    with serving(allow_build=True) as daemon, client(daemon, log=heard.append) as c:
        c.build_paths([Drv(c, f"cat {tmp_path}/said; echo > $out").all])
        assert c.query_all_valid_paths()
    said = [f for f in heard if isinstance(f, StderrResult) and f.type == ResultType.BUILD_LOG_LINE]
    assert [f.fields for f in said] == [(f"@nix {line}",)]
