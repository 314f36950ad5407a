"""The daemon in the box beside Nix 2.34.8, request by request, and what the page says of it.

Each request goes to both over a connection of its own, with a question behind it that shows
whether the connection goes on. What differs stands in the page, or is a mistake here; what
stands there and no longer differs is one, too.
"""

from __future__ import annotations

import re
import socket
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from pix.codec.declare import STDERR_FRAMES
from pix.codec.errors import Lost
from pix.codec.gates import NEWEST
from pix.codec.incoming import Incoming
from pix.codec.payload import framed
from pix.codec.values import encode
from pix.codec.wire import pack_u64
from pix.daemon import DaemonConnection
from pix.daemon.errors import without_colours
from pix.protocol import operations as op
from pix.protocol.logging import StderrError, StderrLast
from pix.protocol.types import BasicDerivation, DerivationOutput
from pix_store import EmbeddedDaemon
from pix_store.store.hashes import sha256
from tests.real_nix.daemons import State, remove, running
from tests.real_nix.lab import Nix
from tests.support.nars import nar, tokens
from tests.support.playbook import said
from tests.support.words import text

pytestmark = pytest.mark.real_nix

PAGE = Path(__file__).parents[2] / "docs" / "daemon-differences.md"
WAIT = 60.0
ZEROS = "0" * 32
ONE_PATH: tuple[Any, ...] = (op.QueryReferrers, op.AddTempRoot, op.EnsurePath, op.NarFromPath)
OF_DERIVATIONS: tuple[Any, ...] = (op.QueryDerivationOutputs, op.QueryDerivationOutputNames)
ARCHIVE = nar(b"data")
HASH = sha256(ARCHIVE)


def paths(d: str) -> dict[str, str]:
    """Good and bad paths of the store `d`."""
    return {
        "good": f"{d}/{ZEROS}-x", "outside": "/etc/passwd", "store": d, "store/": f"{d}/",
        "inside": f"{d}/{ZEROS}-x/bin", "nodash": f"{d}/{'a' * 34}", "upper": f"{d}/{'A' * 32}-x",
        "short": f"{d}/abc-x", "longest": f"{d}/{ZEROS}-{'y' * 211}", "slashes": f"{d}//{ZEROS}-x",
        "toolong": f"{d}/{ZEROS}-{'y' * 212}", "dotdot": f"{d}/{ZEROS}-..",
        "noname": f"{d}/{ZEROS}-", "dotdash": f"{d}/{ZEROS}-.-a", "space": f"{d}/{ZEROS}-a b",
        "empty": "", "relative": f"{ZEROS}-x", "nul": f"{d}/{ZEROS}-x\0",
        "umlaut": f"{d}/{ZEROS}-ü",
    }  # fmt: skip


def by_path(d: str) -> Iterator[tuple[str, Any]]:
    for name, path in paths(d).items():
        yield f"IsValidPath {name}", op.IsValidPath(path=path)
        yield f"QueryPathInfo {name}", op.QueryPathInfo(path=path)
    for name in ("good", "outside", "nodash", "inside", "space", "empty", "longest"):
        path = paths(d)[name]
        for kind in ONE_PATH:
            yield f"{kind.operation.name} {name}", kind(path=path)
        yield f"QueryValidPaths {name}", op.QueryValidPaths(paths=frozenset((path,)))
        yield f"QueryDerivationOutputMap {name}", op.QueryDerivationOutputMap(path=path)
        yield f"QueryValidDerivers {name}", op.QueryValidDerivers(path=path)
        signed = op.AddSignatures(path=path, sigs=frozenset(("k:AAAA",)))
        yield f"AddSignatures {name}", signed
        yield f"QueryMissing {name}", op.QueryMissing(paths=(path,))
        for suffix in ("", ".drv!*", "!out", ".drv!", ".drv!a!b"):
            asked = (path + suffix,)
            yield f"BuildPaths {name}{suffix}", op.BuildPaths(paths=asked, mode=0)
    results = (paths(d)["good"], f"{paths(d)['good']}.drv!*")
    yield "BuildPathsWithResults good", op.BuildPathsWithResults(paths=results, mode=0)
    for digits in ("0" * 31, "a" * 34, "e" * 32, "A" * 32, "", "0" * 31 + "-"):
        yield f"QueryPathFromHashPart {digits[-3:]}", op.QueryPathFromHashPart(hash_part=digits)


