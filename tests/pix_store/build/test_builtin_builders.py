"""Profiles, fetches and channels, by the builders that are part of Nix."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import lzma
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pix.codec.nar import check
from pix.daemon import DaemonConnection, NixDaemonError
from pix.protocol.logging import ActivityType, StderrNext, StderrStartActivity, StderrStopActivity
from pix.protocol.nix32 import nix32
from tests.support.nars import nar
from tests.support.serving import Drv, client, serving


@pytest.fixture
def c() -> Iterator[DaemonConnection]:
    """A client of a store in memory, which builds in a folder of another name."""
    heard: list[Any] = []
    with serving(allow_build=True) as daemon, client(daemon, log=heard.append) as connection:
        connection.heard = heard  # type: ignore[attr-defined]
        yield connection


def said(c: DaemonConnection) -> list[str]:
    heard: list[Any] = c.heard  # type: ignore[attr-defined]
    return [frame.text for frame in heard if isinstance(frame, StderrNext)]


def tree(c: DaemonConnection, path: str) -> dict[str, str | None]:
    """What is in a path: each file's contents, each link's target, None for folders."""
    data = b"".join(c.nar(path))
    found: dict[str, str | None] = {}
    for entry in check(data)[0]:
        if entry.kind == "directory":
            found[entry.path] = None
        elif entry.kind == "symlink":
            found[entry.path] = f"-> {entry.target}"
        else:
            found[entry.path] = data[entry.offset : entry.offset + entry.size].decode()
    return found


# Profiles -----------------------------------------------------------------------------------


def package(c: DaemonConnection, name: str, *files: str, along: str = "") -> str:
    root: dict[bytes, Any] = {b".hidden": b"", b"manifest.nix": b"", b"nix-support": {}}
    if along:
        root[b"nix-support"] = {b"propagated-user-env-packages": along.encode()}
    for file in files:
        *folders, last = file.encode().split(b"/")
        at = root
        for folder in folders:
            at = at.setdefault(folder, {})
        at[last] = name.encode()
    return c.add_to_store(name, nar(root), references=along.split())


def profile(c: DaemonConnection, *packages: tuple[str, int], off: tuple[str, ...] = ()) -> str:
    manifest = c.add_text_to_store("env-manifest.nix", "[ ]")
    words = [
        f"{'false' if path in off else 'true'} {priority} 1 {path}" for path, priority in packages
    ]
    drv = Drv(
        c,
        "",
        "user-environment",
        builder="builtin:buildenv",
        system="builtin",
        sources=(manifest, *(path for path, _ in packages)),
        env={"derivations": " ".join(words), "manifest": manifest},
    )
    c.build_paths([drv.all])
    return drv.out


def test_a_profile_links_what_is_in_its_packages(c: DaemonConnection) -> None:
    one, two = package(c, "one", "bin/one", "share/x"), package(c, "two", "bin/two")
    out = profile(c, (one, 5), (two, 5))
    found = tree(c, out)
    assert found.pop("manifest.nix", "").endswith("-env-manifest.nix")  # type: ignore[union-attr]
    assert found == {
        "": None,
        "bin": None,
        "bin/one": f"-> {one}/bin/one",
        "bin/two": f"-> {two}/bin/two",
        "share": f"-> {one}/share",
    }
    assert set(c.query_path_info(out).references) >= {one, two}


def test_the_lower_number_wins_in_a_profile(c: DaemonConnection) -> None:
    one, two = package(c, "one", "bin/tool"), package(c, "two", "bin/tool", "bin/two")
    found = tree(c, profile(c, (one, 5), (two, 3)))
    assert found["bin/tool"] == f"-> {two}/bin/tool"
    assert tree(c, profile(c, (one, 5), (two, 5), off=(two,)))["bin"] == f"-> {one}/bin"


def test_two_of_one_priority_are_a_conflict(c: DaemonConnection) -> None:
    one, two = package(c, "one", "bin/tool"), package(c, "two", "bin/tool")
    with pytest.raises(NixDaemonError, match="There is a conflict") as caught:
        profile(c, (one, 5), (two, 5))
    assert f"{one}/bin/tool" in caught.value.message
    assert "/tmp" not in caught.value.message


@pytest.mark.parametrize("files", [("x", "x/y"), ("x/y", "x/z", "x")])
def test_a_folder_and_a_file_of_one_name_collide(
    c: DaemonConnection, files: tuple[str, ...]
) -> None:
    packages = [(package(c, f"p{i}", file), i) for i, file in enumerate(files)]
    with pytest.raises(NixDaemonError, match="collision between"):
        profile(c, *packages)


def test_what_a_package_wants_along_comes_after_all_others(c: DaemonConnection) -> None:
    along = package(c, "along", "bin/tool", "bin/along")
    deep = package(c, "deep", "bin/deep", along=along)
    top = package(c, "top", "bin/tool", along=f"{deep}\n")
    found = tree(c, profile(c, (top, 5)))
    assert found["bin/tool"] == f"-> {top}/bin/tool"
    assert found["bin/along"] == f"-> {along}/bin/along"
    assert found["bin/deep"] == f"-> {deep}/bin/deep"


def test_what_is_not_linked_is_told(c: DaemonConnection) -> None:
    file = c.add_text_to_store("file", "x")
    dangling = c.add_to_store("dangling", nar({b"link": ("symlink", b"nowhere")}))
    found = tree(c, profile(c, (file, 5), (dangling, 5)))
    assert set(found) == {"", "manifest.nix"}
    told = "".join(said(c))
    assert "because it's not a directory" in told
    assert "skipping dangling symlink" in told


def test_a_name_that_no_file_has(c: DaemonConnection) -> None:
    odd = nar({b"nix-support": {b"propagated-user-env-packages": b"\xff\0"}})
    with pytest.raises(NixDaemonError, match="null byte"):
        profile(c, (c.add_to_store("odd", odd), 5))
    assert c.query_all_valid_paths()


def test_packages_that_are_not_a_list_are_an_error(c: DaemonConnection) -> None:
    for words in ("true", "true 5", "true five 1 /x"):
        drv = Drv(c, "", builder="builtin:buildenv", env={"derivations": words})
        with pytest.raises(NixDaemonError, match="is not a list of packages"):
            c.build_paths([drv.all])


# Fetching -----------------------------------------------------------------------------------


@contextmanager
def web(answers: dict[str, tuple[int, dict[str, str], bytes]]) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answers.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def fetched(c: DaemonConnection, url: str, data: bytes, method: str = "sha256", **env: str) -> str:
    digest = nix32(hashlib.sha256(data).digest())
    drv = Drv(
        c,
        "",
        env.pop("name", "fetched"),
        builder="builtin:fetchurl",
        system="builtin",
        fixed=(method, digest),
        env={"url": url} | env,
    )
    c.build_paths([drv.all])
    return drv.out


def test_a_file_and_what_loopback_serves_are_fetched(c: DaemonConnection, tmp_path: Path) -> None:
    file = tmp_path / "a file"
    file.write_bytes(b"data")
    assert tree(c, fetched(c, f"file://{tmp_path}/a%20file", b"data")) == {"": "data"}
    with web({"/x?y": (200, {}, b"more"), "/old": (302, {"Location": "/x?y"}, b"")}) as url:
        assert tree(c, fetched(c, f"{url}/x?y", b"more")) == {"": "more"}
        other = fetched(c, f"{url}/old", nar(("executable", b"more")), "r:sha256", executable="1")
        assert b"executable" in b"".join(c.nar(other))
    heard: list[Any] = c.heard  # type: ignore[attr-defined]
    started = [
        frame
        for frame in heard
        if isinstance(frame, StderrStartActivity) and frame.type == ActivityType.FILE_TRANSFER
    ]
    assert [frame.fields[0] for frame in started][1:] == [f"{url}/x?y", f"{url}/old"]
    stopped = {frame.id for frame in heard if isinstance(frame, StderrStopActivity)}
    assert {frame.id for frame in started} <= stopped


def test_an_archive_is_unpacked(c: DaemonConnection, tmp_path: Path) -> None:
    data = nar({b"a": b"x" * 200_000, b"l": ("symlink", b"a")})
    (tmp_path / "n").write_bytes(data)
    (tmp_path / "n.xz").write_bytes(lzma.compress(data))
    for name in ("n", "n.xz"):
        url = f"file://{tmp_path}/{name}"
        out = fetched(c, url, data, "r:sha256", unpack="1", name=f"from-{name}")
        assert b"".join(c.nar(out)) == data
    (tmp_path / "bad.xz").write_bytes(lzma.compress(data) + b"more")
    with pytest.raises(NixDaemonError, match="error while decompressing"):
        fetched(c, f"file://{tmp_path}/bad.xz", b"other", "r:sha256", unpack="1")
    (tmp_path / "bad").write_bytes(b"not a NAR")
    with pytest.raises(NixDaemonError, match=r"bad archive|unexpected end"):
        fetched(c, f"file://{tmp_path}/bad", b"another", "r:sha256", unpack="1")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://192.0.2.1/x", "only file:// and http on this machine's loopback"),
        ("https://127.0.0.1/x", "only file:// and http on this machine's loopback"),
        ("ftp://localhost/x", "only file:// and http on this machine's loopback"),
        ("file://elsewhere/x", "only file:// and http on this machine's loopback"),
        ("http://127.0.0.1:1/x", "unable to download"),
        ("http://127.0.0.1:x/x", "unable to download"),
        ("http://[::1/x", "unable to download"),
        ("file:///nonexistent/x", "No such file or directory"),
        ("file:///dev/zero", "it is not a file"),
        ("file:///etc", "it is not a file"),
        ("file:///a%00b", "null byte|No such file"),
        ("", "only file://"),
    ],
)
def test_what_is_not_fetched(c: DaemonConnection, url: str, says: str) -> None:
    with pytest.raises(NixDaemonError, match=says):
        fetched(c, url, b"data")


def test_answers_that_are_not_what_is_wanted(c: DaemonConnection) -> None:
    away = {"Location": "http://192.0.2.1/x"}
    answers: dict[str, tuple[int, dict[str, str], bytes]] = {
        "/away": (302, away, b""),
        "/round": (302, {"Location": "/round"}, b""),
        "/odd": (302, {}, b""),
        "/other": (200, {}, b"other"),
        "/short": (200, {"Content-Length": "10"}, b"data"),
    }
    with web(answers) as url:
        for path, says in {
            "none": "HTTP error 404",
            "away": "loopback are fetched here",
            "round": "more than 5 redirects",
            "odd": "HTTP error 302",
            "other": "hash mismatch in fixed-output derivation",
            "short": "IncompleteRead|hash mismatch",
        }.items():
            with pytest.raises(NixDaemonError, match=says):
                fetched(c, f"{url}/{path}", f"not {path}".encode())


def test_only_what_has_a_hash_is_fetched(c: DaemonConnection) -> None:
    drv = Drv(c, "", builder="builtin:fetchurl", env={"url": "file:///etc/hostname"})
    with pytest.raises(NixDaemonError, match="must be a fixed-output or impure"):
        c.build_paths([drv.all])


# Channels -----------------------------------------------------------------------------------


def channel(c: DaemonConnection, name: str, archive: bytes) -> str:
    source = c.add_to_store("nixexprs.tar.xz", nar(archive))
    drv = Drv(
        c,
        "",
        builder="builtin:unpack-channel",
        sources=(source,),
        env={"channelName": name, "src": source},
    )
    c.build_paths([drv.all])
    return drv.out


def packed(*members: tuple[str, str]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:xz") as archive:
        for name, text in members:
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return target.getvalue()


def linked(name: str, target: str) -> bytes:
    """An archive with a hard link to what is not in it."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = tarfile.LNKTYPE, target
        archive.addfile(info)
    return made.getvalue()


