"""Text for man: what would be a macro or an escape stands there as it was written."""

from __future__ import annotations

from pix_inspect.teach.manual.blocks import Bullets, Facts, Grid, Heading, Page, Prose
from pix_inspect.teach.manual.roff import man_page, verbatim


def page(*blocks: object) -> str:
    made = Page("x", "x", "chapter", "", list(blocks))  # type: ignore[arg-type]
    return man_page([made], "x-y", 7, "a 'page'").partition("page\\(aq\n")[2]


def test_a_page_begins_with_its_name() -> None:
    text = man_page([Page("x", "x", "chapter", "")], "x-y", 7, "what it is")
    assert text.startswith('.TH X\\-Y 7 "" "pix\\-inspect ')
    assert ".SH NAME\nx\\-y \\- what it is\n" in text


def test_no_text_is_taken_for_a_macro() -> None:
    assert page(Prose(".so /etc/passwd")) == ".PP\n\\&.so /etc/passwd\n"
    assert page(Prose("'x")) == ".PP\n\\&\\(aqx\n"
    assert page(Prose(verbatim(".a\n\\fBb"))) == ".PP\n.nf\n\\&.a\n\\efBb\n.fi\n"
    assert page(Heading('a "b"')) == '.SH "a \\(dqb\\(dq"\n'


def test_code_is_bold_and_lists_are_lists() -> None:
    assert page(Prose("use `x-y` now")) == ".PP\nuse \\fBx\\-y\\fR now\n"
    assert page(Bullets(("a", "b"))) == ".IP \\(bu 2\na\n.IP \\(bu 2\nb\n"
    assert page(Facts((("a", ""),))) == ".TP\n\\fBa\\fR\n\\&\n"


def test_a_table_is_told_row_by_row() -> None:
    grid = Grid("t", ("field", "type", "since"), [("path", "StorePath", "1.5"), ("x", "", "")])
    assert page(grid) == ".TP\n\\fBpath\\fR\nStorePath; since: 1.5\n.TP\n\\fBx\\fR\n\\&\n"
