"""Every operation, in the versions that have it, as a client and an observer hear it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from pix.daemon import DaemonConnection, NixDaemonError
from pix.daemon.upload import Item
from pix.protocol import OPERATIONS_BY_NAME
from pix.protocol import operations as op
from pix.protocol.types import (
    ADD_TEMP_ROOTS,
    ADD_TO_STORE_SCANNING,
    PROVENANCE,
    QUERY_ACTIVE_BUILDS,
    QUERY_PATH_INFOS,
    REALISATION_WITH_PATH,
    SUBMIT_OUTPUT,
    VERSIONED_ADD_MULTIPLE,
    DrvOutput,
    UnkeyedValidPathInfo,
    ValidPathInfo,
)
from pix_store.connection.client import ANSWERS
from tests.support.nars import nar
from tests.support.serving import ABSENT, TREE, VERSIONS, Drv, talking, watched

NEVER = {"Quit", "OldCollectGarbage", "ImportPath", "QueryFailedPaths", "ClearFailedPaths"}
"""What no daemon in range answers."""
each_version = pytest.mark.parametrize("version", VERSIONS)


def test_everything_that_a_daemon_answers_is_answered() -> None:
    answered = {name for name, one in OPERATIONS_BY_NAME.items() if one.code in ANSWERS}
    assert OPERATIONS_BY_NAME.keys() - answered == NEVER


def info_of(path: str, data: bytes, **more: Any) -> ValidPathInfo:
    digest = hashlib.sha256(data).hexdigest()
    known = UnkeyedValidPathInfo(
        nar_hash=digest, nar_size=len(data), **({"references": frozenset()} | more)
    )
    return ValidPathInfo(path=path, info=known)


@each_version
def test_adding_and_asking(version: str) -> None:
    with watched(version) as c:
        c.set_options({"timeout": "3"})
        text = c.add_text_to_store("hello.txt", "hello")
        assert text == "/nix/store/q790zdjk75hm2cn42nh77pqw4gbv1b88-hello.txt"
        assert c.add_text_to_store("hello.txt", "hello") == text
        user = c.add_text_to_store("user.txt", text, [text])
        tree = c.add_to_store("tree", TREE)
        assert c.add_to_store("flat", b"abc", "fixed:sha1").endswith("-flat")
        assert c.add_to_store("tree", TREE, "fixed:r:sha512") != tree
        assert c.is_valid_path(text)
        assert not c.is_valid_path(ABSENT)
        info = c.query_path_info(tree)
        assert (info.nar_hash, info.nar_size) == (hashlib.sha256(TREE).hexdigest(), len(TREE))
        assert b"".join(c.nar(tree)) == TREE
        assert c.query_path_info(user).references == [text]
        assert c.query_referrers(text) == {user}
        assert {text, user, tree} <= c.query_all_valid_paths()
        assert c.query_valid_paths([text, ABSENT], substitute=True) == {text}
        assert c.query_path_from_hash_part(text[11:43]) == text
        assert c.query_path_from_hash_part("0" * 32) is None
        assert c.query_valid_derivers(text) == set()
        assert c.query_substitutable_paths([text]) == set()
        assert c.call(op.QueryPathInfo(path=ABSENT)).info is None
        c.add_signatures(text, ["key:c2ln"])
        assert c.query_path_info(text).sigs == ["key:c2ln"]
        c.add_temp_root(text)
        assert text in {root.target for root in c.find_roots()}
        c.ensure_path(text)
        with pytest.raises(NixDaemonError, match="no substituter"):
            c.ensure_path(ABSENT)
        c.optimise_store()
        assert not c.verify_store(check_contents=True)


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
    with watched(version, trusted=False) as c:
        with pytest.raises(NixDaemonError, match="not privileged to add logs"):
            c.add_build_log(ABSENT + ".drv", b"one")
        assert c.query_all_valid_paths() == set()


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


def test_determinate_s_operations() -> None:
    with watched(features=(ADD_TEMP_ROOTS, QUERY_PATH_INFOS, QUERY_ACTIVE_BUILDS)) as c:
        a, b = (c.add_text_to_store(name, name) for name in "ab")
        c.add_temp_roots([a, b])
        assert {info.path for info in c.query_path_infos([a, b, ABSENT])} == {a, b}
        assert c.query_active_builds() == []


def test_adding_with_a_search_for_references() -> None:
    with watched(features=(ADD_TO_STORE_SCANNING,)) as c:
        a = c.add_text_to_store("a", "a")
        found = c.add_to_store_scanning("b", nar({b"x": a.encode()}), "fixed:r:sha256")
        assert found.info.references == {a}
        assert c.add_to_store_scanning("c", b"nothing", "text:sha256").info.references == set()


def test_submitting_is_for_builds() -> None:
    with talking(features=(SUBMIT_OUTPUT,)) as c, pytest.raises(NixDaemonError, match="inside"):
        c.submit_output(ABSENT, "out")


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (op.AddToStore(name="x", repair=True, dump=TREE), "repairing is not allowed"),
        (op.VerifyStore(repair=True), "not privileged to repair"),
        (op.AddPermRoot(path=ABSENT, gc_root="/x"), "not privileged to create perm roots"),
    ],
)
def test_what_an_untrusted_client_may_not(request_: Any, why: str) -> None:
    with watched(trusted=False) as c, pytest.raises(NixDaemonError, match=why):
        c.call(request_)


def test_corruption_is_found(tmp_path: Path) -> None:
    with watched(store=tmp_path) as c:
        kept, changed, gone = (c.add_text_to_store(name, name) for name in "abc")
        folder = tmp_path / "nix/store"
        file = folder / changed[11:]
        file.chmod(0o644)
        file.write_text("else")
        (folder / gone[11:]).unlink()
        assert c.verify_store(check_contents=True)
        assert c.query_all_valid_paths() == {kept, changed}
        c.add_to_store("b", b"b", "text:sha256", repair=True)
        assert not c.verify_store(check_contents=True)


def test_equal_files_are_linked(tmp_path: Path) -> None:
    tree = nar({b"one": b"same", b"two": b"same", b"run": ("executable", b"same")})
    with watched(store=tmp_path) as c:
        path = tmp_path / "nix/store" / c.add_to_store("x", tree)[11:]
        flat = tmp_path / "nix/store" / c.add_to_store("y", b"same", "fixed:sha256")[11:]
        c.optimise_store()
        inodes = [place.stat().st_ino for place in (path / "one", path / "two", flat)]
        assert len(set(inodes)) == 1
        assert (path / "run").stat().st_ino not in inodes
        assert not c.verify_store(check_contents=True)
        assert path.stat().st_mtime == 1


def test_a_client_of_1_24_sends_nars_only() -> None:
    with watched("1.24") as c:
        with pytest.raises(NixDaemonError, match="expected a regular file"):
            c.call(op.AddToStore(name="x", fixed=True, recursive=0, hash_algo="sha1", dump=TREE))
        with pytest.raises(NixDaemonError, match="unsupported FileIngestionMethod"):
            c.call(op.AddToStore(name="x", fixed=True, recursive=2, hash_algo="sha1", dump=TREE))
        assert isinstance(c, DaemonConnection)
