"""Real Nix of several versions, side by side, for tests and for developers.

Knows which Debian suites have which Nix, how to install them into a cache folder ($PIX_LAB, else
`.lab/` in the repository) and how to start one through its own dynamic loader, so that no root, no
chroot and no `/nix` is needed.  Daemons and clients are in daemons.py.

    python -m tests.real_nix.lab install [VERSION ...]         all of them by default
    python -m tests.real_nix.lab list
    python -m tests.real_nix.lab shell VERSION [DAEMON]        a shell whose nix talks to a daemon
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.real_nix import debian

REPOSITORY = Path(__file__).resolve().parents[2]
LAYOUT = 1  # raise when what `install` leaves changes: what lies there is then installed again

# The suites to look in, in order; the first one with this very version wins, else the last one.
SUITES = {
    "2.3.7": ("bullseye",),
    "2.8.0": ("bookworm",),
    "2.26.3": ("trixie",),
    "2.34.8": ("forky", "sid"),
}
VERSIONS = tuple(SUITES)

# Libraries of packages that nix-bin depends on for its Perl scripts and its users.
NEEDLESS = (
    *("libperl", "libgdbm", "libdb5", "libdbi", "libdbd", "libwww"),
    *("libpam", "libaudit", "libcap-ng", "libsem", "libsepol", "libdebconf", "libc-gconv"),
)

WRAPPER = """\
#!/bin/sh
# {program} of Nix {version}, started by the dynamic loader it was built for
home=$(cd -P "$(dirname "$0")/{up}" && pwd) || exit 127
tree=$home/tree
export NIX_BIN_DIR="$home/bin" NIX_DATA_DIR="$tree/usr/share" NIX_LIBEXEC_DIR="$home/libexec"
exec "$tree/{loader}" --inhibit-cache --library-path "{libraries}" "$tree/usr/{program}" "$@"
"""


@dataclass(frozen=True, slots=True)
class Nix:
    """One installed Nix.  `label` is what tests call it, `version` what it really is."""

    label: str
    version: str
    suite: str
    home: Path

    @property
    def programs(self) -> Path:
        """Folder with `nix`, `nix-daemon`, `nix-build` and so on, ready to run."""
        return self.home / "bin"

    @property
    def number(self) -> tuple[int, ...]:
        """The label as numbers, for comparing."""
        return tuple(int(part) for part in self.label.split("."))


def cache() -> Path:
    """Folder that holds the installed versions."""
    return Path(os.environ.get("PIX_LAB") or REPOSITORY / ".lab").absolute()


def installed(label: str, folder: Path | None = None) -> Nix | None:
    """The Nix called `label`, or None when it is not installed."""
    home = (folder or cache()) / label
    try:
        about = json.loads((home / "installed.json").read_text())
    except FileNotFoundError:
        return None
    if about.pop("layout", None) != LAYOUT:
        return None
    return Nix(home=home, **about)


def _wanted(package: str) -> bool:
    if package in ("nix-bin", "zlib1g"):
        return True
    return package.startswith("lib") and not package.startswith(NEEDLESS)


def _wrap(tree: Path, home: Path, version: str) -> None:
    folders = debian.folders_of_shared_objects(tree)
    libraries = ":".join(f"$tree/{folder.relative_to(tree)}" for folder in folders)
    start = debian.loader(tree).relative_to(tree)
    usr = tree / "usr"
    # The old versions' daemons start the hook for every build, even if none is built elsewhere.
    for path in (*sorted(usr.glob("bin/nix*")), usr / "libexec/nix/build-remote"):
        program = path.relative_to(usr)
        missing = debian.missing_libraries(tree, path, folders)
        if missing:
            raise debian.NoPackages(f"{program} lacks {', '.join(missing)}")
        text = WRAPPER.format(
            program=program,
            version=version,
            up="/".join([".."] * (len(program.parts) - 1)),
            loader=start,
            libraries=libraries,
        )
        wrapper = home / program
        wrapper.parent.mkdir(parents=True, exist_ok=True)
        wrapper.write_text(text)
        wrapper.chmod(0o755)


def _rootable(tree: Path) -> None:
    """Make `tree` fit to be a process's root: what the packages do not bring, as empty folders."""
    for folder in ("build", "dev", "etc", "nix", "proc", "tmp"):
        (tree / folder).mkdir(exist_ok=True)
    for merged in ("lib", "lib64"):
        if not (tree / merged).exists():
            (tree / merged).symlink_to(f"usr/{merged}")


def _found(label: str, work: Path) -> tuple[debian.Suite, dict[str, str], str]:
    for name in SUITES[label]:
        suite = debian.Suite(name, work / name)
        suite.update()
        packages = suite.closure("nix-bin")
        version = packages["nix-bin"].split("+")[0].split("-")[0]
        if version == label:
            break
    return suite, packages, version


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install(label: str, folder: Path | None = None) -> Nix:
    """Install the Nix called `label`, unless it is there.  Raises debian.NoPackages."""
    folder = folder or cache()
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder / f"{label}.lock"):
        found = installed(label, folder)
        if found:
            return found
        with tempfile.TemporaryDirectory(prefix=f"{label}-", dir=folder) as name:
            work = Path(name)
            _progress(label, f"looking into {', '.join(SUITES[label])}")
            suite, packages, version = _found(label, work)
            tree = work / "home/tree"
            wanted = [*filter(_wanted, packages)]
            _progress(label, f"fetching {len(wanted)} packages of {suite.name}")
            suite.unpack(wanted, tree)
            for needless in ("usr/share/doc", "usr/share/locale", "usr/share/man"):
                shutil.rmtree(tree / needless, ignore_errors=True)
            _wrap(tree, work / "home", version)
            _rootable(tree)
            nix = Nix(label, version, suite.name, folder / label)
            about = {key: value for key, value in asdict(nix).items() if key != "home"}
            (work / "home/installed.json").write_text(json.dumps(about | {"layout": LAYOUT}))
            shutil.rmtree(nix.home, ignore_errors=True)
            (work / "home").rename(nix.home)
        return nix


def _progress(label: str, what: str) -> None:
    print(f"Nix {label}: {what} ...", file=sys.stderr, flush=True)


def _install(labels: Sequence[str]) -> int:
    failures = 0
    with ThreadPoolExecutor() as pool:
        jobs = {pool.submit(install, label): label for label in labels}
        for job in as_completed(jobs):
            label = jobs[job]
            try:
                nix = job.result()
            except debian.NoPackages as why:
                failures += 1
                print(f"Nix {label}: {why}", file=sys.stderr)
                continue
            moved = "" if nix.version == label else f" (the archive has no {label} any more)"
            print(f"Nix {label}: version {nix.version} of {nix.suite} in {nix.home}{moved}")
    return 2 if failures else 0


def _shell(label: str, of_daemon: str) -> int:
    from tests.real_nix.daemons import running

    with running(install(of_daemon)) as daemon:
        client = daemon.client(install(label))
        print(f"Nix {label} with the daemon of {of_daemon} at {daemon.socket}; leave with exit")
        return subprocess.run([os.environ.get("SHELL", "/bin/sh")], env=client.env).returncode


def main(arguments: Sequence[str]) -> int:
    """The command line above; returns the exit status."""
    match arguments:
        case ["install", *labels] if set(labels) <= set(VERSIONS):
            return _install(labels or VERSIONS)
        case ["list"]:
            for label in VERSIONS:
                nix = installed(label)
                print(f"{label:7} {nix.version if nix else '-'}")
            return 0
        case ["shell", label, *daemon] if {label, *daemon} <= set(VERSIONS):
            return _shell(label, (*daemon, label)[0])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