def adding(d: str) -> Iterator[tuple[str, Any]]:
    good = paths(d)["good"]
    for name in ("", "a b", "y" * 212, ".", "..", ".x", "a/b", "ü", ".-x"):
        request = op.AddToStore(name=name, method="fixed:r:sha256", dump=ARCHIVE)
        yield f"AddToStore {name[-3:]}", request
    methods = (
        *("", "foo", "fixed:", "fixed:md4", "fixed:r:md5", "fixed:sha512", "fixed:x:sha256"),
        *("fixed:git:sha1", "fixed:r:blake3", "sha256", "r:sha256", "text", "text:sha1"),
    )
    for method in methods:
        content = ARCHIVE if ":r:" in method or "git" in method else b"data"
        yield f"AddToStore by {method}", op.AddToStore(name="m", method=method, dump=content)
    for what, content in {"no NAR": b"hello", "nothing": b"", "cut": ARCHIVE[:-8]}.items():
        request = op.AddToStore(name="r", method="fixed:r:sha256", dump=content)
        yield f"AddToStore {what}", request
    for what, names in {"good": [good], "outside": ["/etc"]}.items():
        refers = op.AddToStore(
            name="r", method="fixed:r:sha256", references=frozenset(names), dump=ARCHIVE
        )
        yield f"AddToStore refers {what}", refers
    flat = op.AddToStore(name="f", method="fixed:sha256", references=frozenset((good,)), dump=b"x")
    yield "AddToStore flat refers", flat
    yield "AddToStore drv", op.AddToStore(name="r.drv", method="text:sha256", dump=b"not one")
    yield "AddTextToStore space", op.AddTextToStore(name="a b", text="text")
    entry = (b"entry", b"(", b"name", b"a", b"node", b"(", b"type", b"symlink", b"target", b"x")
    end = (b")", b")")
    folder = (b"(", b"type", b"directory")
    for what, inner in {
        "twice": (*folder, *entry, *end, *entry, *end, b")"),
        "slash": (*folder, *(b"a/b" if one == b"a" else one for one in entry), *end, b")"),
        "no target": (b"(", b"type", b"symlink", b"target", b"", b")"),
        "no contents": (b"(", b"type", b"regular", b")"),
        "fifo": (b"(", b"type", b"fifo", b")"),
    }.items():
        content = tokens(b"nix-archive-1", *inner)
        yield f"NAR {what}", op.AddToStore(name="n", method="fixed:r:sha256", dump=content)


def with_metadata(d: str) -> Iterator[tuple[str, Any]]:
    good = paths(d)["good"]

    def told(name: str, **changed: Any) -> op.AddToStoreNar:
        fields: dict[str, Any] = {"nar_hash": HASH.hex, "nar_size": len(ARCHIVE), "nar": ARCHIVE}
        return op.AddToStoreNar(path=good + name, **{"dont_check_sigs": True} | fields | changed)

    changes: dict[str, dict[str, Any]] = {
        "unsigned": {"dont_check_sigs": False}, "trusted": {}, "size": {"nar_size": 7},
        "hash": {"nar_hash": "xyz"}, "no hash": {"nar_hash": ""}, "ca": {"ca": "foo"},
        "other hash": {"nar_hash": "0" * 64}, "signature": {"sigs": frozenset(("nonsense",))},
        "key without signature": {"sigs": frozenset(("k:",))}, "deriver": {"deriver": "/etc/x"},
        "no NAR": {"nar": b"hello123"}, "cut": {"nar": ARCHIVE[:-16]},
        "more": {"nar": ARCHIVE + ARCHIVE},
        "missing reference": {"references": frozenset((f"{d}/{'1' * 32}-z",))},
    }  # fmt: skip
    for what, changed in changes.items():
        yield f"AddToStoreNar {what}", told(what.replace(" ", ""), **changed)

    def items(*content: bytes, count: int | None = None) -> op.AddMultipleToStore:
        number = pack_u64(len(content) if count is None else count)
        return op.AddMultipleToStore(dont_check_sigs=True, items=number + b"".join(content))

    def item(path: str, digest: str = HASH.hex, content: bytes = ARCHIVE) -> bytes:
        size = pack_u64(len(ARCHIVE))
        head = text(path.encode()) + text(b"") + text(digest.encode()) + bytes(16) + size
        return head + bytes(16) + text(b"") + content

    yield "AddMultipleToStore none", items()
    yield "AddMultipleToStore outside", items(item("/etc/x"))
    yield "AddMultipleToStore hash", items(item(good + "m1", "xyz"))
    yield "AddMultipleToStore other hash", items(item(good + "m2", "0" * 64))
    yield "AddMultipleToStore too few", items(item(good + "m3"), count=2)
    yield "AddMultipleToStore no NAR", items(item(good + "m4", content=b"hello123"))
    yield "AddMultipleToStore frames", op.AddMultipleToStore(dont_check_sigs=True, items=b"")


