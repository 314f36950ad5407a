"""Answers: errors in all their places, replies that break off, daemons out of step."""

from __future__ import annotations

from random import Random

import pytest

from pix.codec.gates import Protocol
from pix.codec.wire import pack_u64
from pix.conversation import CLIENT, DAEMON, Conversation
from pix.conversation.notes import Note, Reason
from pix.protocol.logging import (
    StderrError,
    StderrLast,
    StderrNext,
    StderrRead,
    StderrResult,
    StderrStartActivity,
    StderrStopActivity,
    StderrWrite,
)
from pix.protocol.operations import (
    AddBuildLog,
    AddToStore,
    AddToStoreScanning,
    BuildPaths,
    Done,
    ExportPath,
    IsValidPath,
    NarFromPath,
    QueryPathInfo,
    QueryRealisation,
    RegisterDrvOutput,
)
from pix.protocol.types import REALISATION_WITH_PATH, Trace
from tests.support.nars import nar
from tests.support.playbook import EOF, Playbook, said
from tests.support.words import PATH

V38 = Protocol(38)
NAR = nar({b"file": b"contents" * 100, b"other": b"more"})
VALID = IsValidPath(path=PATH)
YES = IsValidPath.Reply(valid=True)
ERROR = StderrError(message="it failed", traces=(Trace(hint="while trying"),))


@pytest.mark.parametrize("minor", [25, 26, 38])
def test_error_ends_the_operation_and_the_connection_goes_on(minor: int) -> None:
    error = ERROR if minor >= 26 else StderrError(message="it failed", status=100)
    talk = Playbook(Protocol(minor)).greet() >> VALID << StderrNext(text="…\n") << error
    talk >> VALID << StderrLast() << YES
    _, failed, after = talk.exchanges()
    assert failed.complete
    assert failed.error is not None
    assert failed.error[1] == failed.daemon_end
    assert failed.reply is None
    assert failed.frames == 1
    assert after.complete


def test_doubled_error_when_work_had_not_started() -> None:
    talk = Playbook(V38).greet() >> VALID << ERROR << ERROR << EOF >> EOF
    _, failed, again = talk.exchanges()
    assert failed.complete
    assert again.kind == "orphan"
    assert again.complete
    assert again.error is not None
    assert again.daemon_start == failed.daemon_end
    assert again.notes == (Note(Reason.REPEATED_ERROR, exchange=failed.number),)


def test_doubled_error_with_another_text_and_status() -> None:
    """At v < 1.26 the two texts may differ, and Nix 2.0 to 2.3 give status 1 in the second."""
    talk = Playbook(Protocol(21)).greet() >> VALID
    talk << StderrError(message="error: no", status=100) << StderrError(message="no", status=1)
    _, failed, again = talk.exchanges()
    assert failed.complete
    assert again.notes[0].reason is Reason.REPEATED_ERROR


def test_another_error_repeats_none() -> None:
    talk = Playbook(V38).greet() >> VALID << ERROR << StderrError(message="another") << EOF >> EOF
    _, failed, other = talk.exchanges()
    assert failed.complete
    assert other.kind == "orphan"
    assert not other.notes


OF_21 = StderrError(message="error: no", status=100)


@pytest.mark.parametrize(
    ("protocol", "first", "second"),
    [
        (V38, ERROR, ERROR),
        (Protocol(21), OF_21, OF_21),
        (Protocol(21), OF_21, StderrError(message="no", status=1)),
    ],
)
def test_doubled_error_answers_nobody_who_asked_before(
    protocol: Protocol, first: StderrError, second: StderrError
) -> None:
    """The next operation was sent before the error came, and the daemon says no more."""
    other = QueryPathInfo(path=PATH)
    talk = Playbook(protocol).greet() >> VALID >> other << first << second << EOF
    _, failed, after, again = talk.exchanges()
    assert failed.complete
    assert again.notes == (Note(Reason.REPEATED_ERROR, exchange=failed.number),)
    assert after.notes == (Note(Reason.BEHIND_DOUBLED, exchange=failed.number),)
    assert after.error is None


def test_like_errors_of_two_operations() -> None:
    """The daemon goes on behind the second; or the client asked the same, and left content."""
    other = QueryPathInfo(path=PATH)
    talk = Playbook(V38).greet() >> VALID >> other >> VALID << ERROR << ERROR
    talk << StderrLast() << YES
    assert [each.complete for each in talk.exchanges()] == [True] * 4
    talk = Playbook(V38).greet() >> VALID >> VALID << ERROR << ERROR >> EOF << EOF
    assert [each.complete for each in talk.exchanges()] == [True] * 3
    talk = Playbook(V38).greet() >> VALID << ERROR >> VALID << ERROR << EOF
    assert [each.complete for each in talk.exchanges()] == [True] * 3


