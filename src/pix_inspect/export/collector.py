"""Sends OTLP requests to a collector, over HTTP with JSON; tells what may pass from what is final.

Source: OTLP specification 1.3, "OTLP/HTTP": 429, 502, 503 and 504 are worth another try, after
`Retry-After` if it is said; any other refusal is final.
"""

from __future__ import annotations

import http.client
import json
import re
import ssl
import time as clock
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from random import Random
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

_OWN = Random()  # pauses are no part of a sequence that others have seeded
_MEANT_AS_URL = re.compile(r"[A-Za-z][\w+.-]*:(/|\d+(/|$))")


class Unavailable(Problem):
    """What was sent may be taken later; `after`: in how many seconds, if that was said."""

    def __init__(self, text: str, after: float | None = None) -> None:
        super().__init__(text)
        self.after = after


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirected POST would become a GET, and what it carried be lost."""

    def redirect_request(self, *_: Any) -> None:
        """Leave the redirection to be an error."""


def meant_as_url(text: str) -> bool:
    """Return whether a word is a URL, or was meant to be one, rather than a file's name."""
    return _MEANT_AS_URL.match(text) is not None


def pause_before(tried: int, after: float | None = None) -> float:
    """Return the seconds to wait after `tried` tries (from 0) in vain."""
    wanted = after if after is not None else 2.0 ** min(tried, 16) * 0.25
    return min(wanted, LONGEST_PAUSE) * _OWN.uniform(1, 1.25)


class Collector:
    """A collector at `url`: `http://host:4318`, to which the signal's path is added.

    Raises Problem where that is no such URL.
    """

    def __init__(self, url: str, *, pause: Callable[[float], object] = clock.sleep) -> None:
        try:
            parts = urllib.parse.urlsplit(url)
            right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            right = False
        if not right or not url.isascii() or any(c <= " " for c in url) or set(url) & set("@?#"):
            raise Problem(f"{url!r} is not a collector: write http://HOST:4318")
        self.url = url
        self._base = re.sub(r"(/v1/(traces|metrics|logs))?/*$", "", url)
        self._opener = urllib.request.build_opener(_NoRedirects)
        self._pause = pause
        self.rejected = 0
        """Spans that the collector took the request of, and not them."""

    def send(self, signal: str, body: dict[str, Any]) -> None:
        """Deliver a request of `traces` or `metrics`. Raises Problem when it was not taken."""
        encoded = json.dumps(body).encode()
        for tried in range(TRIES):
            try:
                return self.offer(signal, encoded)
            except Unavailable as unavailable:
                if tried + 1 == TRIES:
                    raise
                self._pause(pause_before(tried, unavailable.after))
        return None

    def offer(self, signal: str, body: bytes) -> None:
        """Try once to deliver a request. Raises Unavailable; Problem when it is refused."""
        url = f"{self._base}/v1/{signal}"
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"pix-inspect/{pix.__version__}",
        }
        vain = f"{url} did not take what was sent:"
        try:
            request = urllib.request.Request(url, body, headers)
            with self._opener.open(request, timeout=PATIENCE) as answer:
                self._read(answer.read(MOST_OF_AN_ANSWER))
        except urllib.error.HTTPError as error:
            with error:
                why = f"{vain} it answered {error.code} {error.reason}"
                if error.code in PASSING:
                    raise Unavailable(why, _seconds(error.headers.get("Retry-After"))) from None
                if error.code // 100 == 3:
                    why += (
                        f", and names {error.headers.get('Location')}: give the URL that is meant"
                    )
                raise Problem(why) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, ssl.SSLError):
                said = getattr(reason, "verify_message", "") or reason.reason
                raise Problem(f"{vain} no TLS with it: {said}") from None
            raise Unavailable(f"{vain} {_words(reason)}") from None

    def _read(self, answer: bytes) -> None:
        try:
            said = json.loads(answer or b"{}")
            partial = said.get("partialSuccess") or {}
            self.rejected += int(partial.get("rejectedSpans") or 0)
        except (ValueError, AttributeError, TypeError, RecursionError):
            return  # an answer in words: it was taken


def _words(reason: object) -> str:
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    if isinstance(reason, http.client.HTTPException):
        return "its answer is not HTTP, or ends early"
    return str(reason)


def _seconds(after: str | None) -> float | None:
    """Return what `Retry-After` says, in seconds from now; None when it says nothing."""
    if not after:
        return None
    if after.isascii() and after.isdigit():
        return float(after[:9])
    try:
        return max(parsedate_to_datetime(after).timestamp() - clock.time(), 0)
    except (ValueError, OverflowError):
        return None
