"""Every current operation has its method; each asks what it says and gives back what was said."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pix.codec.errors import EncodeError
from pix.codec.gates import WORKER, Protocol
from pix.daemon import DaemonConnection
from pix.protocol import operations as op
from pix.protocol import operations_of, types
from pix.protocol.derived_path import SingleDerivedPath
from tests.pix.daemon.test_connection import DRV, HELLO
from tests.support.scripted_daemon import LAST, Hears, HearsFrames, playing

ID = "sha256:" + "ab" * 32 + "!out"
JSON = f'{{"dependentRealisations":{{}},"id":"{ID}","outPath":"x-hello","signatures":["k:1"]}}'
INFO = types.UnkeyedValidPathInfo(nar_hash="ab", references=frozenset({DRV}), nar_size=8)
VALID = types.ValidPathInfo(path=HELLO, info=INFO)
OUTPUT = types.DrvOutput(drv_path=DRV, output_name="out")
REALISED = types.UnkeyedRealisation(out_path=HELLO, signatures=frozenset({"k:1"}))
RESULT = types.BuildResult(status=types.BuildStatus.BUILT, error_msg="")
DERIVATION = types.BasicDerivation(
    outputs={}, input_srcs=frozenset(), platform="x86_64-linux", builder="/bin/sh"
)
BOTH = frozenset({HELLO, DRV})
RWP = types.REALISATION_WITH_PATH
ROOT = types.Root(link="/result", target=HELLO)
MISSING = op.QueryMissing.Reply(
    will_build=frozenset({DRV}),
    will_substitute=frozenset(),
    unknown=frozenset(),
    download_size=1,
    nar_size=2,
)
GARBAGE = op.CollectGarbage.Reply(paths=(HELLO,), bytes_freed=5)
KEYED = types.KeyedBuildResult(path=f"{DRV}!out", result=RESULT)


def case(call: str, request: Any, reply: Any, value: Any, minor: int = 38, *features: str) -> Any:
    name = call.partition("(")[0]
    return pytest.param(
        call, request, reply, value, minor, frozenset(features), id=f"{name}-{minor}"
    )


CASES = [
    case(
        "is_valid_path(HELLO)", op.IsValidPath(path=HELLO), op.IsValidPath.Reply(valid=False), False
    ),
    case(
        "query_referrers(HELLO)",
        op.QueryReferrers(path=HELLO),
        op.QueryReferrers.Reply(referrers=BOTH),
        set(BOTH),
    ),
    case("ensure_path(HELLO)", op.EnsurePath(path=HELLO), op.Done(), None),
    case("add_temp_root(HELLO)", op.AddTempRoot(path=HELLO), op.Done(), None),
    case("add_indirect_root('/r')", op.AddIndirectRoot(link="/r"), op.Done(), None),
    case("find_roots()", op.FindRoots(), op.FindRoots.Reply(roots=(ROOT, ROOT)), [ROOT, ROOT]),
    case(
        "set_options({'a': 'b'}, max_build_jobs=4)",
        op.SetOptions(max_build_jobs=4, overrides={"a": "b"}),
        None,
        None,
    ),
    case(
        "collect_garbage(3, [HELLO])",
        op.CollectGarbage(
            action=types.GCAction.DELETE_SPECIFIC, paths_to_delete=frozenset({HELLO})
        ),
        GARBAGE,
        GARBAGE,
    ),
    case(
        "collect_garbage(2, max_freed=7)",
        op.CollectGarbage(action=types.GCAction.DELETE_DEAD, max_freed=7),
        GARBAGE,
        GARBAGE,
        38,
        types.DELETE_DEAD_REFERRERS,
    ),
    case(
        "collect_garbage(3, [HELLO], delete_referrers=True)",
        op.CollectGarbage(
            action=types.GCAction.DELETE_SPECIFIC,
            target=types.SpecificPaths(paths=frozenset({HELLO}), delete_referrers=True),
        ),
        GARBAGE,
        GARBAGE,
        38,
        types.DELETE_DEAD_REFERRERS,
    ),
    case("query_all_valid_paths()", op.QueryAllValidPaths(), op.Paths(paths=BOTH), set(BOTH)),
    case(
        "query_path_from_hash_part('x')",
        op.QueryPathFromHashPart(hash_part="x"),
        op.QueryPathFromHashPart.Reply(path=None),
        None,
    ),
    case(
        "query_substitutable_paths([HELLO, DRV])",
        op.QuerySubstitutablePaths(paths=BOTH),
        op.Paths(paths=frozenset()),
        set(),
    ),
    case(
        "query_valid_derivers(HELLO)",
        op.QueryValidDerivers(path=HELLO),
        op.QueryValidDerivers.Reply(derivers=frozenset({DRV})),
        {DRV},
    ),
    case("optimise_store()", op.OptimiseStore(), op.Done(), None),
    case(
        "verify_store(repair=True)",
        op.VerifyStore(repair=True),
        op.VerifyStore.Reply(errors_remain=True),
        True,
    ),
    case(
        "build_derivation(DRV, DERIVATION, 2)",
        op.BuildDerivation(drv_path=DRV, derivation=DERIVATION, mode=types.BuildMode.CHECK),
        op.BuildDerivation.Reply(result=RESULT),
        RESULT,
    ),
    case(
        "add_signatures(HELLO, ['k:1'])",
        op.AddSignatures(path=HELLO, sigs=frozenset({"k:1"})),
        op.Done(),
        None,
    ),
    case(f"query_missing(['{DRV}^*'])", op.QueryMissing(paths=(f"{DRV}!*",)), MISSING, MISSING),
    case("query_missing([HELLO])", op.QueryMissing(paths=(HELLO,)), MISSING, MISSING, 19),
    case(
        "query_derivation_output_map(DRV)",
        op.QueryDerivationOutputMap(path=DRV),
        op.QueryDerivationOutputMap.Reply(outputs={"out": HELLO, "dev": None}),
        {"out": HELLO, "dev": None},
    ),
    case(
        "register_drv_output(ID, '/s/x-hello')",
        op.RegisterDrvOutput(id=ID, out_path="x-hello"),
        None,
        None,
        30,
    ),
    case(
        "register_drv_output(ID, '/s/x-hello', ['k:1'])",
        op.RegisterDrvOutput(realisation_json=JSON),
        None,
        None,
    ),
    case(
        "register_drv_output(OUTPUT, HELLO, ['k:1'])",
        op.RegisterDrvOutput(realisation=types.Realisation(id=OUTPUT, realisation=REALISED)),
        None,
        None,
        38,
        RWP,
    ),
    case(
        "query_realisation(ID).realisations",
        op.QueryRealisation(id=ID),
        op.QueryRealisation.Reply(realisations=(JSON,)),
        (JSON,),
    ),
    case(
        "query_realisation(ID).out_paths",
        op.QueryRealisation(id=ID),
        op.QueryRealisation.Reply(out_paths=frozenset({HELLO})),
        {HELLO},
        30,
    ),
    case(
        "query_realisation(OUTPUT).realisation",
        op.QueryRealisation(output=OUTPUT),
        op.QueryRealisation.Reply(realisation=REALISED),
        REALISED,
        38,
        RWP,
    ),
    case(
        f"build_paths_with_results(['{DRV}^out'])",
        op.BuildPathsWithResults(paths=(f"{DRV}!out",)),
        op.BuildPathsWithResults.Reply(results=(KEYED,)),
        [KEYED],
    ),
    case(
        "add_perm_root(HELLO, '/r')",
        op.AddPermRoot(path=HELLO, gc_root="/r"),
        op.AddPermRoot.Reply(gc_root="/r2"),
        "/r2",
    ),
    case(
        "query_active_builds()",
        op.QueryActiveBuilds(),
        op.QueryActiveBuilds.Reply(builds='[{"a":1}]'),
        [{"a": 1}],
        38,
        types.QUERY_ACTIVE_BUILDS,
    ),
    case(
        "add_temp_roots([HELLO, DRV])",
        op.AddTempRoots(paths=BOTH),
        op.Done(),
        None,
        38,
        types.ADD_TEMP_ROOTS,
    ),
    case(
        "query_path_infos([HELLO, DRV])",
        op.QueryPathInfos(paths=BOTH),
        op.QueryPathInfos.Reply(infos=(VALID,)),
        [VALID],
        38,
        types.QUERY_PATH_INFOS,
    ),
    case(
        "submit_output(HELLO, 'out')",
        op.SubmitOutput(path=SingleDerivedPath(HELLO), output_name="out"),
        op.Done(),
        None,
        38,
        types.SUBMIT_OUTPUT,
    ),
]


@pytest.mark.parametrize(("call", "request_", "reply", "value", "minor", "features"), CASES)
def test_method(
    call: str, request_: Any, reply: Any, value: Any, minor: int, features: frozenset[str]
) -> None:
    said = [LAST] if reply is None else [LAST, reply]
    with playing(Hears(request_), *said, minor=minor, features=features) as daemon:
        assert eval(f"daemon.connection.{call}", globals(), {"daemon": daemon}) == value


def test_add_to_store_scanning() -> None:
    request = op.AddToStoreScanning(name="x", method="fixed:sha256", dump=b"")
    reply = op.AddToStoreScanning.Reply(path=HELLO, info=INFO)
    features = frozenset({types.ADD_TO_STORE_SCANNING})
    with playing(Hears(request), HearsFrames(), LAST, reply, features=features) as daemon:
        assert daemon.connection.add_to_store_scanning("x", b"abc", "fixed:sha256") == VALID
    assert daemon.heard == b"abc"


def test_realisations_are_named_as_the_daemon_names_them() -> None:
    with playing() as daemon, pytest.raises(EncodeError, match="ALGO:HEX!NAME"):
        daemon.connection.register_drv_output(OUTPUT, HELLO)
    with (
        playing(features=frozenset({RWP})) as daemon,
        pytest.raises(EncodeError, match="a DrvOutput is needed"),
    ):
        daemon.connection.register_drv_output(ID, HELLO)
    with playing() as daemon, pytest.raises(EncodeError, match=types.DELETE_DEAD_REFERRERS):
        daemon.connection.collect_garbage(3, [HELLO], delete_referrers=True)


CURRENT = [
    operation.name
    for operation in operations_of(WORKER).values()
    if not operation.life.obsolete
    and (
        operation.life.removed is None
        or (operation.life.removed.minor is None and not operation.life.removed.nix)
    )
]


@pytest.mark.parametrize("name", CURRENT)
def test_every_current_operation_has_its_method(name: str) -> None:
    method = re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower()
    assert callable(getattr(DaemonConnection, method))
    assert (getattr(DaemonConnection, method).__doc__ or "").rstrip().endswith(".")


def test_any_operation_by_call() -> None:
    request = op.QueryDeriver(path=HELLO)
    with playing(Hears(request), LAST, op.QueryDeriver.Reply(deriver=DRV), minor=18) as daemon:
        reply = daemon.connection.call(request)
    assert reply == op.QueryDeriver.Reply(deriver=DRV)
    assert daemon.protocol == Protocol(18)