def realisations_and_rest(d: str) -> Iterator[tuple[str, Any]]:
    good = paths(d)["good"]
    for key in ("foo", "sha256:zz!out", f"sha256:{'0' * 64}!", f"sha256:{'0' * 64}"):
        yield f"QueryRealisation {key[:9]}{key[-4:]}", op.QueryRealisation(id=key)
    for json in ("{", "{}", "[]", '{"id":"x","outPath":"x"}'):
        yield f"RegisterDrvOutput {json[:5]}", op.RegisterDrvOutput(realisation_json=json)
    for drv in (f"{ZEROS}-x.drv", f"{good}.drv", f"{ZEROS}-x", ""):
        yield f"AddBuildLog {drv[:1]}{drv[-4:]}", op.AddBuildLog(drv=drv, log=b"log")
    for link in ("a/b", "/nonexistent/x", ""):
        yield f"AddIndirectRoot {link}", op.AddIndirectRoot(link=link)
    yield "AddPermRoot outside", op.AddPermRoot(path="/etc", gc_root="/nonexistent/x")
    yield "AddPermRoot store", op.AddPermRoot(path=good, gc_root=f"{d}/root")
    for action in (3, 4, 5):
        yield f"CollectGarbage {action}", op.CollectGarbage(action=action)
    yield "CollectGarbage alive", op.CollectGarbage(action=3, ignore_liveness=True)
    for mode in (3, 7, 1 << 32):
        yield f"BuildPaths mode {mode}", op.BuildPaths(paths=(), mode=mode)

    def build(path: str = "", algorithm: str = "", digest: str = "", **changed: Any) -> Any:
        output = DerivationOutput(path=path or f"{good}o", hash_algo=algorithm, hash=digest)
        mode, drv = changed.pop("mode", 0), changed.pop("drv", f"{good}.drv")
        fields: dict[str, Any] = {
            "outputs": {"out": output}, "input_srcs": frozenset(), "platform": "x86_64-linux",
            "builder": "/bin/sh", "args": ("-c", "exit 1"), "env": {},
        }  # fmt: skip
        derivation = BasicDerivation(**fields | changed)
        return op.BuildDerivation(drv_path=drv, derivation=derivation, mode=mode)

    yield "BuildDerivation fails", build()
    yield "BuildDerivation outputs", build(outputs={})
    yield "BuildDerivation drv", build(drv=good)
    yield "BuildDerivation platform", build(platform="riscv-linux")
    yield "BuildDerivation mode", build(mode=4)
    yield "BuildDerivation algorithm", build(algorithm="md4", digest="00")
    yield "BuildDerivation impure", build(algorithm="sha256", digest="impure")
    yield "BuildDerivation builtin", build(builder="builtin:fetchurl", platform="builtin")
    yield "BuildDerivation builder", build(builder="/no/such")
    asked = op.QuerySubstitutablePathInfos(paths_with_ca={good: "foo"})
    yield "QuerySubstitutablePathInfos ca", asked
    for kind in OF_DERIVATIONS:
        yield f"{kind.operation.name} absent", kind(path=f"{good}.drv")
    yield "VerifyStore 2", pack_u64(35) + pack_u64(2) + bytes(8)
    yield "CollectGarbage alive 2", pack_u64(20) + bytes(16) + pack_u64(2) + bytes(32)
    yield "SetOptions wide", pack_u64(19) + pack_u64(1 << 32) + bytes(96)
    for code in (0, 2, 15, 17, 48, 99, 1000, (1 << 32) + 1):
        yield f"operation {code}", pack_u64(code)
    yield "padding", pack_u64(1) + pack_u64(3) + b"abc\1\0\0\0\0"
    yield "long list", pack_u64(31) + pack_u64(1 << 40)
    yield "long string", pack_u64(1) + pack_u64(1 << 62)


