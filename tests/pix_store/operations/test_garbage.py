from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pix.daemon import DaemonConnection, NixDaemonError
from pix.protocol.types import DELETE_DEAD_REFERRERS, GCAction
from tests.support.relaying import until
from tests.support.serving import Drv, client, serving, talking

KEEP = "kept.txt"


def three(c: DaemonConnection) -> tuple[str, str, str]:
    """A path, one that refers to it, and one that refers to that."""
    a = c.add_text_to_store("a", "a")
    b = c.add_text_to_store("b", a, [a])
    return a, b, c.add_text_to_store("c", b, [b])


@pytest.mark.parametrize("version", ["1.18", "1.21", "1.38"])
def test_roots_keep_what_they_lead_to(version: str, tmp_path: Path) -> None:
    with serving(version=version) as daemon:
        with client(daemon) as first:
            a, b, other = three(first)
            link = tmp_path / "result"
            link.symlink_to(b)
            first.add_indirect_root(str(link))
        until(lambda: not daemon.clients)
        with client(daemon) as c:
            assert [(r.link, r.target) for r in c.find_roots()] == [(str(link), b)]
            assert set(c.collect_garbage(GCAction.RETURN_LIVE).paths) == {a, b}
            assert set(c.collect_garbage(GCAction.RETURN_DEAD).paths) == {other}
            with pytest.raises(NixDaemonError, match=r"Cannot delete path .* still alive"):
                c.collect_garbage(GCAction.DELETE_SPECIFIC, [a])
            deleted = c.collect_garbage(GCAction.DELETE_DEAD)
            assert (set(deleted.paths), deleted.bytes_freed > 0) == ({other}, True)
            assert c.query_all_valid_paths() == {a, b}
            link.unlink()
            assert c.find_roots() == []
            assert set(c.collect_garbage(GCAction.DELETE_DEAD).paths) == {a, b}
            assert c.query_all_valid_paths() == set()


def test_temporary_roots_last_as_long_as_their_connection() -> None:
    with serving() as daemon, client(daemon) as c:
        with client(daemon) as other:
            path = other.add_text_to_store("x", "x")
            assert path in {root.target for root in c.find_roots()}
            assert c.collect_garbage(GCAction.DELETE_DEAD).paths == ()
            left = daemon.clients
        until(lambda: daemon.clients < left)
        assert c.collect_garbage(GCAction.DELETE_DEAD).paths == (path,)


def test_what_a_build_needs_is_not_collected_meanwhile(tmp_path: Path) -> None:
    with serving(allow_build=True) as daemon, client(daemon) as c:
        with client(daemon) as gone:
            source = gone.add_text_to_store("source", "x")
            below = Drv(gone, "echo > $out", "below")
            gone.build_paths([below.all])
            script = f"touch {tmp_path}/begun; until [ -e {tmp_path}/go ]; do sleep 0.05; done"
            top = Drv(gone, f"{script}; echo > $out", "top", needs=(below,), sources=(source,))
            thread = threading.Thread(target=c.build_paths, args=([top.all],))
            thread.start()
            until((tmp_path / "begun").exists)
        until(lambda: daemon.clients == 1)
        with client(daemon) as other:
            rooted = {root.target for root in other.find_roots()}
            assert {top.path, top.out, below.out, source} <= rooted
            assert other.collect_garbage(GCAction.DELETE_DEAD).paths == ()
        (tmp_path / "go").touch()
        thread.join()
        assert c.is_valid_path(top.out)


def test_links_that_clients_leave_in_the_state_directory_are_roots(tmp_path: Path) -> None:
    """As profiles of Nix 2.3 are, which nobody registers."""
    store = tmp_path / "store"
    state = tmp_path / "var/nix"
    with serving(store=tmp_path, store_dir=str(store)) as daemon:
        with client(daemon) as first:
            paths = [first.add_text_to_store(f"p{i}", str(i)) for i in range(6)]
        until(lambda: not daemon.clients)
        generation = state / "profiles/per-user/me/profile-1-link"
        generation.parent.mkdir(parents=True)
        generation.symlink_to(paths[0])
        (generation.parent / "profile").symlink_to("profile-1-link")
        elsewhere = tmp_path / "result"
        elsewhere.symlink_to(f"{paths[1]}/bin")
        (state / "gcroots/mine").symlink_to(elsewhere)
        (state / "gcroots/profiles").symlink_to(state / "profiles")
        (state / "gcroots/dangling").symlink_to(tmp_path / "nowhere")
        (state / "gcroots/gone").symlink_to(store / "00000000000000000000000000000000-gone")
        (state / "gcroots/itself").symlink_to("itself")
        (state / "gcroots/file").write_text(paths[2])
        registered = state / "gcroots/registered"
        registered.symlink_to(paths[3])
        with client(daemon) as c:
            c.add_indirect_root(str(registered))
            found = sorted((root.link, root.target) for root in c.find_roots())
            deleted = set(c.collect_garbage(GCAction.DELETE_DEAD).paths)
    assert found == sorted(
        {
            (str(generation), paths[0]),
            (str(elsewhere), paths[1]),
            (str(registered), paths[3]),
        }
    )
    assert deleted == {paths[2], *paths[4:]}


