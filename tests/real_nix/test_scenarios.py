"""Ordinary work of four versions of Nix: with its own daemon, the one in the box, and replayed."""

from __future__ import annotations

import base64
import difflib
import http.server
import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest

from pix.conversation import CLIENT, DAEMON, Conversation
from pix_inspect.replay.daemon import PlayedDaemon
from pix_inspect.replay.recorded import RecordedSession
from tests.real_nix import lab
from tests.real_nix.daemons import Client, State, remove, running
from tests.real_nix.lab import Nix
from tests.real_nix.recorder import Recorder, Streams
from tests.real_nix.test_daemon_differences import PAGE, rows
from tests.real_nix.test_embedded import SYSTEM, client_of, embedded
from tests.real_nix.test_relay_transparent import relay

pytestmark = pytest.mark.real_nix

DAEMON_VERSION = "2.34.8"
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
SECRET = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60") + PUBLIC
WORDS = {
    "@system@": SYSTEM,
    "@public@": base64.b64encode(PUBLIC).decode(),
    "@secret@": base64.b64encode(SECRET).decode(),
}
LEFT_OUT = re.compile(
    r"removing stale |deleting '.*\.lock'|note: hard linking is currently saving "
)
"""Lines about files that only a real store has."""

SCRIPT = Path(__file__).with_name("scenarios.sh").read_text()
SCENARIOS = re.findall(r"^s_(\w+)\(\)", SCRIPT, re.MULTILINE)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


class Outcome(NamedTuple):
    """What a script printed, on both outputs, and what its client asked the daemon for."""

    printed: list[str]
    operations: list[str]