def requests(d: str) -> dict[str, Any]:
    """Every request to a store, by a name that is the same for all stores."""
    parts = (by_path, adding, with_metadata, realisations_and_rest)
    return {name.strip(): request for part in parts for name, request in part(d)}


def sent(request: Any) -> bytes:
    if isinstance(request, bytes):
        return request
    payload = request.operation.request.payload
    if payload is None:
        return said(request, NEWEST)
    # the carriage of our own making, so that no content is too odd to be sent
    head = pack_u64(request.operation.code) + encode(request.operation.request, request, NEWEST)
    return head + b"".join(map(bytes, framed(getattr(request, payload.name))))


def outcome(where: Path, d: str, request: Any) -> tuple[list[str], list[str]]:
    """What a daemon makes of a request and a question behind it: kinds, and texts."""
    with DaemonConnection(where, timeout=WAIT) as connection:
        sock = connection.detach()
    behind: Any = op.IsValidPath(path=paths(d)["good"])
    kinds: list[str] = []
    texts: list[str] = []
    with sock:
        sock.settimeout(WAIT)
        sock.sendall(sent(request) + said(behind, NEWEST))
        sock.shutdown(socket.SHUT_WR)
        heard = Incoming(lambda: sock.recv(1 << 16), lambda: Lost("the end"))
        replies = [
            each.operation.reply for each in (request, behind) if not isinstance(each, bytes)
        ]
        try:
            while True:
                frame = heard.value(STDERR_FRAMES[heard.word()].fields, NEWEST)
                if isinstance(frame, StderrError):
                    kinds.append("error")
                    texts.append(plain(frame.message, d))
                    replies = replies[-1:]
                elif isinstance(frame, StderrLast):
                    reply = heard.value(replies.pop(0), NEWEST)
                    kinds.append(type(reply).__qualname__)
                    texts.append(plain(repr(reply), d))
        except (Lost, ConnectionError):
            return kinds, texts


def plain(words: str, d: str) -> str:
    """Texts without colours, times and what follows from where the store is."""
    words = without_colours(words.replace("\\x1b", "\x1b")).replace(d, "STORE")
    words = re.sub(r"(times_built|start_time|stop_time|registration_time)=\d+", r"\1=0", words)
    return re.sub(r"[0-9a-df-np-sv-z]{32}-", "HASH-", words).removeprefix("error: ")


def rows(page: str) -> list[tuple[str, ...]]:
    """The rows of a page's tables, without their heads."""
    lines = [line for line in page.splitlines() if line.startswith("| `")]
    return [tuple(cell.strip().strip("`") for cell in line.split("|")[1:-1]) for line in lines]


@pytest.mark.parametrize("nix", ["2.34.8"], indirect=True)
def test_differences_are_those_that_the_page_has(nix: Nix) -> None:
    _, *parts = PAGE.read_text().split("\n## ")
    other, words = ({row[0] for row in rows(part)} for part in parts[:2])
    place = Path(tempfile.mkdtemp(prefix="nix-"))
    state = State.of(place)
    found: dict[str, str] = {}
    used: set[str] = set()
    try:
        with (
            running(nix) as real,
            EmbeddedDaemon(
                state.socket, store=place, store_dir=str(state.store), allow_build=True
            ) as box,
        ):
            there, here = str(real.state.store), str(state.store)
            both = zip(requests(there).items(), requests(here).values(), strict=True)
            for (name, first), second in both:
                theirs = outcome(real.socket, there, first)
                ours = outcome(box.path, here, second)
                if theirs[0] != ours[0]:
                    found[name] = f"{theirs} | {ours}"
                elif theirs != ours:
                    known = {each for each in words if fnmatchcase(name, each)}
                    used |= known
                    if not known:
                        found[name] = f"{theirs[1]} | {ours[1]}"
            assert not box.faults
    finally:
        remove(place)
    told = "\n".join(f"{name}: {how}" for name, how in sorted(found.items()) if name not in other)
    assert not told, told
    assert (other - found.keys(), words - used) == (set(), set())
