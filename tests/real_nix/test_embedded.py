"""The embedded daemon beside real Nix: real clients work with it, and both say the same."""

from __future__ import annotations

import json
import os
import random
import re
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from pix.codec.declare import wire_of
from pix.codec.gates import NEWEST
from pix.codec.nar_files import nar_of
from pix.codec.values import encode
from pix.codec.wire import pack_u64
from pix.daemon import DaemonConnection, NixDaemonError
from pix.protocol import operations as op
from pix.protocol.logging import STDERR_ERROR
from pix.protocol.types import BuildStatus, GCAction
from pix_store import EmbeddedDaemon
from tests.real_nix.daemons import Client, Daemon, State, remove, running
from tests.real_nix.lab import Nix
from tests.support.nars import nar
from tests.support.relaying import received
from tests.support.serving import Drv

pytestmark = pytest.mark.real_nix

WAIT = 120.0
EVALUATE = ("nix-instantiate", "--eval", "--read-write-mode")
SYSTEM = f"{os.uname().machine}-linux"
EXPRESSIONS = f"""
let
  make = name: script: more: derivation ({{
    inherit name; system = "{SYSTEM}"; builder = "/bin/sh"; args = [ "-c" script ];
    PATH = "/usr/bin:/bin";
  }} // more);
  library = make "library-1.0" "echo building; echo library > $out" {{ }};
in {{
  program = make "program-1.0"
    "echo compiling; echo warning >&2; mkdir -p $out/bin; echo ${{library}} > $out/bin/run"
    {{ src = builtins.toFile "src" "source of ${{builtins.toFile "inner" "x"}}"; }};
  broken = make "broken" "echo one; exit 3" {{ }};
  needy = make "needy" "cat ${{make "below" "exit 1" {{ }}}}" {{ }};
  fixed = make "fixed" "printf fixed > $out" {{
    outputHashMode = "flat"; outputHashAlgo = "sha256";
    outputHash = builtins.hashString "sha256" "fixed";
  }};
  wrong = make "wrong" "printf wrong > $out" {{
    outputHashMode = "flat"; outputHashAlgo = "sha256";
    outputHash = builtins.hashString "sha256" "fixed";
  }};
  two = make "two" "echo out > $out; echo $out > $dev" {{ outputs = [ "out" "dev" ]; }};
}}
"""


@contextmanager
def folder() -> Iterator[Path]:
    """A folder with a short name, for a socket's address has 107 bytes."""
    place = Path(tempfile.mkdtemp(prefix="nix-"))
    try:
        yield place
    finally:
        remove(place)


@contextmanager
def embedded(place: Path, **options: Any) -> Iterator[tuple[EmbeddedDaemon, State]]:
    """An embedded daemon where clients of a lab's state look for one, its store in place."""
    state = State.of(place)
    with EmbeddedDaemon(state.socket, store=place, store_dir=str(state.store), **options) as daemon:
        yield daemon, state
    assert not daemon.faults, daemon.faults


def client_of(nix: Nix, state: State, remote: str | None = None) -> Client:
    client = Daemon(nix, state, cast(Any, None)).client()
    if remote is not None:
        client.env["NIX_REMOTE"] = remote
    return client


def text(client: Client, *command: str | Path) -> str:
    return client.run(*command).stdout.decode().strip()


@pytest.fixture
def client(nix: Nix) -> Iterator[Client]:
    """A client of each version, of an embedded daemon that builds."""
    with folder() as place, embedded(place, allow_build=True) as (_, state):
        (place / "tmp/tree").mkdir()
        (place / "tmp/tree/file").write_text("contents\n")
        (place / "tmp/tree/run").write_text("#!/bin/sh\n")
        (place / "tmp/tree/run").chmod(0o755)
        (place / "tmp/tree/link").symlink_to("file")
        (place / "tmp/flat").write_text("flat\n")
        (place / "tmp/all.nix").write_text(EXPRESSIONS)
        yield client_of(nix, state)


