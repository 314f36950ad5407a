"""Sends OTLP requests to a collector, over HTTP with JSON, and tries again where that helps.

Source: OTLP specification 1.3, "OTLP/HTTP": 429, 502, 503 and 504 are worth another try, after
`Retry-After` if it is said; any other refusal is final.
"""

from __future__ import annotations

import json
import random
import time as clock
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

import pix
from pix.problem import Problem

PASSING = (429, 502, 503, 504)
TRIES = 6
LONGEST_PAUSE = 30.0
"""Seconds between two tries."""
PATIENCE = 30.0
"""Seconds for an answer."""
MOST_OF_AN_ANSWER = 65_536


class Collector:
    """A collector at `url`: `http://host:4318`, to which the signal's path is added.

    Raises Problem where that is no such URL.
    """

    def __init__(self, url: str, *, pause: Callable[[float], object] = clock.sleep) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Problem(f"{url!r} is not a collector: write http://HOST:4318")
        self._base = url.rstrip("/").removesuffix("/v1/traces")
        self._pause = pause
        self.rejected = 0
        """Spans that the collector took the request of, and not them."""

    def send(self, signal: str, body: dict[str, Any]) -> None:
        """Deliver a request of `traces` or `metrics`. Raises Problem when it was not taken."""
        url = f"{self._base}/v1/{signal}"
        request = urllib.request.Request(
            url,
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "User-Agent": f"pix-inspect/{pix.__version__}"},
        )
        why = ""
        for n in range(TRIES):
            try:
                with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                    self._read(answer.read(MOST_OF_AN_ANSWER))
                    return
            except urllib.error.HTTPError as error:
                why = f"it answered {error.code} {error.reason}"
                if error.code not in PASSING:
                    break
                after = error.headers.get("Retry-After", "")
            except (OSError, ValueError) as error:
                why, after = str(getattr(error, "reason", error)), ""
            wanted = float(after) if after.isascii() and after.isdigit() else 2**n * 0.25
            if n + 1 < TRIES:
                self._pause(min(wanted, LONGEST_PAUSE) * random.uniform(1, 1.25))
        raise Problem(f"{url} did not take what was sent: {why}")

    def _read(self, answer: bytes) -> None:
        try:
            said = json.loads(answer or b"{}")
            partial = said.get("partialSuccess") or {}
            self.rejected += int(partial.get("rejectedSpans") or 0)
        except (ValueError, AttributeError, TypeError):
            return  # an answer in words: it was taken
