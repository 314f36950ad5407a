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
from pix.daemon.errors import without_colours
from pix.protocol import operations as op
from pix.protocol.logging import (
    ActivityType,
    ResultType,
    StderrNext,
    StderrResult,
    StderrStartActivity,
    StderrStopActivity,
)
from pix.protocol.types import QUERY_ACTIVE_BUILDS, REALISATION_WITH_PATH, BuildMode, BuildStatus
from tests.support.relaying import until
from tests.support.serving import ABSENT, VERSIONS, WAIT, Drv, client, serving, talking, watched


@contextmanager
def builder(version: str = "1.38", **options: Any) -> Iterator[DaemonConnection]:
    with watched(version, allow_build=True, **options) as connection:
        yield connection


def contents(c: DaemonConnection, path: str) -> bytes:
    """The bytes of a path that is one file."""
    data = b"".join(c.nar(path))
    size = int.from_bytes(data[88:96], "little")
    return data[96 : 96 + size]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_build_and_what_it_needs(version: str) -> None:
    with builder(version) as c:
        source = c.add_text_to_store("src", "source\n")
        lib = Drv(c, "cat $src > $out", "lib", sources=(source,), env={"src": source})
        script = "cat $lib > $out; echo $out $lib >> $out"
        top = Drv(c, script, "top", needs=(lib,), env={"lib": lib.out})
        c.build_paths([top.all])
        assert contents(c, top.out) == f"source\n{top.out} {lib.out}\n".encode()
        info = c.query_path_info(top.out)
        assert (info.deriver, info.references) == (top.path, sorted([lib.out, top.out]))
        assert c.query_path_info(lib.out).references == []
        assert c.call(op.QueryPathInfo(path=top.out)).info.ultimate
        c.build_paths([top.all])


@pytest.mark.parametrize("place", ["in place", "below", "memory"])
def test_builds_beside_any_store(place: str, tmp_path: Path) -> None:
    directory = f"{tmp_path}/s/store" if place == "in place" else "/nix/store"
    home = None if place == "memory" else tmp_path / "s"
    with builder(store=home, store_dir=directory) as c:
        drv = Drv(c, "mkdir $out; ln -s $out $out/me; echo $NIX_STORE >&2", store_dir=directory)
        c.build_paths([drv.all])
        assert c.query_path_info(drv.out).references == [drv.out]
        assert drv.out.encode() in b"".join(c.nar(drv.out))
        assert c.query_path_info(drv.out).nar_size == len(b"".join(c.nar(drv.out)))
    if home is not None:
        assert not list((home / "pix-inspect/new").iterdir())


def test_what_a_build_tells() -> None:
    heard: list[Any] = []
    script = (
        "echo one; echo two >&2;"
        'echo "@nix { \\"action\\": \\"setPhase\\", \\"phase\\": \\"p\\" }";'
        'echo "@nix nonsense"; printf "10%%\\r20%%\\n"; printf rest; echo > $out'
    )
    with serving(allow_build=True) as daemon, client(daemon, log=heard.append) as c:
        drv = Drv(c, script)
        c.build_paths([drv.all])
    starts = {f.id: f for f in heard if isinstance(f, StderrStartActivity)}
    stops = [f.id for f in heard if isinstance(f, StderrStopActivity)]
    assert sorted(starts) == sorted(stops)
    (build,) = (f for f in starts.values() if f.type == ActivityType.BUILD)
    assert build.text == f"building '{drv.path}'"
    assert build.fields == (drv.path, "", 1, 1)
    results = [f for f in heard if isinstance(f, StderrResult) and f.id == build.id]
    lines = [f.fields[0] for f in results if f.type == ResultType.BUILD_LOG_LINE]
    assert lines == ["one", "two", "@nix nonsense", "20%", "rest"]
    assert [f.fields for f in results if f.type == ResultType.SET_PHASE] == [("p",)]
    progress = [f.fields for f in heard if getattr(f, "type", None) == ResultType.PROGRESS]
    assert (1, 1, 0, 0) in progress


def test_old_clients_get_messages() -> None:
    heard: list[Any] = []
    options: dict[str, Any] = {"allow_build": True, "version": "1.18"}
    with serving(**options) as daemon, client(daemon, log=heard.append) as c:
        c.build_paths([Drv(c, "echo hello; echo > $out").all])
    texts = [f.text for f in heard if isinstance(f, StderrNext)]
    assert any(text.startswith("building '") and text.endswith("'...\n") for text in texts)
    assert "hello\n" in texts