def test_adding_and_asking(client: Client) -> None:
    path = text(client, "nix-store", "--add", "tree")
    assert text(client, "nix-store", "--add", "tree") == path
    assert Path(path, "file").read_text() == "contents\n"
    assert text(client, "nix-store", "-q", "--hash", path).startswith("sha256:")
    assert text(client, "nix-store", "-qR", path) == path
    assert text(client, "nix-store", "-q", "--references", path) == ""
    assert text(client, "nix-store", "-q", "--deriver", path) == "unknown-deriver"
    client.run("nix-store", "--check-validity", path)
    client.run("nix-store", "--verify-path", path)
    client.run("nix-store", "--verify", "--check-contents")
    dumped = client.run("nix-store", "--dump", path).stdout
    assert dumped == b"".join(nar_of(Path(path)))
    for algorithm in ("md5", "sha1", "sha256", "sha512"):
        client.run("nix-store", "--add-fixed", algorithm, "flat")
        client.run("nix-store", "--add-fixed", "--recursive", algorithm, "tree")
    evaluated = text(client, *EVALUATE, "-E", 'builtins.toFile "x" "y"')
    assert Path(json.loads(evaluated)).read_text() == "y"


def test_exporting_and_importing(client: Client) -> None:
    path = text(client, "nix-store", "--add", "tree")
    exported = client.run("nix-store", "--export", path).stdout
    client.run("nix-store", "--delete", path)
    assert client.run("nix-store", "--check-validity", path, check=False).returncode
    done = client.run("nix-store", "--import", input=exported)
    assert done.stdout.decode().strip() == path
    assert Path(path, "run").stat().st_mode & 0o111


def test_building(client: Client) -> None:
    out = text(client, "nix-build", "all.nix", "-A", "program", "-o", "result")
    drv = text(client, "nix-store", "-q", "--deriver", out)
    library = Path(out, "bin/run").read_text().strip()
    assert sorted(text(client, "nix-store", "-qR", out).split()) == sorted([library, out])
    assert text(client, "nix-store", "-q", "--referrers", library) == out
    assert text(client, "nix-store", "-q", "--outputs", drv) == out
    assert text(client, "nix-store", "--realise", drv) == out
    assert text(client, "nix-store", "--read-log", drv) == "compiling\nwarning"
    assert os.readlink(client.state.folder / "tmp/result") == out  # noqa: PTH115
    assert out in text(client, "nix-store", "--gc", "--print-roots")
    assert out not in text(client, "nix-store", "--gc", "--print-dead")
    assert text(client, "nix-build", "all.nix", "-A", "two", "--no-out-link").endswith("-two")
    client.run("nix-build", "all.nix", "-A", "fixed", "--no-out-link")
    client.run("nix-store", "--optimise")
    client.run("nix-store", "--gc")
    assert Path(out).exists()


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("broken", r"builder failed with exit code 3"),
        ("needy", r"1 dependency failed"),
        ("wrong", r"hash mismatch in fixed-output derivation"),
    ],
)
def test_failing(client: Client, what: str, says: str) -> None:
    done = client.run("nix-build", "all.nix", "-A", what, "--no-out-link", check=False)
    assert done.returncode in (1, 100, 102)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stderr.decode())
    assert says in plain
    assert what in plain


def test_the_new_commands(client: Client, nix: Nix) -> None:
    out = text(client, "nix-build", "all.nix", "-A", "program", "--no-out-link")
    assert out in text(client, "nix", "path-info", "-r", out).split()
    described = json.loads(text(client, "nix", "path-info", "--json", "--closure-size", out))
    assert out in json.dumps(described)
    cache = f"file://{client.state.folder}/cache"
    client.run("nix", "copy", "--to", cache, out)
    client.run("nix-store", "--gc")
    assert not Path(out).exists()
    client.run("nix", "copy", "--no-check-sigs", "--from", cache, out)
    assert Path(out, "bin/run").exists()
    if nix.number >= (2, 4):
        client.run("nix", "copy", "--from", f"unix://{client.state.socket}", "--to", cache, out)
        client.run("nix", "store", "verify", "--no-trust", out)
        assert "run" in text(client, "nix", "store", "ls", "-R", out)
        added = text(client, "nix", "store", "add-path", "tree")
        assert Path(added, "link").is_symlink()
        client.run("nix", "build", "--no-link", "-f", "all.nix", "two")
        drv = text(client, "nix-instantiate", "all.nix", "-A", "program")
        shown = (
            ("nix", "derivation", "show") if nix.number >= (2, 26) else ("nix", "show-derivation")
        )
        assert "program-1.0" in text(client, *shown, drv)
        assert text(client, "nix", "log", drv) == "compiling\nwarning"


