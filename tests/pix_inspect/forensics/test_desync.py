"""Forensics: known mistakes, planted into real sessions, are named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pix.codec.gates import Protocol
from pix.codec.values import encode
from pix.protocol import OPERATIONS_BY_NAME
from pix.protocol.logging import STDERR_ERROR, STDERR_LAST
from pix_inspect.importing.raw_streams import made_up
from tests.support.planted import CLIENT, DAEMON, Planted, diagnosis_of, found_in, request_of
from tests.support.recording import Recording, saved
from tests.support.typical import TypicalPlaybook
from tests.support.words import PATH, text, word

V38, V21 = Protocol(38), Protocol(21)


def missing_one() -> Planted:
    planted = Planted("build-with-log")
    planted.change(DAEMON, *planted.reply("AddTempRoot"), b"")
    return planted


def extra_one() -> Planted:
    planted = Planted("build-with-log")
    end = planted.view("SetOptions").span(DAEMON)[1]
    planted.change(DAEMON, end, end, word(1))
    return planted


def missing_last() -> Planted:
    planted = Planted("build-with-log")
    start, _ = planted.reply("IsValidPath")
    planted.change(DAEMON, start - 8, start, b"")
    return planted


def doubled_last() -> Planted:
    planted = Planted("build-with-log")
    end = planted.view("SetOptions").span(DAEMON)[1]
    planted.change(DAEMON, end, end, word(STDERR_LAST))
    return planted


def short_reply() -> Planted:
    planted = Planted("queries")
    _, end = planted.reply("QueryPathInfo")
    planted.change(DAEMON, end - 24, end, b"")
    return planted


def long_reply() -> Planted:
    planted = Planted("queries")
    _, end = planted.reply("QueryPathInfo")
    planted.change(DAEMON, end, end, word(0) + word(77))
    return planted


def reply_of_1_16() -> Planted:
    """QueryPathInfo without the word that says whether the path is valid."""
    planted = Planted("queries")
    start, _ = planted.reply("QueryPathInfo")
    planted.change(DAEMON, start, start + 8, b"")
    return planted


def results_of_1_34() -> Planted:
    """Build results without processor times, which came with 1.37."""
    planted = Planted("build-outputs")
    reply = OPERATIONS_BY_NAME["BuildPathsWithResults"].reply
    part = planted.view("BuildPathsWithResults").part("reply")
    assert part is not None
    assert part.node is not None
    start, end = planted.reply("BuildPathsWithResults")
    value = reply.value_of(part.node.plain())
    for keyed in value.results:
        object.__setattr__(keyed.result, "cpu_user", None)
        object.__setattr__(keyed.result, "cpu_system", None)
    planted.change(DAEMON, start, end, encode(reply, value, Protocol(34)))
    planted.after(
        DAEMON, end,
        (CLIENT, request_of("IsValidPath", V38, path=PATH)), (DAEMON, word(STDERR_LAST) + word(1)),
    )  # fmt: skip
    return planted


def error_of_1_21() -> Planted:
    """An error with text and status only, on a connection of 1.38."""
    planted = Planted("queries")
    start, end = planted.view("QueryPathInfo").span(DAEMON)
    planted.change(DAEMON, start, end, word(STDERR_ERROR) + text(b"no such path") + word(1))
    return planted


def narrow_length_of_the_daemon() -> Planted:
    """The path's deriver with its length in four bytes."""
    planted = Planted("queries")
    start, _ = planted.reply("QueryPathInfo")
    at = start + 8
    length = int.from_bytes(planted_bytes(planted, DAEMON, at, at + 8), "little")
    raw = planted_bytes(planted, DAEMON, at + 8, at + 8 + length)
    body = length.to_bytes(4, "little") + raw + bytes(-(length + 4) & 7)
    planted.change(DAEMON, at, at + 8 + length + (-length & 7), body)
    return planted


def narrow_length_of_the_client() -> Planted:
    planted = Planted("build-with-log")
    start, end = planted.request("AddTempRoot")
    path = planted_bytes(planted, CLIENT, start + 16, end).rstrip(b"\0")
    planted.change(CLIENT, start + 8, end, len(path).to_bytes(4, "little") + path)
    return planted


def big_endian() -> Planted:
    planted = Planted("build-with-log")
    start, _ = planted.request("AddTempRoot")
    planted.change(CLIENT, start, start + 8, (11).to_bytes(8, "big"))
    return planted


def unpadded() -> Planted:
    """The daemon leaves a string as it is."""
    planted = Planted("queries")
    start, _ = planted.reply("QueryPathInfo")
    at = start + 8
    length = int.from_bytes(planted_bytes(planted, DAEMON, at, at + 8), "little")
    assert length % 8
    planted.change(DAEMON, at + 8 + length, at + 8 + length + (-length & 7), b"")
    return planted


def half_a_nar() -> Planted:
    planted = Planted("add-tree-1-21")
    start, end = planted.request("AddToStore")
    error = word(STDERR_ERROR) + text(b"bad archive: unexpected end of file") + word(1)
    planted.after(
        CLIENT, start + (end - start) // 2 & ~7, (DAEMON, error),
        (CLIENT, request_of("IsValidPath", V21, path=PATH)),
        (DAEMON, word(STDERR_ERROR) + text(b"bad archive") + word(1)),
        (CLIENT, request_of("QueryPathInfo", V21, path=PATH)),
    )  # fmt: skip
    return planted


