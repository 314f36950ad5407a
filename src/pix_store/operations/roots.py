"""What keeps paths alive, the client's settings, and looking after the store."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pix.protocol import operations as op
from pix.protocol.types import GCAction, Root
from pix.serving import Refusal
from pix_store.connection.client import Caller, answers
from pix_store.operations import garbage
from pix_store.store.refusal import quoted, shown

NEWEST_OF_LIX = 35
"""Daemons that speak more have no GCAction of Lix."""

COUNTS_LIKE_NIX_2_4 = 22
"""Daemons of older versions count verbosities without Notice; newer ones take theirs for all."""


@answers(op.SetOptions)
def set_options(caller: Caller, request: op.SetOptions) -> None:
    """Remember what matters of the client's settings."""
    options = caller.connection.options
    older = caller.connection.offer.protocol.minor < COUNTS_LIKE_NIX_2_4
    options.verbosity = request.verbosity + (1 if older and request.verbosity > 1 else 0)
    options.keep_failed = bool(request.keep_failed)
    options.keep_going = bool(request.keep_going)
    options.max_silent = request.max_silent_time
    options.jobs, options.cores = request.max_build_jobs, request.build_cores
    timeout = request.overrides.get("timeout", "0")
    options.timeout = int(timeout) if re.fullmatch("[0-9]{1,9}", timeout) else 0
    options.overrides = dict(request.overrides)


@answers(op.AddTempRoot)
def add_temp_root(caller: Caller, request: op.AddTempRoot) -> op.Done:
    """Keep a path for as long as the connection lasts."""
    caller.keep(caller.base(request.path))
    return op.Done()


@answers(op.AddTempRoots)
def add_temp_roots(caller: Caller, request: op.AddTempRoots) -> op.Done:
    """Keep paths for as long as the connection lasts."""
    for base in caller.bases(request.paths):
        caller.keep(base)
    return op.Done()


@answers(op.AddIndirectRoot)
def add_indirect_root(caller: Caller, request: op.AddIndirectRoot) -> op.Done:
    """Let a symlink outside of the store be a root; it need not be there."""
    caller.store.link(_tidy(f"/{request.link.lstrip('/')}"))
    return op.Done()


@answers(op.AddPermRoot)
def add_perm_root(caller: Caller, request: op.AddPermRoot) -> op.AddPermRoot.Reply:
    """Make a symlink to a path, and let it be a root."""
    caller.may(
        "you are not privileged to create perm roots\n\n"
        "hint: you can just do this client-side without special privileges, and probably want"
        " to do that instead."
    )
    base = caller.base(request.path)
    link = Path(_tidy(request.gc_root))
    if link.is_relative_to(caller.store.paths.directory):
        raise Refusal(
            f"creating a garbage collector root ({shown(link)}) in the Nix store is forbidden"
            f" (are you running nix-build inside the store?)"
        )
    caller.keep(base)
    garbage.make_link(link, request.path, caller.store)
    caller.store.link(str(link))
    return op.AddPermRoot.Reply(gc_root=str(link))


def _tidy(link: str) -> str:
    """Return an absolute path without detours. Raises Refusal for another one."""
    if not link.startswith("/") or "\0" in link:
        raise Refusal(f"not an absolute path: {quoted(link)}", ends=True)
    return os.path.normpath(link)


@answers(op.SyncWithGC)
def sync_with_gc(caller: Caller, request: op.SyncWithGC) -> op.Done:
    """Do nothing: roots hold as soon as they are registered."""
    return op.Done()


@answers(op.FindRoots)
def find_roots(caller: Caller, request: op.FindRoots) -> op.FindRoots.Reply:
    """List the roots."""
    full = caller.store.paths.full
    return op.FindRoots.Reply(
        roots=tuple(
            Root(
                link=link if caller.trusted or link.startswith("{") else "{censored}",
                target=full(base),
            )
            for link, base in garbage.roots(caller.house)
        )
    )


@answers(op.CollectGarbage)
def collect_garbage(caller: Caller, request: op.CollectGarbage) -> op.CollectGarbage.Reply:
    """Find or delete garbage."""
    if request.ignore_liveness:
        raise Refusal("you are not allowed to ignore liveness")
    named = request.paths_to_delete if request.target is None else request.target.paths
    action = GCAction.of(request.action)
    spoken = caller.connection.offer.protocol.minor
    known = action in GCAction.__members__.values()
    if not known or (action == GCAction.TRY_DELETE_SPECIFIC and spoken > NEWEST_OF_LIX):
        raise Refusal("Invalid GC action", ends=True)
    wanted = garbage.Wanted(
        action=action,
        paths=caller.bases(named),
        referrers=request.target is not None and request.target.delete_referrers,
        max_freed=request.max_freed,
    )
    found, freed = garbage.collect(caller.house, wanted, caller.connection.note)
    full = caller.store.paths.full
    return op.CollectGarbage.Reply(paths=tuple(map(full, found)), bytes_freed=freed)
