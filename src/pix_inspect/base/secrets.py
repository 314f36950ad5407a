"""Secrets in free text: tokens, passwords, keys and names of users, blanked character by character.

What may stand anywhere (a log line, an error, an argument, bytes that nobody understands) has no
declaration that says what it is, so it is known by its shape and by the word before it. What is
blanked in vain costs a reader a word; what is missed costs somebody a password.

Megabytes are looked at: letters are folded before and not by the engine, which then skips to the
first letters of what is looked for; and no pattern goes over a character more often than its
bounds say.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable, Iterator
from functools import cache
from string import ascii_lowercase, ascii_uppercase

BLANK = "*"

_FOLDED = str.maketrans(ascii_uppercase + "\u0130\u0131\u017f\u212a", ascii_lowercase + "iisk")
"""Each letter as the one character that patterns have; the last are the two of Turkish that have or
lack a dot, a long s and Kelvin."""

_NAME = (
    # by their first letters: the engine looks for these alone
    r"(?:token|totp(?![a-z])|secret|otp(?<![a-z]otp)(?![a-z])|jwt(?<![a-z]jwt)(?![a-z])|"
    r"p(?:assw|assphrase|asscode|asskey|ass(?<![a-z]pass)(?![a-z])|wd|w(?<![a-z]pw)(?![a-z])|"
    r"rivate|rivkey|(?:in|at)(?<![a-z]p..)(?![a-z]))|"
    r"c(?:redential|ookie|srf|reds?(?<![a-z]cred)(?<![a-z]creds)(?![a-z]))|"
    r"a(?:uth(?!ors?\b)|(?:pi|ccess|ccount)[-_]?key)|xsrf|mnemonic|"
    r"s(?:ignature|ig(?<![a-z]sig)(?![a-z])|ession(?:id(?![a-z])|(?<![a-z]session)(?![a-z]))|"
    r"essid(?![a-z])|(?:igning|sh|torage|hared)key)|"
    + "|".join(rf"{mark}key(?<!public.key)s?(?![a-z])" for mark in ("-", "_", r"\."))
    + ")"
)
"""What the name of a secret has in it, wherever a name and a value follow each other."""

_QUOTE = r"(?:\\{0,2}[\"']|\\u002[27]|&(?:quot|apos|#34|#39);)"
_SET = (
    rf"{_NAME}[\w.-]{{0,64}}{_QUOTE}?\]?\s{{0,3}}"
    r"(?:=>|<-|:=|[:=]|%3[ad]|\\u003[ad]|&#(?:58|61);)[ \t]{0,3}"
)
"""Such a name, what is left of it, and what stands between it and the value."""

_FILE = rf"(?:{_NAME}|netrc|pgpass|\.env\b|\.pem\b|id_(?:rsa|dsa|ecdsa|ed25519)|(?:npm|pypi)rc\b)"
"""What the name of a file that holds secrets has in it."""

_QUERY = "|".join(
    """
    rev ref narhash lastmodified revcount dir shallow submodules allrefs compression priority
    parallel-compression trusted want-mass-query region scheme endpoint root real store state
    log max-connections remote-program remote-store local-nar-cache index-debug-info
    """.split()
)
"""Parameters of stores and flakes whose values are not secret. Source: Nix's manual."""

_END = r"\s\"'<>\0\\"

_SHAPES = "|".join(
    rf"{shape[0]}(?<![a-z0-9].){shape[1:]}"
    for shape in (
        "gh[a-z]_", "github_pat_", "gl[a-z]{2,6}-", "xox[a-z]-", "pypi-", "npm_", "sk-",
        "hv[sb]\\.", "dckr_pat_", "age-secret-key-", "sg\\.", "aiza", "akia", "asia",
        "sk_(?:live|test)_", "rk_(?:live|test)_", "whsec_", "xapp-", "ya29\\.", "do[op]_v1_",
        "shp[acs][atps]_", "lin_api_", "glsa_", "sntrys_", "tskey-", "nvapi-", "rubygems_",
        "atatt3",
    )
)  # fmt: skip
_LONG_SHAPES = "|".join(
    rf"{shape[0]}(?<![a-z0-9_].){shape[1:]}"
    for shape in ("hf_", "gsk_", "r8_", "ops_", "cio", "dapi", "key-", "eaac", "1//0", "secret_")
)
"""How the tokens of well-known services begin; some, only where much follows."""

