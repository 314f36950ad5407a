"""What is to be built, and what would be."""

from __future__ import annotations

import pytest

from pix.daemon import NixDaemonError
from tests.support.serving import ABSENT, Drv, watched


@pytest.mark.parametrize("version", ["1.22", "1.30", "1.38"])
def test_derivations(version: str) -> None:
    with watched(version) as c:
        lib = Drv(c, "x", "lib", outputs=("out", "dev"))
        top = Drv(c, "y", "top", needs=(lib,))
        assert c.query_derivation_output_map(lib.path) == lib.outputs
        assert c.query_valid_derivers(lib.out) == {lib.path}
        missing = c.query_missing([f"{top.path}^out", f"{lib.path}^*", ABSENT])
        assert missing.will_build == {top.path, lib.path}
        assert missing.unknown == {ABSENT}


def test_a_derivation_has_to_have_the_right_outputs() -> None:
    with watched() as c:
        drv = Drv(c, "x")
        wrong = drv.derivation.text().replace(drv.out, ABSENT[:43] + "-thing")
        with pytest.raises(NixDaemonError, match=r"has incorrect output .* should be"):
            c.add_text_to_store("thing.drv", wrong)
        with pytest.raises(NixDaemonError, match="error parsing derivation"):
            c.add_text_to_store("thing.drv", "Derive(")
