"""What speaks where a client or a daemon should: known by its first bytes, with what to do.

Text is what people can read once its colours are left out; what stands before the speaker's own
magic number is foreign, whatever it is.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8

from pix.codec.gates import FAMILIES, SERVE, WORKER
from pix.codec.wire import pack_u64
from pix.conversation.exchange import DAEMON, SIDES
from pix.dataclass import dataclass
from pix_inspect.base.safe_text import inert
from pix_inspect.base.units import count
from pix_inspect.forensics.mistakes import Diagnosis, Mistake

LONGEST_TEXT = 400
SEARCHED = 64 << 10
"""Bytes in which the magic number is looked for behind a text."""

_TLS = "TLS: somebody encrypts, or expects to; take it off before the daemon's socket"
_HTTP = "a request to an HTTP server: the client was given a daemon's address for a cache's"
_SHELL = "an error of the login shell"
_SSH = "an error of ssh"
_BANNER = "a login banner"
_GRPC = (
    "HTTP/2, as nix.proto is spoken (gRPC, its WorkerService): its messages are protocol buffers,"
    " its port or socket is another one than the daemon's"
)
_HOOK = (
    "the build hook (build-remote): Nix starts it and asks it on its standard input whether it"
    " takes a build; what it does with other machines is ssh:// or ssh-ng://"
)
_PROXY = "the head that a load balancer puts before a connection (the PROXY protocol): turn it off"
_SOCKS = "a client of a SOCKS proxy: the daemon's address was given as a proxy's"
_DOCKER = (
    "output as containers send it without a terminal (docker attach, the exec API): a head of eight"
    " bytes before each piece; docker exec -i passes it bare"
)
_CAPNP = (
    "Cap'n Proto RPC, which Lix's daemons speak on a second socket: the other end has to speak it,"
    " too"
)
_BOTH = "ssh:// on one side, ssh-ng:// or nix-daemon --stdio on the other: use one of them on both"
SWAPPED = "each says what the other should: the two directions are taken for each other"
_BLANK = "line ends, or a terminal's control sequences, and no word"
_ECHO = "two clients are joined, or a terminal in between (ssh -t, cat) says all again"
_SWAPPED = "two daemons are joined, or the directions are taken for each other"

TEXTS = (
    (b"SSH-", "an SSH server's greeting: this is the ssh port, not a daemon"),
    (b"HTTP/", "an answer of an HTTP server, not of a daemon"),
    (b"PRI * HTTP/2", f"a client of {_GRPC}"),
    *((verb, _HTTP) for verb in (b"GET ", b"HEAD ", b"PUT ", b"POST ", b"CONNECT ")),
    *((answer, _HOOK) for answer in (b"# accept", b"# decline", b"# postpone")),
    (b"started", "what OpenSSH says before the daemon does; Nix clients read over it"),
    *((shell, _SHELL) for shell in (b"bash: ", b"sh: ", b"zsh:", b"fish: ", b"-bash: ")),
    (b"PROXY ", _PROXY),
    (b"Last login", _BANNER),
    (b"Welcome", _BANNER),
    (b"Permission denied", _SSH),
    (b"ssh: ", _SSH),
    (b"kex_exchange_identification", _SSH),
    (b"Host key verification failed", _SSH),
    (b"error: ", "an error of Nix itself, printed where the protocol should be"),
)
"""How texts begin that stand where the protocol should be."""

NUMBERS = (
    (b"\r\n\r\n\0\r\nQUIT\n", f"{_PROXY}, version 2"),
    *((bytes((kind, 3)), _TLS) for kind in (0x14, 0x15, 0x16, 0x17)),
    (pack_u64(13) + b"nix-archive-1", "a NAR, with nothing of the protocol before it"),
)
"""How others begin that do not speak in text."""

_COLOURS = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)")
_CAPNP_ROOT = bytes.fromhex("0000000001000100")
"""The root of a Cap'n Proto RPC message: one word of data, one pointer (rpc.capnp, Message)."""

_SETTINGS = re.compile(rb"\0\0[\0-\x7f]\x04\0\0\0\0\0")
"""The frame that an HTTP/2 server begins with: SETTINGS, of stream 0 (RFC 9113)."""
_SOCKS_ASKED = re.compile(
    rb"\x05[\x01-\x08]\0[^\0]|\x05[\x01-\x08]\0$|\x04\x01(?!\0\0)..", re.DOTALL
)
"""How a SOCKS client begins: version 5 and its methods (RFC 1928), or 4, CONNECT and a port."""
_DOCKER_HEAD = re.compile(rb"[\x01\x02]\0\0\0\0[\0-\x10](?!\0\0)..", re.DOTALL)
"""Standard output or error, three zeros, and the length, the highest byte first."""
_ASKED = re.compile(rb"\x01\0{7}[\x01-\x40]\0{7}[a-z][a-z0-9-]*\0*[\0-\xff]\0{0,7}")
"""How a build hook is given its settings: 1, a name and a value, again and again, then 0.
Source: Nix hook-instance.cc."""


