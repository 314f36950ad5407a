"""Arguments of a capture: who may connect, whom the daemon trusts, how many descriptors."""

from __future__ import annotations

import os
import pwd
import resource
from pathlib import Path

import pytest

from pix.problem import Problem
from pix_inspect.capture.upstream import CommandUpstream, SocketUpstream, Upstream
from pix_inspect.options.capture import allow_many_connections, user_ids, warn_of_trust

DAEMON = SocketUpstream(Path("/d"))


def test_who_may_connect() -> None:
    own = os.getuid()
    assert user_ids([]) == frozenset({own})
    assert user_ids(["12345", pwd.getpwuid(own).pw_name]) == frozenset({own, 12345})
    assert user_ids(["12345", "all"]) is None
    with pytest.raises(Problem, match="--allow-user ghost: no such user"):
        user_ids(["ghost"])


@pytest.mark.parametrize(
    ("uid", "upstream", "shared", "says"),
    [
        (0, DAEMON, True, ["the daemon sees the relay's user, root, and trusts every client"]),
        (0, DAEMON, False, []),
        (0, CommandUpstream(("nix-daemon",)), True, ["the command sees the relay's user, root"]),
        (1, DAEMON, True, ["sees every client as daemon", "trusts it as that user"]),
        (54321, DAEMON, True, ["sees every client as user 54321"]),
        (1, DAEMON, False, []),
    ],
)
def test_trust_is_warned_of_where_a_client_gains_some(
    monkeypatch: pytest.MonkeyPatch,
    uid: int,
    upstream: SocketUpstream | CommandUpstream,
    shared: bool,
    says: list[str],
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: uid)
    told: list[str] = []
    warn_of_trust(upstream, shared, told.append)
    assert len(told) == bool(says)
    assert all(words in told[0] for words in says)


@pytest.mark.parametrize(
    ("upstream", "raised"), [(DAEMON, True), (CommandUpstream(("nix-daemon", "--stdio")), False)]
)
def test_descriptors_are_taken_where_no_command_inherits_the_limit(
    upstream: Upstream, raised: bool
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))
    try:
        allow_many_connections(upstream)
        now, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert now == (hard if raised else soft - 1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
