"""What is lost when two sides speak the older one's version."""

from __future__ import annotations

from pix.codec.gates import WORKER
from pix_inspect.findings.downgrade import GAINS, lost


def test_what_a_downgrade_loses() -> None:
    assert not list(lost(38, 38))
    assert len(list(lost(10, 38))) == len(GAINS[WORKER])
    assert "structured log" in " ".join(lost(15, 21))
