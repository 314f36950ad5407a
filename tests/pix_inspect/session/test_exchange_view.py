"""Views of exchanges that go on, and of logs longer than what is kept decoded."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pix.conversation.exchange import CLIENT, DAEMON, Exchange
from pix.protocol import operations as ops
from pix.protocol.logging import ActivityType, StderrLast, StderrNext, StderrStartActivity
from pix_inspect.describe.text_and_json import json_of
from pix_inspect.session import exchange_view as views
from pix_inspect.session.exchange_view import Part
from pix_inspect.session.session import Session
from pix_inspect.waits.waits import LATEST, waits
from tests.support.places import RECORDINGS
from tests.support.playbook import said
from tests.support.recording import V38, growing
from tests.support.words import PATH

FALSE = bytes(8)


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.pcapng")), ids=lambda path: path.stem)
def test_a_round_trip_read_at_once_is_as_its_conversation_says(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(path).read_all()
    at_once = [session.exchange(i) for i in range(len(session))]
    monkeypatch.setattr(views.ExchangeView, "_read_plain", lambda view: False)
    told = [session.exchange(i) for i in range(len(session))]
    assert [known(view) for view in at_once] == [known(view) for view in told]
    assert [json_of(view, 0) for view in at_once] == [json_of(view, 0) for view in told]
    assert [view.notes for view in at_once] == [view.notes for view in told]
    session.close()


def known(view: views.ExchangeView) -> dict[str, object]:
    """Return all that a view's exchange knows."""
    names = {*vars(Exchange), *vars(view.exchange)} - {"__dict__", "__weakref__"}
    return {name: getattr(view.exchange, name) for name in names if not name.startswith("__")
            and not callable(getattr(view.exchange, name))}  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
def test_a_view_goes_on_as_if_it_were_read_anew(tmp_path: Path, seed: int) -> None:
    """At any boundary of packets; what comes after the exchange does not belong to it."""
    rng = random.Random(seed)
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()
    session = Session(made.save()).read_all()
    request = said(ops.IsValidPath(path=PATH), V38)
    steps = [(CLIENT, request)]
    steps += [(DAEMON, said(StderrNext(text=f"{i}\n"), V38)) for i in range(4)]
    steps += [(DAEMON, said(StderrLast(), V38) + FALSE), (CLIENT, request)]
    view = None
    for side, data in steps:
        while data:
            cut = rng.randint(1, len(data))
            talk.say(side, data[:cut])
            data = data[cut:]
            made.save()
            session.read_all()
            if view is None:
                if len(session) < 2:
                    continue
                view = session.exchange(1)
            view = session.again(view)
            assert json_of(view, 0) == json_of(session.exchange(1), 0)
    assert view is not None
    assert view.row.took is not None
    assert len(view.log) == 4
    session.close()


def test_a_view_that_is_looked_at_while_it_goes_on_lacks_nothing_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()
    talk.say(CLIENT, ops.IsValidPath(path=PATH)).save()
    session = Session(made.path).read_all()
    before = session.exchange(1)
    talk.say(DAEMON, said(StderrLast(), V38) + FALSE).save()
    session.read_all()
    read = views.ExchangeView._read

    def looked_at(view: views.ExchangeView) -> None:
        assert before.part("request") is not None  # by the screen, from another thread
        read(view)

    monkeypatch.setattr(views.ExchangeView, "_read", looked_at)
    view = session.again(before)
    assert view.part("reply") is not None
    assert (before.row.took, view.row.took is None) == (None, False)
    session.close()


def _text(part: Part) -> object:
    found = part.node.find("text") if part.node is not None else None
    return found.value if found is not None else None


def test_frames_of_a_long_log_are_decoded_as_they_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()
    talk >> ops.EnsurePath(path=PATH)
    for i in range(30):
        talk << StderrNext(text=f"{i}\n")
    path = made.save()
    texts = [f"{i}\n" for i in range(30)]
    for few in (100, 10):
        monkeypatch.setattr(views, "FEW", few)
        session = Session(path).read_all()
        log = session.exchange(1).log
        assert len(log) == 30
        assert [_text(part) for part in log] == texts
        assert log[-1].start == max(part.start for part in log)
        assert [part.start for part in log[5:8]] == [log[i].start for i in (5, 6, 7)]
        assert (log[3] is log[3]) is (few == 100)
        with pytest.raises(IndexError):
            log[30]
        session.close()


def test_a_build_that_says_much_is_still_known_by_name(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()
    talk >> ops.BuildPaths(paths=(f"{PATH}.drv!out",))
    talk.say(DAEMON,
        StderrStartActivity(
            id=1, level=3, type=ActivityType.BUILD, text="building",
            fields=(f"{PATH}.drv", "", 1, 1),
        ),
    )  # fmt: skip
    for i in range(3 * LATEST):
        talk << StderrNext(text=f"line {i}\n")
    session = Session(made.save()).read_all()
    (wait,) = waits(session)
    assert wait.building == ("hello-2.12",)
    assert wait.word == f"line {3 * LATEST - 1}"
    session.close()
