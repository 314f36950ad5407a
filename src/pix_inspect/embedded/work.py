"""Building one derivation whose inputs are there: run it, take its outputs into the store.

Knows one derivation at a time; what has to be built before it is for `building` to know.
"""

from __future__ import annotations

import json
import time
from collections import deque
from dataclasses import dataclass, field

from pix.protocol.logging import ActivityType, ResultType
from pix.protocol.types import BuildMode, BuildStatus, Verbosity
from pix.wire import bytes_of
from pix_inspect.embedded.addressing import ContentAddress, Method, address
from pix_inspect.embedded.builder import Limits, TooLong, Watch, run
from pix_inspect.embedded.caller import Caller
from pix_inspect.embedded.derivation import Derivation, derivation_of, drv_name
from pix_inspect.embedded.hashes import Digest
from pix_inspect.embedded.outcome import SHOWN_LINES, Outcome, cannot_build, ended
from pix_inspect.embedded.path_info import PathInfo
from pix_inspect.embedded.references import Search
from pix_inspect.embedded.refusal import Refusal, bold_red, quoted
from pix_inspect.embedded.room import Room
from pix_inspect.embedded.spool import Spool

STRUCTURED_LINE = "@nix "
LONGEST_LOG = 64 << 20
"""Bytes of a build's log that are kept."""


