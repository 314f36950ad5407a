"""How output is chosen: the last word counts."""

from __future__ import annotations

import argparse

import pytest

from pix_inspect.options.output import output_arguments


@pytest.mark.parametrize(
    ("words", "form"),
    [
        ([], "text"),
        (["--json"], "json"),
        (["--format", "json"], "json"),
        (["--format", "pcapng"], "pcapng"),
        (["--json", "--format", "text"], "text"),
    ],
)
def test_what_is_asked_for(words: list[str], form: str) -> None:
    parser = argparse.ArgumentParser()
    output_arguments(parser, "an exchange", pcapng="a part")
    assert parser.parse_args(words).format == form
