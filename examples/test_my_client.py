"""A test of a client of one's own: what it asked the daemon, held to what it should ask.

    pix-inspect run -o mine.pcapng -- my-client build hello
    RECORDING=mine.pcapng pytest examples/test_my_client.py

Without RECORDING it looks at a recorded `nix-build`.
"""

from __future__ import annotations

import os
from collections import Counter

import pix_inspect

RECORDING = os.environ.get("RECORDING", "recordings/build-with-log.pcapng")


def test_it_asks_nothing_twice() -> None:
    with pix_inspect.open(RECORDING, "op = QueryPathInfo") as queries:
        asked = Counter(query.request["path"] for query in queries)
    assert [path for path, times in asked.items() if times > 1] == []


def test_it_builds_once_and_deletes_nothing() -> None:
    with pix_inspect.open(RECORDING) as exchanges:
        operations = Counter(exchange.operation for exchange in exchanges)
    assert operations["BuildPaths"] == 1
    assert operations["CollectGarbage"] == 0


def test_its_messages_are_in_order() -> None:
    with pix_inspect.open(RECORDING) as exchanges:
        wrong = [
            found.place for each in exchanges for found in each.findings if found.grade == "error"
        ]
    assert wrong == []
