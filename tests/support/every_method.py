"""Every method of the service, asked with generated stubs and beside it of `pix.daemon`.

What comes back has to be the same, field by field, whatever daemon is behind both.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pix.codec.nar_files import nar_of_contents
from pix.daemon import DaemonConnection
from pix.protocol import operations as op
from pix.protocol.types import SubstitutablePathInfo
from tests.real_nix.test_daemon import TREE, Drv, info_of, renamed
from tests.support.worker_service import SECONDS, Service

PIECE = 70_000


class Asking:
    """Asks both, and keeps which methods were asked."""

    def __init__(self, service: Service, direct: DaemonConnection, folder: Path) -> None:
        self.pb = service.pb
        self.stub = service.stub
        self.direct = direct
        self.folder = folder
        self.asked: set[str] = set()

    def __getattr__(self, method: str) -> Callable[[Any], Any]:
        def ask(message: Any) -> Any:
            self.asked.add(method)
            return getattr(self.stub, method)(message, timeout=SECONDS)

        return ask

    def path(self, path: str) -> Any:
        return self.pb.StorePath(path=path)

    def paths(self, *paths: str) -> Any:
        return self.pb.StorePaths(paths=paths)

    def nothing(self) -> Any:
        from google.protobuf.empty_pb2 import Empty

        return Empty()


def ask_all(service: Service, direct: DaemonConnection, folder: Path) -> set[str]:
    """Ask everything; return the methods that were asked."""
    asking = Asking(service, direct, folder)
    hello = _adding(asking)
    _paths(asking, hello)
    _derivations(asking, Drv(direct, f"echo {folder.name} > $out"))
    _roots(asking, hello)
    _maintenance(asking)
    return asking.asked


def _adding(asking: Asking) -> str:
    pb, direct = asking.pb, asking.direct
    hello: str = asking.AddTextToStore(
        pb.AddTextToStoreRequest(name="hello.txt", content="hello")
    ).path
    assert hello == direct.add_text_to_store("hello.txt", "hello")
    more = pb.AddTextToStoreRequest(name="more.txt", content=hello, references=[hello])
    assert asking.AddTextToStore(more).path == direct.add_text_to_store("more.txt", hello, [hello])

    meta = pb.AddToStoreRequest.Metadata(
        fixed=True, recursive=True, hash_type=pb.SHA1, base_name="tree"
    )
    assert asking.AddToStore(_stream(asking, meta, TREE)).path == direct.add_to_store(
        "tree", TREE, "fixed:r:sha1"
    )
    plain = pb.AddToStoreRequest.Metadata(base_name="tree")
    assert asking.AddToStore(_stream(asking, plain, TREE)).path == direct.add_to_store("tree", TREE)
    content = b"flat" * 50_000
    flat = pb.AddToStoreRequest.Metadata(fixed=True, hash_type=pb.SHA256, base_name="flat")
    nar = b"".join(nar_of_contents(len(content), [content]))
    assert asking.AddToStore(_stream(asking, flat, nar)).path == direct.add_to_store(
        "flat", content, "fixed:sha256"
    )

    other = renamed(hello, "1")
    info = info_of(other, nar)
    request = pb.PathInfo(
        path=asking.path(other),
        nar_hash=hashlib.sha256(nar).digest(),
        nar_size=len(nar),
        references=[hello],
        ca="",
        sigs=["key:" + "A" * 86 + "=="],
    )
    request.registration_time.seconds = 1_000_000_000
    asking.AddToStoreNar(_nar_stream(asking, request, nar))
    stored = direct.call(op.QueryPathInfo(path=other)).info
    assert (stored.nar_hash, stored.nar_size) == (info.info.nar_hash, len(nar))
    assert stored.references == {hello}
    assert stored.sigs == {"key:" + "A" * 86 + "=="}
    request.path.path = renamed(hello, "2")
    request.nar_hash = info.info.nar_hash.encode()  # digits do as well
    asking.AddToStoreNar(_nar_stream(asking, request, nar))
    assert direct.is_valid_path(renamed(hello, "2"))
    return hello


def _stream(asking: Asking, meta: Any, data: bytes) -> Iterator[Any]:
    yield asking.pb.AddToStoreRequest(meta=meta)
    for at in range(0, len(data), PIECE):
        yield asking.pb.AddToStoreRequest(data=data[at : at + PIECE])


def _nar_stream(asking: Asking, info: Any, nar: bytes) -> Iterator[Any]:
    yield asking.pb.AddToStoreNarRequest(path_info=info)
    for at in range(0, len(nar), PIECE):
        yield asking.pb.AddToStoreNarRequest(chunk=nar[at : at + PIECE])


def same_info(message: Any, path: str, direct: DaemonConnection) -> None:
    """Hold a PathInfo to what the daemon says directly."""
    info = direct.call(op.QueryPathInfo(path=path)).info
    assert message.path.path == path
    assert message.is_valid
    assert message.deriver.path == (info.deriver or "")
    assert message.nar_hash.hex() == info.nar_hash
    assert list(message.references) == sorted(info.references)
    assert message.registration_time.seconds == info.registration_time
    assert message.registration_time.nanos == message.download_size == 0
    assert message.nar_size == info.nar_size
    assert message.ultimate == info.ultimate
    assert list(message.sigs) == sorted(info.sigs)
    assert message.ca == (info.ca or "")


def _paths(asking: Asking, hello: str) -> None:
    direct, missing = asking.direct, renamed(hello, "3")
    assert asking.IsValidPath(asking.path(hello)).is_valid
    assert not asking.IsValidPath(asking.path(missing)).is_valid
    for path in (hello, missing):
        assert asking.HasSubstitutes(asking.path(path)).has_substitutes == bool(
            direct.query_substitutable_paths({path})
        )
    assert list(asking.QuerySubstitutablePaths(asking.paths(hello, missing)).paths) == sorted(
        direct.query_substitutable_paths({hello, missing})
    )
    _same_substitutable(asking, hello, missing)
    assert list(asking.QueryReferrers(asking.path(hello)).paths) == sorted(
        direct.query_referrers(hello)
    )
    assert direct.query_referrers(hello)
    everything = direct.query_all_valid_paths()
    assert list(asking.QueryAllValidPaths(asking.nothing()).paths) == sorted(everything)
    for path in everything:
        same_info(asking.QueryPathInfo(asking.path(path)), path, direct)
    absent = asking.QueryPathInfo(asking.path(missing))
    assert (absent.path.path, absent.is_valid, absent.nar_hash) == (missing, False, b"")
    part = Path(hello).name[:32]
    assert asking.QueryPathFromHashPart(asking.pb.HashPart(hash_part=part)).path == hello
    unknown = asking.QueryPathFromHashPart(asking.pb.HashPart(hash_part="3" * 32)).path
    assert unknown == (direct.query_path_from_hash_part("3" * 32) or "")
    assert list(asking.QueryValidPaths(asking.paths(hello, missing)).paths) == sorted(
        direct.query_valid_paths({hello, missing})
    )
    assert asking.NarFromPath(asking.path(hello)).path == hello
    asking.EnsurePath(asking.path(hello))
    signature = f"other:{base64.b64encode(bytes(64)).decode()}"
    request = asking.pb.AddSignaturesRequest(path=asking.path(hello))
    request.sigs.sigs.append(signature)
    asking.AddSignatures(request)
    assert signature in direct.query_path_info(hello).sigs


def _same_substitutable(asking: Asking, *paths: str) -> None:
    direct = asking.direct
    if direct.protocol.minor < 22:
        request = op.QuerySubstitutablePathInfos(paths=frozenset(paths))
    else:
        request = op.QuerySubstitutablePathInfos(paths_with_ca=dict.fromkeys(paths))
    known: dict[str, SubstitutablePathInfo] = {
        each.path: each.info for each in direct.call(request).infos
    }
    told = asking.QuerySubstitutablePathInfos(asking.paths(*paths)).path_infos
    assert {each.path.path for each in told} == set(known)
    for each in told:
        info = known[each.path.path]
        assert each.deriver.path == (info.deriver or "")
        assert list(each.references) == sorted(info.references)
        assert (each.download_size, each.nar_size) == (info.download_size, info.nar_size)


def _derivations(asking: Asking, drv: Drv) -> None:
    pb, direct = asking.pb, asking.direct
    names = list(asking.QueryDerivationOutputNames(asking.path(drv.path)).names)
    outputs = list(asking.QueryDerivationOutputs(asking.path(drv.path)).paths)
    if direct.protocol.minor < 22:
        assert names == sorted(direct.call(op.QueryDerivationOutputNames(path=drv.path)).names)
        assert outputs == sorted(direct.call(op.QueryDerivationOutputs(path=drv.path)).outputs)
    else:
        known = direct.query_derivation_output_map(drv.path)
        assert (names, outputs) == (sorted(known), sorted(filter(None, known.values())))
    assert (names, outputs) == (["out"], [drv.out])

    told = asking.QueryMissing(asking.paths(drv.path))
    missing = direct.query_missing([f"{drv.path}^*"])
    assert list(told.will_build) == sorted(missing.will_build) == [drv.path]
    assert list(told.will_substitute) == sorted(missing.will_substitute)
    assert list(told.unknown) == sorted(missing.unknown)
    assert (told.download_size, told.nar_size) == (missing.download_size, missing.nar_size)

    asking.BuildPaths(pb.BuildPathsRequest(drvs=[drv.path]))
    assert direct.is_valid_path(drv.out)
    same_info(asking.QueryPathInfo(asking.path(drv.out)), drv.out, direct)
    assert list(asking.QueryValidDerivers(asking.path(drv.out)).paths) == sorted(
        direct.query_valid_derivers(drv.out)
    )
    assert direct.query_valid_derivers(drv.out) == {drv.path}

    built = asking.BuildDerivation(
        pb.BuildDerivationRequest(
            drv_path=asking.path(drv.path), derivation=_derivation(asking, drv)
        )
    )
    directly = direct.build_derivation(drv.path, drv.basic)
    assert (built.status, built.error_message) == (directly.status, directly.error_msg)
    assert built.status == pb.AlreadyValid


def _derivation(asking: Asking, drv: Drv) -> Any:
    basic = drv.basic
    made = asking.pb.Derivation(
        platform=basic.platform, builder=asking.path(basic.builder), args=basic.args, env=basic.env
    )
    for name, output in basic.outputs.items():
        made.outputs[name].path.path = output.path or ""
        made.outputs[name].hash_algo = output.hash_algo
    made.input_sources.paths.extend(sorted(basic.input_srcs))
    return made


def _roots(asking: Asking, hello: str) -> None:
    asking.AddTempRoot(asking.path(hello))
    link = asking.folder / "result"
    link.symlink_to(hello)
    asking.AddIndirectRoot(asking.path(str(link)))
    asking.SyncWithGC(asking.nothing())
    told = dict(asking.FindRoots(asking.nothing()).roots)
    roots = asking.direct.find_roots()
    assert told.keys() == {root.link for root in roots}
    assert told.items() <= {(root.link, root.target) for root in roots}
    assert told[str(link)] == hello


def _maintenance(asking: Asking) -> None:
    pb, direct = asking.pb, asking.direct
    asking.SetOptions(pb.SetOptionsRequest(keep_going=True, max_build_jobs=2, overrides={"a": "b"}))
    for action in (pb.ReturnLive, pb.ReturnDead):
        told = asking.CollectGarbage(pb.CollectGarbageRequest(action=action))
        found = direct.collect_garbage(action)
        assert sorted(told.deleted_paths) == sorted(found.paths)
        assert told.bytes_freed == found.bytes_freed
    doomed = renamed(direct.add_text_to_store("doomed", "x"), "4")
    nar = b"".join(nar_of_contents(1, [b"x"]))
    with DaemonConnection(direct.socket_path, timeout=SECONDS) as other:  # its roots go with it
        other.add_to_store_nar(info_of(doomed, nar), nar, dont_check_sigs=True)
    while any(root.target == doomed for root in direct.find_roots()):
        pass
    deleted = asking.CollectGarbage(
        pb.CollectGarbageRequest(
            action=pb.DeleteSpecific, paths_to_delete=[doomed], max_freed=1 << 40
        )
    )
    assert list(deleted.deleted_paths) == [doomed]
    assert deleted.bytes_freed > 0
    assert not direct.is_valid_path(doomed)
    asking.OptimiseStore(asking.nothing())
    told = asking.VerifyStore(pb.VerifyStoreRequest(check_contents=True))
    assert told.errors == direct.verify_store(check_contents=True)
    assert not told.errors