def test_a_channel_is_unpacked_under_its_name(c: DaemonConnection) -> None:
    out = channel(c, "mine", packed(("ch-1.0/default.nix", "{ }"), ("ch-1.0/lib/x.nix", "1")))
    assert tree(c, out) == {
        "": None,
        "mine": None,
        "mine/default.nix": "{ }",
        "mine/lib": None,
        "mine/lib/x.nix": "1",
    }


@pytest.mark.parametrize(
    ("name", "archive", "says"),
    [
        ("a/b", packed(("x/y", "")), "filesystem separators"),
        ("..", packed(("x/y", "")), "filesystem separators"),
        ("mine", packed(("x/y", ""), ("z/y", "")), "contains 2 files"),
        ("mine", packed(), "contains 0 files"),
        ("mine", b"not an archive", "cannot unpack"),
        ("mine", packed(("x/y", "text " * 99))[:60], "cannot unpack"),
        ("mine", packed(("../x", "")), "cannot unpack"),
        ("mine", packed(("/etc/x", ""), ("/y", "")), "contains 2 files"),
        ("mine", gzip.compress(b"\0" * 10240)[:20] + b"\1\2\3\4", "cannot unpack"),
        ("mine", linked("x/l", "nowhere"), "cannot unpack|contains"),
    ],
    ids=range(10),  # processes that share the tests need the same names: gzip packs the time
)
def test_what_is_not_a_channel(c: DaemonConnection, name: str, archive: bytes, says: str) -> None:
    with pytest.raises(NixDaemonError, match=says):
        channel(c, name, archive)


def test_other_builtins_are_said_not_to_be_there(c: DaemonConnection) -> None:
    for name in ("fetch-tree", ""):
        drv = Drv(c, "", builder=f"builtin:{name}")
        with pytest.raises(NixDaemonError, match="unsupported builtin builder"):
            c.build_paths([drv.all])
    drv = Drv(c, "", builder="builtin:buildenv")
    with pytest.raises(NixDaemonError, match="attribute 'derivations' missing"):
        c.build_paths([drv.all])
