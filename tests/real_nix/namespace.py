"""Run a Python module where `/nix` is its own and nothing tells which machine it is.

Knows mount, process and host name namespaces: `command` gives a command line that starts a module
in new ones, on a root put together in memory.  There are the system's programs, Python at
/usr/local, the project at /project, the installed Nix versions at /opt/nix/VERSION, an empty /nix,
/build and /tmp, and what `binds` adds.  Needs root or unprivileged user namespaces.

Real Nix starts there in two ways: by its wrapper (/opt/nix/VERSION/bin), as everywhere, or, so that
its command line reads as a user's, with /opt/nix/VERSION/tree as its root (`rooted`).
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.real_nix import lab

HOST = "builder"
WORK = Path("/build")
SYSTEM = ("bin", "dev", "lib", "lib32", "lib64", "sbin", "usr")  # of this machine, as they are
PRIVATE = ("nix", "build", "tmp")  # empty ones, seen from every root
ETC = {
    "passwd": "root:x:0:0:root:/build:/bin/sh\n",
    "group": "root:x:0:\n",
    "hosts": "127.0.0.1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}


def available() -> str | None:
    """None where namespaces can be made, else one line that says why not."""
    try:
        tried = subprocess.run([*_unshare(), "true"], capture_output=True, text=True)
    except FileNotFoundError:
        return "unshare is not installed"
    return (tried.stderr.strip() or "unshare failed") if tried.returncode else None


def _unshare() -> list[str]:
    user = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, "--mount", "--pid", "--fork", "--uts", "--propagation", "private"]


def command(
    mountpoint: Path, module: str, arguments: Sequence[str], binds: Mapping[str, Path]
) -> list[str]:
    """The command line that runs `python -m module arguments` in there.

    `mountpoint` is an empty folder to put the root together on; `binds` are further folders of this
    machine, by the path they shall have.
    """
    pairs = [f"{inside}={outside.absolute()}" for inside, outside in binds.items()]
    return [
        *_unshare(),
        *(sys.executable, "-m", __name__, str(mountpoint), *pairs, "--", module, *arguments),
    ]


def rooted(nix: lab.Nix) -> Callable[[], None]:
    """What a subprocess has to call before it runs a program of `nix` with its tree as root."""

    def enter() -> None:
        os.chroot(nix.home / "tree")
        os.chdir(WORK)

    return enter


def inside(label: str) -> lab.Nix:
    """The installed Nix of that label, as seen in there."""
    found = lab.installed(label, Path("/opt/nix"))
    assert found is not None, f"Nix {label} is not installed: `make lab`"
    return found


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


def _bind(outside: Path, at: Path) -> None:
    at.mkdir(parents=True, exist_ok=True)
    _mount("--rbind", outside, at)


def _build_root(root: Path, binds: Mapping[str, Path]) -> None:
    _mount("-t", "tmpfs", "tmpfs", root)
    for name in SYSTEM:
        place = Path("/", name)
        if place.is_symlink():
            (root / name).symlink_to(place.readlink())
        elif place.is_dir():
            _bind(place, root / name)
    for name in (*PRIVATE, "etc", "proc"):
        (root / name).mkdir()
    for name, text in ETC.items():
        (root / "etc" / name).write_text(text)
    (root / "tmp").chmod(0o1777)
    _mount("-t", "proc", "proc", root / "proc")
    prefix = Path(sys.base_prefix)
    if prefix != Path("/usr"):
        _bind(prefix, root / "usr/local")  # the neutral name
        _bind(prefix, root / prefix.relative_to("/"))  # what its shared library was linked for
    for inside_path, outside in binds.items():
        _bind(outside, root / inside_path.lstrip("/"))
    for label in lab.VERSIONS:
        home = lab.cache() / label
        if home.is_dir():
            _bind(home, root / "opt/nix" / label)
            for name in (*PRIVATE, "etc", "proc", "dev"):
                _mount("--rbind", root / name, root / "opt/nix" / label / "tree" / name)


def main(arguments: Sequence[str]) -> None:
    """Second stage: in the new namespaces, on this machine's root.  Does not return."""
    mountpoint, *rest = arguments
    split = rest.index("--")
    pairs = dict(pair.split("=", 1) for pair in rest[:split])
    root = Path(mountpoint)
    project = {"/project/" + name: lab.REPOSITORY / name for name in ("src", "tests", "scripts")}
    _build_root(root, project | {inside: Path(outside) for inside, outside in pairs.items()})
    socket.sethostname(HOST)
    os.chroot(root)
    os.chdir(WORK)
    programs = "/usr/bin" if sys.base_prefix == "/usr" else "/usr/local/bin"
    environment = {
        "PATH": f"{programs}:/usr/bin:/bin",
        "HOME": str(WORK),
        "USER": "root",
        "LANG": "C.UTF-8",
        "PYTHONPATH": "/project:/project/src",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    os.execve(f"{programs}/python3", ["python3", "-m", *rest[split + 1 :]], environment)


if __name__ == "__main__":
    main(sys.argv[1:])
