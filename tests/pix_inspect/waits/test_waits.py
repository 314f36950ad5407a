"""Who waits for whom, in recordings cut off in the middle and in conversations made here."""

from __future__ import annotations

from pathlib import Path

from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol import operations as ops
from pix.protocol.logging import ActivityType, StderrNext, StderrRead, StderrStartActivity
from pix_inspect.recording.reader import RecordingReader
from pix_inspect.session.session import Session
from pix_inspect.teach.bundled import recording
from pix_inspect.waits.waits import Wait, waits
from tests.support.recording import Recording, growing
from tests.support.words import PATH

SECOND = 1_000_000_000


def cut(name: str, after: float, folder: Path) -> Session:
    """A bundled recording as it was so many seconds after its start."""
    path = recording(name)
    reader = RecordingReader(path)
    items = reader.poll()
    position = next(item.position for item in items if item.time - items[0].time > after * SECOND)
    short = folder / "cut.pcapng"
    short.write_bytes(path.read_bytes()[:position])
    return Session(short).read_all()


def of(made: Recording) -> list[Wait]:
    session = Session(made.save()).read_all()
    try:
        return waits(session)
    finally:
        session.close()


def test_a_build_waits_for_a_lock_that_another_connection_holds(tmp_path: Path) -> None:
    session = cut("two-clients", 0.3, tmp_path)
    first, second = waits(session)
    assert (first.debtor, first.operation) == ("daemon", "BuildPaths")
    assert first.lock is not None
    assert first.lock.endswith("-shared-1.0")
    assert first.holders == (2,)
    assert second.lock is None
    assert second.building == ("shared-1.0",)
    said = first.sentence(session.last + 73 * SECOND)
    assert said.startswith("The daemon waits for the lock on shared-1.0")
    assert "the daemon has owed the reply to BuildPaths for 7" in said
    assert "which connection 2 seems to have" in said
    session.close()


def test_a_builder_that_says_nothing(tmp_path: Path) -> None:
    session = cut("build-with-log", 0.2, tmp_path)
    (wait,) = waits(session)
    assert wait.debtor == "daemon"
    assert wait.word_at is not None
    assert "cc -O2" in wait.word
    assert wait.building == ("hello-2.12.1",)
    session.close()


def test_all_is_over_in_a_finished_recording() -> None:
    session = Session(recording("queries")).read_all()
    assert waits(session) == []
    session.close()


def test_an_idle_connection_waits_for_its_client(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    made.connect()
    (wait,) = of(made)
    assert wait.idle
    assert wait.owes == "its next request"


def test_a_client_in_the_middle_of_a_request(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()
    made.wait()
    talk >> ((10).to_bytes(8, "little") + (54).to_bytes(8, "little") + b"/nix")
    (wait,) = of(made)
    assert wait.debtor == "client"
    assert "the rest of the request of EnsurePath" in wait.owes


def test_a_client_that_is_asked_for_payload(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()
    talk.say(CLIENT, (27).to_bytes(8, "little")).wait()
    talk << StderrRead(length=32768)
    (wait,) = of(made)
    assert wait.debtor == "client"
    assert "STDERR_READ asks for" in wait.owes


def test_locks_in_a_circle(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    names = ("left-1.0", "right-1.0")
    for own, other in (names, reversed(names)):
        talk = made.connect()
        talk.say(CLIENT, ops.BuildPaths(paths=(f"{PATH}.drv!out",))).wait()
        talk.say(DAEMON,
            StderrStartActivity(
                id=1, level=3, type=ActivityType.BUILD, text="building",
                fields=(f"/nix/store/{'0' * 32}-{own}.drv", "", 1, 1),
            ),
        )  # fmt: skip
        talk << StderrNext(text=f"waiting for lock on '{PATH[:44]}{other}'\n")
        made.wait()
    first, second = of(made)
    assert (first.holders, second.holders) == ((2,), (1,))
    assert first.circle == (1, 2, 1)
    assert "in a circle: 1 → 2 → 1" in first.sentence(first.since)


def test_hostile_words_stay_inert(tmp_path: Path) -> None:
    made = growing(tmp_path / "r.pcapng")
    talk = made.connect()
    talk.say(CLIENT, ops.EnsurePath(path=PATH)).wait()
    talk.say(DAEMON, StderrNext(text="waiting for lock on '\x1b]0;x\x07/a'\n"))
    (wait,) = of(made)
    assert "\x1b" not in wait.sentence(wait.since)
    assert "\x07" not in wait.sentence(wait.since)


def test_a_client_without_a_hello_is_not_idle(tmp_path: Path) -> None:
    session = Recording(tmp_path / "r.pcapng").open().session(closed=False)
    (wait,) = waits(session)
    assert not wait.idle
    assert wait.owes == "its first word"
    session.close()