def test_deleting_stops_when_enough_is_freed() -> None:
    with serving() as daemon:
        with client(daemon) as first:
            three(first)
        until(lambda: not daemon.clients)
        with client(daemon) as c:
            assert len(c.collect_garbage(GCAction.DELETE_DEAD, max_freed=1).paths) == 1
            assert len(c.collect_garbage(GCAction.DELETE_DEAD).paths) == 2


def test_what_refers_to_a_path_goes_with_it_or_keeps_it() -> None:
    features = frozenset({DELETE_DEAD_REFERRERS})
    with serving(features=features) as daemon:
        with client(daemon) as first:
            a, b, other = three(first)
        until(lambda: not daemon.clients)
        with client(daemon, features=features) as c:
            with pytest.raises(NixDaemonError, match="refers to it"):
                c.collect_garbage(GCAction.DELETE_SPECIFIC, [a])
            gone = c.collect_garbage(GCAction.DELETE_SPECIFIC, [a], delete_referrers=True)
            assert set(gone.paths) == {a, b, other}


def test_a_derivation_lives_as_long_as_its_output(tmp_path: Path) -> None:
    with serving(allow_build=True) as daemon:
        with client(daemon) as first:
            drv = Drv(first, "echo > $out")
            first.build_paths([drv.all])
            (tmp_path / "r").symlink_to(drv.out)
            first.add_indirect_root(str(tmp_path / "r"))
        until(lambda: not daemon.clients)
        with client(daemon) as c:
            assert set(c.collect_garbage(GCAction.RETURN_LIVE).paths) == {drv.path, drv.out}


def test_liveness_cannot_be_ignored_and_actions_are_known() -> None:
    with talking() as c, pytest.raises(NixDaemonError, match="not allowed to ignore liveness"):
        c.collect_garbage(GCAction.DELETE_DEAD, ignore_liveness=True)
    for version, action in (("1.38", GCAction.TRY_DELETE_SPECIFIC), ("1.35", 9)):
        with (
            talking(version) as c,
            pytest.raises(NixDaemonError, match="Invalid GC action"),
        ):
            c.collect_garbage(action)
    with talking("1.35") as c:  # the newest that Lix speaks, whose action this is
        path = c.add_text_to_store("x", "x")
        assert c.collect_garbage(GCAction.TRY_DELETE_SPECIFIC, [path]).paths == ()


def test_permanent_roots(tmp_path: Path) -> None:
    with serving() as daemon, client(daemon) as c:
        path = c.add_text_to_store("x", "x")
        link = tmp_path / "deep/root"
        assert c.add_perm_root(path, str(link)) == str(link)
        assert str(link.readlink()) == path
        assert c.add_perm_root(path, str(link)) == str(link)
        assert (str(link), path) in {(root.link, root.target) for root in c.find_roots()}
        (tmp_path / "file").write_text(KEEP)
        for taken in (tmp_path / "file", tmp_path):
            with pytest.raises(NixDaemonError, match="already exists"):
                c.add_perm_root(path, str(taken))
        with pytest.raises(NixDaemonError, match="in the Nix store is forbidden"):
            c.add_perm_root(path, "/nix/store/../store/root")
        assert (tmp_path / "file").read_text() == KEEP
        with pytest.raises(NixDaemonError, match="not an absolute path"):
            c.add_perm_root(path, "relative")


def test_temporary_roots_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pix_store.connection.client.MOST_TEMPORARY", 2)
    with serving() as daemon, client(daemon) as c:
        paths = [f"/nix/store/{i:032}-x" for i in range(3)]
        c.add_temp_root(paths[0])
        c.add_temp_root(paths[1])
        c.add_temp_root(paths[0])
        with pytest.raises(NixDaemonError, match="2 temporary roots"):
            c.add_temp_root(paths[2])
