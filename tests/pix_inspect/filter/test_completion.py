"""What may come next in a filter."""

from __future__ import annotations

from pix.protocol.types import BuildMode
from pix_inspect.filter.completion import complete
from pix_inspect.filter.fields import completions, fields


def test_completion_offers_fields_with_their_docs() -> None:
    start, offered = completions("op = AddToStore and request.na", 30)
    assert start == 20
    assert offered[0] == ("request.name", fields()["request.name"])


def test_completion_offers_operations_behind_op() -> None:
    _, offered = completions("request.mode = ", 15)
    assert offered == [(mode.label, mode.doc) for mode in BuildMode]
    _, offered = completions("op = QueryP", 11)
    assert offered[0][0] in ("QueryPathHash", "QueryPathInfo")
    assert all("QueryP" in name or "queryp" in name.lower() for name, _ in offered)


def test_what_is_offered_where() -> None:
    def offered(text: str) -> list[str]:
        return [name for name, _ in complete(text, len(text), lambda field: ["x y", "zz"])[1]]

    assert "took" in offered("")
    assert offered("took ")[0] == "="
    assert offered("request.path = ") == ['"x y"', "zz"]
    assert offered("request.path = z") == ["zz"]
    assert "took" in offered("error and ")
