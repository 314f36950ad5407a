"""Recordings replayed: to real daemons, and to real clients."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from pix_inspect.replay.daemon import PlayedDaemon
from pix_inspect.replay.recorded import RecordedSession
from scripts.stories import STORIES
from tests.real_nix import lab, namespace
from tests.real_nix.daemons import Client, running
from tests.real_nix.lab import Nix
from tests.real_nix.test_relay_transparent import ACTIONS, Outcome, relay
from tests.support.places import RECORDINGS
from tests.support.surroundings import lacking

pytestmark = pytest.mark.real_nix

SECONDS = 600.0

PATIENT = ("two-clients",)
"""Its clients race, and its second one waits for five seconds, with every real daemon."""


LINKS = {
    ("watched-agent", 34): ("reply.roots[0]", "reply.roots[1]", "log[0]", "log[1]"),
    ("watched-agent", 40):
        ("reply.paths[0]", "reply.paths[2]", "reply.bytes_freed", "log[2]", "log[3]"),
}  # fmt: skip
"""Where a replay is answered otherwise since the client's links are not there: its roots."""


@pytest.mark.parametrize("version", lab.VERSIONS)
def test_a_daemon_of_the_same_version_answers_as_recorded(
    version: str, nix_of: Callable[[str], Nix]
) -> None:
    names = [
        name
        for name, story in STORIES.items()
        if story.daemon == version
        and not story.served
        and name not in PATIENT
        and (RECORDINGS / f"{name}.pcapng").exists()
    ]
    for name in names:
        nix_of(STORIES[name].client), nix_of(version)
    why = namespace.available()
    if why is not None:
        lacking(f"no namespaces here: {why}")
    told = retold("--log", *names)
    assert list(told) == names
    assert all(told.values())
    links = {place: fields for place, fields in LINKS.items() if place[0] in names}
    assert otherwise(told) == links


EMBEDDED_DIFFERS = {
    # Nix 2.34 counts no builds; we do
    ("build-outputs", 8): "reply.results[0].result.times_built",
    ("build-outputs", 14): "reply.results[0].result.times_built",
    # Nix counts what the file system frees, we count NARs
    ("garbage-collection", 12): "reply.bytes_freed",
    ("garbage-collection", 15): "reply.bytes_freed",
    # a file that was changed behind the daemon's back is none in memory
    ("maintenance", 17): "reply.errors_remain",
    # the client's links are not there
    ("watched-agent", 34):
        "reply.roots[0].link, reply.roots[0].target, reply.roots[1], reply.roots[2]",
    ("watched-agent", 40): "reply.paths[0], reply.paths[2], reply.bytes_freed",
}  # fmt: skip
"""Where the embedded daemon answers otherwise than Nix did: exchange and field."""


def test_the_embedded_daemon_answers_as_real_ones_but_for_known_fields(
    nix_of: Callable[[str], Nix],
) -> None:
    names = [name for name in STORIES if (RECORDINGS / f"{name}.pcapng").exists()]
    names = [name for name in names if name not in PATIENT and not STORIES[name].served]
    for version in lab.VERSIONS:
        nix_of(version)
    why = namespace.available()
    if why is not None:
        lacking(f"no namespaces here: {why}")
    told = retold("--embedded", *names)
    assert list(told) == names
    found = {place: ", ".join(fields) for place, fields in otherwise(told).items()}
    assert found.items() <= EMBEDDED_DIFFERS.items()


def otherwise(told: dict[str, list[dict[str, Any]]]) -> dict[tuple[str, int], tuple[str, ...]]:
    """Return the fields that differ, by recording and exchange."""
    return {
        (name, each["exchange"]): tuple(change["field"] for change in each["changes"])
        for name, verdicts in told.items()
        for each in verdicts
        if each["outcome"] != "same"
    }


def retold(*words: str) -> dict[str, list[dict[str, Any]]]:
    """Replay recordings in a namespace; returns the verdicts by recording."""
    with TemporaryDirectory() as mountpoint:
        command = namespace.command(
            Path(mountpoint), "tests.real_nix.retold", words, {"/recordings": RECORDINGS}
        )
        done = subprocess.run(
            command,
            cwd=lab.REPOSITORY,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
        )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    lines = map(json.loads, done.stdout.splitlines())
    return {line["story"]: line["verdicts"] for line in lines}


def questions(client: Client, work: Path) -> Outcome:
    """Add a file and ask about it in several ways."""
    (work / "file").write_text("contents\n")
    path = client.run("nix-store", "--add", "file").stdout.decode().strip()
    said = [
        client.run("nix-store", "--query", *question, path).stdout
        for question in (("--hash",), ("--references",), ("--referrers",), ("--size",))
    ]
    return Outcome(0, b"".join([path.encode(), *said]), b"")


def dump_of_a_path(client: Client, work: Path) -> Outcome:
    """Add a tree and export it; `nix` reads it from the daemon, the client has no store."""
    (work / "tree").mkdir()
    (work / "tree/large").write_bytes(bytes(range(256)) * 1024)
    path = client.run("nix-store", "--add", "tree").stdout.decode().strip()
    done = client.run("nix", "path-info", "--json", path)
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("nix", lab.VERSIONS, indirect=True)
def test_real_clients_work_against_a_recording_of_the_same_commands(nix: Nix) -> None:
    actions = [*ACTIONS, questions, *([dump_of_a_path] if nix.label != "2.3.7" else [])]
    with TemporaryDirectory(prefix="play-") as folder, running(nix) as daemon:
        place = Path(folder)
        for number, action in enumerate(actions):
            recording, between = place / f"{number}.pcapng", place / f"between-{number}"
            work = daemon.state.folder / "tmp"
            with relay(between, daemon.socket, recording):
                expected = action(daemon.client(socket=between), work)
            shutil.rmtree(work)
            work.mkdir()
            unanswered: list[str] = []
            with PlayedDaemon(RecordedSession(recording), say=unanswered.append) as played:
                again = action(daemon.client(socket=played.path), work)
            shutil.rmtree(work)
            work.mkdir()
            assert unanswered == [], action.__name__
            assert again == expected, action.__name__
