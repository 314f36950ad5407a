"""The client against real daemons: every operation they have, of four Nix versions."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import shutil
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from pix.codec.errors import EncodeError
from pix.codec.nar import check
from pix.codec.payload import FRAME_SIZE
from pix.conversation import CLIENT, DAEMON, Conversation
from pix.daemon import DaemonConnection, NixDaemonError
from pix.daemon.upload import Item
from pix.protocol import operations as op
from pix.protocol.logging import StderrNext, StderrResult, StderrStartActivity
from pix.protocol.types import (
    BasicDerivation,
    BuildStatus,
    DerivationOutput,
    GCAction,
    TrustedFlag,
    UnkeyedValidPathInfo,
    ValidPathInfo,
)
from tests.real_nix.daemons import Daemon, running
from tests.real_nix.lab import Nix
from tests.real_nix.recorder import Recorder, Streams
from tests.support.nars import nar, tokens
from tests.support.words import text

pytestmark = pytest.mark.real_nix

SPEAKS = {"2.3.7": 0x115, "2.8.0": 0x122, "2.26.3": 0x126, "2.34.8": 0x126}
TREE = nar(
    {b"a": b"x" * 100, b"dir": {b"link": ("symlink", b"../a")}, b"run": ("executable", b"#")}
)


def connected(daemon: Daemon, socket: Path | None = None, **options: Any) -> DaemonConnection:
    return DaemonConnection(socket or daemon.socket, timeout=120, **options).connect()


Reach: TypeAlias = "Callable[..., DaemonConnection]"


@pytest.fixture
def reach(daemon: Daemon) -> Iterator[Reach]:
    """Connects to the daemon, with options; closes what it opened."""
    with ExitStack() as opened:
        yield lambda **options: opened.enter_context(connected(daemon, **options))


@pytest.fixture
def store(reach: Reach) -> DaemonConnection:
    return reach()


class Made:
    """A file's NAR of any size that is nowhere whole: read as a file, in whatever sizes."""

    def __init__(self, size: int) -> None:
        words = (b"nix-archive-1", b"(", b"type", b"regular", b"contents")
        self.start = tokens(*words) + size.to_bytes(8, "little")
        self.end = bytes(-size & 7) + text(b")")
        self.left = size
        self.size = len(self.start) + size + len(self.end)

    def read(self, size: int, /) -> bytes:
        if self.start:
            piece, self.start = self.start[:size], self.start[size:]
        elif self.left:
            piece = bytes(min(size, self.left))
            self.left -= len(piece)
        else:
            piece, self.end = self.end[:size], self.end[size:]
        return piece


