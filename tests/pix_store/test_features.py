"""A client that asks for features, as some do of every daemon, and what is then in force.

For every part of three features that the client asks for and every part that the daemon
offers: both have to take what both named as agreed, and the rest as not there.
"""

from __future__ import annotations

import json
from itertools import combinations

import pytest

from pix.daemon import DaemonConnection, NixDaemonError
from pix.protocol.types import (
    ADD_TO_STORE_SCANNING,
    REALISATION_WITH_PATH,
    SUBMIT_OUTPUT,
    BuildStatus,
    DrvOutput,
)
from pix_store.build.scheduler import SYSTEM
from pix_store.derivations.derivation import Derivation, Output
from tests.support.nars import nar
from tests.support.serving import Drv, client, serving, watched

ALL = (REALISATION_WITH_PATH, ADD_TO_STORE_SCANNING, SUBMIT_OUTPUT)
SOME = [part for size in range(4) for part in combinations(ALL, size)]
FLOATING = Derivation(
    {"out": Output("", "r:sha256", "")},
    {},
    frozenset(),
    SYSTEM,
    "/bin/sh",
    ("-c", "echo made > $out"),
    {"out": "/1rz4g4znpzjwh1xymhjpm42vipw92pr73vdgl6xs1hycac8kf2n9"},
)


def builds(c: DaemonConnection, by_path: bool) -> None:
    """Outputs of builds are told by path or by hash, whichever was agreed."""
    drv = Drv(c, "echo > $out")
    floating = c.add_text_to_store("floating.drv", FLOATING.text())
    told = c.build_paths_with_results([drv.all, f"{floating}^out"])
    results = [one.result for one in told] + [c.build_derivation(drv.path, drv.basic)]
    outputs = []
    for result in results:
        assert result.status in (BuildStatus.BUILT, BuildStatus.ALREADY_VALID)
        if by_path:
            assert not result.built_outputs
            outputs.append(result.outputs["out"].out_path)
        else:
            assert not result.outputs
            ((key, text),) = result.built_outputs.items()
            assert key.endswith("!out")
            outputs.append("/nix/store/" + json.loads(text)["outPath"])
    assert outputs[0] == outputs[2] == drv.out
    assert c.query_derivation_output_map(floating) == {"out": outputs[1]}
    by_hash = next(iter(results[1].built_outputs), "")
    output = DrvOutput(drv_path=floating, output_name="out")
    c.register_drv_output(output if by_path else by_hash, outputs[1])  # as it is known already
    found = c.query_realisation(output if by_path else by_hash)
    if by_path:
        assert found.realisation is not None
        assert found.realisation.out_path == outputs[1]
    else:
        (text,) = found.realisations
        assert json.loads(text)["outPath"] in outputs[1]


def scans(c: DaemonConnection, agreed: bool) -> None:
    """Contents are added with the references that are found in them."""
    below = c.add_text_to_store("below", "x")
    if not agreed:
        with pytest.raises(NixDaemonError, match=ADD_TO_STORE_SCANNING):
            c.add_to_store_scanning("tree", nar(below.encode()), "fixed:r:sha256")
        return
    for method, content in {
        "fixed:r:sha256": nar({b"a": below.encode()}),
        "text:sha256": b"",
    }.items():
        added = c.add_to_store_scanning("tree", content, method)
        assert added.info.references == ({below} if content else frozenset())
        assert set(c.query_path_info(added.path).references) == added.info.references


def submits(c: DaemonConnection, agreed: bool) -> None:
    """Outside of a build nothing can be submitted, and the connection goes on."""
    below = c.add_text_to_store("below", "x")
    if agreed:
        with pytest.raises(NixDaemonError, match="inside of a build only"):
            c.submit_output(below, "out")
    else:
        with pytest.raises(NixDaemonError, match=SUBMIT_OUTPUT):
            c.submit_output(below, "out")
    assert c.is_valid_path(below)


@pytest.mark.parametrize("offered", SOME)
def test_what_both_name_is_in_force(offered: tuple[str, ...]) -> None:
    for wanted in SOME:
        agreed = {*offered} & {*wanted}
        with (
            serving(features=offered, allow_build=True) as daemon,
            client(daemon, features=(*wanted, "never-heard-of")) as c,
        ):
            assert c.protocol.features == agreed
            builds(c, REALISATION_WITH_PATH in agreed)
            scans(c, ADD_TO_STORE_SCANNING in agreed)
            submits(c, SUBMIT_OUTPUT in agreed)


def test_an_observer_understands_a_client_that_has_all_of_them() -> None:
    with watched(features=ALL, allow_build=True) as c:
        builds(c, True)
        scans(c, True)
        submits(c, True)


def test_two_clients_of_one_daemon_have_features_of_their_own() -> None:
    with (
        serving(features=ALL, allow_build=True) as daemon,
        client(daemon, features=ALL) as new,
        client(daemon) as old,
    ):
        for _ in range(2):
            builds(new, True)
            builds(old, False)