def short_request() -> Planted:
    """SetOptions without its overrides: the next operation stands where their count should be."""
    planted = Planted("build-with-log")
    _, end = planted.request("SetOptions")
    planted.change(CLIENT, end - 40, end, b"")
    return planted


def long_request() -> Planted:
    planted = Planted("build-with-log")
    _, end = planted.request("AddTempRoot")
    planted.change(CLIENT, end, end, word(99_999) + word(7))
    return planted


def request_of_1_26() -> Planted:
    """QueryValidPaths without the word for substitution, which came with 1.27."""
    planted = Planted("copy")
    start, end = planted.request("QueryValidPaths")
    planted.change(CLIENT, end - 8, end, b"")
    assert start < end
    return planted


def printed() -> Planted:
    planted = Planted("build-with-log")
    end = planted.view("AddTempRoot").span(DAEMON)[1]
    planted.change(DAEMON, end, end, b"debug: connection accepted\n")
    return planted


def planted_bytes(planted: Planted, side: int, start: int, end: int) -> bytes:
    out = bytearray()
    for (speaker, data), (begin, finish) in zip(planted.turns, planted.spans, strict=True):
        if speaker == side and data and begin <= start + len(out) < finish:
            at = start + len(out) - begin
            out += data[at : at + end - start - len(out)]
    return bytes(out)


PLANTED: list[tuple[str, Callable[[], Planted], str]] = [
    ("missing one", missing_one, "AddTempRoot"),
    ("extra one", extra_one, "SetOptions"),
    ("missing STDERR_LAST", missing_last, "IsValidPath"),
    ("doubled STDERR_LAST", doubled_last, "SetOptions"),
    ("short reply", short_reply, "QueryPathInfo"),
    ("long reply", long_reply, "QueryPathInfo"),
    ("other version", reply_of_1_16, "1.16"),
    ("other version", results_of_1_34, "BuildPathsWithResults"),
    ("other version", error_of_1_21, "the error of"),
    ("32-bit length", narrow_length_of_the_daemon, "/nix/store/"),
    ("32-bit length", narrow_length_of_the_client, "/nix/store/"),
    ("big-endian number", big_endian, "0xb"),
    ("missing padding", unpadded, "reply.info.value.deriver ends at byte"),
    ("half a NAR", half_a_nar, "IsValidPath"),
    ("short request", short_request, "SetOptions"),
    ("long request", long_request, "16 bytes follow"),
    ("other version", request_of_1_26, "QueryValidPaths"),
    ("text in the stream", printed, "debug: connection accepted"),
]


@pytest.mark.parametrize(
    ("mistake", "plant", "where"), PLANTED, ids=[plant.__name__ for _, plant, _ in PLANTED]
)
def test_a_mistake_in_a_real_session_is_named(
    mistake: str, plant: Callable[[], Planted], where: str, tmp_path: Path
) -> None:
    session = saved(plant(), tmp_path)
    found = [f for f in found_in(session) if f.diagnosis and f.grade == "error"]
    assert found, [f.kind.name for f in found_in(session)]
    said = "\n".join(line for finding in found for line in finding.explanation)
    assert f"“{mistake}”" in said
    assert where in said
    if mistake == "other version":
        assert "misannounced-version" in {finding.kind.name for finding in found}


def test_a_client_that_leaves_the_one_unread(tmp_path: Path) -> None:
    planted = Planted("build-with-log")
    _, end = planted.request("IsValidPath")
    planted.after(CLIENT, end)
    session = saved(planted, tmp_path, left=CLIENT)
    assert "“unread one”" in diagnosis_of(session)
    assert "AddTempRoot" in diagnosis_of(session)


def test_frames_that_are_not_ended(tmp_path: Path) -> None:
    planted = Planted("copy")
    _, end = planted.request("AddMultipleToStore")
    planted.after(CLIENT, end - 8)
    assert "“unended frames”" in diagnosis_of(saved(planted, tmp_path, left=CLIENT))


def test_a_daemon_that_leaves_a_field_unread(tmp_path: Path) -> None:
    """AddToStoreNar read without its flags would leave them; here the last string is left."""
    planted = Planted("queries")
    start, end = planted.request("QueryPathInfo")
    length = int.from_bytes(planted_bytes(planted, CLIENT, start + 8, start + 16), "little")
    said = f"invalid operation {length}".encode()
    error = text(b"Error") + word(0) + text(b"Error") + text(said) + word(0) + word(0)
    planted.after(CLIENT, end, (DAEMON, word(STDERR_ERROR) + error))
    session = saved(planted, tmp_path, left=DAEMON)
    assert "“unread field”" in diagnosis_of(session)
    assert "the length of request.path" in diagnosis_of(session)


