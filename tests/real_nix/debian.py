"""Fetch packages of any Debian suite and unpack them into a folder, without root.

Knows apt and dpkg-deb: apt runs with a configuration of its own (own sources, own lists, an empty
list of installed packages), so that this machine's packages are neither read nor changed.  The
archive is the one that this machine's apt is configured with; apt checks what it fetches.
Knows nothing of Nix.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

KEYRINGS = Path("/usr/share/keyrings")


class NoPackages(Exception):
    """Packages cannot be had here; one line that says why."""


def _run(*command: str, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise NoPackages(f"{command[0]} is not installed on this machine") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise NoPackages(f"{' '.join(command[:1])} failed: {said[-1]}")
    return done.stdout


def _configured() -> Iterator[str]:
    """Addresses of the archives with Debian's own packages, as apt knows or as its sources say."""
    listed = _run(
        "apt-get",
        "indextargets",
        "--format",
        "$(ORIGIN) $(LABEL) $(COMPONENT) $(REPO_URI)",
        "Created-By: Packages",
    )
    for line in listed.splitlines():
        match line.split(" "):
            case ["Debian", "Debian", "main", address]:
                yield address
    # Before the first `apt-get update` apt cannot tell whose archive an address is.
    etc = Path("/etc/apt")
    for source in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*.[ls]*"))]:
        if source.is_file():
            yield from re.findall(
                r"^[^#\n]*\s(\S+/debian/?)(?:\s|$)", source.read_text(), re.MULTILINE
            )


def archive() -> str:
    """Address of the Debian archive this machine uses.  Raises NoPackages where there is none."""
    for address in _configured():
        return address
    raise NoPackages("this machine's apt is not configured with a Debian archive")


class Suite:
    """One suite of the archive, e.g. ``bookworm``; apt's files for it lie under `folder`."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        for needed in ("lists/partial", "cache/archives/partial", "parts"):
            (folder / needed).mkdir(parents=True, exist_ok=True)
        keyring = next(iter(sorted(KEYRINGS.glob("debian-archive-keyring.*"))), None)
        signed = f"[signed-by={keyring}] " if keyring else ""
        (folder / "sources.list").write_text(f"deb {signed}{archive()} {name} main\n")
        (folder / "status").touch()
        settings = {
            "Dir::Etc::SourceList": folder / "sources.list",
            "Dir::Etc::SourceParts": folder / "parts",
            "Dir::Etc::PreferencesParts": folder / "parts",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::State": folder,
            "Dir::State::Lists": folder / "lists",
            "Dir::State::Status": folder / "status",
            "Dir::Cache": folder / "cache",
            "APT::Sandbox::User": "",
            "APT::Default-Release": "",
            "APT::Install-Recommends": "false",
            "Acquire::Check-Valid-Until": "false",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "Debug::NoLocking": "true",
        }
        self._options = [f"-o{key}={value}" for key, value in settings.items()]

    def _apt(self, *command: str, cwd: Path | None = None) -> str:
        return _run("apt-get", *self._options, "--quiet", *command, cwd=cwd)

    def update(self) -> None:
        """Fetch the suite's list of packages."""
        self._apt("update")

    def closure(self, package: str) -> dict[str, str]:
        """Name and version of `package` and of all that it needs on an empty system."""
        uris = self._apt("--yes", "--print-uris", "install", package)
        files = re.findall(r"^'\S+' ([^_\s]+)_([^_\s]+)_\S+\.deb ", uris, re.MULTILINE)
        if not files:
            raise NoPackages(f"Debian {self.name} has no package {package}")
        return {name: version.replace("%3a", ":") for name, version in files}

    def unpack(self, packages: Iterable[str], target: Path) -> None:
        """Fetch `packages` and unpack them into `target`, which is made."""
        fetched = self.folder / "fetched"
        fetched.mkdir(exist_ok=True)
        self._apt("download", *packages, cwd=fetched)
        target.mkdir(parents=True, exist_ok=True)
        for file in sorted(fetched.glob("*.deb")):
            _run("dpkg-deb", "--extract", str(file), str(target))
        shutil.rmtree(fetched)


def loader(root: Path) -> Path:
    """The dynamic loader of an unpacked root."""
    for pattern in ("lib/*/ld-linux*.so.*", "usr/lib/*/ld-linux*.so.*", "lib*/ld-linux*.so.*"):
        for found in sorted(root.glob(pattern)):
            if found.exists():
                return found
    raise NoPackages(f"no dynamic loader under {root}")


def folders_of_shared_objects(root: Path) -> list[Path]:
    """Folders of an unpacked root in which the loader has to look."""
    patterns = ("lib/*-linux-gnu*", "usr/lib/*-linux-gnu*", "usr/lib/nix")
    return [path for pattern in patterns for path in sorted(root.glob(pattern)) if path.is_dir()]


def missing_libraries(root: Path, program: Path, folders: Sequence[Path]) -> list[str]:
    """Libraries that `program` wants and that are not in `folders`."""
    search = ":".join(map(str, folders))
    listed = _run(
        str(loader(root)), "--inhibit-cache", "--library-path", search, "--list", str(program)
    )
    return re.findall(r"^\s*(\S+) => not found", listed, re.MULTILINE)
