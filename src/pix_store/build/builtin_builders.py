"""The builders that are part of Nix: `builtin:buildenv`, `fetchurl` and `unpack-channel`.

They make profiles, fetch what has a fixed hash, and unpack channels. They run in this process
and log as a builder does. Nothing is fetched from other machines: `file://`, and http from
this one's loopback. Source: Nix `builtins/buildenv.cc`, `fetchurl.cc`, `unpack-channel.cc`.
"""

from __future__ import annotations

import http.client
import ipaddress
import itertools
import json
import lzma
import os
import stat
import tarfile
import time
import urllib.parse
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path

from pix.dataclass import dataclass, field
from pix.protocol.logging import ActivityType
from pix.protocol.types import Verbosity
from pix.serving import Refusal
from pix_store.build.build_directory import Room
from pix_store.build.run_builder import Interrupted, TooLong, Watch
from pix_store.derivations.derivation import Derivation
from pix_store.store import trees
from pix_store.store.refusal import magenta, quoted, rendered, shown
from pix_store.store.spool import PIECE, Spool

PREFIX = "builtin:"
MOST_REDIRECTS = 5
NETWORK_SECONDS = 30.0

UNSEEN = (
    *("/propagated-build-inputs", "/nix-support", "/perllocal.pod", "/info/dir", "/log"),
    *("/manifest.nix", "/manifest.json"),
)
"""What every package may have and no profile shows."""

PROPAGATED = 1000
"""Priorities of packages that others want along begin here."""


def perform(derivation: Derivation, room: Room, watch: Watch) -> int:
    """Do what a builtin builder does; return its exit status. Raises Interrupted, TooLong."""
    name = derivation.builder.removeprefix(PREFIX)
    builder = BUILDERS.get(name)
    try:
        if builder is None:
            raise Refusal(f"unsupported builtin builder {quoted(name)}")
        builder(_Job(derivation, room, watch))
    except Refusal as refusal:
        why = refusal.message
    except OSError as error:
        place = f": {quoted(str(error.filename))}" if error.filename else ""
        why = room.outward(f"{error.strerror or error}{place}")
    except ValueError as error:  # a name with a NUL
        why = str(error)
    else:
        return 0
    for line in rendered(why).split("\n"):
        watch.line(line)
    return 1


@dataclass(slots=True)
class _Job:
    """A builtin builder at work."""

    derivation: Derivation
    room: Room
    watch: Watch
    started: float = field(default_factory=time.monotonic)

    def get(self, name: str) -> str:
        """Return what the derivation says for a name. Raises Refusal."""
        if name not in self.derivation.env:
            raise Refusal(f"attribute {quoted(name)} missing")
        return self.room.inward(self.derivation.env[name])

    @property
    def out(self) -> Path:
        """Where the output is to be made."""
        told = self.derivation.outputs.get("out")
        if told is None:
            raise Refusal("an output called 'out' is needed")
        return Path(self.room.inward(told.path) or self.get("out"))

    def going_on(self) -> None:
        """Raise Interrupted when nobody wants the result any longer, TooLong after its time."""
        if self.watch.stop():
            raise Interrupted
        timeout = self.watch.limits.timeout
        if 0 < timeout < time.monotonic() - self.started:
            raise TooLong(f"timed out after {magenta(timeout)} seconds")

    def warn(self, text: str) -> None:
        message = f"\x1b[35;1mwarning:\x1b[0m {self.room.outward(text)}"
        self.say(action="msg", level=int(Verbosity.WARN), msg=message)

    def say(self, **what: object) -> None:
        """Log something that is not a line of text."""
        self.watch.line(f"@nix {json.dumps(what)}")


