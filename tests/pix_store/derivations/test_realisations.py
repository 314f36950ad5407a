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
from tests.support.serving import ABSENT, talking, watched


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


def test_what_is_no_realisation() -> None:
    for text in ("", "[]", "{}", '{"id":"x","outPath":"y"}', "[" * 10_000):
        with talking() as c, pytest.raises(NixDaemonError):
            c.call(op.RegisterDrvOutput(realisation_json=text))
