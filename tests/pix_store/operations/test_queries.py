"""Questions about paths, in the versions that ask them."""

from __future__ import annotations

import pytest

from pix.daemon import NixDaemonError
from pix.protocol import operations as op
from pix.protocol.types import (
    ADD_TEMP_ROOTS,
    QUERY_ACTIVE_BUILDS,
    QUERY_PATH_INFOS,
)
from tests.support.serving import ABSENT, VERSIONS, Drv, watched

each_version = pytest.mark.parametrize("version", VERSIONS)


@each_version
def test_obsolete_questions(version: str) -> None:
    with watched(version) as c:
        drv = Drv(c, "true", outputs=("out", "dev"))
        ask = c.call
        assert not ask(op.HasSubstitutes(path=drv.path)).substitutable
        assert len(ask(op.QueryPathHash(path=drv.path)).nar_hash) == 64
        assert ask(op.QueryReferences(path=drv.path)).references == frozenset()
        assert ask(op.QueryDeriver(path=drv.path)).deriver is None
        assert ask(op.QueryDerivationOutputs(path=drv.path)).outputs == set(drv.outputs.values())
        assert ask(op.QueryDerivationOutputNames(path=drv.path)).names == {"out", "dev"}
        assert ask(op.QuerySubstitutablePathInfo(path=drv.path)).info is None
        assert ask(op.QuerySubstitutablePathInfos(paths=frozenset())).infos == ()
        assert ask(op.SyncWithGC()).done == 1
        assert ask(op.AddTextToStore(name="x", text="y")).path.endswith("-x")
        with pytest.raises(NixDaemonError, match="is not valid"):
            ask(op.QueryReferences(path=ABSENT))
        with pytest.raises(NixDaemonError, match="not a valid derivation path"):
            ask(op.QueryDerivationOutputs(path=c.add_text_to_store("plain", "")))


def test_determinate_s_operations() -> None:
    with watched(features=(ADD_TEMP_ROOTS, QUERY_PATH_INFOS, QUERY_ACTIVE_BUILDS)) as c:
        a, b = (c.add_text_to_store(name, name) for name in "ab")
        c.add_temp_roots([a, b])
        assert {info.path for info in c.query_path_infos([a, b, ABSENT])} == {a, b}
        assert c.query_active_builds() == []