def test_operation_sent_to_a_daemon_that_closes() -> None:
    talk = Playbook(V38).greet() >> VALID << ERROR << ERROR << EOF >> VALID >> EOF
    _, failed, _, after = talk.exchanges()
    assert failed.complete
    assert not after.complete
    assert after.notes == (Note(Reason.BEHIND_DOUBLED, exchange=failed.number),)
    assert after.daemon_start is after.daemon_end is None


def test_error_without_status_at_the_end_of_the_stream() -> None:
    v14 = Protocol(14)
    talk = Playbook(v14).greet() >> VALID << said(StderrError(message="no"), v14)[:-8] << EOF
    _, failed = talk.exchanges()
    assert failed.error is not None
    assert failed.error[1] == talk.size[DAEMON]
    assert failed.notes[0].reason is Reason.NO_STATUS


def test_second_error_without_status() -> None:
    v14 = Protocol(14)
    error = StderrError(message="no")
    talk = Playbook(v14).greet() >> VALID << error << said(error, v14)[:-8] << EOF
    _, failed, again = talk.exchanges()
    assert failed.complete
    assert again.complete
    assert len(again.notes) == 2


def test_nar_from_path() -> None:
    talk = Playbook(V38).greet() >> NarFromPath(path=PATH) << StderrLast() << NAR
    talk >> VALID << StderrLast() << YES
    _, sent, after = talk.exchanges()
    assert sent.complete
    assert sent.payload_side == DAEMON
    assert sent.payload_bytes == 804
    assert sent.reply == (sent.reply_payload_start, sent.daemon_end)
    assert after.complete


def test_nar_from_path_failing_behind_last() -> None:
    """The path is opened behind STDERR_LAST: the errors stand in place of the NAR."""
    talk = Playbook(V38).greet() >> NarFromPath(path=PATH) << StderrLast() << ERROR << ERROR << EOF
    _, failed, again = talk.exchanges()
    assert not failed.complete
    assert failed.error is not None
    assert failed.reply == (failed.error[0], failed.error[0])
    assert failed.notes[0].reason is Reason.PAYLOAD_FAILED
    assert again.notes[0].reason is Reason.REPEATED_ERROR


@pytest.mark.parametrize("at", [24, 40, NAR.index(b"entry") - 8, NAR.index(b"other") - 8])
def test_nar_from_path_failing_inside_the_nar(at: int) -> None:
    """Nix 2.8 on a missing path sends the magic string first; a disk error comes anywhere."""
    talk = Playbook(V38).greet() >> NarFromPath(path=PATH) << StderrLast() << NAR[:at]
    talk << ERROR << ERROR << EOF >> EOF
    _, failed, again = talk.exchanges()
    assert failed.error is not None
    assert failed.reply is not None
    assert failed.error[0] == failed.reply[0] + at
    assert failed.notes == (Note(Reason.PAYLOAD_FAILED, failed.error[0], DAEMON),)
    assert again.kind == "orphan"


def test_nar_from_path_breaking_off_in_contents() -> None:
    """Inside file contents the break cannot be seen: the stream just ends early."""
    at = NAR.index(b"contents" * 100) + 80
    talk = Playbook(V38).greet() >> NarFromPath(path=PATH) << StderrLast() << NAR[:at]
    talk << ERROR << ERROR << EOF
    _, failed = talk.exchanges()
    assert not failed.complete
    assert failed.notes == (Note(Reason.ANSWER_CUT, talk.size[DAEMON], DAEMON),)


def test_export_is_written_in_many_small_pieces() -> None:
    parts = [NAR[i : i + 13] for i in range(0, len(NAR), 13)]
    talk = Playbook(Protocol(16)).greet() >> ExportPath(path=PATH)
    for part in parts:
        talk << StderrWrite(data=part.decode("latin-1"))  # the contents are ASCII
    talk << StderrNext(text="log frames may come between\n") << StderrWrite(data="x")
    talk << StderrLast() << ExportPath.Reply()
    _, exported = talk.exchanges()
    assert exported.complete
    assert exported.payload_side == DAEMON
    assert exported.payload_bytes == len(NAR) + 1
    assert exported.frames == len(parts) + 2


