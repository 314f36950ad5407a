"""Filters that nothing can pass are refused with their place; those that something can are not."""

from __future__ import annotations

import pytest

from pix_inspect.expectations.vacuous import refuse_vacuous
from pix_inspect.filter.compiled import compile_filter
from pix_inspect.filter.syntax import FilterError, parse


@pytest.mark.parametrize(
    ("text", "said", "place"),
    [
        ("code", "by itself is nothing; open, ok, error", "code"),
        ("glibc-2.38", '"glibc-2.38" in quotes is text', "glibc"),
        ("log.message", "by itself is nothing", "log"),
        ("not eror", "did you mean error?", "eror"),
        ("ok or queryPathInof", "did you mean QueryPathInfo?", "queryPathInof"),
        ("obsolte", "did you mean finding = obsolete?", "obsolte"),
        ("took", "did you mean took = …?", "took"),
        ("error cut", "no exchange is error and cut at once; join them by 'or'", "cut"),
        ("handshake and QueryPathInfo", "no exchange is handshake and QueryPathInfo", "Query"),
        ("op = IsValidPath op = QueryPathInfo", "no exchange is IsValidPath and Query", "op = Q"),
        ("kind = orphan state = ok op = IsValidPath", "is orphan and IsValidPath", "op"),
        ("op = IsValidPath request.paths ~ x", "no field request.paths; did you mean", "request"),
        ("op = IsValidPath reply.info.ca = x", "no field reply.info.ca; it has reply.v", "reply"),
        ("IsValidPath (error or not reply.info)", "no field reply.info", "reply.info"),
        ("op = handshake request.path ~ x", "no field request.path", "request.path"),
        ("op = SetOptions reply.valid = true", "no field reply.valid; it has none", "reply"),
        ("op = 26 reply.valid = true and not ok", "no field reply.valid", "reply"),
    ],
)
def test_what_nothing_can_be_is_refused(text: str, said: str, place: str) -> None:
    compile_filter(text)
    with pytest.raises(FilterError) as caught:
        refuse_vacuous(parse(text), text)
    assert said in caught.value.message
    assert caught.value.start == text.index(place)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "finding",
        "error",
        "'code'",
        '"error" "cut"',
        "ok handshake",
        "kind = opaque state = opaque",
        "not error not cut",
        "error or cut",
        "querypathinfo reply.info",
        "op = QueryPathInfo op != IsValidPath",
        "op ~ Query reply.valid = true",
        "(op = IsValidPath or op = QueryPathInfo) reply.info.ca = x",
        "op = IsValidPath error.message ~ x",
        "op = SetOptions request.overrides.cores = 3",
        "op = 1 request.paths ~ x",
        "op = 999 request.paths ~ x",
        "op = BuildDerivation reply.result.built_outputs.out.id.name = out",
        "op = handshake request.version = 294",
    ],
)
def test_what_something_can_be_is_not(text: str) -> None:
    compile_filter(text)
    refuse_vacuous(parse(text), text)