class Digest:
    """A target that keeps a hash and the longest piece."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self.longest = 0

    def write(self, data: bytes, /) -> None:
        self.hash.update(data)
        self.longest = max(self.longest, len(data))


def info_of(path: str, data: bytes) -> ValidPathInfo:
    digest = hashlib.sha256(data).hexdigest()
    known = UnkeyedValidPathInfo(nar_hash=digest, references=frozenset(), nar_size=len(data))
    return ValidPathInfo(path=path, info=known)


def renamed(path: str, digit: str) -> str:
    """A store path of the same store and name with another hash."""
    folder, _, base = path.rpartition("/")
    return f"{folder}/{digit * 32}{base[32:]}"


SYSTEM = f"{os.uname().machine}-linux"
NIX32 = "0123456789abcdfghijklmnpqrsvwxyz"


def nix32(raw: bytes) -> str:
    number = int.from_bytes(raw, "little")
    digits = (len(raw) * 8 + 4) // 5
    return "".join(NIX32[number >> 5 * i & 31] for i in reversed(range(digits)))


def aterm(script: str, name: str, out: str) -> str:
    env = f'("builder","/bin/sh"),("name","{name}"),("out","{out}"),("system","{SYSTEM}")'
    outputs = f'[("out","{out}","","")]'
    return f'Derive({outputs},[],[],"{SYSTEM}","/bin/sh",["-c","{script}"],[{env}])'


class Drv:
    """A derivation that runs a script, without inputs; Nix checks that its output path is right."""

    def __init__(self, store: DaemonConnection, script: str, name: str = "trivial") -> None:
        folder = store.add_text_to_store("probe", "").rpartition("/")[0]
        digest = hashlib.sha256(aterm(script, name, "").encode()).hexdigest()
        full = hashlib.sha256(f"output:out:sha256:{digest}:{folder}:{name}".encode()).digest()
        folded = bytearray(20)
        for i, byte in enumerate(full):
            folded[i % 20] ^= byte
        self.out = f"{folder}/{nix32(bytes(folded))}-{name}"
        self.path = store.add_text_to_store(f"{name}.drv", aterm(script, name, self.out))
        self.basic = BasicDerivation(
            outputs={"out": DerivationOutput(path=self.out)},
            input_srcs=frozenset(),
            platform=SYSTEM,
            builder="/bin/sh",
            args=("-c", script),
            env={"builder": "/bin/sh", "name": name, "out": self.out, "system": SYSTEM},
        )


def understood(streams: Streams) -> None:
    """Hold both streams of a connection to be exchanges from the first byte to the last."""
    conversation = Conversation(lockstep=True)
    conversation.feed(CLIENT, streams.c2s)
    conversation.feed(DAEMON, streams.s2c)
    conversation.close()
    assert len(conversation.exchanges) > 15
    for exchange in conversation.exchanges:
        assert exchange.kind in ("handshake", "operation"), exchange.notes
        assert exchange.complete, (exchange.operation, exchange.notes)
        assert not exchange.notes


def contents(store: DaemonConnection, path: str) -> bytes:
    """The bytes of a store path that is a file."""
    target = io.BytesIO()
    store.nar_from_path(path, target)
    (entry,), _ = check(target.getvalue())
    return target.getvalue()[entry.offset : entry.offset + entry.size]


# greeting, questions


def test_greets(nix: Nix, store: DaemonConnection) -> None:
    assert store.daemon_version == SPEAKS[nix.label]
    if nix.number < (2, 7):
        assert store.daemon_nix_version is None
    else:
        assert store.daemon_nix_version == nix.version
    assert store.trusted == (TrustedFlag.TRUSTED if nix.number >= (2, 15) else 0)


def test_text_and_what_is_known_of_it(store: DaemonConnection) -> None:
    first = store.add_text_to_store("first", "hello")
    second = store.add_text_to_store("second", f"see {first}", references=[first])
    missing = renamed(first, "0")
    assert contents(store, second) == f"see {first}".encode()
    assert store.is_valid_path(first)
    assert not store.is_valid_path(missing)
    assert store.query_valid_paths([first, missing]) == {first}
    assert store.query_valid_paths([first, missing], substitute=True) == {first}
    assert store.query_all_valid_paths() == {first, second}
    assert store.query_referrers(first) == {second}
    assert store.query_path_from_hash_part(second.rpartition("/")[2][:32]) == second
    assert store.query_path_from_hash_part("0" * 32) is None
    assert store.query_substitutable_paths([first, missing]) == set()
    assert store.query_valid_derivers(first) == set()
    info = store.query_path_info(second)
    data = nar(f"see {first}".encode())
    assert info.references == [first]
    assert (info.nar_size, info.nar_hash_hex) == (len(data), hashlib.sha256(data).hexdigest())
    assert info.registration_time > 0
    assert (info.deriver, info.sigs) == ("", [])
    store.ensure_path(first)
    store.add_temp_root(first)
    store.optimise_store()
    store.set_options({"log-lines": "5"}, keep_failed=0, verbosity=3)
    assert store.verify_store(check_contents=True) is False


def test_errors_that_leave_the_connection_usable(store: DaemonConnection) -> None:
    path = store.add_text_to_store("x", "x")
    for _ in range(2):
        with pytest.raises(NixDaemonError, match="is not valid"):
            store.query_path_info(renamed(path, "0"))
        with pytest.raises(NixDaemonError) as caught:
            store.ensure_path(renamed(path, "0"))
        assert caught.value.frame is not None
        assert "\x1b" not in caught.value.message
        assert not caught.value.message.startswith("error:")
    assert store.is_valid_path(path)


def test_errors_that_end_the_connection_say_so(
    store: DaemonConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pix.daemon.dialogue.CLOSING", 60)  # however busy the machine is
    path = store.add_text_to_store("x", "x")
    with pytest.raises(NixDaemonError, match="not in the Nix store"):
        store.query_referrers("/nonsense")
    with pytest.raises(NixDaemonError, match="gave up after its last error"):
        store.is_valid_path(path)
    assert store.connect().is_valid_path(path)


# files and trees


@pytest.mark.parametrize("method", ["fixed:r:sha256", "fixed:r:sha1"])
def test_tree_there_and_back(store: DaemonConnection, method: str) -> None:
    path = store.add_to_store("tree", io.BytesIO(TREE), method)
    target = io.BytesIO()
    assert store.nar_from_path(path, target) == len(TREE)
    assert target.getvalue() == TREE
    assert (Path(path) / "dir/link").readlink() == Path("../a")


@pytest.mark.parametrize("method", ["fixed:sha256", "fixed:sha512", "text:sha256"])
def test_file_there_and_back(store: DaemonConnection, method: str) -> None:
    path = store.add_to_store("file", iter([b"some ", b"bytes \xff"]), method)
    assert contents(store, path) == b"some bytes \xff"


def test_large_file_there_and_back_in_constant_memory(store: DaemonConnection) -> None:
    size = 64 << 20
    every = Made(size)
    digest = Digest()
    while piece := every.read(FRAME_SIZE):
        digest.write(piece)
    back = Digest()
    tracemalloc.start()
    try:
        path = store.add_to_store("large", Made(size))
        assert store.nar_from_path(path, back) == Made(size).size
        known = store.query_path_info(path)
        copy = ValidPathInfo(
            path=renamed(path, "1"),
            info=UnkeyedValidPathInfo(
                nar_hash=known.nar_hash_hex, references=frozenset(), nar_size=known.nar_size
            ),
        )
        store.add_to_store_nar(copy, Made(size), dont_check_sigs=True)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    assert back.hash.digest() == digest.hash.digest()
    assert known.nar_hash_hex == digest.hash.hexdigest()
    assert store.is_valid_path(copy.path)


def test_paths_with_metadata(store: DaemonConnection) -> None:
    probe = store.add_text_to_store("tree", "")
    one, two, three = (renamed(probe, digit) for digit in "123")
    first = info_of(one, TREE)
    first.info.sigs = frozenset({SIGNATURE})
    store.add_to_store_nar(first, io.BytesIO(TREE), dont_check_sigs=True)
    assert store.query_path_info(one).sigs == [SIGNATURE]
    store.add_to_store_nar(first, TREE, dont_check_sigs=True)  # valid already
    last = info_of(three, TREE)
    last.info.references = frozenset({two})
    items: list[Item] = [(info_of(two, TREE), TREE), (last, io.BytesIO(TREE))]
    store.add_multiple_to_store(items, dont_check_sigs=True)
    assert store.query_referrers(two) == {three}
    wrong = info_of(renamed(probe, "4"), TREE)
    wrong.info.nar_hash = "0" * 64
    with pytest.raises(NixDaemonError, match="hash mismatch"):
        store.add_to_store_nar(wrong, TREE, dont_check_sigs=True)


SIGNATURE = "example.org-1:" + base64.b64encode(bytes(64)).decode()


def test_signatures(store: DaemonConnection) -> None:
    path = store.add_text_to_store("signed", "x")
    store.add_signatures(path, [SIGNATURE])
    assert store.query_path_info(path).sigs == [SIGNATURE]


def test_export_and_import(nix: Nix, store: DaemonConnection) -> None:
    path = store.add_text_to_store("exported", "x")
    if nix.number >= (2, 32):
        with pytest.raises(NixDaemonError):
            store.call(op.ExportPath(path=path))
        return
    record = store.call(op.ExportPath(path=path)).export
    store.close()  # what was added on a connection stays alive with it
    store.connect().collect_garbage(GCAction.DELETE_SPECIFIC, [path])
    assert not store.is_valid_path(path)
    stream = (1).to_bytes(8, "little") + record + bytes(8)
    assert store.import_paths(io.BytesIO(stream)) == [path]
    assert contents(store, path) == b"x"


# building


def test_build(nix: Nix, reach: Reach) -> None:
    frames: list[Any] = []
    store = reach(log=frames.append)
    drv = Drv(store, "echo building; echo made > $out")
    missing = store.query_missing([f"{drv.path}^out"])
    assert missing.will_build == {drv.path}
    store.build_paths([f"{drv.path}^*"])
    assert contents(store, drv.out) == b"made\n"
    said = [f.text for f in frames if isinstance(f, (StderrNext, StderrStartActivity))]
    lines = [f.fields[0] for f in frames if isinstance(f, StderrResult) and f.type == 101]
    assert any(drv.path in text for text in said)
    assert lines == ["building"]
    assert store.query_valid_derivers(drv.out) == {drv.path}
    assert store.query_path_info(drv.out).deriver == drv.path
    store.build_paths([f"{drv.path}^out", drv.out])
    store.build_paths([f"{drv.path}^out"], build_mode=2)
    if nix.number >= (2, 4):
        assert store.query_derivation_output_map(drv.path) == {"out": drv.out}
        store.build_paths([drv.path])
    else:
        names = store.call(op.QueryDerivationOutputNames(path=drv.path)).names
        assert names == {"out"}
        with pytest.raises(EncodeError, match="cannot ask for a derivation itself"):
            store.build_paths([drv.path])


def test_build_that_fails(nix: Nix, store: DaemonConnection) -> None:
    drv = Drv(store, "echo no such luck; exit 3", "failing")
    with pytest.raises(NixDaemonError) as caught:
        store.build_paths([f"{drv.path}^out"])
    assert drv.path in caught.value.message
    assert caught.value.status == (100 if nix.number < (2, 4) else None)
    assert "no such luck" in "\n".join((*caught.value.log, caught.value.message))
    assert store.is_valid_path(drv.path)


def test_builds_with_results(nix: Nix, store: DaemonConnection) -> None:
    good, bad = Drv(store, "echo > $out", "good"), Drv(store, "exit 1", "bad")
    asked = [f"{good.path}^out", f"{bad.path}^out"]
    if nix.number < (2, 8):
        with pytest.raises(NixDaemonError, match=r"came with 1\.34"):
            store.build_paths_with_results(asked)
        return
    store.set_options(keep_going=1)
    results = {r.path: r.result.status for r in store.build_paths_with_results(asked)}
    assert results == {
        f"{good.path}!out": BuildStatus.BUILT,
        f"{bad.path}!out": BuildStatus.PERMANENT_FAILURE,
    }


def test_build_of_a_derivation_that_is_sent(nix: Nix, store: DaemonConnection) -> None:
    drv = Drv(store, "echo sent > $out", "sent")
    result = store.build_derivation(drv.path, drv.basic)
    assert result.status == BuildStatus.BUILT
    assert (result.cpu_user is not None) <= (nix.number >= (2, 20))
    assert contents(store, drv.out) == b"sent\n"
    failing = Drv(store, "exit 1", "failing")
    assert store.build_derivation(failing.path, failing.basic).error_msg


def test_build_log(nix: Nix, daemon: Daemon, store: DaemonConnection) -> None:
    drv = Drv(store, "echo > $out", "logged")
    if nix.number < (2, 4):
        with pytest.raises(NixDaemonError, match=r"came with 1\.32"):
            store.add_build_log(drv.path, b"log")
        return
    store.add_build_log(drv.path, io.BytesIO(b"a line\n" * 100_000))
    assert b"a line" in daemon.client().run("nix-store", "--read-log", drv.path).stdout
    assert store.is_valid_path(drv.path)


def test_realisations(nix: Nix, store: DaemonConnection) -> None:
    path = store.add_text_to_store("realised", "x")
    output = f"sha256:{'ab' * 32}!out"
    if nix.number < (2, 4):
        with pytest.raises(NixDaemonError, match=r"came with 1\.27"):
            store.query_realisation(output)
        return
    assert store.query_realisation(output).realisations == ()
    store.register_drv_output(output, path)
    (text,) = store.query_realisation(output).realisations
    assert json.loads(text)["outPath"] == path.rpartition("/")[2]


# roots and garbage


def test_garbage(store: DaemonConnection) -> None:
    dead, kept = store.add_text_to_store("dead", "x"), store.add_text_to_store("kept", "y")
    store.close()  # what was added on a connection stays alive with it
    store.connect()
    store.add_temp_root(kept)
    assert dead in store.collect_garbage(GCAction.RETURN_DEAD).paths
    assert store.collect_garbage(GCAction.RETURN_LIVE).paths == (kept,)
    freed = store.collect_garbage(GCAction.DELETE_SPECIFIC, [dead])
    assert freed.paths == (dead,)
    assert freed.bytes_freed > 0
    assert not store.is_valid_path(dead)
    with pytest.raises(NixDaemonError, match="still alive"):
        store.collect_garbage(GCAction.DELETE_SPECIFIC, [kept])
    assert store.is_valid_path(kept)


def test_roots(nix: Nix, daemon: Daemon, store: DaemonConnection) -> None:
    path = store.add_text_to_store("rooted", "x")
    link = daemon.state.folder / "tmp/link"
    link.symlink_to(path)
    store.add_indirect_root(str(link))
    assert (str(link), path) in [(root.link, root.target) for root in store.find_roots()]
    other = str(daemon.state.folder / "tmp/perm")
    if nix.number < (2, 20):
        with pytest.raises(NixDaemonError, match=r"came with 1\.36"):
            store.add_perm_root(path, other)
        return
    assert store.add_perm_root(path, other) == other
    assert {str(link), other} <= {root.link for root in store.find_roots()}


# older versions, and clients that are not trusted


@pytest.mark.parametrize("nix", ["2.8.0", "2.34.8"], indirect=True)
def test_every_version_from_1_18_on(nix: Nix, daemon: Daemon) -> None:
    """And an observer understands every byte that passes."""
    newest = SPEAKS[nix.label] & 0xFF
    for minor in range(18, newest + 1):
        listen = daemon.state.folder / f"recorder-{minor}"
        recorder = Recorder(listen, daemon.socket)
        with recorder, connected(daemon, socket=listen, version=f"1.{minor}") as store:
            assert store.daemon_version == 0x100 | minor
            text = store.add_text_to_store(f"text-{minor}", "hello")
            assert store.query_path_info(text).nar_size == 120
            tree = store.add_to_store(f"tree-{minor}", TREE)
            flat = store.add_to_store(f"flat-{minor}", b"flat", "fixed:sha1")
            assert contents(store, flat) == b"flat"
            assert b"".join(store.nar(tree)) == TREE
            copy = info_of(renamed(tree, "1"), TREE)
            store.add_to_store_nar(copy, io.BytesIO(TREE), dont_check_sigs=True)
            more: list[Item] = [(info_of(renamed(tree, digit), TREE), TREE) for digit in "23"]
            store.add_multiple_to_store(more, dont_check_sigs=True)
            valid = {text, tree, flat, copy.path, *(item[0].path for item in more)}
            assert store.query_valid_paths(valid, substitute=True) == valid
            drv = Drv(store, f"echo {minor} > $out", f"built-{minor}")
            store.build_paths([f"{drv.path}^out"])
            assert contents(store, drv.out) == f"{minor}\n".encode()
            failing = Drv(store, f"exit {minor}", f"failing-{minor}")
            with pytest.raises(NixDaemonError) as caught:
                store.build_paths([f"{failing.path}^*"])
            assert caught.value.status == (100 if minor < 26 else None)
            store.close()
            recorder.settle()
            understood(recorder.connections[-1])


@pytest.mark.parametrize("nix", ["2.8.0", "2.26.3", "2.34.8"], indirect=True)
def test_log_from_a_client_that_is_not_trusted(nix: Nix) -> None:
    """The daemon refuses it without reading the frames, so the connection is lost."""
    with running(nix, trusted=False) as daemon, connected(daemon) as store:
        drv = Drv(store, "exit 0").path
        with pytest.raises(NixDaemonError, match=r"privilege|trusted"):
            store.add_build_log(drv, (b"line\n" * 1000 for _ in range(10_000)))
        with pytest.raises(NixDaemonError, match="this connection is over"):
            store.is_valid_path(drv)


@pytest.mark.parametrize("nix", ["2.8.0", "2.26.3", "2.34.8"], indirect=True)
def test_refusals_that_leave_a_request_unread(nix: Nix, tmp_path: Path) -> None:
    """All was sent when the error comes; the next call says so, or has a new connection."""
    refused: list[Callable[[DaemonConnection], object]] = [
        lambda store: store.add_build_log(drv, b"line\n"),
        lambda store: store.add_to_store("x", b"x", "fixed:sha3"),
    ]
    if nix.number >= (2, 20):
        refused.append(lambda store: store.add_perm_root(drv, str(tmp_path / "root")))
    with running(nix, trusted=False) as daemon, connected(daemon, reconnect=True) as anew:
        for call in refused:
            with connected(daemon) as store:
                drv = Drv(store, "exit 0").path
                with pytest.raises(NixDaemonError) as caught:
                    call(store)
                assert caught.value.frame is not None
                with pytest.raises(NixDaemonError, match="this connection is over"):
                    store.is_valid_path(drv)
            with pytest.raises(NixDaemonError, match=re.escape(str(caught.value))):
                call(anew)
            assert anew.is_valid_path(drv)


def test_hash_as_nix_says_it(daemon: Daemon, store: DaemonConnection) -> None:
    path = store.add_text_to_store("x", "x")
    said = daemon.client().run("nix-store", "--query", "--hash", path).stdout.decode().strip()
    assert store.query_path_info(path).nar_hash == said


def test_path_that_is_not_valid_has_no_nar(store: DaemonConnection) -> None:
    path = store.add_text_to_store("x", "x")
    target = io.BytesIO()
    with pytest.raises(NixDaemonError, match=r"is not (a )?valid|does not exist|No such file"):
        store.nar_from_path(renamed(path, "0"), target)
    with pytest.raises(NixDaemonError, match="this connection is over"):
        store.is_valid_path(path)


def test_tree_that_changes_under_its_nar(store: DaemonConnection) -> None:
    """The daemon finds out in the middle of the NAR; its error stands among the contents."""
    path = store.add_to_store("tree", nar({b"a": bytes(1 << 20), b"b": b"x"}))
    place = Path(path)
    place.chmod(0o755)
    shutil.rmtree(place)
    with pytest.raises(NixDaemonError, match=r"No such file|does not exist"):
        store.nar_from_path(path, io.BytesIO())


def test_silence_of_a_build(store: DaemonConnection, reach: Reach) -> None:
    drv = Drv(store, "while :; do :; done", "endless")
    hasty = reach()
    assert hasty._dialogue is not None
    hasty._dialogue.stream.timeout = 0.2  # the greeting may take longer
    with pytest.raises(NixDaemonError, match="BuildPaths: the daemon was silent"):
        hasty.build_paths([f"{drv.path}^out"])
    hasty.close()
    assert store.is_valid_path(drv.path)
