"""Building one derivation whose inputs are there: run it, take its outputs into the store."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pix.codec.errors import EncodeError
from pix.codec.wire import bytes_of
from pix.dataclass import dataclass, field
from pix.protocol.logging import ActivityType, ResultType
from pix.protocol.types import BuildMode, BuildStatus, Verbosity
from pix.serving import Refusal
from pix.untrusted import parse_json
from pix_store.build import builtin_builders
from pix_store.build.build_directory import Room
from pix_store.build.outcome import SHOWN_LINES, Outcome, cannot_build, ended
from pix_store.build.register_outputs import Harvest, Rejected
from pix_store.build.run_builder import Limits, TooLong, Watch, run
from pix_store.connection.client import Caller
from pix_store.derivations.derivation import Derivation, derivation_of, drv_name
from pix_store.derivations.floating import own_placeholder, scratch, substituted
from pix_store.derivations.hash_modulo import is_fixed
from pix_store.derivations.outputs import known_outputs
from pix_store.store.refusal import bold_red
from pix_store.store.spool import Spool

STRUCTURED_LINE = "@nix "
MOST_DOWNLOADS = 1000
"""Downloads that a builder may tell of at a time."""

LONGEST_LOG = 64 << 20
"""Bytes of a build's log that are kept."""


@dataclass(slots=True)
class Work:
    """One build. `drv` is the derivation's base name, `mode` a BuildMode."""

    caller: Caller
    drv: str
    derivation: Derivation
    mode: int
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=SHOWN_LINES))
    _log: Spool | None = None
    _activity: int = 0
    _downloads: dict[int, int] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return self.caller.store.paths.full(self.drv)

    @property
    def outputs(self) -> dict[str, str]:
        """The base names that the builder is to use for its outputs."""
        paths = self.caller.store.paths
        return {
            name: paths.base(output.path) if output.path else scratch(paths, self.drv, name)
            for name, output in self.derivation.outputs.items()
        }

    def fail(self, status: BuildStatus, reason: str, *, tail: bool = False) -> Outcome:
        paths = [output.path for output in self.derivation.outputs.values() if output.path]
        text = cannot_build(self.path, reason, paths, self.tail if tail else ())
        return Outcome(status, text)

    def do(self, tell: Callable[[Outcome | None], None]) -> Outcome:
        """Build, and return how that ended. Raises Interrupted.

        `tell` is called when the build has begun, with None, and when it has ended.
        """
        started = int(time.time())
        connection = self.caller.connection
        self._activity = connection.start(
            ActivityType.BUILD,
            f"building '{self.path}'"
            if self.mode == BuildMode.NORMAL
            else f"{'checking' if self.mode == BuildMode.CHECK else 'repairing'} outputs of"
            f" '{self.path}'",
            (self.path, "", 1, 1),
            Verbosity.INFO,
        )
        tell(None)
        with Spool() as self._log:
            try:
                outcome = self._do()
            except Refusal as refusal:
                outcome = self.fail(BuildStatus.MISC_FAILURE, bold_red(refusal.message))
            finally:
                self.caller.store.shelf.append(self.drv, self._log.pieces())
        for download in self._downloads.values():  # the builder left open
            connection.stop(download)
        outcome.started, outcome.stopped, outcome.rounds = started, int(time.time()), 1
        tell(outcome)
        connection.stop(self._activity)
        return outcome

    def _do(self) -> Outcome:
        store, options = self.caller.store, self.caller.connection.options
        if any(output.hash == "impure" for output in self.derivation.outputs.values()):
            raise Refusal("experimental Nix feature 'impure-derivations' is disabled")
        outputs, inputs = self.outputs, self._inputs()
        told = substituted(
            self.derivation,
            {own_placeholder(name): store.paths.full(base) for name, base in outputs.items()},
        )
        with Room(store, inputs, outputs.values()) as room:
            limits = Limits(options.timeout, options.max_silent, options.cores)
            watch = Watch(self._line, self._stop, limits)
            try:
                if told.builder.startswith(builtin_builders.PREFIX):
                    status = builtin_builders.perform(told, room, watch)
                else:
                    status = run(told, room, drv_name(self.drv), watch, options.keep_failed)
            except TooLong as error:
                return Outcome(BuildStatus.TIMED_OUT, str(error))
            if status:
                # what is fetched may be there another time
                fetched = is_fixed(self.derivation)
                kind = BuildStatus.TRANSIENT_FAILURE if fetched else BuildStatus.PERMANENT_FAILURE
                return self.fail(kind, ended(status), tail=True)
            try:
                harvest = Harvest(self.caller, self.drv, self.derivation, room, outputs, inputs)
                return harvest.take(self.mode)
            except Rejected as rejected:
                if rejected.whole:
                    return Outcome(rejected.status, rejected.message, mismatch=rejected.mismatch)
                return self.fail(rejected.status, bold_red(rejected.message), tail=True)

    def _inputs(self) -> set[str]:
        """Return everything that the builder may see."""
        store = self.caller.store
        direct = {store.paths.base(path) for path in self.derivation.sources}
        for path, names in self.derivation.inputs.items():
            base = store.paths.base(path)
            known = known_outputs(store, base, derivation_of(store, base))
            direct |= {found for name in names if (found := known.get(name)) is not None}
        outputs = (output.path for output in self.derivation.outputs.values() if output.path)
        for base in (self.drv, *map(store.paths.base, outputs), *sorted(direct)):
            self.caller.keep(base)  # from being collected meanwhile
        for base in sorted(direct):
            store.info(base)
        return store.closure(direct)

    def _stop(self) -> bool:
        return self.caller.house.stopping or self.caller.connection.gone()

    def _line(self, line: str) -> None:
        """Take a line of the builder's: keep it and tell it, or do what it says."""
        if line.startswith(STRUCTURED_LINE):
            with suppress(ValueError, KeyError, TypeError, OverflowError, EncodeError):
                if self._said(parse_json(line.removeprefix(STRUCTURED_LINE))):
                    return
        self.tail.append(line)
        raw = bytes_of(line) + b"\n"
        if self._log is not None and self._log.size + len(raw) <= LONGEST_LOG:
            self._log.write(raw)
        self.caller.connection.result(self._activity, ResultType.BUILD_LOG_LINE, line)

    def _said(self, said: Any) -> bool:
        """Do what a structured line says; return False for one that says nothing known.

        Of activities builders may tell of downloads only. Raises ValueError, KeyError, TypeError,
        OverflowError, EncodeError for what is not as it should be.
        """
        connection, action = self.caller.connection, said["action"]
        if action == "setPhase":
            connection.result(self._activity, ResultType.SET_PHASE, str(said["phase"]))
        elif action == "msg":
            connection.note(str(said["msg"]), _level(said))
        elif action == "start":
            if said["type"] == ActivityType.FILE_TRANSFER and len(self._downloads) < MOST_DOWNLOADS:
                self._downloads[int(said["id"])] = connection.start(
                    ActivityType.FILE_TRANSFER,
                    str(said["text"]),
                    _fields(said),
                    _level(said),
                    self._activity,
                )
        elif action == "stop":
            if (activity := self._downloads.pop(int(said["id"]), None)) is not None:
                connection.stop(activity)
        elif action == "result":
            if (activity := self._downloads.get(int(said["id"]))) is not None:
                connection.result(activity, ResultType.of(int(said["type"])), *_fields(said))
        else:
            return False
        return True


def _level(said: Any) -> int:
    return min(max(int(said["level"]), Verbosity.ERROR), Verbosity.VOMIT)


def _fields(said: Any) -> tuple[int | str, ...]:
    return tuple(one if isinstance(one, str) else int(one) for one in said.get("fields", ()))