@pytest.mark.parametrize("version", ["1.21", "1.25", "1.26", "1.38"])
def test_a_failure(version: str) -> None:
    with builder(version) as c:
        drv = Drv(c, "echo one; echo two; exit 3")
        with pytest.raises(NixDaemonError, match="builder failed with exit code 3") as caught:
            c.build_paths([drv.all])
        assert "> one" in str(caught.value)
        frame = caught.value.frame
        assert frame is not None
        assert version >= "1.26" or frame.status == 100
        assert drv.out not in c.query_all_valid_paths()


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("true", "failed to produce output path for output 'out'"),
        ("kill -9 $$", "failed due to signal 9"),
        ("mkfifo $out", "not a file, link or directory"),
        ("mkdir $out; chmod 0 $out; exit 1", "exit code 1"),
    ],
)
def test_failures_of_other_kinds(script: str, why: str, tmp_path: Path) -> None:
    for home, directory in ((None, "/nix/store"), (tmp_path, f"{tmp_path}/store")):
        with builder(store=home, store_dir=directory) as c:
            drv = Drv(c, script, store_dir=directory)
            (result,) = c.build_paths_with_results([drv.all])
            assert not isinstance(result.result.status, int) or result.result.status in (3, 5, 9)
            assert why in without_colours(result.result.error_msg)
        if home is not None:
            assert not os.path.lexists(drv.out)


@pytest.mark.parametrize("version", ["1.34", "1.36", "1.37", "1.38"])
def test_results(version: str) -> None:
    with builder(version) as c:
        good = Drv(c, "echo > $out; echo > $dev", "good", outputs=("out", "dev"))
        bad = Drv(c, "exit 1", "bad")
        path = c.add_text_to_store("x", "x")
        c.set_options(keep_going=1)
        asked = [f"{good.path}^dev", bad.all, path, ABSENT]
        results = c.build_paths_with_results(asked)
        assert [str(r.path).replace("!", "^") for r in results] == asked
        assert [r.result.status for r in results] == [
            BuildStatus.BUILT,
            BuildStatus.PERMANENT_FAILURE,
            BuildStatus.ALREADY_VALID,
            BuildStatus.NO_SUBSTITUTERS,
        ]
        (text,) = results[0].result.built_outputs.values()
        assert json.loads(text)["outPath"] == good.outputs["dev"][11:]
        assert results[0].result.times_built == 1
        assert results[0].result.stop_time >= results[0].result.start_time > 0


def test_results_by_path() -> None:
    with builder(features=(REALISATION_WITH_PATH,)) as c:
        drv = Drv(c, "echo > $out")
        (keyed,) = c.build_paths_with_results([drv.all])
        assert keyed.result.outputs["out"].out_path == drv.out


@pytest.mark.parametrize("version", ["1.18", "1.28", "1.38"])
def test_a_derivation_that_is_sent_along(version: str) -> None:
    with builder(version) as c:
        source = c.add_text_to_store("src", "s")
        drv = Drv(c, "cat $src > $out", sources=(source,), env={"src": source})
        result = c.build_derivation(drv.path, drv.basic)
        assert (result.status, contents(c, drv.out)) == (BuildStatus.BUILT, b"s")
        assert c.build_derivation(drv.path, drv.basic).status == BuildStatus.ALREADY_VALID
        absent = drv.basic
        absent.input_srcs = frozenset({ABSENT})
        assert c.build_derivation(drv.path, absent).status == BuildStatus.DEPENDENCY_FAILED
    with builder(version, trusted=False) as c, pytest.raises(NixDaemonError, match="privileged"):
        c.build_derivation(drv.path, drv.basic)