def test_a_hello_without_its_features(tmp_path: Path) -> None:
    """The client announces 1.38 and goes on as 1.37 does."""
    planted = Planted("build-with-log")
    planted.change(CLIENT, 16, 24, b"")
    session = saved(planted, tmp_path)
    assert "“missing feature list”" in diagnosis_of(session)
    assert "misannounced-version" in {finding.kind.name for finding in found_in(session)}


def test_a_hello_that_waits(tmp_path: Path) -> None:
    planted = Planted("build-with-log")
    planted.change(CLIENT, 16, 24, b"")
    planted.after(CLIENT, 40)
    session = saved(planted, tmp_path, left=CLIENT)
    assert "“missing feature list”" in diagnosis_of(session)


def test_a_version_said_twice(tmp_path: Path) -> None:
    planted = Planted("old-client")
    planted.change(CLIENT, 16, 16, word(0x115))
    assert "doubled-version" in {f.kind.name for f in found_in(saved(planted, tmp_path))}


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (b"Last login: Fri Nov 20 on pts/0\r\n", "a login banner"),
        (b"SSH-2.0-OpenSSH_9.7\r\n", "ssh port"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP server"),
        (b"bash: nix-daemon: command not found\n", "login shell"),
        (b"\x1b[1mmotd\x1b[0m \xc3\xa9\n", "text in the stream"),
    ],
)
def test_text_where_the_magic_should_be(said: bytes, what: str, tmp_path: Path) -> None:
    planted = Planted("queries")
    planted.turns = [*[turn for turn in planted.turns if turn[0] == CLIENT][:1], (DAEMON, said)]
    session = saved(planted, tmp_path)
    found = [f for f in found_in(session) if f.kind.name == "foreign-text"]
    assert len(found) == 1
    assert what in "\n".join(found[0].explanation)
    assert "\x1b" not in found[0].said


def test_directions_that_are_taken_for_each_other(tmp_path: Path) -> None:
    talk = TypicalPlaybook(38).whole("IsValidPath")
    talk.turns = [(1 - side, data) for side, data in talk.turns]
    found = found_in(saved(talk, tmp_path))
    assert {each.kind.name for each in found} == {"wrong-magic"}
    assert all("taken for each other" in each.said for each in found)
    assert not any("joined" in each.said for each in found)


def test_a_reply_that_goes_on_where_nothing_is_known_of_the_order(tmp_path: Path) -> None:
    """Two raw streams: the order is made up, and the reply stops where it should."""
    planted = results_of_1_34()
    said = [b"".join(data or b"" for who, data in planted.turns if who == side) for side in (0, 1)]
    with_times = saved(planted, tmp_path)
    assert "“other version”" in diagnosis_of(with_times)
    recording = Recording(tmp_path / "made-up.pcapng")
    talk = recording.open()
    for passed in made_up((said[CLIENT], said[DAEMON]), 0):
        if passed.side is not None:
            talk.chunk(passed.side, passed.data)
    talk.close()
    assert "“other version”" in diagnosis_of(recording.session())


def test_the_word_is_shown_in_every_reading(tmp_path: Path) -> None:
    planted = Planted("build-with-log")
    end = planted.view("SetOptions").span(DAEMON)[1]
    planted.change(DAEMON, end, end, word(1_700_000_000))
    said = diagnosis_of(saved(planted, tmp_path))
    assert "0x6553f100" in said
    assert "2023-11-14 22:13:20 UTC" in said
    assert "no operation" in said
    assert "no STDERR frame" in said


def test_nothing_is_said_of_padding_where_it_is_not_known_how_long_a_turn_is(
    tmp_path: Path,
) -> None:
    planted = Planted("queries")
    end = planted.view("QueryPathInfo").span(DAEMON)[1]
    planted.after(DAEMON, end, (DAEMON, b"\xab" * 300_001))
    session = saved(planted, tmp_path)
    assert "desync" in {finding.kind.name for finding in found_in(session)}
    assert "padding" not in diagnosis_of(session)


def test_behind_a_number_that_is_no_operation_the_daemon_is_not_to_blame(tmp_path: Path) -> None:
    """A word of zeros behind a payload is operation 0, to which the next answer would belong."""
    talk = TypicalPlaybook(38)
    talk.ask("AddToStoreNar").client(word(0))
    talk.answer("AddToStoreNar").whole("IsValidPath", "QueryPathInfo")
    found = found_in(saved(talk, tmp_path))
    assert "unknown-operation" in {each.kind.name for each in found}
    assert not [each.mistake for each in found if each.mistake is not None]
    assert "daemon-left" not in {each.kind.name for each in found}


def test_a_handshake_and_a_request_in_one_turn(tmp_path: Path) -> None:
    """What stands before the first request there is no message that could be out of step."""
    talk = TypicalPlaybook(38)
    hello, answer = talk.turns[2:]
    asked = request_of("IsValidPath", V38, path=PATH)
    talk.turns[2] = (CLIENT, (hello[1] or b"") + asked)
    talk.turns[3] = (DAEMON, (answer[1] or b"") + word(STDERR_LAST) + word(1) + word(1))
    talk.whole("QueryPathInfo")
    assert "“extra one”" in diagnosis_of(saved(talk, tmp_path))
