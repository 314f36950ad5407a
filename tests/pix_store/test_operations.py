"""Every operation, in the versions that have it, as a client and an observer hear it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from pix.codec.gates import WORKER
from pix.daemon import DaemonConnection, NixDaemonError
from pix.protocol import operations as op
from pix.protocol import operations_of
from pix.protocol.types import (
    SUBMIT_OUTPUT,
)
from pix_store.connection.client import ANSWERS
from tests.support.serving import ABSENT, TREE, VERSIONS, talking, watched

NEVER = {"Quit", "OldCollectGarbage", "ImportPath", "QueryFailedPaths", "ClearFailedPaths"}
"""What no daemon in range answers."""
each_version = pytest.mark.parametrize("version", VERSIONS)


def test_everything_that_a_daemon_answers_is_answered() -> None:
    assert {one.name for code, one in operations_of(WORKER).items() if code not in ANSWERS} == NEVER


@each_version
def test_adding_and_asking(version: str) -> None:
    with watched(version) as c:
        c.set_options({"timeout": "3"})
        text = c.add_text_to_store("hello.txt", "hello")
        assert text == "/nix/store/q790zdjk75hm2cn42nh77pqw4gbv1b88-hello.txt"
        assert c.add_text_to_store("hello.txt", "hello") == text
        user = c.add_text_to_store("user.txt", text, [text])
        tree = c.add_to_store("tree", TREE)
        assert c.add_to_store("flat", b"abc", "fixed:sha1").endswith("-flat")
        assert c.add_to_store("tree", TREE, "fixed:r:sha512") != tree
        assert c.is_valid_path(text)
        assert not c.is_valid_path(ABSENT)
        info = c.query_path_info(tree)
        assert (info.nar_hash_hex, info.nar_size) == (hashlib.sha256(TREE).hexdigest(), len(TREE))
        assert b"".join(c.nar(tree)) == TREE
        assert c.query_path_info(user).references == [text]
        assert c.query_referrers(text) == {user}
        assert {text, user, tree} <= c.query_all_valid_paths()
        assert c.query_valid_paths([text, ABSENT], substitute=True) == {text}
        assert c.query_path_from_hash_part(text[11:43]) == text
        assert c.query_path_from_hash_part("0" * 32) is None
        assert c.query_valid_derivers(text) == set()
        assert c.query_substitutable_paths([text]) == set()
        assert c.call(op.QueryPathInfo(path=ABSENT)).info is None
        c.add_signatures(text, ["key:c2ln"])
        assert c.query_path_info(text).sigs == ["key:c2ln"]
        c.add_temp_root(text)
        assert text in {root.target for root in c.find_roots()}
        c.ensure_path(text)
        with pytest.raises(NixDaemonError, match="no substituter"):
            c.ensure_path(ABSENT)
        c.optimise_store()
        assert not c.verify_store(check_contents=True)


def test_submitting_is_for_builds() -> None:
    with talking(features=(SUBMIT_OUTPUT,)) as c, pytest.raises(NixDaemonError, match="inside"):
        c.submit_output(ABSENT, "out")


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (op.VerifyStore(repair=True), "not privileged to repair"),
        (op.AddPermRoot(path=ABSENT, gc_root="/x"), "not privileged to create perm roots"),
    ],
)
def test_what_an_untrusted_client_may_not(request_: Any, why: str) -> None:
    with watched(trusted=False) as c, pytest.raises(NixDaemonError, match=why):
        c.call(request_)


def test_a_client_of_1_24_sends_nars_only() -> None:
    with watched("1.24") as c:
        with pytest.raises(NixDaemonError, match="expected a regular file"):
            c.call(op.AddToStore(name="x", fixed=True, recursive=0, hash_algo="sha1", dump=TREE))
        with pytest.raises(NixDaemonError, match="unsupported FileIngestionMethod"):
            c.call(op.AddToStore(name="x", fixed=True, recursive=2, hash_algo="sha1", dump=TREE))
        assert isinstance(c, DaemonConnection)