def test_copying_several_paths_over_one_connection(client: Client) -> None:
    """Nix 2.3.7 is asked for NARs, and answers in small strings, each filled up with zeros."""
    for i in range(3):
        (client.state.folder / f"tmp/{i}").write_text(f"{i}\n" * (i + 1))
    paths = text(client, "nix-store", "--add", "tree", "0", "1", "2").split()
    with (
        EmbeddedDaemon(store_dir=str(client.state.store)) as other,
        DaemonConnection(other.path, timeout=WAIT) as there,
    ):
        source, target = client.state.socket, f"unix://{other.path}?max-connections=1"
        client.env["NIX_REMOTE"] = f"unix://{source}"
        client.run("nix", "copy", "--no-check-sigs", "--to", target, *paths)
        assert there.query_valid_paths(paths) == set(paths)
        for path in paths:
            assert b"".join(there.nar(path)) == b"".join(nar_of(Path(path)))
    assert not other.faults


@pytest.mark.parametrize("nix", ["2.8.0", "2.26.3", "2.34.8"], indirect=True)
def test_a_store_that_is_not_where_its_paths_say(nix: Nix) -> None:
    """Clients from 2.4 on are told by `root` where the files are; no /nix/store is needed."""
    with folder() as place:
        home = place / "elsewhere"
        state = State.of(place, Path("/nix/store") if os.access("/nix", os.W_OK) else None)
        with EmbeddedDaemon(state.socket, store=home, allow_build=True) as daemon:
            client = client_of(nix, state, f"unix://{state.socket}?root={home}")
            client.env["NIX_STORE_DIR"] = "/nix/store"
            (place / "tmp/all.nix").write_text(EXPRESSIONS)
            out = text(client, "nix-build", "all.nix", "-A", "program", "--no-out-link")
            assert (home / out[1:] / "bin/run").exists()
            assert text(client, "nix-store", "-qR", out).split()
            assert "run" in text(client, "nix", "store", "ls", "-R", out)
        assert not daemon.faults


@pytest.mark.parametrize("nix", ["2.34.8"], indirect=True)
def test_a_store_in_memory(nix: Nix) -> None:
    """Clients of ssh-ng:// ask for every byte, and need no file of the store."""
    with folder() as place:
        state = State.of(place)
        with EmbeddedDaemon(state.socket, allow_build=True) as daemon:
            bridge = place / "tmp/bridge"
            run = f"{sys.executable} -m pix_inspect stdio -o {place}/tmp/$$.pcapng"
            bridge.write_text(f"#!/bin/sh\nexec {run} --upstream {daemon.path}\n")
            bridge.chmod(0o755)
            client = client_of(nix, state, f"ssh-ng://localhost?remote-program={bridge}")
            path = os.pathsep.join(sys.path)
            client.env.update(NIX_STORE_DIR="/nix/store", PYTHONPATH=path)
            (place / "tmp/all.nix").write_text(EXPRESSIONS)
            out = text(client, "nix-build", "all.nix", "-A", "program", "--no-out-link")
            assert out.startswith("/nix/store/")
            drv = text(client, "nix-store", "-q", "--deriver", out)
            assert text(client, "nix-store", "--realise", drv) == out
            assert len(client.run("nix-store", "--export", out).stdout) > 500
            assert list((place / "tmp").glob("*.pcapng"))
        assert not daemon.faults


# The same as real Nix ------------------------------------------------------------------

NAMES = [
    b"a",
    b"a-b",
    b"a.c",
    b"a0",
    b"B",
    b"_",
    "é".encode(),
    b"\xff\xfe",
    b"with space",
    b"x" * 200,
]


def grown(place: bytes, rng: random.Random, depth: int = 3) -> None:
    """Make a tree at `place`."""
    kind = rng.choice(["file", "file", "run", "link", "folder", "folder"])
    if kind == "folder" and depth:
        os.mkdir(place)  # noqa: PTH102
        for name in rng.sample(NAMES, rng.randrange(5)):
            grown(place + b"/" + name, rng, depth - 1)
    elif kind == "link":
        target = rng.choice([b"a", b"../../x", b"/etc/passwd", b"nowhere \xff", b"."])
        os.symlink(target, place)  # noqa: PTH211
    else:
        size = rng.choice([0, 1, 7, 8, 9, 500, 70_000])
        Path(os.fsdecode(place)).write_bytes(rng.randbytes(size))
        os.chmod(place, 0o755 if kind == "run" else rng.choice([0o644, 0o600]))  # noqa: PTH101


