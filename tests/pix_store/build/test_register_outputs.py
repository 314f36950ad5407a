"""What a build made becomes paths of the store."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pix.daemon import DaemonConnection, NixDaemonError
from pix.protocol import operations as op
from pix.protocol.types import BuildMode, BuildStatus
from tests.support.serving import ABSENT, Drv, talking, watched


@contextmanager
def builder(version: str = "1.38", **options: Any) -> Iterator[DaemonConnection]:
    with watched(version, allow_build=True, **options) as connection:
        yield connection


def contents(c: DaemonConnection, path: str) -> bytes:
    """The bytes of a path that is one file."""
    data = b"".join(c.nar(path))
    size = int.from_bytes(data[88:96], "little")
    return data[96 : 96 + size]


@pytest.mark.parametrize(
    ("algorithm", "script", "digest"),
    [
        ("sha256", "printf x > $out", hashlib.sha256(b"x").hexdigest()),
        ("sha1", "printf x > $out", hashlib.sha1(b"x").hexdigest()),
    ],
)
def test_fixed_outputs(algorithm: str, script: str, digest: str) -> None:
    with builder() as c:
        drv = Drv(c, script, fixed=(algorithm, digest))
        c.build_paths([drv.all])
        info = c.call(op.QueryPathInfo(path=drv.out)).info
        assert info.ca.startswith(f"fixed:{algorithm}:")
        wrong = Drv(c, "printf y > $out", "wrong", fixed=(algorithm, digest))
        with pytest.raises(NixDaemonError, match="hash mismatch in fixed-output derivation"):
            c.build_paths([wrong.all])
        (result,) = c.build_paths_with_results([wrong.all])
        assert result.result.status == BuildStatus.OUTPUT_REJECTED
        top = Drv(c, "cat $lib > $out", "top", needs=(drv,), env={"lib": drv.out})
        c.build_paths([top.all])
        assert contents(c, top.out) == b"x"


def test_building_again_finds_what_is_not_deterministic() -> None:
    with builder() as c:
        same = Drv(c, "echo same > $out", "same")
        other = Drv(c, "echo $$ > $out; head -c 20 /dev/urandom >> $out", "other")
        with pytest.raises(NixDaemonError, match="checking is not possible"):
            c.build_paths([same.all], BuildMode.CHECK)
        c.build_paths([same.all, other.all])
        c.build_paths([same.all], BuildMode.CHECK)
        before = c.query_path_info(other.out)
        with pytest.raises(NixDaemonError, match=r"may not be deterministic: output .* differs"):
            c.build_paths([other.all], BuildMode.CHECK)
        assert c.query_path_info(other.out) == before
        c.build_paths([other.all], BuildMode.REPAIR)
        assert c.query_path_info(other.out).nar_hash != before.nar_hash
    with talking() as c, pytest.raises(NixDaemonError, match="Invalid build mode"):
        c.build_paths([ABSENT], 7)


def test_binary_contents_survive_the_exchange_of_names() -> None:
    data = bytes(range(256)) * 10 + b"/nix/store/" + bytes(100)
    script = "cat $src > $out; printf '\\0%s\\0' $out >> $out"
    with builder() as c:
        source = c.add_to_store("src", data, "fixed:sha256")
        drv = Drv(c, script, sources=(source,), env={"src": source})
        c.build_paths([drv.all])
        assert contents(c, drv.out) == data + b"\0" + drv.out.encode() + b"\0"
        assert base64.b64encode(data)