@contextmanager
def web(folder: Path) -> Iterator[str]:
    """Serve a folder on loopback; yields its URL."""
    folder.mkdir()
    handler = partial(Quiet, directory=os.fspath(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def played(client: Client, place: Path, name: str) -> Outcome:
    """Run one scenario through a recorder."""
    between = client.state.folder / "between"
    between.unlink(missing_ok=True)
    with Recorder(between, client.state.socket) as recorder:
        printed = run(client, between, name)
    operations = sorted(one for each in recorder.connections for one in asked(each))
    return Outcome(printed, [*once(operations, "IsValidPath")])


def run(client: Client, socket: Path, name: str) -> list[str]:
    """Run one scenario with a socket; returns the lines of both outputs."""
    work = client.state.folder / "tmp" / f"s_{name}"
    work.mkdir()
    client.env.update(
        NIX_REMOTE=f"unix://{socket}", NIX_DAEMON_SOCKET_PATH=str(socket), USER="user"
    )
    script = re.sub("@[a-z]+@", lambda found: WORDS[found[0]], SCRIPT)
    done = client.run("bash", "-c", f"{script}\ns_{name}; echo '[end]'", cwd=work, check=False)
    assert done.stdout.endswith(b"[end]\n"), (name, done)
    return [*plain(done.stdout), "---", *plain(done.stderr)]


def plain(output: bytes) -> list[str]:
    """The lines of an output, without what no two runs have in common."""
    text = re.sub(r"\x1b\[[0-9;]*[mK]", "", output.decode())
    text = re.sub(r"/\S*nix-build-\S*", "BUILD", text)
    text = re.sub(r"\{(temp|nix-process):\d+\}|/proc/\d+/\S+", "{process}", text)
    text = re.sub(r"[0-9.]+ (bytes|[KMG]iB|B)\b", "SIZE", text)
    text = re.sub(r"lastModified=\d+", "TIME", text)
    text = re.sub(r"0x[0-9a-f]+|\d+ ms|\d\d:\d\d:\d\d", "NUMBER", text)
    lines = [line for line in text.splitlines() if not LEFT_OUT.match(line)]
    found: list[str] = []
    for deleted, group in groupby(lines, lambda line: line.startswith("deleting '")):
        some = list(group)
        found += sorted(some) if deleted else some  # a collector has an order of its own
    return found


def asked(streams: Streams) -> list[str]:
    """The operations of a connection."""
    conversation = Conversation(lockstep=True)
    conversation.feed(CLIENT, streams.c2s)
    conversation.feed(DAEMON, streams.s2c)
    conversation.close()
    return [one.operation.name for one in conversation.exchanges if one.operation is not None]


def once(operations: list[str], name: str) -> Iterator[str]:
    """Sorted operations with one of them at most once: `nix copy` asks for each path in a thread of
    its own, and where the first fails, another may have asked by then or not.
    """
    for operation, group in groupby(operations):
        yield from [name] if operation == name else group


def differences(theirs: Outcome, ours: Outcome) -> list[str]:
    """What differs, as lines: first what was printed, then operations."""
    return [
        line
        for first, second in zip(theirs, ours, strict=True)
        for line in list(difflib.unified_diff(first, second, "2.34.8", "box", lineterm="", n=1))[2:]
    ]


def compared(theirs: Outcome, ours: Outcome) -> str:
    """How much is the same, in the words of the page; nothing where nothing was asked."""
    if theirs == ours:
        return "same" if theirs.operations else ""
    statuses = [
        [line for line in each.printed if line.startswith("[status")] for each in (theirs, ours)
    ]
    alike = statuses[0] == statuses[1] and theirs.operations == ours.operations
    return "worded" if alike else "other"


def all_of(
    client_nix: Nix, daemon_nix: Nix, names: list[str]
) -> dict[str, tuple[Outcome, Outcome]]:
    """Play scenarios with a real daemon and with the embedded one, on stores of one name."""
    place = Path(tempfile.mkdtemp(prefix="nix-"))
    found: list[dict[str, Outcome]] = []
    try:
        with web(place / "web") as url:
            for real in (True, False):
                daemon = (
                    running(daemon_nix, folder=place, store=place / "store")
                    if real
                    else embedded(place, allow_build=True)
                )
                with daemon:
                    state = State.of(place, place / "store")
                    client = client_of(client_nix, state)
                    client.env.update(web=url, WEB=str(place / "web"))
                    found.append({name: played(client, place, name) for name in names})
                for left in ("store", "var", "tmp", "home", "log", "pix-inspect"):
                    remove(place / left)
                for file in (place / "web").iterdir():
                    file.unlink()
    finally:
        remove(place)
    return {name: (found[0][name], found[1][name]) for name in names}


@pytest.mark.slow
@pytest.mark.parametrize("nix", lab.VERSIONS, indirect=True)
def test_the_daemon_in_the_box_does_ordinary_work_as_nix_does(
    nix: Nix, nix_of: Callable[[str], Nix]
) -> None:
    told: dict[str, str] = {}
    differing: dict[str, list[str]] = {}
    for name, (theirs, ours) in all_of(nix, nix_of(DAEMON_VERSION), SCENARIOS).items():
        differing[name] = differences(theirs, ours)
        told[name] = compared(theirs, ours)
    column = 1 + lab.VERSIONS.index(nix.label)
    page = PAGE.read_text().partition("## Ordinary work")[2]
    expected = {row[0].replace(" ", "_"): row[column] for row in rows(page)}
    wrong = [name for name in SCENARIOS if told[name] != expected.get(name)]
    assert not wrong, "\n".join(line for name in wrong for line in (name, *differing[name]))
    assert told == expected


REPLAYED = (
    *("asking", "roots", "root_names", "reading", "building", "failing", "several_outputs"),
    *("dry_runs", "new_commands", "conflicts", "nix_shell", "flakes"),
)
"""What the recorded daemon alone decides, and not what was on a disk or in a home before."""


@pytest.mark.slow
@pytest.mark.parametrize("nix", lab.VERSIONS, indirect=True)
def test_the_same_can_be_done_again_with_a_recording_only(nix: Nix) -> None:
    with TemporaryDirectory(prefix="play-") as folder, running(nix) as daemon:
        client = daemon.client()
        for name in REPLAYED:
            recording, socket = Path(folder, f"{name}.pcapng"), Path(folder, "socket")
            with relay(socket, daemon.socket, recording):
                before = run(client, socket, name)
            remove(daemon.state.folder / "tmp" / f"s_{name}")
            if "[status" not in "".join(before):  # not with this version
                continue
            unanswered: list[str] = []
            with PlayedDaemon(RecordedSession(recording), socket, say=unanswered.append):
                again = run(client, socket, name)
            assert not unanswered, (name, unanswered)
            assert before == again, name
