"""Rows of an exchange: labels, values, spans, and what is irregular."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pix.conversation.exchange import CLIENT, DAEMON
from pix_inspect.describe.field_rows import LONGEST_VALUE, FieldRow, rows
from pix_inspect.session.session import Session
from tests.support.captures import Run
from tests.support.places import RECORDINGS
from tests.support.recorded import interleaved, pairs, record
from tests.support.recording import connected
from tests.support.screens import browse, lines_of, recorded, settled
from tests.support.words import LAST, PATH, text, word


def flat(found: list[FieldRow]) -> list[FieldRow]:
    out = []
    stack = found[::-1]
    while stack:
        row = stack.pop()
        out.append(row)
        stack.extend(reversed(list(row.children)))
    return out


def values(session: Session, i: int) -> dict[str, str]:
    return {row.label: row.value for row in flat(rows(session.exchange(i)))}


def test_values_say_what_they_are(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    talk.ask(
        "SetOptions", keep_failed=0, keep_going=0, try_fallback=0, verbosity=3, max_build_jobs=1,
        max_silent_time=0, use_build_hook=1, verbose_build=7, log_type=0, print_build_trace=0,
        build_cores=0, use_substitutes=1, overrides={"cores": "4"},
    )  # fmt: skip
    talk.answer("SetOptions")
    talk.ask("QueryPathInfo", path=PATH)
    info = {
        "deriver": None, "nar_hash": "f" * 64, "references": [PATH],
        "registration_time": 1_700_000_000, "nar_size": 53_856,
        "ultimate": True, "sigs": [], "ca": None,
    }  # fmt: skip
    talk.answer("QueryPathInfo", info=info)
    session = talk.session()
    greeting, options, path = (values(session, i) for i in range(3))
    assert greeting["magic"] == "0x6478696f"
    assert greeting["version"] == "1.37 (0x125)"
    assert greeting["trusted"] == "Trusted (1)"
    assert options["verbosity"] == "Info (3)"
    assert options["verbose_build"] == "Vomit (7)"
    assert options["overrides"] == "1 entry"
    assert options["cores"] == "4"
    assert path["registration_time"] == "2023-11-14 22:13:20 UTC (1700000000)"
    assert path["nar_size"] == "53,856 (52.6 KiB)"
    assert path["ultimate"] == "true"
    assert path["deriver"] == "none"
    assert path["references"] == "1 element"


def test_spans_of_rows_hold_the_bytes_of_their_values(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    talk.ask("IsValidPath", path=PATH)
    talk.answer("IsValidPath", valid=True)
    view = talk.session().exchange(1)
    found = {row.label: row for row in flat(rows(view))}
    path = found["path"]
    assert path.side == CLIENT
    assert view.bytes(CLIENT, path.start, path.end) == [(path.start, text(PATH.encode()))]
    valid = found["valid"]
    assert (valid.side, view.bytes(DAEMON, valid.start, valid.end)) == (
        DAEMON, [(valid.start, word(1))],
    )  # fmt: skip
    assert found["operation"].end == path.start
    assert found["request"].start == found["operation"].start


@pytest.mark.slow
def test_every_row_of_every_capture_lies_within_its_parent(
    captured_runs: tuple[Run, ...], tmp_path: Path
) -> None:
    for connections in list(pairs(captured_runs).values())[::5]:
        path = record(tmp_path / "x.pcapng", interleaved(connections))
        session = Session(path).read_all()
        for i in range(len(session)):
            stack = list(rows(session.exchange(i)))
            while stack:
                row = stack.pop()
                assert row.value.isprintable()
                assert row.label.isprintable()
                for child in row.children:
                    assert child.depth == row.depth + 1
                    if child.side == row.side and row.start >= 0 and child.kind == "field":
                        assert row.start <= child.start <= child.end <= row.end
                    stack.append(child)
        path.unlink()


def test_what_is_irregular_is_marked(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    padded = word(3) + b"abc" + b"\1\2\3\4\5"
    talk.client(word(1), padded)
    talk.daemon(word(LAST), word(7))
    view = talk.session().exchange(1)
    found = {row.label: row for row in flat(rows(view))}
    assert "padding is not zero" in found["path"].value
    assert "7 is not a canonical boolean" in found["valid"].value
    assert found["path"].irregular
    notes = [row.value for row in rows(view) if row.kind == "note"]
    assert len(notes) == 2
    assert "request.path at byte" in " ".join(notes)


def test_an_exchange_cut_off_shows_what_came(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    talk.client(word(26), word(100), b"/nix")
    view = talk.session().exchange(1)
    labels = [row.label for row in flat(rows(view))]
    assert labels[:2] == ["request", "operation"]
    assert "undecodable" in labels
    assert "note" in labels


def test_long_values_are_cut_and_long_lists_made_when_asked_for(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    talk.ask("QueryValidPaths", paths=[f"{i:06}" for i in range(50_000)], substitute=False)
    talk.answer("QueryValidPaths", paths=["x" * 10_000])
    view = talk.session().exchange(1)
    request, reply = rows(view)
    many = next(row for row in request.children if row.label == "paths")
    assert many.value == "50,000 elements"
    assert len(many.children) == 50_000
    assert many.children[49_999].value == "049999"
    assert [row.value for row in many.children[2:4]] == ["000002", "000003"]
    (path,) = reply.children[0].children
    assert len(path.value) == LONGEST_VALUE
    assert path.value.endswith("x…")


def test_unknown_operations_and_opaque_bytes_have_rows(tmp_path: Path) -> None:
    talk = connected(tmp_path)
    talk.client(word(999), b"whatever")
    session = talk.session()
    request, *_ = rows(session.exchange(1))
    assert (request.label, request.value) == ("request", "operation 999, unknown")
    opaque = rows(session.exchange(2))
    assert (opaque[0].label, opaque[0].value) == ("bytes", "8 B from the client, not decoded")
    assert any("999" in row.value or "0x3e7" in row.value for row in opaque if row.kind == "note")


def test_absent_fields_stand_where_they_would_be() -> None:
    session = Session(RECORDINGS / "import-over-1-21.pcapng").read_all()
    found = 0
    for i in range(len(session)):
        view = session.exchange(i)
        for plain, whole in zip(rows(view), rows(view, absent=True), strict=True):
            labels = [row.label for row in plain.children]
            present = [row.label for row in whole.children if row.kind != "absent"]
            assert labels == present
            for row in whole.children:
                if row.kind == "absent":
                    found += 1
                    assert row.value
                    assert row.start == -1
                    assert not row.has_children
    assert found


async def test_they_are_shown_and_hidden_by_a_key() -> None:
    async with recorded("import-over-1-21").run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        screen = browse(pilot)
        plain = lines_of(screen.fields)
        await pilot.press("tab", "a")
        await settled(pilot)
        assert any("since 1." in line for line in lines_of(screen.fields))
        await pilot.press("a")
        await settled(pilot)
        assert lines_of(screen.fields) == plain


def test_bytes_that_are_gone_make_no_operation_unknown(tmp_path: Path) -> None:
    path = tmp_path / "s.pcapng"
    path.write_bytes((RECORDINGS / "lookups.pcapng").read_bytes())
    session = Session(path).read_all()
    os.truncate(path, 1000)
    (row,) = rows(session.exchange(len(session) - 1))
    assert row.label == "request"
    assert row.value == "QueryPathInfo (26), its bytes are not there"
    assert not row.irregular