def test_stray_write_is_a_frame_and_not_payload() -> None:
    talk = Playbook(V38).greet() >> VALID << StderrWrite(data="?") << StderrLast() << YES
    _, asked = talk.exchanges()
    assert asked.complete
    assert asked.payload_bytes == 0
    assert asked.payload_side is None


def test_activity_outlives_its_operation() -> None:
    activity = (7 << 32) + 1
    talk = Playbook(V38).greet() >> BuildPaths(paths=(PATH,))
    talk << StderrStartActivity(id=activity, level=3, type=105, text="building") << StderrLast()
    talk << Done()
    talk >> VALID << StderrResult(id=activity, type=101, fields=("a line",))
    talk << StderrStopActivity(id=activity) << StderrLast() << YES
    _, build, after = talk.exchanges()
    assert (build.frames, after.frames) == (1, 2)
    assert build.complete
    assert after.complete


def test_missing_path_before_and_since_1_17() -> None:
    talk = Playbook(Protocol(16)).greet() >> QueryPathInfo(path=PATH)
    talk << StderrError(message=f"path '{PATH}' is not valid")
    _, query = talk.exchanges()
    assert query.complete
    assert query.error is not None
    talk = Playbook(Protocol(17)).greet() >> QueryPathInfo(path=PATH) << StderrLast()
    talk << QueryPathInfo.Reply(info=None)
    _, query = talk.exchanges()
    assert query.complete
    assert query.error is None


@pytest.mark.parametrize(
    ("request_", "features"),
    [
        (AddToStore(name="x", method="nonsense", dump=b"q" * 27), frozenset()),
        (AddBuildLog(drv="x.drv", log=b"q" * 27), frozenset()),
        (
            AddToStoreScanning(name="x", method="nonsense", dump=b"q" * 27),
            frozenset({"add-to-store-scanning"}),
        ),
    ],
    ids=["unparsable method", "log from an untrusted client", "scanning"],
)
def test_desynchronised_daemon(request_: object, features: frozenset[str]) -> None:
    """The error comes before the frames are read: a frame's length becomes an operation."""
    protocol = Protocol(38, features)
    whole = said(request_, protocol)
    talk = Playbook(protocol).greet() >> whole[:-43] << ERROR >> whole[-43:]
    talk << StderrNext(text="what?\n") << StderrRead(length=32768) << ERROR << ERROR << EOF
    talk >> VALID >> EOF
    _, failed, *orphans, after = talk.exchanges()
    assert failed.error is not None
    assert failed.notes[0].reason is Reason.FRAMES_UNREAD
    assert failed.request_end == after.start
    assert [e.kind for e in orphans] == ["orphan"] * 4
    assert orphans[0].notes == (Note(Reason.OUT_OF_STEP, exchange=failed.number),)
    assert not after.complete
    assert after.notes[0].reason is Reason.NOT_ANSWERED


def test_error_behind_the_last_frame_is_no_desynchronisation() -> None:
    """Usually the daemon drains the frames before it reports."""
    talk = Playbook(V38).greet() >> AddBuildLog(drv="x.drv", log=b"log") << ERROR
    talk >> VALID << StderrLast() << YES
    _, failed, after = talk.exchanges()
    assert failed.complete
    assert not failed.notes
    assert after.complete


@pytest.mark.parametrize(
    "request_",
    [RegisterDrvOutput(realisation_json="{}"), QueryRealisation(id="sha256:00!out")],
    ids=["RegisterDrvOutput", "QueryRealisation"],
)
@pytest.mark.parametrize("early", [False, True])
def test_desynchronised_by_realisations_that_nix_2_35_does_not_know(
    request_: object, early: bool
) -> None:
    whole = said(request_, V38)
    talk = Playbook(V38).greet(nix="2.35.1")
    if early:
        talk >> whole[:8] << ERROR >> whole[8:]
    else:
        talk >> whole << ERROR
    talk << ERROR << EOF >> EOF
    _, failed, orphan = talk.exchanges()
    assert failed.notes[0].reason is Reason.ARGUMENTS_UNREAD
    assert orphan.kind == "orphan"


@pytest.mark.parametrize("nix", ["2.34.8", "2.26.3", "3.0", ""])
def test_realisations_fail_in_step_elsewhere(nix: str) -> None:
    talk = Playbook(V38).greet(nix=nix) >> QueryRealisation(id="x") << ERROR
    talk >> VALID << StderrLast() << YES
    _, failed, after = talk.exchanges()
    assert not failed.notes
    assert after.complete


