"""The document for scripts: everything that there is, and nothing that there is not."""

from __future__ import annotations

import json

import pytest

from pix.protocol import OPERATIONS_BY_NAME
from pix_inspect.cli import main
from pix_inspect.commands.catalogue import COMMANDS, STATUSES
from pix_inspect.findings.kinds import KINDS


def test_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spec", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["commands"].keys() == COMMANDS.keys()
    assert {int(status) for status in said["exit_statuses"]} == set(STATUSES)
    assert said["findings"].keys() == KINDS.keys()
    assert {each["name"] for each in said["operations"]} == set(OPERATIONS_BY_NAME)
    (dump,) = [each for each in said["commands"]["dump"]["options"] if "--filter" in each["names"]]
    assert dump["value"] == "EXPR"
    assert said["commands"]["replay"]["commands"]["client"]["options"]
    info = next(each for each in said["operations"] if each["name"] == "QueryPathInfo")
    assert info["number"] == 26
    assert info["request"] == [
        {"name": "path", "type": "StorePath", "what": "the path asked about", "when": ""}
    ]
    assert said["filters"]["took"]
