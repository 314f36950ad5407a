"""Every current operation as lines of the REPL, sent to Nix 2.34.8 and to the embedded daemon.

The same lines go to both, on stores of their own; what both answer is compared, without what
cannot be the same: times, the names of temporary files and the words of errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pix.codec.gates import WORKER
from pix.daemon.errors import without_colours
from pix.protocol import operations_of
from pix_inspect.repl.repl import Session
from pix_inspect.repl.values import Answer, plain
from pix_store import EmbeddedDaemon
from tests.real_nix.daemons import Daemon

pytestmark = [
    pytest.mark.real_nix,
    pytest.mark.parametrize("nix", ["2.34.8"], indirect=True),
]

ABSENT = '"{store}/00000000000000000000000000000000-absent"'
PREPARED = [
    'a = AddToStore(name="a", method="text:sha256", dump=b"hello").reply.path',
    'b = AddToStore(name="b", method="text:sha256", references=[a], dump=b"to a").reply.path',
    't = AddToStore(name="tree", dump=nar("{tree}")).reply.path',
    "info = QueryPathInfo(path=a).reply.info",
    "n = NarFromPath(path=a).reply.nar",
    "plain_info = UnkeyedValidPathInfo(deriver=None, nar_hash=info.nar_hash, references=[],"
    " registration_time=0, nar_size=info.nar_size)",
]

LINES: dict[str, list[str]] = {
    "IsValidPath": ["IsValidPath(path=a)", f"IsValidPath(path={ABSENT})"],
    "QueryReferrers": ["QueryReferrers(path=a)", "QueryReferrers(path=b)"],
    "AddToStore": [
        'AddToStore(name="flat", method="fixed:sha256", dump=b"x")',
        'AddToStore(name="sha1", method="fixed:r:sha1", dump=nar("{tree}"))',
        'AddToStore(name="bad name", method="text:sha256", dump=b"")',
    ],
    "BuildPaths": ["BuildPaths(paths=[a])", f"BuildPaths(paths=[{ABSENT}])"],
    "EnsurePath": ["EnsurePath(path=a)", f"EnsurePath(path={ABSENT})"],
    "AddTempRoot": ["AddTempRoot(path=a)"],
    "AddIndirectRoot": ['AddIndirectRoot(link="{link}")'],
    "FindRoots": ["len(FindRoots().reply.roots) >= 1"],
    "SetOptions": ["SetOptions(verbosity=3)", "options(keep_failed=True, max_silent_time=5)"],
    "CollectGarbage": [
        'a in CollectGarbage(action="ReturnLive").reply.paths',
        "len(connect()) > 0",  # what the connection before added is no longer held
        'CollectGarbage(action="DeleteSpecific", paths_to_delete=[b]).reply.paths',
        "IsValidPath(path=b)",
    ],
    "QuerySubstitutablePathInfo": ["QuerySubstitutablePathInfo(path=a)"],
    "QueryAllValidPaths": ["QueryAllValidPaths()"],
    "QueryPathInfo": ["QueryPathInfo(path=b)", f"QueryPathInfo(path={ABSENT})"],
    "QueryPathFromHashPart": [
        'QueryPathFromHashPart(hash_part="{store}/00000000000000000000000000000000"[-32:])'
    ],
    "QuerySubstitutablePathInfos": ["QuerySubstitutablePathInfos()"],
    "QueryValidPaths": [f"QueryValidPaths(paths=[a, b, {ABSENT}])"],
    "QuerySubstitutablePaths": ["QuerySubstitutablePaths(paths=[a])"],
    "QueryValidDerivers": ["QueryValidDerivers(path=a)"],
    "OptimiseStore": ["OptimiseStore()"],
    "VerifyStore": ["VerifyStore(check_contents=True)"],
    "BuildDerivation": [
        f"BuildDerivation(drv_path={ABSENT.replace('absent', 'absent.drv')},"
        ' derivation={"outputs": [], "input_srcs": [], "platform": "none", "builder": "/bin/sh",'
        ' "args": [], "env": {}})'
    ],
    "AddSignatures": [
        'AddSignatures(path=a, sigs=["key-1:'
        + "A" * 86
        + '=="])',
        "QueryPathInfo(path=a).reply.info.sigs",
    ],
    "NarFromPath": ["NarFromPath(path=t)", 'NarFromPath(path=t).reply.nar == nar("{tree}")'],
    "AddToStoreNar": [
        'AddToStoreNar(path="{store}/11111111111111111111111111111111-nar",'
        " nar_hash=info.nar_hash, nar_size=info.nar_size, dont_check_sigs=True, nar=n)",
        'QueryPathInfo(path="{store}/11111111111111111111111111111111-nar")',
    ],
    "QueryMissing": [f"QueryMissing(paths=[a, {ABSENT}])"],
    "QueryDerivationOutputMap": [f"QueryDerivationOutputMap(path={ABSENT})"],
    "RegisterDrvOutput": [
        'RegisterDrvOutput(realisation_json="{\\"id\\": \\"sha256:' + "0" * 64 + '!out\\",'
        ' \\"outPath\\": \\"none\\", \\"signatures\\": [], \\"dependentRealisations\\": {}}")'
    ],
    "QueryRealisation": ['QueryRealisation(id="sha256:' + "0" * 64 + '!out")'],
    "AddMultipleToStore": [
        'AddMultipleToStore(dont_check_sigs=True, items=paths([[ValidPathInfo('
        'path="{store}/22222222222222222222222222222222-m", info=plain_info), n]]))',
        'QueryPathInfo(path="{store}/22222222222222222222222222222222-m")',
    ],
    "AddBuildLog": ['AddBuildLog(drv="00000000000000000000000000000000-x.drv", log=b"built")'],
    "BuildPathsWithResults": [
        "BuildPathsWithResults(paths=[a])",
        f"BuildPathsWithResults(paths=[{ABSENT}])",
    ],
    "AddPermRoot": ['AddPermRoot(path=a, gc_root="{root}")'],
    "AddTextToStore": ['AddTextToStore(name="old", text="x", references=[a])'],
    "SyncWithGC": ["SyncWithGC()"],
    "QueryDeriver": ["QueryDeriver(path=a)"],
    "QueryDerivationOutputs": ["QueryDerivationOutputs(path=a)"],
    "QueryDerivationOutputNames": ["QueryDerivationOutputNames(path=a)"],
}  # fmt: skip
"""What is asked of each operation."""

DIFFER = {
    "BuildDerivation": "the embedded daemon has no build slots, and says so in its result",
}
VOLATILE = {"took", "log", "registration_time", "start_time", "stop_time", "cpu_user", "cpu_system"}
WORDS = {"message", "traces", "error_msg", "have_position", "status"}
"""Of errors only that they are there is compared."""


def current() -> set[str]:
    """The operations that Nix 2.34 has and nothing replaced."""
    return {
        operation.name
        for operation in operations_of(WORKER).values()
        if not operation.feature
        and (
            operation.life.removed is None
            or (operation.life.removed.minor is None and not operation.life.removed.nix)
        )
        and operation.name not in ("Quit", "OldCollectGarbage", "ImportPath")
    }


class Side:
    """A daemon, and the lines sent to it."""

    def __init__(self, socket: Path, store: Path, folder: Path) -> None:
        self.session = Session(str(socket), timeout=300)
        self.session.dangerous = lambda what: True
        self.store = str(store)
        link = folder / "link"
        self.words = {"store": self.store, "tree": str(folder / "tree"), "link": str(link)}
        self.words["root"] = str(folder / f"root-{socket.parent.name}")

    def ask(self, line: str) -> Any:
        for name, value in self.words.items():
            line = line.replace("{" + name + "}", value)
        return self.session.run(line)

    def comparable(self, value: Any) -> Any:
        text = plain(value)
        if isinstance(value, Answer):
            text = {"operation": value.operation, "reply": text["reply"], "error": text["error"]}
        return self._stripped(text)

    def _stripped(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: self._stripped(each)
                for key, each in value.items()
                if key not in VOLATILE | WORDS
            }
        if isinstance(value, list):
            return sorted(map(self._stripped, value), key=repr)
        return value


@pytest.fixture
def sides(daemon: Daemon, tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    tree = tmp_path / "tree"
    (tree / "folder").mkdir(parents=True)
    (tree / "file").write_text("contents")
    (tree / "folder" / "link").symlink_to("../file")
    with EmbeddedDaemon(store_dir=str(daemon.state.store)) as embedded:
        pair = [Side(daemon.socket, daemon.state.store, tmp_path) for _ in range(2)]
        pair[1].session.socket_path = str(embedded.path)
        for side in pair:
            for line in PREPARED:
                side.ask(line)
        (tmp_path / "link").symlink_to(pair[0].session.evaluator.variables["a"])
        yield pair[0], pair[1]
        for side in pair:
            side.session.close()
        assert not embedded.faults


def test_every_current_operation_is_asked(nix: object) -> None:
    assert current() <= set(LINES), current() - set(LINES)


def test_both_daemons_answer_alike(sides: tuple[Side, Side]) -> None:
    differ = []
    last = "CollectGarbage"  # it deletes what others ask about
    for name in [*(name for name in LINES if name != last), last]:
        for line in LINES[name]:
            answers = [side.ask(line) for side in sides]
            compared = [side.comparable(value) for side, value in zip(sides, answers, strict=True)]
            if compared[0] != compared[1] and name not in DIFFER:
                differ.append((line, *compared))
            assert not isinstance(answers[0], Answer) or not answers[0].note, line
    assert not differ, "\n".join(
        f"{line}\n  real      {a}\n  embedded  {b}" for line, a, b in differ
    )


@pytest.mark.parametrize(
    ("line", "closed", "said"),
    [
        ("raw(u64(99), wait=5)", True, "operation 99: error, invalid operation 99"),
        ('raw(u64(1), u64(1 + 20), hex("61"), half_close=True, wait=5)', True, ""),
        ('raw(u64(1), hex("ff ff ff ff ff ff ff 7f"), half_close=True, wait=5)', True, ""),
        ("raw(u64(0x12345678), u64(0x126), greet=False, half_close=True, wait=5)", True, ""),
        ("raw(encode(IsValidPath(path=a))[:-8], half_close=True, wait=5)", True, ""),
        ("raw(IsValidPath(path=a), wait=0.3)", False, "IsValidPath: complete"),
    ],
    ids=["unknown code", "bad length", "wild length", "bad magic", "truncated", "in order"],
)
def test_a_wrong_request_shows_what_the_daemon_did(
    sides: tuple[Side, Side], line: str, closed: bool, said: str
) -> None:
    for side in sides:
        heard = side.ask(line)
        assert heard.closed is closed
        assert said in "\n".join(map(without_colours, heard.exchanges))
        assert side.ask("IsValidPath(path=a).reply.valid") is True  # the other connection goes on