# Profiles -----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Profile:
    """A tree of links to what is in packages, and with which priority each came there."""

    job: _Job
    priorities: dict[Path, int] = field(default_factory=dict)

    def link(self, source: Path, place: Path, priority: int) -> None:
        """Link everything in a folder into another one. Raises Refusal for a conflict."""
        self.job.going_on()
        try:
            found = sorted(source.iterdir())
        except NotADirectoryError:
            why = "in the user environment because it's not a directory"
            self.job.warn(f"not including {shown(source)} {why}")
            return
        for file in found:
            if not file.name.startswith("."):
                self._one(file, place / file.name, priority)

    def _one(self, file: Path, place: Path, priority: int) -> None:
        try:
            folder = stat.S_ISDIR(file.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            self.job.warn(f"skipping dangling symlink {quoted(str(place))}")
            return
        if str(file).endswith(UNSEEN):
            return
        if place.is_symlink():
            there = self.priorities[place]
            if folder:
                target = place.resolve()
                if not target.is_dir():
                    raise self._collision(file, f"non-directory {shown(target)}")
                place.unlink()
                place.mkdir()
                self.link(target, place, there)
                self.link(file, place, priority)
                return
            if there == priority:
                raise self._conflict(place, file)
            if there < priority:
                return
            place.unlink()
        elif place.is_dir():
            if not folder:
                raise self._collision(file, f"directory {shown(place)}")
            self.link(file, place, priority)
            return
        place.symlink_to(file)
        self.priorities[place] = priority

    def _collision(self, file: Path, other: str) -> Refusal:
        text = f"collision between {shown(file)} and {other}"
        return Refusal(self.job.room.outward(text))

    def _conflict(self, place: Path, file: Path) -> Refusal:
        first, second = place.readlink(), file
        text = (
            "Unable to build profile. There is a conflict for the following files:\n\n"
            f"  {shown(first)}\n  {shown(second)}"
        )
        return Refusal(self.job.room.outward(text))


def _packages(words: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield priority and path of each package that is active. Raises Refusal."""
    left = iter(words)
    for active in left:
        try:
            priority, count = int(next(left)), int(next(left))
            paths = list(itertools.islice(left, count))
        except (StopIteration, ValueError):
            raise Refusal("attribute 'derivations' is not a list of packages") from None
        if active != "false":
            yield from ((priority, path) for path in paths)


def _buildenv(job: _Job) -> None:
    out = job.out
    out.mkdir()
    profile = _Profile(job)
    done: set[str] = set()
    wanted: set[str] = set()

    def add(package: str, priority: int) -> None:
        if package in done:
            return
        done.add(package)
        profile.link(Path(package), out, priority)
        with suppress(FileNotFoundError, NotADirectoryError):
            along = Path(package, "nix-support/propagated-user-env-packages").read_bytes()
            wanted.update(map(os.fsdecode, along.split()))

    for priority, package in sorted(_packages(job.get("derivations").split())):
        add(package, priority)
    numbers = itertools.count(PROPAGATED)
    while now := sorted(wanted - done):
        wanted.clear()
        for package in now:
            add(package, next(numbers))
    (out / "manifest.nix").symlink_to(job.get("manifest"))


# Fetching -----------------------------------------------------------------------------------


def _fetchurl(job: _Job) -> None:
    if not any(output.hash for output in job.derivation.outputs.values()):
        raise Refusal("'builtin:fetchurl' must be a fixed-output or impure derivation")
    url, out = job.get("url"), job.out
    job.say(
        action="start",
        id=1,
        level=int(Verbosity.TALKATIVE),
        type=int(ActivityType.FILE_TRANSFER),
        text=f"downloading '{url}'",
        fields=[url],
    )
    pieces = _watched(job, _fetched(url))
    if job.derivation.env.get("unpack") == "1":
        with Spool() as nar:
            nar.fill(_decompressed(pieces) if url.endswith(".xz") else pieces)
            trees.restore(nar, out)
            trees.seal(out)
    else:
        with out.open("xb") as file:
            file.writelines(pieces)
    if job.derivation.env.get("executable") == "1":
        out.chmod(0o755)
    job.say(action="stop", id=1)


def _watched(job: _Job, pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        job.going_on()
        yield piece


def _fetched(url: str) -> Iterator[bytes]:
    """Yield what a URL has. Raises Refusal for one that is not fetched, OSError."""
    try:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme == "file" and parts.netloc in ("", "localhost"):
            place = Path(urllib.parse.unquote(parts.path))
            if place.exists() and not place.is_file():
                raise _cannot(url, "it is not a file")
            with place.open("rb") as file:
                yield from iter(lambda: file.read(PIECE), b"")
            return
        with closing(_answered(url)) as response:
            yield from iter(lambda: response.read1(PIECE), b"")
    except (http.client.HTTPException, ValueError) as error:
        raise _cannot(url, f"{type(error).__name__}: {error}") from None
    except OSError as error:
        raise _cannot(url, error.strerror or str(error)) from None


def _answered(url: str) -> http.client.HTTPResponse:
    """Return the answer to a GET, redirects followed. Raises Refusal, OSError, HTTPException."""
    there = url
    for _ in range(MOST_REDIRECTS):
        parts = urllib.parse.urlsplit(there)
        if parts.scheme != "http" or not _loopback(parts.hostname or ""):
            raise _cannot(url, "only file:// and http on this machine's loopback are fetched here")
        connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=NETWORK_SECONDS
        )
        path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        if response.status == http.client.OK:
            return response
        location = response.getheader("Location") if response.status // 100 == 3 else None
        response.close()
        if location is None:
            raise _cannot(url, f"HTTP error {response.status} ({response.reason})")
        there = urllib.parse.urljoin(there, location)
    raise _cannot(url, f"more than {MOST_REDIRECTS} redirects")


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _cannot(url: str, why: str) -> Refusal:
    return Refusal(f"unable to download {quoted(url)}: {why}")


def _decompressed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what .xz data holds, in pieces. Raises Refusal."""
    decoder = lzma.LZMADecompressor()
    try:
        for piece in pieces:
            yield decoder.decompress(piece, PIECE)
            while not (decoder.needs_input or decoder.eof):
                yield decoder.decompress(b"", PIECE)
            if decoder.unused_data:
                raise Refusal("error while decompressing: data behind the end")
    except (lzma.LZMAError, EOFError) as error:
        raise Refusal(f"error while decompressing: {error}") from None


# Channels -----------------------------------------------------------------------------------


def _unpack_channel(job: _Job) -> None:
    name, source, out = job.get("channelName"), job.get("src"), job.out
    if name in ("", ".", "..") or "/" in name:
        raise Refusal(
            "channelName is not allowed to contain filesystem separators, got " + magenta(name)
        )
    out.mkdir()
    try:
        with tarfile.open(source) as archive:
            for member in archive:
                job.going_on()
                archive.extract(member, out, filter="data")
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, KeyError) as error:
        raise Refusal(f"cannot unpack {quoted(job.room.outward(source))}: {error}") from None
    found = list(out.iterdir())
    if len(found) != 1:
        shown = quoted(job.room.outward(source))
        raise Refusal(f"channel tarball {shown} contains {len(found)} files, where one is expected")
    found[0].rename(out / name)


BUILDERS: dict[str, Callable[[_Job], None]] = {
    "buildenv": _buildenv,
    "fetchurl": _fetchurl,
    "unpack-channel": _unpack_channel,
}
"""What each does, by its name behind `builtin:`. They raise Refusal, OSError, Interrupted."""