@contextmanager
def both(nix: Nix) -> Iterator[tuple[Daemon, Client, DaemonConnection, DaemonConnection]]:
    """A real daemon and an embedded one with stores of the same name; a connection to each."""
    with running(nix) as daemon:
        options: dict[str, Any] = {"store_dir": str(daemon.state.store), "allow_build": True}
        with (
            EmbeddedDaemon(**options) as ours,
            DaemonConnection(daemon.socket, timeout=WAIT) as there,
            DaemonConnection(ours.path, timeout=WAIT, version=there.protocol.text) as here,
        ):
            yield daemon, daemon.client(), there, here
        assert not ours.faults


@pytest.mark.parametrize("nix", ["2.34.8"], indirect=True)
def test_the_paths_and_hashes_of_200_trees(nix: Nix) -> None:
    rng = random.Random(2)
    with both(nix) as (daemon, client, there, here):
        trees = daemon.state.folder / "tmp/trees"
        trees.mkdir()
        names = [f"tree-{i}" for i in range(200)]
        for name in names:
            grown(os.fsencode(trees / name), rng)
        added = client.run("nix-store", "--add", *(trees / name for name in names))
        paths = added.stdout.decode().split()
        for name, path in zip(names, paths, strict=True):
            assert here.add_to_store(name, nar_of(trees / name)) == path
            theirs, ours = there.query_path_info(path), here.query_path_info(path)
            assert (theirs.nar_hash, theirs.nar_size) == (ours.nar_hash, ours.nar_size)
        remove(trees)


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
@pytest.mark.parametrize("recursive", [True, False])
@pytest.mark.parametrize("nix", ["2.3.7", "2.34.8"], indirect=True)
def test_the_paths_of_fixed_contents(nix: Nix, algorithm: str, recursive: bool) -> None:
    rng = random.Random(3)
    with both(nix) as (daemon, client, _, here):
        place = daemon.state.folder / "tmp"
        names = [f"file-{i}" for i in range(20)]
        for name in names:
            (place / name).write_bytes(rng.randbytes(rng.randrange(300)))
        words = ["--recursive"] if recursive else []
        added = client.run("nix-store", "--add-fixed", *words, algorithm, *names)
        method = f"fixed:{'r:' if recursive else ''}{algorithm}"
        for name, path in zip(names, added.stdout.decode().split(), strict=True):
            data = (place / name).read_bytes()
            assert here.add_to_store(name, nar(data) if recursive else data, method) == path


@pytest.mark.parametrize("nix", ["2.34.8"], indirect=True)
def test_the_paths_of_texts_and_derivations(nix: Nix) -> None:
    lines = "".join(
        f't{i} = builtins.toFile "text-{i}" "text {i} ${{toString [ {deps} ]}}";\n'
        for i in range(50)
        for deps in [" ".join(f"t{j}" for j in range(i) if i % (j + 2) == 0)]
    )
    names = " ".join(f"t{i}" for i in range(50))
    with both(nix) as (daemon, client, there, here):
        (daemon.state.folder / "tmp/t.nix").write_text(f"let {lines} in [ {names} ]")
        done = client.run(*EVALUATE, "--strict", "--json", "t.nix")
        paths = json.loads(done.stdout)
        (daemon.state.folder / "tmp/all.nix").write_text(EXPRESSIONS)
        drvs = client.run("nix-instantiate", "all.nix").stdout.decode().split()
        closure = client.run("nix-store", "-qR", *drvs).stdout.decode().split()
        for path in [*paths, *(one for one in closure if one not in paths)]:
            info: Any = there.call(op.QueryPathInfo(path=path)).info
            data = Path(path).read_bytes()
            name = path.rpartition("/")[2][33:]
            assert here.add_text_to_store(name, data, info.references) == path
            ours: Any = here.call(op.QueryPathInfo(path=path)).info
            ours.registration_time = info.registration_time
            assert ours == info


