"""A release: version and changelog, sdist and wheel, both checked, then a commit and its tag.

`python -m scripts.release 0.2.0` does it in a clean checkout and publishes nothing; `--check`
builds what there is and looks at it, as CI does. The version stands in `src/pix/__init__.py`; a
tag `v…` on what is built must be the same.
"""

from __future__ import annotations

import argparse
import email
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSION = ROOT / "src/pix/__init__.py"
CHANGELOG = ROOT / "CHANGELOG.md"

IN_THE_WHEEL = (
    "pix/py.typed", "pix_store/py.typed", "pix_inspect/py.typed", "pix_inspect/ui/app/app.tcss",
    "pix_inspect/recordings.tar.xz", "pix_inspect/wireshark/lua/head.lua",
    "data/share/man/man1/pix-inspect.1",
    "data/share/fish/vendor_completions.d/pix-inspect.fish", "dist-info/licenses/LICENSE",
)  # fmt: skip
"""Ends of names that must be there."""
IN_THE_SDIST = ("pyproject.toml", "CHANGELOG.md", "scripts/wheel_data.py", "tests/conftest.py")
METADATA = ("Summary", "License-Expression", "Keywords", "Author", "Requires-Python", "Classifier")


class Refusal(Exception):
    """Why there is no release; one line."""


def main(words: list[str] | None = None) -> int:
    """Make a release, or check what would be one."""
    parser = argparse.ArgumentParser(prog="scripts.release", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("version", nargs="?", help="the new version, as 0.2.0")
    what.add_argument("--check", action="store_true", help="build and check, change nothing")
    args = parser.parse_args(words)
    try:
        if args.check:
            with tempfile.TemporaryDirectory() as folder:
                check(Path(folder), current())
        else:
            release(args.version)
    except Refusal as why:
        print(f"release: {why}", file=sys.stderr)
        return 2
    return 0


def release(version: str) -> None:
    """Write the version, build and check, commit and tag. Raises Refusal, with nothing changed."""
    if git("status", "--porcelain"):
        raise Refusal("the checkout is not clean: commit first")
    if git("tag", "--list", f"v{version}"):
        raise Refusal(f"the tag v{version} is there already")
    if not newer(version, current()):
        raise Refusal(f"{version} is not a version after {current()}; write it as 0.2.0")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text()).get("project", {})
    if "Repository" not in project.get("urls", {}):
        raise Refusal("pyproject.toml has no Repository in [project.urls]: where will it be found?")
    before = {path: path.read_text() for path in (VERSION, CHANGELOG)}
    changes, notes = dated(before[CHANGELOG], version, time.strftime("%Y-%m-%d"))
    dist = ROOT / "dist"
    try:
        CHANGELOG.write_text(changes)
        VERSION.write_text(
            before[VERSION].replace(f'__version__ = "{current()}"', f'__version__ = "{version}"')
        )
        check(dist, version)
    except BaseException:
        for path, text in before.items():
            path.write_text(text)
        raise
    git("commit", "--quiet", "--message", f"Release {version}", str(VERSION), str(CHANGELOG))
    git("tag", "--annotate", f"v{version}", "--message", f"pix-inspect {version}\n\n{notes}")
    print(f"v{version} is tagged and in {dist}. To publish it:")
    print(f"  git push origin HEAD v{version} && twine upload dist/pix_inspect-{version}*")


def current() -> str:
    """Return the version that the sources have."""
    found = re.search(r'^__version__ = "(.+)"$', VERSION.read_text(), re.MULTILINE)
    if found is None:
        raise Refusal(f"there is no __version__ in {VERSION}")
    return found[1]


def newer(version: str, than: str) -> bool:
    """Return whether both are versions of three numbers, and the first is the later one."""
    if not all(re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", text) for text in (version, than)):
        return False
    first, second = ([int(part) for part in text.split(".")] for text in (version, than))
    return first > second


def dated(changelog: str, version: str, day: str) -> tuple[str, str]:
    """Return the changelog with what is unreleased as a version, and what that says."""
    head, found, rest = changelog.partition("\n## Unreleased\n")
    notes, older, before = rest.partition("\n## ")
    if not found or not re.search(r"^- ", notes, re.MULTILINE):
        raise Refusal("CHANGELOG.md has nothing below ## Unreleased: what is new?")
    return f"{head}{found}\n## {version} - {day}\n{notes}{older}{before}", notes.strip()


def check(dist: Path, version: str) -> None:
    """Build sdist and wheel into a folder and look at them. Raises Refusal."""
    tags = [tag for tag in git("tag", "--points-at", "HEAD").split() if tag.startswith("v")]
    if tags and f"v{current()}" not in tags and version == current():
        raise Refusal(f"the sources are {current()}, their tag {', '.join(tags)}")
    run(sys.executable, "-m", "build", "--outdir", str(dist), str(ROOT))  # the wheel of the sdist
    sdist, wheel = (
        dist / f"pix_inspect-{version}{end}" for end in (".tar.gz", "-py3-none-any.whl")
    )
    run(sys.executable, "-m", "twine", "check", "--strict", str(sdist), str(wheel))
    with tarfile.open(sdist) as archive:
        lacks(sdist, archive.getnames(), IN_THE_SDIST)
    with zipfile.ZipFile(wheel) as archive:
        lacks(wheel, archive.namelist(), IN_THE_WHEEL)
        metadata = email.message_from_bytes(
            archive.read(f"pix_inspect-{version}.dist-info/METADATA")
        )
    if missing := [name for name in METADATA if not metadata.get_all(name)]:
        raise Refusal(f"the metadata lacks {', '.join(missing)}")
    with tempfile.TemporaryDirectory() as folder:
        installed(wheel, Path(folder), version)
    for file in (sdist, wheel):
        print(f"{file.name}: {file.stat().st_size / 1e6:.2f} MB")


def installed(wheel: Path, folder: Path, version: str) -> None:
    """Install a wheel where nothing else is, and try it. Raises Refusal."""
    venv.create(folder, with_pip=True)
    run(str(folder / "bin/pip"), "install", "--quiet", str(wheel))
    said = run(str(folder / "bin/pix-inspect"), "--version").strip()
    if said != f"pix-inspect {version}":
        raise Refusal(f"what is installed says {said!r}")
    if "recordings/" not in run(str(folder / "bin/pix-inspect"), "explain", "QueryPathInfo"):
        raise Refusal("what is installed has no recordings to explain by")
    fish = run(str(folder / "bin/pix-inspect"), "completion", "fish")
    if fish != (folder / "share/fish/vendor_completions.d/pix-inspect.fish").read_text():
        raise Refusal("the completions in the wheel are not those that are printed")


def lacks(file: Path, names: list[str], ends: tuple[str, ...]) -> None:
    """Raise Refusal where no name has one of the ends."""
    if missing := [end for end in ends if not any(name.endswith(end) for name in names)]:
        raise Refusal(f"{file.name} lacks {', '.join(missing)}")


def git(*words: str) -> str:
    """Return what git says of this checkout. Raises Refusal."""
    return run("git", "-C", str(ROOT), *words)


def run(*command: str) -> str:
    """Return what a command prints. Raises Refusal with its last words."""
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise Refusal(f"there is no {command[0]}") from None
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines() or ["no word"]
        raise Refusal(f"{' '.join(command[:4])} failed: {said[-1]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
