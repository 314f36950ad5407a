"""The bundled recordings: all there, small, readable to the last byte, and without traces."""

from __future__ import annotations

import getpass
import re
import socket
from pathlib import Path

import pytest

from pix.protocol import OPERATIONS as DECLARED
from pix_inspect.session.session import Session
from scripts.record_stories import readme
from scripts.stories import STORIES
from tests.real_nix import namespace
from tests.support.places import RECORDINGS

REPOSITORY = Path(__file__).resolve().parents[1]
LARGEST = 200 << 10  # bytes

# What the story is told for: without these operations the recording is another story.
OPERATIONS = {
    "build-with-log": {"AddToStore", "BuildPaths"},
    "build-failure": {"AddToStore", "BuildPaths"},
    "add-tree": {"AddToStore"},
    "queries": {"QueryPathInfo", "QueryReferrers"},
    "import-over-1-21": {"AddToStoreNar"},
    "copy": {"QueryValidPaths", "AddMultipleToStore"},
    "old-client": {"AddTextToStore", "BuildPaths"},
    "untrusted": {"AddMultipleToStore", "BuildPaths"},
    "remote-build": {"AddMultipleToStore", "BuildDerivation", "NarFromPath"},
    "two-clients": {"AddToStore", "BuildPaths"},
    "garbage-collection": {"FindRoots", "CollectGarbage"},
    "content-addressed": {"BuildPaths", "QueryRealisation"},
    "add-tree-1-21": {"AddToStore"},
    "realise-1-21": {"QueryDerivationOutputs", "EnsurePath", "BuildPaths"},
    "build-outputs": {"BuildPathsWithResults"},
    "lookups": {"QueryPathFromHashPart", "QueryValidDerivers"},
    "maintenance": {"QueryAllValidPaths", "AddSignatures", "OptimiseStore", "VerifyStore"},
    "copy-log-and-realisation": {"AddBuildLog", "RegisterDrvOutput"},
    "mounted-store": {"AddPermRoot"},
    "by-hand": {"HasSubstitutes", "QueryPathHash", "QueryReferences", "QueryDeriver", "ImportPaths"}
    | {"ExportPath", "QuerySubstitutablePaths", "QueryDerivationOutputNames"},
    "watched-agent": {
        "BuildPaths",
        "AddIndirectRoot",
        "AddMultipleToStore",
        "VerifyStore",
        "FindRoots",
    }
    | {"CollectGarbage"},
    "serve-copy": {"serve.AddToStoreNar", "serve.DumpStorePath"},
    "serve-closure": {"serve.QueryClosure", "serve.QueryPathInfos"},
    "serve-build": {"serve.BuildDerivation", "serve.DumpStorePath"},
    "serve-build-failure": {"serve.BuildDerivation"},
    "serve-read-only": {"serve.AddToStoreNar"},
}
CUT = {"serve-read-only"}
"""Where a stream ends without an answer, as it has to."""

# No daemon of the lab's four versions knows these.
UNHEARD = {"Quit", "OldCollectGarbage", "ImportPath", "QueryFailedPaths", "ClearFailedPaths"}
UNHEARD |= {"QueryActiveBuilds", "AddTempRoots", "QueryPathInfos"}
UNHEARD |= {"SubmitOutput", "AddToStoreScanning"}
# No client of the lab's four versions sends these.
UNHEARD |= {"serve.ImportPaths", "serve.ExportPaths", "serve.BuildPaths"}


def traces() -> list[re.Pattern[bytes]]:
    """What would tell which machine a recording was made on, or who made it."""
    words = {
        str(REPOSITORY),
        str(REPOSITORY.parent),
        str(Path.home()),
    }
    names = {socket.gethostname(), getpass.getuser()} - {namespace.HOST, "root", "localhost"}
    patterns = [
        rf"(?<![\w-]){re.escape(word)}\b" for word in words if word.count("/") and word != "/"
    ]
    patterns += [rf"\b{re.escape(name)}\b" for name in names if len(name) > 3]
    patterns += [
        r"/home/",
        r"\.venv",
        r"pyenv",
        r"site-packages",
        r"https?://",
        r"/tmp/(?!pix\.sock\b)",
    ]
    return [re.compile(pattern.encode()) for pattern in patterns]


def streams(path: Path) -> bytes:
    """All bytes of a recording's streams, so that no chunk's edge hides anything."""
    session = Session(path).read_all()
    return b"".join(
        data
        for i in range(len(session))
        for side in (0, 1)
        for _, data in session.exchange(i).bytes(side, *session.exchange(i).span(side))
        if data
    )


def test_every_story_has_its_recording() -> None:
    assert {path.stem for path in RECORDINGS.glob("*.pcapng")} == set(STORIES) == set(OPERATIONS)
    assert (RECORDINGS / "README.md").read_text() == readme()


@pytest.mark.parametrize("name", STORIES)
def test_recording_is_small_and_whole(name: str) -> None:
    path = RECORDINGS / f"{name}.pcapng"
    assert path.stat().st_size <= LARGEST
    session = Session(path).read_all()
    assert session.truncated is None
    assert session.consumed == session.size
    rows = [session.row(i) for i in range(len(session))]
    assert {row.kind for row in rows} == {"handshake", "operation"}
    assert {row.state for row in rows} <= {"ok", "error"} | ({"cut"} if name in CUT else set())
    assert {row.operation for row in rows} >= OPERATIONS[name]


def test_every_operation_that_a_daemon_here_knows_is_in_a_recording() -> None:
    heard: set[str | None] = set()
    for path in RECORDINGS.glob("*.pcapng"):
        session = Session(path).read_all()
        heard |= {session.row(i).operation for i in range(len(session))}
        session.close()
    assert {operation.name for operation in DECLARED.values()} - heard == UNHEARD


@pytest.mark.parametrize("name", STORIES)
def test_recording_has_no_trace_of_a_machine(name: str) -> None:
    path = RECORDINGS / f"{name}.pcapng"
    content = path.read_bytes() + streams(path)
    for pattern in traces():
        found = pattern.search(content)
        assert found is None, content[found.start() - 40 : found.end() + 40]


def test_recordings_say_who_was_connected() -> None:
    session = Session(RECORDINGS / "build-with-log.pcapng").read_all()
    peers = [connection.peer for connection in session.connections.values()]
    assert [peer.command for peer in peers] == ["nix-build hello.nix"]
