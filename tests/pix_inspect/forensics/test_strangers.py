"""Who speaks in place of a daemon or a client is named, and random bytes are not."""

from __future__ import annotations

from random import Random

import pytest

from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol.handshake import CLIENT_MAGIC, DAEMON_MAGIC
from pix_inspect.forensics.mistakes import Mistake
from pix_inspect.forensics.strangers import stranger
from tests.support.words import text, word

GREETING = word(DAEMON_MAGIC) + word(0x126)
BANNERS = {
    "plain": b"Welcome to builder01\n",
    "coloured": b"\x1b[1;32mWelcome to builder01\x1b[0m\n",
    "utf-8": "été sur builder01\n".encode(),
    "latin-1": "Zugang nur für Berechtigte\n".encode("latin-1"),
    "crlf": b"*** MOTD ***\r\n",
    "short": b"hi\n",
    "eight": b"abcdefg\n",
    "long": b"all that you do here is logged\n" * 40,
    "title": b"\x1b]0;builder01\x07",
}
NAMED = {
    "ssh": (DAEMON, b"SSH-2.0-OpenSSH_9.7\r\n", "the ssh port"),
    "http": (DAEMON, b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP server"),
    "http client": (CLIENT, b"GET /nix-cache-info HTTP/1.1\r\n", "HTTP server"),
    "tls": (CLIENT, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "TLS"),
    "tls alert": (DAEMON, b"\x15\x03\x03\x00\x02\x02\x28", "TLS"),
    "serve": (DAEMON, word(0x5452EECB) + word(0x205), "nix-store --serve"),
    "serve client": (CLIENT, word(0x390C9DEB) + word(0x205), "ssh:// on one side"),
    "echo": (DAEMON, word(CLIENT_MAGIC) + word(0x126), "says all again"),
    "swapped": (CLIENT, GREETING, "directions are taken for each other"),
    "capnp": (
        CLIENT, bytes(4) + b"\x05\0\0\0" + bytes.fromhex("0000000001000100") + b"\2\0\1\0" * 8,
        "Cap'n Proto",
    ),
    "grpc client": (CLIENT, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "nix.proto"),
    "grpc server": (
        DAEMON, bytes.fromhex("000012040000000000 000300000064 000400010000"), "nix.proto"
    ),
    "build hook": (DAEMON, b"# accept\n/nix/store\n", "the build hook"),
    "asking a build hook": (
        CLIENT, word(1) + text(b"allow-dirty") + text(b"true") + word(1), "the build hook"
    ),
    "version first": (DAEMON, word(0x126) + word(DAEMON_MAGIC), "the magic comes first"),
    "turned round": (CLIENT, word(CLIENT_MAGIC)[::-1] + word(0x126)[::-1], "turned round"),
    "socks 5": (CLIENT, b"\x05\x01\x00", "SOCKS"),
    "socks 5, at once": (CLIENT, b"\x05\x01\x00" + word(CLIENT_MAGIC), "SOCKS"),
    "socks 4": (CLIENT, b"\x04\x01\x00\x16\x7f\0\0\1\0", "SOCKS"),
    "proxy 1": (CLIENT, b"PROXY TCP4 192.0.2.1 192.0.2.2 111 222\r\n", "load balancer"),
    "proxy 2": (CLIENT, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12), "load balancer"),
    "docker": (DAEMON, b"\1\0\0\0\0\0\0\x38" + GREETING, "containers"),
    "docker, an error": (DAEMON, b"\2\0\0\0\0\0\1\x14OCI runtime exec failed", "containers"),
    "shell": (DAEMON, b"bash: nix-daemon: command not found\n", "login shell"),
}  # fmt: skip


@pytest.mark.parametrize("name", BANNERS)
@pytest.mark.parametrize("goes_on", [True, False])
def test_a_banner(name: str, goes_on: bool) -> None:
    banner = BANNERS[name]
    found = stranger(banner + GREETING * goes_on, DAEMON)
    assert found is not None
    assert found.text
    assert found.diagnosis is not None
    assert found.diagnosis.mistake is Mistake.TEXT_IN_STREAM
    follows = f"the daemon's hello follows at byte {len(banner):,}"
    assert (follows in found.diagnosis.evidence) == goes_on


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    found = stranger("Zutritt für alle\n".encode("utf-8-sig") + GREETING, DAEMON)
    assert found is not None
    assert found.text == "Zutritt für alle"


@pytest.mark.parametrize("name", NAMED)
def test_who_is_named(name: str) -> None:
    side, raw, what = NAMED[name]
    found = stranger(raw, side)
    assert found is not None
    evidence = found.diagnosis.evidence if found.diagnosis is not None else ()
    assert what in " ".join((found.what, *evidence))


def test_what_is_no_text_has_no_name() -> None:
    random = Random("strangers")
    raws = [bytes(random.choice(range(128, 160)) for _ in range(64)) for _ in range(100)]
    raws += [
        word(n) * 4 for n in (0, 1, 2, 5, 0x100, 0x104, 0x105, 0x110, DAEMON_MAGIC + 1, 1 << 40)
    ]
    assert {stranger(raw, side) for raw in raws for side in (CLIENT, DAEMON)} == {None}