_NEXT = r"(?:\r?\n){1,2}"
_ENCLOSED = (
    rf"[|>][-+]?[ \t]*\r?\n(?P<block>[ \t]+[^\n\0]+(?:{_NEXT}[ \t]+[^\n\0]+){{0,64}})"
    rf"|{_NEXT}(?P<in>[ \t]*)-(?P<items>[ \t][^\n\0]+(?:{_NEXT}(?P=in)[ \t-][^\n\0]+){{0,64}})"
    rf"|{_NEXT}(?P<at>[ \t]+)(?P<map>[\w.\"'-]{{1,64}}:[^\n\0]*(?:{_NEXT}(?P=at)[^\n\0]+){{0,64}})"
    rf"|(?:{_NEXT}[ \t]*)?(?:"
    r"\\{1,2}\"(?P<escaped>[^\"\0]+)"
    r"|\$?\"(?P<double>(?:[^\"\\\0]|\\[^\0]?)+)"
    r"|\\{0,2}\$?'(?P<single>[^'\0]+)"
    r"|(?:\\u002[27]|&(?:quot|apos|#34|#39);)(?P<coded>[^&\\\0]+)"
    r"|\$?\((?P<command>[^()\n\0]+)|`(?P<ticks>[^`\0]+)"
    r"|[\[{](?P<listed>[^\[\]{}\0]+))"
)
_BARE = (
    rf"(?:{_NEXT}[ \t]*)?(?P<bare>[^{_END},;&]"
    rf"(?:[^{_END},;&]|[,;&](?![\s\0]|\Z|[\w.%-]{{1,64}}(?:[:=]|%3[ad])))*)"
)
"""What is set: a block of YAML, what is quoted, a list; or what ends by itself, at the latest where
something else is set."""
_JOINED = {True: r"(?=[\"'`][$\w]|\$)", False: r"[\"'](?=[\"'$`\w])"}
"""Behind a part of a word, bare or not, that another part follows."""
_QUOTED = r"\\{0,2}[\"']?(?P<gone>(?<=\")[^\"\0]+|(?<=')[^'\0]+|"
"""How the next word begins, which is a secret as a whole where it is quoted."""

