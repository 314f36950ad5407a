"""Building what clients ask for: the operations, and how they tell what came of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress

from pix.protocol import operations as op
from pix.protocol.logging import StderrNext
from pix.protocol.types import BuildMode, BuildResult, BuildStatus, KeyedBuildResult
from pix.serving import Refusal
from pix_store.build.outcome import Outcome, cannot_build, dependencies_failed, exit_status
from pix_store.build.plan import Target, in_order
from pix_store.build.scheduler import Builds
from pix_store.connection.client import Caller, answers
from pix_store.derivations.derivation import Derivation
from pix_store.derivations.realisations import built_outputs
from pix_store.store.refusal import meant, quoted, rendered, too_large

GIVEN_UP = Outcome(BuildStatus.MISC_FAILURE)
"""What was not built because something else failed has failed, too, without a reason."""

WITH_OUTPUTS = 28
"""From 1.28 on a result says what was built."""

WITH_TIMES = 29
"""From 1.29 on a result says when, and how often."""


def _targets(caller: Caller, paths: Iterable[str], mode: int) -> list[Target]:
    _check_mode(caller, mode)
    return [Target.parse(path, caller.store.paths, caller.connection.protocol) for path in paths]


def _check_mode(caller: Caller, mode: int) -> None:
    if mode >= 1 << 8:
        raise Refusal(too_large(mode, 8), ends=True)
    if mode == BuildMode.REPAIR and not caller.trusted:
        raise Refusal("repairing is not allowed because you are not in 'trusted-users'", ends=True)
    if mode not in BuildMode.__members__.values():
        raise Refusal("Invalid build mode", ends=True)


@answers(op.BuildPaths)
def build_paths(caller: Caller, request: op.BuildPaths) -> op.Done:
    """Build; a failure is an error."""
    ended, status = _build(caller, request.paths, request.mode)
    failed = [one for one in ended if not one[1].good and one[1] is not GIVEN_UP]
    if len(failed) == 1:
        raise Refusal(failed[0][1].error, status=status)
    if failed:
        for _, outcome in failed:
            caller.connection.say(StderrNext(text=rendered(outcome.error)))
        which = ", ".join(f"'{caller.store.paths.full(target.base)}'" for target, _ in failed)
        raise Refusal(f"build of {which} failed", status=status)
    return op.Done()


@answers(op.BuildPathsWithResults)
def build_paths_with_results(
    caller: Caller, request: op.BuildPathsWithResults
) -> op.BuildPathsWithResults.Reply:
    """Build; failures are results like others."""
    results = [
        KeyedBuildResult(path=target.text, result=_result(caller, target.base, outcome))
        for target, outcome in _build(caller, request.paths, request.mode)[0]
    ]
    return op.BuildPathsWithResults.Reply(results=tuple(results))


def _build(
    caller: Caller, paths: Iterable[str], mode: int
) -> tuple[list[tuple[Target, Outcome]], int]:
    """Build; return how each ended, and the exit status that clients are told of failures."""
    targets = _targets(caller, paths, mode)
    builds = Builds(caller, mode)
    builds.begin()
    ended: dict[Target, Outcome] = {}
    for target in sorted(targets, key=lambda one: in_order(one.base)):
        ended[target] = builds.target(target)
        if builds.given_up:
            break
    builds.end()
    status = exit_status(builds.outcomes.values())
    return [(target, ended.get(target, GIVEN_UP)) for target in targets], status


@answers(op.BuildDerivation)
def build_derivation(caller: Caller, request: op.BuildDerivation) -> op.BuildDerivation.Reply:
    """Build a derivation that came along."""
    store = caller.store
    drv = caller.base(request.drv_path)
    with meant(ends=True):
        if not drv.endswith(".drv"):
            raise Refusal(f"store path {quoted(drv)} is not a valid derivation path")
        derivation = Derivation.basic(request.derivation)
        for output in derivation.outputs.values():
            output.check()
        _check_mode(caller, request.mode)
    if not derivation.outputs:
        raise Refusal("must have at least one output")
    if not caller.trusted and not derivation.content_addressed:
        raise Refusal("you are not privileged to build input-addressed derivations")
    builds = Builds(caller, request.mode)
    builds.begin()
    absent = sorted(path for path in derivation.sources if store.known(caller.base(path)) is None)
    if absent:
        failures = dependencies_failed(len(absent))
        outcome = Outcome(
            BuildStatus.DEPENDENCY_FAILED, cannot_build(request.drv_path, failures, [])
        )
    else:
        builds.count.expected = 1
        outcome = builds.one(drv, derivation, request.mode)
    builds.end()
    return op.BuildDerivation.Reply(result=_result(caller, drv, outcome, derivation))


@answers(op.EnsurePath)
def ensure_path(caller: Caller, request: op.EnsurePath) -> op.Done:
    """Make a path valid; there is nobody to fetch it from."""
    base = caller.base(request.path)
    outcome = Builds(caller, BuildMode.NORMAL).path(base)
    if not outcome.good:
        raise Refusal(outcome.error)
    return op.Done()


@answers(op.QueryActiveBuilds)
def query_active_builds(
    caller: Caller, request: op.QueryActiveBuilds
) -> op.QueryActiveBuilds.Reply:
    """List the builds that run now, with the keys that Determinate Nix uses."""
    with caller.house.turn:
        running = sorted(caller.house.building.items())
    builds = [
        {
            "derivation": caller.store.paths.full(drv),
            "startTime": started,
            "clientPid": pid,
            "nixPid": os.getpid(),
        }
        for drv, (started, pid) in running
    ]
    return op.QueryActiveBuilds.Reply(builds=json.dumps(builds, separators=(",", ":")))


@answers(op.SubmitOutput)
def submit_output(caller: Caller, request: op.SubmitOutput) -> op.Done:
    """Refuse: builders are given no connection to this daemon."""
    raise Refusal("outputs can be submitted inside of a build only")


def _result(
    caller: Caller, drv: str, outcome: Outcome, derivation: Derivation | None = None
) -> BuildResult:
    minor = caller.connection.protocol.minor
    result = BuildResult(status=outcome.status, error_msg=outcome.error)
    if minor >= WITH_TIMES:
        result.times_built = outcome.rounds
        result.is_non_deterministic = outcome.status == BuildStatus.NOT_DETERMINISTIC
        result.start_time = outcome.started
        result.stop_time = outcome.stopped
    if outcome.good and outcome.outputs and minor >= WITH_OUTPUTS:
        with suppress(Refusal):
            built_outputs(caller, drv, derivation, outcome.outputs, result)
    return result
