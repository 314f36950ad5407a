"""Files, NARs, exports and signatures into the store, and out again."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from pix.daemon import DaemonConnection, NixDaemonError
from pix.daemon.upload import Item
from pix.problem import Problem
from pix.protocol import operations as op
from pix.protocol.types import (
    ADD_TO_STORE_SCANNING,
    PROVENANCE,
    VERSIONED_ADD_MULTIPLE,
    UnkeyedValidPathInfo,
    ValidPathInfo,
)
from pix_store import EmbeddedDaemon
from tests.support.nars import nar
from tests.support.serving import ABSENT, TREE, VERSIONS, talking, watched

each_version = pytest.mark.parametrize("version", VERSIONS)


def info_of(path: str, data: bytes, **more: Any) -> ValidPathInfo:
    digest = hashlib.sha256(data).hexdigest()
    known = UnkeyedValidPathInfo(
        nar_hash=digest, nar_size=len(data), **({"references": frozenset()} | more)
    )
    return ValidPathInfo(path=path, info=known)


@each_version
def test_exporting_and_importing(version: str) -> None:
    with talking(version) as there:
        a = there.add_text_to_store("a", "a")
        b = there.add_to_store("b", TREE)
        user = there.add_text_to_store("user", a, [a])
        records = [there.call(op.ExportPath(path=path)).export for path in (a, b, user)]
        with pytest.raises(NixDaemonError, match="is not valid"):
            there.call(op.ExportPath(path=ABSENT))
    stream = b"".join((1).to_bytes(8, "little") + record for record in records) + bytes(8)
    with watched(version) as c:
        assert c.import_paths(stream) == [a, b, user]
        assert c.query_path_info(user).references == [a]
        with pytest.raises(NixDaemonError):
            c.import_paths((7).to_bytes(8, "little") * 3)
    with watched(version) as c, pytest.raises(NixDaemonError, match="is not valid"):
        c.import_paths((1).to_bytes(8, "little") + records[2] + bytes(8))


@each_version
@pytest.mark.parametrize("size", [0, 7, 100_000])
def test_adding_with_metadata(version: str, size: int) -> None:
    data = nar(b"x" * size)
    with watched(version) as c:
        told = info_of(ABSENT, data, deriver=ABSENT + ".drv", registration_time=7)
        c.add_to_store_nar(told, data, dont_check_sigs=True)
        c.add_to_store_nar(told, data, dont_check_sigs=True)
        info = c.query_path_info(ABSENT)
        assert (info.deriver, info.registration_time) == (ABSENT + ".drv", 7)
        assert b"".join(c.nar(ABSENT)) == data


def test_what_is_not_what_was_promised() -> None:
    data = nar(b"x")
    with watched() as c:
        for change, why in (
            ({"nar_hash": "0" * 64}, "hash mismatch importing path"),
            ({"nar_size": 1}, "size mismatch"),
            ({"references": frozenset({ABSENT[:-1]})}, "is not valid"),
            ({"ca": "fixed:r:sha256:" + "0" * 52}, "ca hash mismatch"),
        ):
            told = info_of(ABSENT, data)
            for name, value in change.items():
                setattr(told.info, name, value)
            with pytest.raises(NixDaemonError, match=why):
                c.add_to_store_nar(told, data, dont_check_sigs=True)
        assert c.query_all_valid_paths() == set()


def test_signatures_are_wanted_unless_the_contents_vouch_for_the_path() -> None:
    data = nar(b"x")
    with talking() as there:
        path = there.add_to_store("x", data)
        known = there.call(op.QueryPathInfo(path=path)).info
    with watched(trusted=False) as c:
        with pytest.raises(NixDaemonError, match="lacks a signature by a trusted key"):
            c.add_to_store_nar(info_of(ABSENT, data), data, dont_check_sigs=True)
        c.add_to_store_nar(ValidPathInfo(path=path, info=known), data)
        assert c.query_all_valid_paths() == {path}
    with watched(require_sigs=False) as c:
        c.add_to_store_nar(info_of(ABSENT, data), data)


SIGNED = "/tmp/nix-nf1zmeb8/store/55jwlhfpx6kgmj7qhs1idp72ki76g99a-y"
BELOW = "/tmp/nix-nf1zmeb8/store/l37d6dl9pmjp3dac42b30z41wj0mal1f-f"
SIGNATURE = (
    "key-1:V3igwz8oVv3BtXSvEE0osSNP0LZUqR/6dE4ZyWWaHIZ0QRcf4J+mDqUdFju1kok/L87qZTlqHMnWCQlFDv84Bg=="
)
KEY = "key-1:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


def signed(c: DaemonConnection) -> ValidPathInfo:
    """A path that Nix 2.26.3 signed, and what it refers to."""
    assert c.add_to_store("f", nar(b"x")) == BELOW
    data = nar(BELOW.encode())
    return info_of(
        SIGNED, data, references=frozenset((BELOW,)), sigs=frozenset(("key-2:AAAA", SIGNATURE))
    )


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("version", ["1.21", "1.32", "1.38"])
@pytest.mark.parametrize("trusted", [False, True])
def test_a_trusted_key_vouches_for_a_path(trusted: bool, version: str, many: bool) -> None:
    if many and version == "1.21":
        return
    data = nar(BELOW.encode())

    def add(c: DaemonConnection, told: ValidPathInfo, dont_check_sigs: bool = not trusted) -> None:
        if many:
            c.add_multiple_to_store([(told, data)], dont_check_sigs=dont_check_sigs)
        else:
            c.add_to_store_nar(told, data, dont_check_sigs=dont_check_sigs)

    place = {"store_dir": SIGNED.rpartition("/")[0], "trusted": trusted}
    lacks = "lacks a signature by a trusted key"
    with watched(version, trusted_keys=[KEY], **place) as c:
        told = signed(c)
        told.info.registration_time = 5  # which is not signed
        add(c, told)
        assert c.query_path_info(SIGNED).sigs == [SIGNATURE, "key-2:AAAA"]
    with watched(version, trusted_keys=[KEY.replace("key-1", "key-2")], **place) as c:
        told = signed(c)
        with pytest.raises(NixDaemonError, match=lacks):
            add(c, told)
        told.info.sigs = frozenset()
        with pytest.raises(NixDaemonError, match=lacks):
            add(c, told)
        assert not c.is_valid_path(SIGNED)
        c.set_options(
            {"trusted-public-keys": "", "extra-trusted-public-keys": f"x:{KEY[6:]} {KEY}"}
        )
        told = signed(c)
        if trusted:  # only a trusted client may say who is trusted
            add(c, told)
            assert c.is_valid_path(SIGNED)
        else:
            with pytest.raises(NixDaemonError, match=lacks):
                add(c, told)
    with watched(version, **place) as c:
        told = signed(c)
        c.set_options({"require-sigs": "false"})
        if trusted:
            add(c, told)
        else:
            with pytest.raises(NixDaemonError, match=lacks):
                add(c, told)
    if trusted:
        with watched(version, **place) as c:
            add(c, signed(c), dont_check_sigs=True)


def test_keys_that_are_none() -> None:
    with pytest.raises(Problem, match="'key' is not a public key: NAME:BASE64"):
        EmbeddedDaemon(trusted_keys=["key"])
    with watched() as c:
        c.set_options({"trusted-public-keys": "key"})
        data = nar(b"x")
        with pytest.raises(NixDaemonError, match="key is corrupt"):
            c.add_to_store_nar(info_of(ABSENT, data), data)


@pytest.mark.parametrize("features", [(), (VERSIONED_ADD_MULTIPLE, PROVENANCE)])
@pytest.mark.parametrize("version", ["1.21", "1.31", "1.32", "1.38"])
def test_adding_many(version: str, features: tuple[str, ...]) -> None:
    if features and version != "1.38":
        return
    provenance = {"provenance": '{"from":"here"}'} if features else {}
    with watched(version, features=features) as c:
        paths = [ABSENT.replace("00", f"{i:02}") for i in range(1, 6)]
        items: list[Item] = []
        for i, path in enumerate(paths):
            data = nar(path.encode() * 5_000)
            told = info_of(path, data, references=frozenset(paths[:i]), **provenance)
            items.append((told, data))
        c.add_multiple_to_store(items, dont_check_sigs=True)
        assert c.query_all_valid_paths() == set(paths)
        assert c.query_path_info(paths[4]).references == paths[:4]
        if features:
            info = c.call(op.QueryPathInfo(path=paths[0])).info
            assert info.provenance == '{"from":"here"}'


@pytest.mark.parametrize("version", ["1.32", "1.38"])
def test_build_logs(version: str, tmp_path: Path) -> None:
    with watched(version, store=tmp_path) as c:
        c.add_build_log(ABSENT + ".drv", b"one\ntwo\n")
        logs = tmp_path / "nix/var/log/nix/drvs/00"
        assert (logs / f"{ABSENT[13:]}.drv").read_bytes() == b"one\ntwo\n"
    refused = pytest.raises(NixDaemonError, match="not privileged to add logs")
    with watched(version, trusted=False) as c, refused:
        c.add_build_log(ABSENT + ".drv", b"one")


def test_adding_with_a_search_for_references() -> None:
    with watched(features=(ADD_TO_STORE_SCANNING,)) as c:
        a = c.add_text_to_store("a", "a")
        found = c.add_to_store_scanning("b", nar({b"x": a.encode()}), "fixed:r:sha256")
        assert found.info.references == {a}
        assert c.add_to_store_scanning("c", b"nothing", "text:sha256").info.references == set()