_TELLING: tuple[tuple[str, str], ...] = (
    (
        "private key",
        r"-----begin [a-z0-9 ]{0,40}private key(?: block)?-----(?P<gone>.+?)(?=-----|\Z|\0)",
    ),
    ("private-lines", r"private-lines: \d{1,4}\r?\n(?P<gone>(?:[\w+/=]+\s{0,2}){1,64})"),
    (
        "authorization cookie",
        r"(?:authorization|cookie)\\{0,2}[\"']?\s{0,3}[:=]\s{0,3}(?P<gone>[^\r\n\0]+)",
    ),
    (
        "access-tokens impure-env netrc-file",
        r"(?:access-tokens|impure-env|netrc-file)\s{0,3}[:=]\s{0,3}(?P<gone>[^\r\n\"'\0]+)",
    ),
    # names of users
    (
        "/home/ /users/ /per-user/ user",
        r"(?:/home/|/users/|/per-user/|user ')(?P<gone>[^/\s'\":\0]+)",
    ),
    # URLs: all before the last @ of an authority, values of parameters not known as harmless;
    # of what has no @, nothing is looked at again
    ("//", rf"(?:://|(?<![\w:/])//)(?:(?P<gone>[^{_END}]+)@|[^{_END}]+)"),
    ("@", rf"(?<![\w@:/.+-])(?P<gone>[\w.+-]{{1,64}}:[^{_END}@/:]{{1,256}})@[\w.-]+"),
    ("=", rf"[?&](?!(?:{_QUERY})=)[\w.%~-]{{1,64}}=(?P<gone>[^&{_END}]+)"),
    ("hook", r"/(?:services|webhooks|hooks)/(?P<gone>[\w/-]{16,})"),
    # tokens by their shape
    ("", rf"(?P<gone>(?:{_SHAPES})[\w.-]{{8,}})"),
    ("", rf"(?P<gone>(?:{_LONG_SHAPES})[\w-]{{20,}})"),
    ("eyj", r"(?<!\w)(?:(?P<gone>eyj[\w-]{6,}\.[\w-]{4,}(?:\.[\w-]*)?)|eyj[\w-]*)"),
    (
        "bearer basic negotiate digest",
        r"\b(?:bearer|basic|negotiate|digest)\s+(?P<gone>[\w.~+/=-]{3,})",
    ),
    # a name and its value, as the next word of a command line or otherwise
    ("-", rf"(?<!\S)--?[\w-]{{0,32}}{_NAME}[\w-]{{0,32}}[ \0]+{_QUOTED}[^{_END}-][^{_END}]*)"),
    ("-u", rf"(?<!\S)(?:-u|--user|--proxy-user)[ =]?[\"']?(?P<gone>[^{_END}:%]+[:%][^{_END}]+)"),
    (
        "</",
        rf"<[\w:.-]{{0,64}}{_NAME}[\w:.-]{{0,64}}(?:\s[^<>\0]{{0,200}})?>"
        r"(?P<gone>(?:\s{0,9}<[\w:.-]{1,64}>){0,4}[^<\0]+)",
    ),
    *(
        (
            words,
            rf"(?:{words.replace(' ', '|')})\w*\b[^\n\0]{{0,200}}?\s{option}{_QUOTED}[^{_END}]+)",
        )
        for words, option in (
            ("mysql mariadb 7z", "-p"),
            ("sshpass mongo login unzip zip", "-p[ =]?"),
            ("redis-cli", "-a[ =]?"),
            ("ldap", "-w[ =]?"),
            ("openssl", r"(?:-k |pass:)"),
            ("kubectl", r"--from-literal[= ][\w.-]+="),
        )
    ),
    ("attic", rf"attic login\s+\S+\s+\S+\s+(?P<gone>[^{_END}]+)"),
    (
        "login password passphrase passwd account authtoken",
        r"\b(?:login|password|passphrase|passwd|account|authtoken)\s+(?:is\s+|was\s+)?"
        rf"{_QUOTED}[^{_END}]{{3,}})",
    ),
    ("is was", rf"\b(?:token|secret|key)\s+(?:is|was)\s+{_QUOTED}[^{_END}]{{3,}})"),
    ("pass", rf"pass(?:word|phrase|code) for [^\n:\0]{{1,120}}:[ \t]*(?P<gone>[^{_END}]+)"),
    ("phrase", r"phrase[\"']?\s{0,3}[:=][ \t]{0,3}(?P<gone>[^\r\n\"'\0]+)"),
    (
        "set",
        rf"set(?:env|x)?\s+(?:-\w+\s+)?[\w.-]{{0,64}}?{_NAME}\w{{0,64}}\s+{_QUOTED}[^{_END}]+)",
    ),
    (
        "(",
        rf"\(\\{{0,2}}[\"'][\w.-]{{0,64}}?{_NAME}[\w.-]{{0,64}}{_QUOTE},\s{{0,9}}{_QUOTE}(?P<gone>[^\"'\0]+)",
    ),
    # a name and its value that are two members of something
    (
        "value",
        rf"{_NAME}[\w.-]{{0,64}}{_QUOTE}?[\s,]{{1,20}}{_QUOTE}?value{_QUOTE}?"
        rf"\s{{0,3}}[:=]\s{{0,3}}{_QUOTED}[^{_END}]+)",
    ),
    (
        "value",
        rf"value{_QUOTE}\s{{0,3}}[:=]\s{{0,3}}{_QUOTE}(?P<gone>[^\"'\0]+){_QUOTE}[\s,]{{1,20}}{_QUOTE}?"
        rf"(?:name|key){_QUOTE}?\s{{0,3}}[:=]\s{{0,3}}{_QUOTE}[\w.-]{{0,64}}?{_NAME}",
    ),
    (
        "[",
        rf"\[[\w.\"-]{{0,64}}?{_NAME}[\w.\"-]{{0,64}}\]\r?\n"
        r"(?P<gone>(?:[^\[\n\0][^\n\0]*\n?|\n){1,64})",
    ),
    # what is written to a file, or a program, that is for secrets
    (
        "echo printf",
        rf"(?:echo|printf)[ \t](?P<gone>[^\n\0|>]{{1,300}})[|>](?=[^\n\0]{{0,200}}?{_FILE})",
    ),
    ("<<<", rf"{_FILE}[^\n\0]{{0,200}}?<<<[ \t]*{_QUOTED}[^{_END}]+)"),
)
"""What tells too much, each with the part of it that goes; and words of which a text that has it
has one."""

