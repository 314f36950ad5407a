"""Which path an output turned out to have."""

from __future__ import annotations

import json

import pytest

from pix.daemon import NixDaemonError
from pix.protocol import operations as op
from pix.protocol.types import (
    REALISATION_WITH_PATH,
    DrvOutput,
)
from pix_store.build.scheduler import SYSTEM
from pix_store.derivations.derivation import Derivation, Output
from pix_store.derivations.hash_modulo import output_hashes
from tests.support.serving import ABSENT, client, serving, talking, watched


@pytest.mark.parametrize("version", ["1.27", "1.30", "1.31", "1.38"])
def test_realisations(version: str) -> None:
    key = f"sha256:{'0' * 64}!out"
    with watched(version) as c:
        path = c.add_text_to_store("x", "x")
        old = version < "1.31"
        nothing = c.query_realisation(key)
        assert nothing == op.QueryRealisation.Reply()
        c.register_drv_output(key, path, [] if old else ["k:s"])
        found = c.query_realisation(key)
        if old:
            assert found.out_paths == {path}
        else:
            (text,) = found.realisations
            assert json.loads(text) == {
                "dependentRealisations": {},
                "id": key,
                "outPath": path[11:],
                "signatures": ["k:s"],
            }


def test_realisations_by_path() -> None:
    with watched(features=(REALISATION_WITH_PATH,)) as c:
        path = c.add_text_to_store("x", "x")
        output = DrvOutput(drv_path=ABSENT + ".drv", output_name="out")
        assert c.query_realisation(output).realisation is None
        c.register_drv_output(output, path, ["k:s"])
        found = c.query_realisation(output).realisation
        assert found is not None
        assert (found.out_path, set(found.signatures)) == (path, {"k:s"})


def test_another_path_for_a_known_output_is_refused() -> None:
    key = f"sha256:{'0' * 64}!out"
    with watched() as c:
        one, two = (c.add_text_to_store("x", text) for text in "12")
        c.register_drv_output(key, one, ["k:s"])
        c.register_drv_output(key, one, ["j:s"])
        with pytest.raises(NixDaemonError, match="we already have another one locally"):
            c.register_drv_output(key, two)
        (text,) = c.query_realisation(key).realisations
        assert json.loads(text)["outPath"] == one[11:]
        assert json.loads(text)["signatures"] == ["j:s", "k:s"]


FLOATING = Derivation(
    {"out": Output("", "r:sha256", "")}, {}, frozenset(), SYSTEM, "/bin/sh", env={"out": "x"}
)
"""A derivation whose output is known when it is built, and not before."""


@pytest.mark.parametrize("asking", [(), (REALISATION_WITH_PATH,)])
@pytest.mark.parametrize("telling", [(), (REALISATION_WITH_PATH,)])
def test_an_output_is_known_with_and_without_the_feature(
    telling: tuple[str, ...], asking: tuple[str, ...]
) -> None:
    with (
        serving(features=(REALISATION_WITH_PATH,)) as daemon,
        client(daemon, features=telling) as teller,
        client(daemon, features=asking) as asker,
    ):
        path = teller.add_text_to_store("x", "x")
        drv = teller.add_text_to_store("floating.drv", FLOATING.text())
        digest = output_hashes(FLOATING, lambda path: FLOATING, {})["out"]
        by_hash, by_path = f"sha256:{digest.hex}!out", DrvOutput(drv_path=drv, output_name="out")
        assert asker.query_derivation_output_map(drv) == {"out": None}
        teller.register_drv_output(by_path if telling else by_hash, path)
        assert asker.query_derivation_output_map(drv) == {"out": path}
        found = asker.query_realisation(by_path if asking else by_hash)
        assert found.realisation is not None if asking else found.realisations
        other = asker.add_text_to_store("x", "other")
        with pytest.raises(NixDaemonError, match="another one locally"):
            asker.register_drv_output(by_path if asking else by_hash, other)


def test_what_is_no_realisation() -> None:
    for text in ("", "[]", "{}", '{"id":"x","outPath":"y"}', "[" * 10_000):
        with talking() as c, pytest.raises(NixDaemonError):
            c.call(op.RegisterDrvOutput(realisation_json=text))