@dataclass(slots=True)
class Made:
    """An output that was made: its metadata and its NAR, not yet in the store."""

    info: PathInfo
    nar: Spool


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

    @property
    def path(self) -> str:
        """The derivation's full path."""
        return self.caller.store.paths.full(self.drv)

    @property
    def outputs(self) -> dict[str, str]:
        """The outputs' base names. Raises Refusal when one is not known before the build."""
        known = self.derivation.known_outputs(self.caller.store)
        if None in known.values():
            raise Refusal(
                f"{quoted(self.path)} has outputs that only a build tells, which this daemon"
                " cannot make (content-addressed and floating)"
            )
        return {name: base for name, base in known.items() if base is not None}

    def fail(self, status: BuildStatus, reason: str, *, tail: bool = False) -> Outcome:
        """Return a failure."""
        paths = [output.path for output in self.derivation.outputs.values() if output.path]
        text = cannot_build(self.path, reason, paths, self.tail if tail else ())
        return Outcome(status, text)

    def do(self) -> Outcome:
        """Build, and return how that ended. Raises Interrupted."""
        started = int(time.time())
        talk = self.caller.talk
        self._activity = talk.start(
            ActivityType.BUILD,
            f"building '{self.path}'"
            if self.mode == BuildMode.NORMAL
            else f"{'checking' if self.mode == BuildMode.CHECK else 'repairing'} outputs of"
            f" '{self.path}'",
            (self.path, "", 1, 1),
            Verbosity.INFO,
        )
        with Spool() as self._log:
            try:
                outcome = self._do()
            except Refusal as refusal:
                outcome = self.fail(BuildStatus.MISC_FAILURE, bold_red(refusal.message))
            finally:
                self.caller.store.shelf.append(self.drv, self._log.pieces())
        talk.stop(self._activity)
        outcome.started, outcome.stopped, outcome.rounds = started, int(time.time()), 1
        return outcome

    def _do(self) -> Outcome:
        store, options = self.caller.store, self.caller.talk.options
        outputs = self.outputs
        inputs = self._inputs()
        with Room(store, inputs, outputs.values()) as room:
            watch = Watch(self._line, self._stop, Limits(options.timeout, options.max_silent))
            name = drv_name(self.drv)
            try:
                status = run(self.derivation, room, name, watch, options.keep_failed)
            except TooLong as error:
                return self.fail(BuildStatus.TIMED_OUT, bold_red(str(error)), tail=True)
            if status:
                return self.fail(BuildStatus.PERMANENT_FAILURE, ended(status), tail=True)
            made: list[Made] = []
            try:
                return self._take(room, outputs, inputs, made)
            finally:
                for one in made:
                    one.nar.close()

    def _inputs(self) -> set[str]:
        """Return everything that the builder may see."""
        store = self.caller.store
        direct = {store.paths.base(path) for path in self.derivation.sources}
        for path, names in self.derivation.inputs.items():
            known = derivation_of(store, store.paths.base(path)).known_outputs(store)
            direct |= {base for name in names if (base := known.get(name)) is not None}
        for base in sorted(direct):
            store.info(base)
        return store.closure(direct)

    def _take(
        self, room: Room, outputs: dict[str, str], inputs: set[str], made: list[Made]
    ) -> Outcome:
        """Take what was made into the store, or compare it with what is there."""
        store = self.caller.store
        for name, base in outputs.items():
            place = room.output(base)
            if not place.is_symlink() and not place.exists():
                reason = bold_red(
                    f"builder failed to produce output path for output '{name}' at"
                    f" '{store.paths.full(base)}'"
                )
                return self.fail(BuildStatus.MISC_FAILURE, reason, tail=True)
            nar = Spool(Search(inputs | set(outputs.values())), store.shelf.room())
            try:
                nar.fill(room.nar(base))
            except Refusal as refusal:
                nar.close()
                return self.fail(BuildStatus.OUTPUT_REJECTED, bold_red(refusal.message))
            assert nar.search is not None
            ca, wrong = self._fixed(name, nar)
            references = frozenset(nar.search.found)
            info = PathInfo(
                base, nar.sha256, nar.size, references, self.drv, int(time.time()), True, ca=ca
            )
            made.append(Made(info, nar))
            if wrong is not None:
                return wrong
            if ca is not None and references:
                reason = bold_red("a fixed output is not allowed to refer to other store paths")
                return self.fail(BuildStatus.OUTPUT_REJECTED, reason)
        if self.mode == BuildMode.CHECK:
            return self._compare(made, outputs)
        self._add(made)
        return Outcome(BuildStatus.BUILT, outputs=outputs)

    def _add(self, made: list[Made]) -> None:
        """Make the outputs valid, those first that others refer to."""
        store = self.caller.store
        left = {one.info.base: one for one in made}
        while left:
            ready = [
                base
                for base, one in left.items()
                if not (one.info.references - {base}) & left.keys()
            ]
            if not ready:
                raise Refusal(f"cycle detected in the references of outputs of {quoted(self.path)}")
            for base in ready:
                one = left.pop(base)
                self.caller.keep(base)
                store.add(one.info, one.nar, again=self.mode == BuildMode.REPAIR)

    def _compare(self, made: list[Made], outputs: dict[str, str]) -> Outcome:
        store = self.caller.store
        for one in made:
            there = store.info(one.info.base)
            if there.nar_hash != one.info.nar_hash:
                text = (
                    f"derivation {quoted(self.path)} may not be deterministic: output"
                    f" {quoted(store.paths.full(one.info.base))} differs"
                )
                return Outcome(BuildStatus.NOT_DETERMINISTIC, text)
        return Outcome(BuildStatus.ALREADY_VALID, outputs=outputs)

    def _fixed(self, name: str, nar: Spool) -> tuple[str | None, Outcome | None]:
        """Return the content address of a fixed output, and the failure when it is another."""
        told = self.derivation.outputs[name]
        if not told.algorithm:
            return None, None
        method = Method.of_derivation(told.algorithm)
        try:
            wanted = Digest.parse(told.hash, method.algorithm)
        except ValueError as error:
            raise Refusal(str(error)) from None
        found = address(method, nar)
        if found.digest == wanted:
            return str(ContentAddress(method, wanted)), None
        text = (
            f"hash mismatch in fixed-output derivation {quoted(self.path)}:\n"
            f"         specified: {wanted.sri}\n            got:    {found.digest.sri}"
        )
        return str(found), Outcome(BuildStatus.OUTPUT_REJECTED, text)

    def _stop(self) -> bool:
        return self.caller.house.stopping or self.caller.talk.gone()

    def _line(self, line: str) -> None:
        """Take a line of the builder's: keep it and tell it, or do what it says."""
        talk = self.caller.talk
        if line.startswith(STRUCTURED_LINE):
            try:
                said = json.loads(line.removeprefix(STRUCTURED_LINE))
                if said["action"] == "setPhase":
                    talk.result(self._activity, ResultType.SET_PHASE, str(said["phase"]))
                    return
            except (ValueError, KeyError, TypeError, RecursionError):
                pass
        self.tail.append(line)
        raw = bytes_of(line) + b"\n"
        if self._log is not None and self._log.size + len(raw) <= LONGEST_LOG:
            self._log.write(raw)
        talk.result(self._activity, ResultType.BUILD_LOG_LINE, line)