_PROGRAMS = {WORKER: "nix-daemon", SERVE: "nix-store --serve"}


@dataclass(frozen=True, slots=True)
class Stranger:
    """Who speaks: `text` is what it says where that can be read; all inert."""

    text: str
    what: str = ""
    diagnosis: Diagnosis | None = None


def is_swapped(said: bytes, other: bytes, side: int) -> bool:
    """Whether each side's stream begins with the other's magic number."""
    return any(
        said.startswith(pack_u64(family.magics[1 - side]))
        and other.startswith(pack_u64(family.magics[side]))
        for family in FAMILIES
    )


def stranger(raw: bytes, side: int) -> Stranger | None:
    """Return who begins like this in place of the client or the daemon, None if not known.

    `raw` are the first bytes of a stream that does not begin with its magic number.
    """
    for family, program in _PROGRAMS.items():
        for speaker, magic in enumerate(family.magics):
            if raw.startswith(pack_u64(magic)):
                who = program if speaker == DAEMON else f"a client of {program}"
                why = _BOTH if speaker == side else (_SWAPPED, _ECHO)[side]
                return Stranger("", f"this is {who} ({magic:#x}): {why}")
    for begin, what in NUMBERS:
        if raw.startswith(begin):
            return Stranger("", f"this is {what}")
    if raw[:4] == bytes(4) and raw[8:16] == _CAPNP_ROOT:
        return Stranger("", f"this is {_CAPNP}")
    if _SETTINGS.match(raw) is not None:
        return Stranger("", f"this is a server of {_GRPC}")
    if _ASKED.match(raw) is not None:
        return Stranger("", f"this is what is said to {_HOOK}")
    for head, what in ((_SOCKS_ASKED, _SOCKS), (_DOCKER_HEAD, _DOCKER)):
        if head.match(raw) is not None:
            return Stranger("", f"this is {what}")
    magics = [pack_u64(family.magics[side]) for family in FAMILIES]
    if any(raw.startswith(magic[::-1]) for magic in magics):
        mistake = Diagnosis(Mistake.BIG_ENDIAN, f"the {SIDES[side]}'s magic number")
        return Stranger("", "the magic number with its bytes turned round", mistake)
    at = max(raw.find(magic) for magic in magics)
    if at == 8 and int.from_bytes(raw[:8], "little") >> 8 in {each.major for each in FAMILIES}:
        return Stranger("", "its version, and then its magic number: the magic comes first")
    text = _readable(raw[: at if at > 0 else LONGEST_TEXT])
    begun, known = next((each for each in TEXTS if raw.startswith(each[0])), (b"", None))
    if text is None and known is None and at <= 0:
        return None
    shown = inert((text or begun.decode()).rstrip(), LONGEST_TEXT)
    begins = f"'{shown}'" if shown else _BLANK
    if not shown and at > 0:
        begins = f"{count(at, 'byte')} of something else"
    evidence = [f"it is {known}"] if known is not None else []
    if at > 0:
        evidence.append(f"the {SIDES[side]}'s hello follows at byte {at:,}")
    where = f"the {SIDES[side]} begins with {begins}"
    printed = Diagnosis(Mistake.TEXT_IN_STREAM, where, evidence=tuple(evidence))
    return Stranger(shown or begins, "", printed)


def _readable(raw: bytes) -> str | None:
    """Return bytes as text without its colours, None where they are not text."""
    raw = raw.removeprefix(BOM_UTF8)
    for charset in ("utf-8", "latin-1"):
        try:
            text = raw.decode(charset)
        except UnicodeDecodeError as error:
            if charset == "utf-8" and error.start >= len(raw) - 3 > 0:  # cut within a letter
                text = raw[: error.start].decode(charset)
            else:
                continue
        text = _COLOURS.sub("", text)
        if raw and not text.strip():
            return text
        letters = sum(char.isprintable() or char in "\r\n\t" for char in text)
        readable = letters >= len(text) * (0.9 if charset == "utf-8" else 1)
        plain = sum(" " <= char <= "~" or char in "\r\n\t" for char in text)
        if text.strip() and readable and (charset == "utf-8" or plain * 2 >= len(text)):
            return text
    return None
