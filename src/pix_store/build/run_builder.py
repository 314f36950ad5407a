"""Running one builder: its environment, its output line by line, and its end.

The process runs as this user in a session of its own, in a private folder, with nothing of
our environment; there is no sandbox. It is killed, children and all, when its client hangs
up, the daemon ends or its time is over. Source: Nix `derivation-builder.cc`.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pix.codec.wire import bytes_of, text_of
from pix.dataclass import dataclass
from pix.serving import Refusal
from pix.untrusted import parse_json
from pix_store.build.build_directory import Room
from pix_store.derivations.derivation import Derivation
from pix_store.store.hashes import sha256
from pix_store.store.refusal import bold_red, magenta, quoted

LONGEST_LINE = 1 << 16
PASS = "passAsFile"
TICK = 0.2
"""Seconds between looks at the clock and at whether the daemon ends."""


class Interrupted(Exception):
    """The build was stopped, because its client hung up or the daemon ends."""


class TooLong(Exception):
    """The build took too long, or was silent for too long; says so."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a build may take, and be silent, in seconds; 0 for ever. `cores`: 0 for all."""

    timeout: int = 0
    silence: int = 0
    cores: int = 1


@dataclass(frozen=True, slots=True)
class Watch:
    """Whom a running build concerns: `line` is told of its output, `stop` says when to end."""

    line: Callable[[str], None]
    stop: Callable[[], bool]
    limits: Limits = Limits()


def environment(derivation: Derivation, room: Room, top: Path, cores: int = 1) -> dict[str, str]:
    """Return the builder's environment; writes the files that it names into `top`."""
    env = {
        "PATH": "/path-not-set",
        "HOME": "/homeless-shelter",
        "NIX_STORE": room.directory,
        "NIX_BUILD_CORES": str(cores or os.cpu_count() or 1),
    }
    told = dict(derivation.env)
    structured = told.pop("__json", None)
    if structured is not None:
        env |= _structured(structured, derivation, room, top)
    else:
        apart = set(told.get(PASS, "").split())
        for key, value in told.items():
            if key in apart:
                file = top / f".attr-{sha256(key.encode()).nix32}"
                file.write_bytes(bytes_of(room.inward(value)))
                env[f"{key}Path"] = str(file)
            else:
                env[key] = room.inward(value)
    places = dict.fromkeys(("NIX_BUILD_TOP", "TMPDIR", "TEMPDIR", "TMP", "TEMP", "PWD"), str(top))
    if any(output.hash for output in derivation.outputs.values()):
        for name in told.get("impureEnvVars", "").split():
            env[name] = os.environ.get(name, "")
        env["NIX_OUTPUT_CHECKED"] = "1"
    return env | places | {"NIX_LOG_FD": "2", "TERM": "xterm-256color"}


def _structured(text: str, derivation: Derivation, room: Room, top: Path) -> dict[str, str]:
    try:
        attributes = parse_json(text)
    except ValueError:
        raise Refusal("cannot process __json attribute: it is not JSON") from None
    if not isinstance(attributes, dict):
        raise Refusal("cannot process __json attribute: it is not an object")
    outputs = {name: output.path for name, output in derivation.outputs.items()}
    (top / ".attrs.json").write_text(room.inward(json.dumps(attributes | {"outputs": outputs})))
    shell = _declared("outputs", outputs)
    for key, value in attributes.items():
        if key.isidentifier() and key.isascii():
            shell += _declared(key, value)
    (top / ".attrs.sh").write_text(room.inward("\n".join(shell) + "\n"))
    return {
        "NIX_ATTRS_JSON_FILE": str(top / ".attrs.json"),
        "NIX_ATTRS_SH_FILE": str(top / ".attrs.sh"),
    }


def _declared(key: str, value: object) -> list[str]:
    """Return an attribute as bash declares it; none for what bash cannot hold."""
    simple = _simple(value)
    if simple is not None:
        return [f"declare {key}={simple}"]
    if isinstance(value, list):
        items = [_simple(item) for item in value]
        if None not in items:
            return [f"declare -a {key}=({' '.join(map(str, items))} )"]
    if isinstance(value, dict):
        pairs = {name: _simple(item) for name, item in value.items()}
        if None not in pairs.values():
            inside = " ".join(f"[{_sh(name)}]={item}" for name, item in pairs.items())
            return [f"declare -A {key}=({inside} )"]
    return []


def _simple(value: object) -> str | None:
    if isinstance(value, bool):
        return "1" if value else "''"
    if value is None:
        return "''"
    if isinstance(value, int):
        return str(value)
    return _sh(value) if isinstance(value, str) else None


def _sh(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def run(derivation: Derivation, room: Room, name: str, watch: Watch, keep: bool) -> int:
    """Run the builder to its end; return its status as Popen does.

    Raises Refusal, Interrupted, TooLong. `keep`: leave the folder
    of a build that failed.
    """
    top = Path(tempfile.mkdtemp(prefix=f"nix-build-{name}.drv-"))
    status = -1
    try:
        command = [room.inward(word) for word in (derivation.builder, *derivation.args)]
        env = environment(derivation, room, top, watch.limits.cores)
        try:
            process = subprocess.Popen(
                [bytes_of(Path(command[0]).name), *map(bytes_of, command[1:])],
                executable=bytes_of(command[0]),
                cwd=top,
                env={bytes_of(key): bytes_of(value) for key, value in env.items()},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = magenta(error.strerror if isinstance(error, OSError) else error)
            return _failed(watch, f"executing {quoted(derivation.builder)}: {why}")
        status = _attend(process, room, watch)
        return status
    finally:
        if not (keep and status):
            shutil.rmtree(top, ignore_errors=True)
        else:
            watch.line(f"note: keeping build directory '{top}'")


def _failed(watch: Watch, why: str) -> int:
    """Say why there is no builder, as what Nix starts in its place does; return its status."""
    watch.line(f"{bold_red('error:')} {why}")
    return 1


def _attend(process: subprocess.Popen[bytes], room: Room, watch: Watch) -> int:
    """Pass on what the builder says until it ends; leave no process of its behind."""
    assert process.stdout is not None
    started = heard = time.monotonic()
    poll = select.poll()
    poll.register(process.stdout, select.POLLIN)
    rest = b""
    try:
        with process.stdout as out:
            while True:
                if poll.poll(TICK * 1000):
                    data = os.read(out.fileno(), 1 << 16)
                    if not data:
                        break
                    heard = time.monotonic()
                    *lines, rest = (rest + data).split(b"\n")
                    for line in lines:
                        watch.line(_line(line, room))
                    if len(rest) > LONGEST_LINE:
                        watch.line(_line(rest, room))
                        rest = b""
                if watch.stop():
                    raise Interrupted
                now = time.monotonic()
                if 0 < watch.limits.timeout < now - started:
                    raise TooLong(f"timed out after {magenta(watch.limits.timeout)} seconds")
                if 0 < watch.limits.silence < now - heard:
                    raise TooLong(f"timed out after {magenta(watch.limits.silence)} seconds")
        if rest:
            watch.line(_line(rest, room))
        return process.wait()
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _line(raw: bytes, room: Room) -> str:
    """Return a line of output; a carriage return begins it anew, as on a terminal."""
    return room.outward(text_of(raw.rstrip(b"\r").rpartition(b"\r")[2]))