def test_realisations_by_path_stay_in_step() -> None:
    protocol = Protocol(38, frozenset({REALISATION_WITH_PATH}))
    from pix.protocol.types import DrvOutput

    talk = Playbook(protocol).greet(nix="2.35.1")
    talk >> QueryRealisation(output=DrvOutput(drv_path=PATH, output_name="out")) << ERROR
    talk >> VALID << StderrLast() << YES
    _, failed, after = talk.exchanges()
    assert failed.complete
    assert after.complete


def test_reply_to_nothing_is_opaque() -> None:
    talk = Playbook(V38).greet() << StderrLast() << pack_u64(1)
    _, strange = talk.exchanges()
    assert (strange.kind, strange.side) == ("opaque", DAEMON)
    assert "nothing was asked" in strange.notes[0].expected


def test_reply_from_a_daemon_out_of_step_says_so() -> None:
    whole = said(AddBuildLog(drv="x.drv", log=b"l"), V38)
    talk = Playbook(V38).greet() >> whole[:-17] << ERROR >> whole[-17:] << StderrLast() << YES
    _, failed, strange = talk.exchanges()
    assert strange.kind == "opaque"
    assert strange.notes[0].reason is Reason.UNASKED_OUT_OF_STEP
    assert strange.notes[0].exchange == failed.number


def test_unknown_frame_makes_the_answer_opaque_and_the_client_goes_on() -> None:
    talk = Playbook(V38).greet() >> VALID << pack_u64(0x12345678) << StderrLast() >> VALID
    _, asked, strange, after = talk.exchanges()
    assert (strange.kind, strange.side, strange.start) == ("opaque", DAEMON, asked.daemon_end)
    assert strange.notes[0].reason is Reason.NO_FRAME
    assert strange.notes[0].found == "0x12345678"
    assert asked.notes[0].reason is Reason.ANSWER_OPAQUE
    assert after.name == "IsValidPath"
    assert after.request_end == talk.size[CLIENT]
    assert not after.complete


def test_unknown_activities_and_field_counts_are_data() -> None:
    talk = Playbook(V38).greet() >> VALID
    talk << StderrStartActivity(id=1, level=9, type=999, text="?", fields=(1, "x", 2), parent=77)
    talk << StderrResult(id=5, type=999, fields=()) << StderrLast() << YES
    _, asked = talk.exchanges()
    assert asked.complete
    assert asked.frames == 2


def test_wild_tag_in_a_result_is_opaque() -> None:
    bad = pack_u64(0x52534C54) + pack_u64(1) + pack_u64(101) + pack_u64(1) + pack_u64(9)
    talk = Playbook(V38).greet() >> VALID << bad << bytes(16)
    _, asked, strange = talk.exchanges()
    assert strange.notes[0].expected == "a tag (0, 1)"
    assert not asked.complete


def test_a_log_is_the_same_frames_however_it_is_cut() -> None:
    """Lines of one activity are told by what stands before their text; others stand between."""
    random = Random("log")
    frames = []
    for _ in range(300):
        line = "x" * random.choice((0, 1, 7, 8, 40))
        activity = random.choice((5, 5, 5, 6))
        frames.append(
            random.choice(
                (
                    StderrNext(text=line),
                    StderrResult(id=activity, type=101, fields=(line,)),
                    StderrResult(id=activity, type=101, fields=(line,)),
                    StderrResult(id=activity, type=105, fields=(1, 2, 3)),
                    StderrResult(id=activity, type=101, fields=(line, line)),
                    StderrResult(id=activity, type=101, fields=(line, 7)),
                    StderrResult(id=activity, type=104, fields=()),
                    StderrStartActivity(id=activity, level=1, type=105, text=line, fields=(line,)),
                    StderrStopActivity(id=activity),
                )
            )
        )
    log = b"".join(said(frame, V38) for frame in frames)
    expected, at = [], 0
    for frame in frames:
        at += len(said(frame, V38))
        expected.append(at)
    for size in (len(log), 4096, 1000, 8):
        talk = Playbook(V38).greet() >> VALID
        start = talk.size[DAEMON]
        conversation = Conversation(detail=True)
        for side, data in talk.turns:
            conversation.feed(side, data or b"")
        for i in range(0, len(log), size):
            conversation.feed(DAEMON, log[i : i + size])
        asked = conversation.exchanges[-1]
        assert [frame.end - start for frame in asked.log or ()] == expected
        # one whose length cannot be true is what the scanner says of it
        conversation.feed(DAEMON, pack_u64(0x6F6C6D67) + pack_u64(1 << 40))
        assert asked.frames == len(frames)
        assert conversation.is_opaque(DAEMON)