FLOATING = f"""
let
  make = name: script: more: derivation ({{
    inherit name; system = "{SYSTEM}"; builder = "/bin/sh"; args = [ "-c" script ];
    PATH = "/usr/bin:/bin";
  }} // more);
  ca = {{ __contentAddressed = true; outputHashMode = "recursive"; outputHashAlgo = "sha256"; }};
  data = make "data" "echo data > $out" ca;
  itself = make "itself" "mkdir $out; echo $out $out > $out/a; ln -s $out/a $out/b" ca;
  above = make "above" "cat ${{data}} > $out; echo ${{itself}} $out >> $out" ca;
  two = make "two" "echo out > $out; echo $out $dev > $dev"
    (ca // {{ outputs = [ "out" "dev" ]; }});
  flat = make "flat" "printf flat > $out" (ca // {{ outputHashMode = "flat"; }});
  late = make "late" "cat ${{above}} > $out; echo $out ${{two.dev}} >> $out" {{ }};
  later = make "later" "echo ${{late}} ${{flat}} > $out" {{ }};
in [ data itself above two.out two.dev flat late later ]
"""


@pytest.mark.parametrize("nix", ["2.8.0", "2.26.3", "2.34.8"], indirect=True)
def test_outputs_whose_path_follows_from_their_contents(nix: Nix) -> None:
    found = []
    with folder() as place:
        for daemon in ("real", "embedded"):
            (place / "tmp").mkdir(exist_ok=True)
            (place / "tmp/floating.nix").write_text(FLOATING)
            if daemon == "real":
                with running(nix, folder=place, store=place / "store") as there:
                    found.append(outputs(there.client()))
                remove(place / "store")
                remove(place / "var")
            else:
                version = "1.34" if nix.number < (2, 17) else "1.38"
                with embedded(place, allow_build=True, version=version) as (_, state):
                    found.append(outputs(client_of(nix, state)))
    assert found[0] == found[1]


def outputs(client: Client) -> list[tuple[str, str, str]]:
    """What the floating derivations became: path, hash of the NAR, references."""
    paths = text(client, "nix-build", "floating.nix", "--no-out-link").split()
    assert len(paths) == 8
    return [
        (
            path,
            text(client, "nix-store", "-q", "--hash", path),
            text(client, "nix-store", "-q", "--references", path),
        )
        for path in sorted(paths)
    ]


def same(
    there: DaemonConnection, here: DaemonConnection, ask: Callable[[DaemonConnection], Any]
) -> Any:
    """What both daemons answer, or fail with; times and wording of places are left out."""
    answers: list[Any] = []
    answer: Any
    for connection in (there, here):
        try:
            answer = ask(connection)
        except NixDaemonError as error:
            answer = re.sub(r"\s+", " ", str(error))
        parts: list[Any] = [answer, getattr(answer, "info", None)]
        for part in parts:
            if hasattr(part, "registration_time"):
                part.registration_time = 0
        answers.append(answer)
    assert answers[0] == answers[1]
    return answers[0]


