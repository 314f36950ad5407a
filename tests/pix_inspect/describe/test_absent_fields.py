"""Fields that a version lacks stand where they would be, with when they exist, without bytes."""

from __future__ import annotations

from pix_inspect.describe.absent_fields import with_absent
from pix_inspect.describe.field_rows import rows
from pix_inspect.session.session import Session
from tests.support.places import RECORDINGS
from tests.support.played import browse, lines_of, recorded, settled


def test_absent_fields_stand_where_they_would_be() -> None:
    session = Session(RECORDINGS / "import-over-1-21.pcapng").read_all()
    found = 0
    for i in range(len(session)):
        view = session.exchange(i)
        for plain, whole in zip(rows(view), with_absent(rows(view)), strict=True):
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
