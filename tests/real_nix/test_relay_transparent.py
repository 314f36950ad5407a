"""With the relay in between, real Nix does what it does without, and no byte is another one.

The same commands run twice on an empty store of the same name: directly, and through a recorder,
the relay, and a second recorder.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest

from pix_inspect.recording.reader import Chunk, RecordingReader
from tests.real_nix.daemons import Client, remove, running
from tests.real_nix.lab import Nix
from tests.real_nix.recorder import Recorder, Streams
from tests.support.relaying import listens

pytestmark = pytest.mark.real_nix

SECONDS = 120.0

BUILD = """
derivation {
  name = "greeting"; system = builtins.currentSystem; builder = "/bin/sh";
  args = [ "-c" "echo one; echo two >&2; /bin/cat $src >$out" ]; src = ./source;
}
"""


class Outcome(NamedTuple):
    """What a user sees of a command."""

    status: int
    stdout: bytes
    stderr: bytes


def a_build(client: Client, work: Path) -> Outcome:
    (work / "source").write_text("hello\n")
    (work / "greeting.nix").write_text(BUILD)
    return _outcome(client, "nix-build", "greeting.nix")


def a_failing_build(client: Client, work: Path) -> Outcome:
    (work / "source").write_text("hello\n")
    (work / "greeting.nix").write_text(BUILD.replace("$src", "/nothing/there"))
    return _outcome(client, "nix-build", "greeting.nix")


def an_add_of_a_tree(client: Client, work: Path) -> Outcome:
    (work / "tree/sub/empty").mkdir(parents=True)
    (work / "tree/script").write_text("#!/bin/sh\n")
    (work / "tree/script").chmod(0o755)
    (work / "tree/sub/link").symlink_to("../script")
    (work / "tree/sub/large").write_bytes(bytes(range(256)) * 4096)
    return _outcome(client, "nix-store", "--add", "tree")


def a_hundred_path_queries(client: Client, work: Path) -> Outcome:
    for number in range(100):
        (work / f"file-{number}").write_text(f"{number}\n")
    added = client.run("nix-store", "--add", *(f"file-{number}" for number in range(100)))
    paths = added.stdout.decode().split()
    assert len(set(paths)) == 100
    return _outcome(client, "nix-store", "--query", "--hash", *paths)


def an_unknown_path(client: Client, work: Path) -> Outcome:
    path = client.state.store / "00000000000000000000000000000000-nothing-here"
    return _outcome(client, "nix-store", "--query", "--references", str(path))


ACTIONS = [a_build, a_failing_build, an_add_of_a_tree, a_hundred_path_queries, an_unknown_path]


def _outcome(client: Client, *command: str) -> Outcome:
    done = client.run(*command, check=False)
    return Outcome(done.returncode, done.stdout, done.stderr)


def wait_for(what: Callable[[], bool], why: str) -> None:
    """Wait until something is so; fail if it does not come."""
    end = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < end, why
        time.sleep(0.01)


@contextmanager
def relay(listen: Path, upstream: Path, target: Path) -> Iterator[None]:
    """`pix-inspect record`, ended by one interrupt."""
    program = Path(sys.executable).with_name("pix-inspect")
    options = ("--listen", listen, "--upstream", upstream, "-o", target, "--payload", "full")
    process = subprocess.Popen(
        [str(program), "record", *map(str, options)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        wait_for(lambda: listens(listen) or process.poll() is not None, "no relay")
        assert process.poll() is None, process.communicate()[1].decode()
        yield
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=SECONDS)[1]
        assert process.returncode == 0, said.decode()
    finally:
        process.kill()
        process.communicate()


def recorded(path: Path) -> list[Streams]:
    """The streams in a recording, which must have kept every byte."""
    streams: defaultdict[int, Streams] = defaultdict(Streams)
    reader = RecordingReader(path)
    while items := reader.poll():
        for item in items:
            if isinstance(item, Chunk):
                assert len(item.data) == item.length, f"bytes are left out at {item.offset}"
                kept = streams[item.connection]
                stream = (kept.c2s, kept.s2c)[item.side]
                assert item.offset == len(stream)
                stream += item.data
    assert reader.truncated is None
    reader.close()
    return [streams[number] for number in sorted(streams)]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short name: the store has the same one both times."""
    with TemporaryDirectory(prefix="same-") as name:
        yield Path(name)


@pytest.mark.parametrize("nix", ["2.8.0", "2.34.8"], indirect=True)
@pytest.mark.parametrize("action", ACTIONS)
def test_same_outcome_and_same_bytes(
    nix: Nix, action: Callable[[Client, Path], Outcome], place: Path
) -> None:
    folder = place / "state"
    folder.mkdir()
    with running(nix, folder=folder) as daemon:
        expected = action(daemon.client(), folder / "tmp")
    remove(folder)
    folder.mkdir()
    near, between, far = place / "near", place / "between", place / "far"
    recording = place / "recording.pcapng"
    with (
        running(nix, folder=folder) as daemon,
        Recorder(far, daemon.socket) as at_daemon,
        relay(between, far, recording),
        Recorder(near, between) as at_client,
    ):
        relayed = action(daemon.client(socket=near), folder / "tmp")
        at_client.settle()
        at_daemon.settle()
    assert relayed == expected
    assert at_client.connections
    assert at_client.connections == at_daemon.connections
    assert at_client.connections == recorded(recording)
    remove(folder)
    assert [path.name for path in place.iterdir()] == ["recording.pcapng"]


@pytest.mark.parametrize("nix", ["2.8.0", "2.34.8"], indirect=True)
def test_an_interrupted_client_takes_its_build_with_it(nix: Nix, place: Path) -> None:
    between = place / "between"
    pid = place / "pid"
    script = BUILD.replace(
        "echo one", f"echo $$ >{pid}.new; /bin/mv {pid}.new {pid}; /bin/sleep 600"
    )
    (place / "source").touch()
    (place / "long.nix").write_text(script)
    with running(nix) as daemon, relay(between, daemon.socket, place / "recording.pcapng"):
        client = subprocess.Popen(
            ["nix-build", "--no-out-link", "long.nix"],
            cwd=place,
            env=daemon.client(socket=between).env,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(pid.exists, "the build does not start")
        builder = Path("/proc", pid.read_text().strip())
        assert builder.exists()
        client.send_signal(signal.SIGINT)
        assert client.wait(SECONDS) != 0
        wait_for(lambda: not builder.exists(), "the build goes on without its client")