@pytest.mark.parametrize("nix", ["2.26.3", "2.34.8"], indirect=True)
def test_replies_agree(nix: Nix) -> None:
    tree = nar({b"a": b"x", b"b": {b"l": ("symlink", b"../a")}})
    with both(nix) as (daemon, _, there, here):
        directory = str(daemon.state.store)
        absent = f"{directory}/00000000000000000000000000000000-absent"

        def ask(question: Callable[[DaemonConnection], Any]) -> Any:
            return same(there, here, question)

        ask(lambda c: c.set_options())
        text_path = ask(lambda c: c.add_text_to_store("text", "text"))
        user = ask(lambda c: c.add_text_to_store("user", text_path, [text_path]))
        path = ask(lambda c: c.add_to_store("tree", tree))
        ask(lambda c: c.call(op.AddToStore(name="flat", method="fixed:sha1", dump=b"abc")).path)
        ask(lambda c: c.call(op.QueryPathInfo(path=path)))
        ask(lambda c: c.call(op.QueryPathInfo(path=absent)))
        ask(lambda c: c.is_valid_path(absent))
        ask(lambda c: c.query_referrers(text_path))
        ask(lambda c: c.query_valid_paths([path, absent]))
        ask(lambda c: c.query_substitutable_paths([path, absent]))
        ask(lambda c: c.query_path_from_hash_part(path.rpartition("/")[2][:32]))
        ask(lambda c: c.query_path_from_hash_part("0" * 32))
        ask(lambda c: c.query_all_valid_paths())
        ask(lambda c: b"".join(c.nar(path)))
        ask(lambda c: c.add_signatures(path, ["key:" + "A" * 86 + "=="]))
        ask(lambda c: c.call(op.QueryPathInfo(path=path)))
        if nix.number >= (2, 34):  # older ones word it otherwise
            ask(lambda c: c.ensure_path(absent))
            ask(lambda c: c.build_paths([absent]))
            ask(lambda c: c.build_paths([f"{absent}.drv^*"]))
        ask(lambda c: c.verify_store(check_contents=True))
        ask(lambda c: c.query_missing([absent, path]))
        made = {}
        for c in (there, here):
            good = Drv(c, "echo $out > $out", "good", store_dir=directory)
            bad = Drv(c, "exit 4", "bad", store_dir=directory)
            top = Drv(c, "echo > $out", "top", needs=(bad,), store_dir=directory)
            made[c] = (good, bad, top)
        good, bad, top = made[here]
        ask(lambda c: c.query_derivation_output_map(good.path))
        ask(lambda c: c.query_valid_derivers(good.out))
        ask(lambda c: c.query_missing([top.all, good.all]))
        ask(lambda c: c.build_paths([good.all]))
        ask(lambda c: c.call(op.QueryPathInfo(path=good.out)))
        ask(lambda c: c.build_derivation(good.path, good.basic).status)
        ask(lambda c: c.set_options(keep_going=1))

        def statuses(c: DaemonConnection) -> list[tuple[str, int, list[str]]]:
            asked = [good.all, bad.all, top.all, path]
            results = c.build_paths_with_results(asked)
            return [
                (
                    one.path,
                    int(one.result.status),
                    sorted(json.loads(v)["outPath"] for v in one.result.built_outputs.values()),
                )
                for one in results
            ]

        said = ask(statuses)
        assert BuildStatus.PERMANENT_FAILURE in {status for _, status, _ in said}
        if nix.number >= (2, 34):
            ask(lambda c: c.build_paths([bad.all]))
            ask(lambda c: c.build_paths([top.all]))
        ask(lambda c: c.collect_garbage(GCAction.DELETE_SPECIFIC, [user], ignore_liveness=True))
        ask(lambda c: c.collect_garbage(GCAction.RETURN_DEAD))
        ask(lambda c: c.add_text_to_store("a b", ""))
        ask(lambda c: c.add_to_store("x", b"x", "fixed:sha256", [path]))
        ask(lambda c: c.add_text_to_store("x", "x", [absent]))
        ask(lambda c: c.query_path_from_hash_part("xx"))
        if nix.number >= (2, 34):
            ask(lambda c: c.query_derivation_output_map(text_path))
            ask(lambda c: c.is_valid_path("/etc/passwd"))


ADDING = pack_u64(7) + encode(wire_of(op.AddToStore), op.AddToStore(name="x", dump=b""), NEWEST)
WRONG = {
    "unknown operation": pack_u64(4711),
    "never assigned": pack_u64(2) + pack_u64(0),
    "no store path": pack_u64(1) + pack_u64(11) + b"/etc/passwd" + bytes(5),
    "bad padding": pack_u64(1) + pack_u64(3) + b"abc\1\1\1\1\1",
    "cut short": pack_u64(1) + pack_u64(80) + b"/nix/store/",
    "nothing": b"",
    "unknown mode": pack_u64(9) + pack_u64(0) + pack_u64(9),
    "payload cut short": ADDING + pack_u64(100) + b"nothing",
    "payload without end": ADDING + pack_u64(8) + bytes(8),
    "payload without anything": ADDING,
    "payload that is none": ADDING + pack_u64(8) + bytes(8) + bytes(8),
}


@pytest.mark.parametrize("request_", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("nix", ["2.26.3", "2.34.8"], indirect=True)
def test_wrong_requests_end_alike(nix: Nix, request_: bytes) -> None:
    """As many error frames, of whatever wording, and then both hang up."""
    said = []
    with both(nix) as (_, _, there, here):
        for connection in (there, here):
            with connection.detach() as sock:
                sock.settimeout(WAIT)
                sock.sendall(request_)
                sock.shutdown(socket.SHUT_WR)
                said.append(received(sock).count(pack_u64(STDERR_ERROR)))
    assert said[0] == said[1]