_HERE = r"<<-?[ \t]*\\?[\"']?(?P<tag>[a-z_]\w{0,63})[\"']?"
_LINE_END = r"\n|\\n|\0|\Z"
"""The beginning of a here-document, with what ends it; the end of a line, also in quoted text."""
_KEY = r"(?<![\w+/=.-])[\w.+-]{1,128}:(?P<gone>[A-Za-z0-9+/]{86}==)"

_NAMED = (
    rf"(?<=\0)[\w.-]{{0,64}}?(?:netrc-file|{_NAME})[\w.-]{{0,64}}\0{{0,7}}"  # and what fills it up
    r"[^\0][\0-\xff]{0,2}?\0{1,7}(?P<gone>[^\0]+)"  # a length, and what it is the length of
)
"""A name that says secret, the length of a value, and the value, as they stand on the wire."""


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)


def cleaned(text: str) -> str:
    """Return a text of the same length in which what tells too much is blanked."""
    return _blanked(text, _spans(text, text.translate(_FOLDED)))


def cleaned_bytes(data: bytes) -> bytes:
    """Return bytes of the same length in which what tells too much is blanked.

    Values of names that say secret are found without a declaration, too: a stream that is out
    of step is shown as bytes.
    """
    text, folded = data.decode("latin-1"), data.lower().decode("latin-1")
    named = (m.span("gone") for m in _compiled(_NAMED).finditer(folded))
    return _blanked(text, [*_spans(text, folded), *named]).encode("latin-1")


def _blanked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    pieces: list[str] = []
    at = 0
    for start, end in sorted(spans):
        if end > at:
            start = max(start, at)
            pieces += text[at:start], BLANK * (end - start)
            at = end
    return "".join([*pieces, text[at:]])


def _spans(text: str, folded: str) -> Iterator[tuple[int, int]]:
    """Yield where secrets stand in a text, in any order; `folded` is it without capitals."""
    for words, pattern in _TELLING:
        if not words or any(word in folded for word in words.split()):
            yield from (found.span("gone") for found in _compiled(pattern).finditer(folded))
    if "<<" in folded:
        yield from _documents(folded)
    if "==" in folded:
        yield from _secret_keys(text)
    enclosed, bare = _compiled(_ENCLOSED), _compiled(_BARE)
    reached = 0  # what is blanked needs no second look
    for name in _compiled(_SET).finditer(folded):
        following: re.Match[str] | None = name
        while following is not None and (at := following.end()) >= reached:
            match = enclosed.match(folded, at) or bare.match(folded, at)
            if match is None:
                break
            yield match.span(match.lastindex or 0)
            reached = match.end()
            following = None
            if folded[name.end() - 1] == "=" and "\n" not in match[0]:
                following = _compiled(_JOINED[match.re is bare]).match(folded, reached)


def _documents(folded: str) -> Iterator[tuple[int, int]]:
    """Yield the here-documents whose line names what is for secrets, such as `> .netrc`."""
    line = begin = end = 0
    for here in _compiled(_HERE).finditer(folded):
        if here.start() < end:
            continue
        if here.end() > line and (found := _compiled(_LINE_END).search(folded, here.end())):
            line, begin = found.span()
        before = folded[max(here.start() - 200, 0) : here.start()].rpartition("\n")[2]
        if _compiled(_FILE).search(before + folded[here.end() : min(line, here.end() + 200)]):
            last = re.compile(rf"(?:\n|\\n)[ \t]*{here['tag']}\b|\0|\Z").search(folded, line)
            end = len(folded) if last is None else last.start()
            yield begin, max(begin, end)


def _secret_keys(text: str) -> Iterator[tuple[int, int]]:
    """Yield Ed25519 keys as Nix has them, which look like the signatures made with them."""
    for found in _compiled(_KEY).finditer(text):
        from pix_store.store.ed25519 import is_key_pair

        if is_key_pair(b64decode(found["gone"])):
            yield found.span("gone")
