"""The builds of one request: inputs first, one derivation at a time, and what is told of them.

A client's builds run in its own connection's thread; two clients that want the same
derivation wait for each other.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable

from pix.codec.errors import Lost
from pix.dataclass import dataclass, field
from pix.protocol.logging import ActivityType, ResultType, StderrNext
from pix.protocol.types import BuildMode, BuildStatus, Verbosity
from pix.serving import Refusal
from pix_store.build.one_build import Work
from pix_store.build.outcome import Outcome, cannot_build, dependencies_failed, mismatch
from pix_store.build.plan import MISSING, Target, inputs_of, missing_outputs, plan, wanted_outputs
from pix_store.build.run_builder import Interrupted
from pix_store.connection.client import Caller
from pix_store.derivations.derivation import Derivation, derivation_of, drv_name, write
from pix_store.derivations.floating import must_resolve, resolve
from pix_store.derivations.outputs import known_outputs
from pix_store.derivations.realisations import register
from pix_store.store.refusal import bold_red, quoted, rendered

_MACHINES = {"arm64": "aarch64", "AMD64": "x86_64"}

SYSTEM = f"{_MACHINES.get(platform.machine(), platform.machine())}-{platform.system().lower()}"
"""The system that builders are run for."""

NO_BUILDS = (
    f"Reason: {bold_red('local builds are disabled')} (max-jobs = 0)\n"
    "Hint: set 'max-jobs' to a non-zero value to enable local builds, or configure remote builders"
    " via 'builders'"
)
"""What a daemon with max-jobs = 0 says."""

CHECK_HINT = (
    "Hint: --rebuild and --check error if the derivation was not previously built and cannot be"
    " substituted.\n      Remove it to perform a fresh build, or use --repair to rewrite missing or"
    " corrupted builds in the store."
)

NOT_ALLOWED = (
    f"Reason: {bold_red('local builds are disabled')} (this daemon was started without"
    " --allow-build)"
)


@dataclass(slots=True)
class Count:
    """How far the builds of a request are."""

    done: int = 0
    expected: int = 0
    running: int = 0
    failed: int = 0


@dataclass(slots=True)
class Builds:
    """The builds of one request, and what became of each."""

    caller: Caller
    mode: int
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    count: Count = field(default_factory=Count)
    _whole: int = 0
    _builds: int = 0
    _copies: int = 0
    given_up: bool = False

    def begin(self) -> None:
        """Tell of the beginning, as Nix's worker does."""
        connection = self.caller.connection
        self._whole = connection.start(ActivityType.REALISE)
        self._builds = connection.start(ActivityType.BUILDS)
        self._copies = connection.start(ActivityType.COPY_PATHS)
        self._progress()

    def end(self) -> None:
        for activity in (self._copies, self._builds, self._whole):
            self.caller.connection.stop(activity)

    def _progress(self) -> None:
        connection, count = self.caller.connection, self.count
        numbers = (count.done, count.expected, count.running, count.failed)
        connection.result(self._builds, ResultType.PROGRESS, *numbers)
        connection.result(self._copies, ResultType.PROGRESS, 0, 0, 0, 0)
        connection.result(self._whole, ResultType.SET_EXPECTED, int(ActivityType.FILE_TRANSFER), 0)
        connection.result(self._whole, ResultType.SET_EXPECTED, int(ActivityType.COPY_PATH), 0)

    def target(self, target: Target) -> Outcome:
        """Get a target, and return how that ended."""
        if not target.built:
            return self.path(target.base)
        self._all([target], target.base)
        return self._wanted(target)

    def path(self, base: str) -> Outcome:
        """Get a path itself: there is nobody to fetch it from."""
        store = self.caller.store
        if store.known(base) is not None:
            return Outcome(BuildStatus.ALREADY_VALID)
        return Outcome(
            BuildStatus.NO_SUBSTITUTERS,
            f"path {quoted(store.paths.full(base))} is required, but there is no substituter that"
            " can build it",
        )

    def _wanted(self, target: Target) -> Outcome:
        outcome = self.outcomes[target.base]
        if not outcome.good or target.outputs is None:
            return outcome
        kept = {name: base for name, base in outcome.outputs.items() if name in target.outputs}
        return Outcome(outcome.status, "", kept, outcome.started, outcome.stopped, outcome.rounds)

    def _all(self, targets: Iterable[Target], top: str) -> None:
        """Build derivations, the deepest first, without recursion."""
        store = self.caller.store
        connection = self.caller.connection
        activity = connection.start(ActivityType.UNKNOWN, MISSING, level=Verbosity.DEBUG)
        self.count.expected += len(plan(store, targets).build - self.outcomes.keys())
        connection.stop(activity)
        self._progress()
        stack = [(target, False) for target in targets]
        while stack:
            target, ready = stack.pop()
            if not target.built or (self.given_up and not ready):
                continue
            if store.known(target.base) is None:
                why = f"failed to obtain derivation of {quoted(store.paths.full(target.base))}"
                self.outcomes[target.base] = Outcome(BuildStatus.DEPENDENCY_FAILED, why)
                continue
            try:
                derivation = derivation_of(store, target.base)
            except Refusal as refusal:
                self.outcomes[target.base] = Outcome(BuildStatus.MISC_FAILURE, refusal.message)
                continue
            names = wanted_outputs(store, target.base, target, derivation)
            try:
                inputs = inputs_of(store, derivation)
                missing = missing_outputs(store, target.base, derivation, names)
            except Refusal as refusal:
                self.outcomes[target.base] = Outcome(BuildStatus.MISC_FAILURE, refusal.message)
                continue
            before = self.outcomes.get(target.base)
            if before is not None and (not before.good or names <= before.outputs.keys()):
                continue
            first = target.base == top
            if not missing and not (first and self.mode != BuildMode.NORMAL):
                known = known_outputs(store, target.base, derivation)
                self.outcomes[target.base] = Outcome(
                    BuildStatus.ALREADY_VALID,
                    outputs={n: b for n, b in known.items() if b is not None and store.known(b)},
                )
            elif not ready:
                stack.append((target, True))
                stack.extend((below, False) for below in reversed(inputs))
            else:
                self._after_inputs(target.base, derivation, inputs, first)

    def _after_inputs(
        self, drv: str, derivation: Derivation, inputs: list[Target], first: bool
    ) -> None:
        store = self.caller.store
        ended = [
            self.outcomes.get(one.base) if one.built else self.path(one.base) for one in inputs
        ]
        failed = sum(outcome is not None and not outcome.good for outcome in ended)
        if failed:
            outputs = [output.path for output in derivation.outputs.values() if output.path]
            text = cannot_build(store.paths.full(drv), dependencies_failed(failed), outputs)
            outcome = Outcome(BuildStatus.DEPENDENCY_FAILED, text)
        else:
            mode = self.mode if first else BuildMode.NORMAL
            if must_resolve(derivation):
                outcome = self._resolved(drv, derivation, mode)
            else:
                outcome = self.one(drv, derivation, mode)
        self.outcomes[drv] = outcome
        if not outcome.good:
            self.given_up = not self.caller.connection.options.keep_going
            if not first:
                self.caller.connection.say(StderrNext(text=rendered(outcome.error)))

    def _resolved(self, drv: str, derivation: Derivation, mode: int) -> Outcome:
        """Build what a derivation comes to, now that its inputs are known by path."""
        store, connection = self.caller.store, self.caller.connection
        try:
            resolved = resolve(store, drv, derivation)
            path = write(store, f"{drv_name(drv)}.drv", resolved)
        except Refusal as refusal:
            return Outcome(BuildStatus.MISC_FAILURE, refusal.message)
        full = store.paths.full(drv)
        text = f"resolved derivation: '{full}' -> '{path}'"
        activity = connection.start(ActivityType.BUILD_WAITING, text, (full, path), Verbosity.INFO)
        base = store.paths.base(path)
        self.caller.keep(base)
        outcome = self.one(base, resolved, mode)
        if outcome.good:
            register(store, drv, derivation, outcome.outputs)
        connection.stop(activity)
        return outcome

    def one(self, drv: str, derivation: Derivation, mode: int) -> Outcome:
        """Build one derivation whose inputs are there. Raises Lost when the client is gone."""
        house = self.caller.house
        if not house.allow_build:
            return self._one(drv, derivation, mode)
        with house.turn:
            while drv in house.building:
                if house.stopping or self.caller.connection.gone():
                    raise Lost("the client is gone")
                house.turn.wait(0.2)
            house.building[drv] = (int(time.time()), self.caller.pid)
        try:
            return self._one(drv, derivation, mode)
        except Interrupted:
            raise Lost("the build was interrupted") from None
        finally:
            with house.turn:
                del house.building[drv]
                house.turn.notify_all()

    def _one(self, drv: str, derivation: Derivation, mode: int) -> Outcome:
        store = self.caller.store
        full = store.paths.full(drv)
        try:
            missing = missing_outputs(store, drv, derivation, derivation.outputs)
            if mode == BuildMode.NORMAL and not missing:
                known = known_outputs(store, drv, derivation)
                outputs = {name: base for name, base in known.items() if base is not None}
                return Outcome(BuildStatus.ALREADY_VALID, outputs=outputs)
            refused = self._impossible()
        except Refusal as refusal:
            return Outcome(BuildStatus.MISC_FAILURE, refusal.message)
        if mode == BuildMode.CHECK and missing:
            raise Refusal(
                f"some outputs of {quoted(full)} are not valid, so checking is not possible\n"
                f"{CHECK_HINT}"
            )
        work = Work(self.caller, drv, derivation, mode)
        if refused is not None:
            return Outcome(BuildStatus.INPUT_REJECTED, f"Cannot build {quoted(full)}.\n{refused}")
        if derivation.system not in (SYSTEM, "builtin"):
            return Outcome(BuildStatus.INPUT_REJECTED, mismatch(full, derivation.system, SYSTEM))
        outcome = work.do(self._tell)
        if outcome.good:
            register(store, drv, derivation, outcome.outputs)
        return outcome

    def _tell(self, outcome: Outcome | None) -> None:
        """Tell of a build that has begun, or how it ended."""
        self.count.running += 1 if outcome is None else -1
        if outcome is not None:
            self.count.done += outcome.good
            self.count.failed += not outcome.good
        self._progress()

    def _impossible(self) -> str | None:
        """Return why nothing can be built here at all, None when it can."""
        if not self.caller.house.allow_build:
            return NOT_ALLOWED
        if not self.caller.connection.options.jobs:
            return NO_BUILDS
        if not self.caller.ours:
            why = bold_red("builders are run for this daemon's own user only")
            return f"Reason: {why}."
        return None