def test_repairing_is_for_trusted_clients() -> None:
    with talking(trusted=False, allow_build=True) as c:
        drv = Drv(c, "echo > $out")
        with pytest.raises(NixDaemonError, match="repairing is not allowed"):
            c.build_paths([drv.all], BuildMode.REPAIR)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"system": "riscv-plan9"}, "riscv-plan9"),
        ({"builder": "builtin:fetch-tree"}, "unsupported builtin builder 'fetch-tree'"),
        ({"builder": "/no/such/program"}, r"(?s)exit code 1.*executing '/no/such/program'"),
    ],
)
def test_what_cannot_be_built(options: dict[str, str], why: str) -> None:
    with builder() as c:
        with pytest.raises(NixDaemonError, match=why):
            c.build_paths([Drv(c, "true", **options).all])  # type: ignore[arg-type]
        with pytest.raises(NixDaemonError, match="no substituter"):
            c.build_paths([ABSENT])


def test_without_permission_nothing_is_run(tmp_path: Path) -> None:
    with watched() as c:
        drv = Drv(c, f"touch {tmp_path}/ran; echo > $out")
        with pytest.raises(NixDaemonError, match="started without --allow-build"):
            c.build_paths([drv.all])
        assert c.build_derivation(drv.path, drv.basic).status == BuildStatus.INPUT_REJECTED
    assert not list(tmp_path.iterdir())


def test_with_no_jobs_nothing_is_run() -> None:
    with builder() as c:
        c.set_options(max_build_jobs=0)
        drv = Drv(c, "echo > $out")
        with pytest.raises(NixDaemonError, match=r"local builds are disabled \(max-jobs = 0\)"):
            c.build_paths([drv.all])
        c.set_options(max_build_jobs=1, build_cores=7)
        c.build_paths([drv.all])
        told = Drv(c, "echo $NIX_BUILD_CORES > $out", "cores")
        c.build_paths([told.all])
        assert contents(c, told.out) == b"7\n"
        c.set_options(build_cores=0)
        told = Drv(c, "echo $NIX_BUILD_CORES > $out", "all-cores")
        c.build_paths([told.all])
        assert int(contents(c, told.out)) >= 1


def test_what_cannot_be_checked_or_is_not_there_is_an_error() -> None:
    with builder() as c:
        drv = Drv(c, "echo > $out")
        with pytest.raises(NixDaemonError, match=r"checking is not possible\nHint: --rebuild"):
            c.build_paths_with_results([drv.all], BuildMode.CHECK)
        with pytest.raises(NixDaemonError, match="does not have output 'nape'"):
            c.build_paths_with_results([f"{drv.path}^nope,nape"])
        assert c.query_missing([f"{drv.path}^nope"]) == c.query_missing([])


@pytest.mark.parametrize("version", ["1.21", "1.25"])
def test_exit_statuses_of_failures(version: str) -> None:
    with builder(version) as c:
        cases = {
            100: Drv(c, "exit 3", "fails"),
            101: Drv(c, "sleep 600", "slow"),
            102: Drv(c, "echo > $out", "hash", fixed=("sha256", "0" * 64)),
            1: Drv(c, "exit 3", "fetched", fixed=("sha256", "1" * 64)),
        }
        for status, drv in cases.items():
            # what ends by itself has time to, however busy the machine is
            c.set_options({"timeout": "1" if status == 101 else "60"}, keep_going=1)
            with pytest.raises(NixDaemonError) as caught:
                c.build_paths([drv.all])
            assert caught.value.status == status
        with pytest.raises(NixDaemonError) as caught:
            c.build_paths([ABSENT])
        assert caught.value.status == 1
        c.set_options({"timeout": "4"}, keep_going=1)
        with pytest.raises(NixDaemonError) as caught:
            c.build_paths([cases[101].all, cases[102].all])
        assert caught.value.status == 0x60 | 1 | 2 | 4


def test_running_builds_are_listed(tmp_path: Path) -> None:
    features = [QUERY_ACTIVE_BUILDS]
    with (
        serving(allow_build=True, features=features) as daemon,
        client(daemon, features=features) as c,
        client(daemon) as other,
    ):
        drv = Drv(c, f"until [ -e {tmp_path}/go ]; do sleep 0.05; done; echo > $out")
        thread = threading.Thread(target=other.build_paths, args=([drv.all],))
        thread.start()
        until(lambda: bool(c.query_active_builds()))
        (build,) = c.query_active_builds()
        assert (build["derivation"], build["clientPid"]) == (drv.path, os.getpid())
        (tmp_path / "go").write_text("")
        thread.join(WAIT)
        assert c.query_active_builds() == []
