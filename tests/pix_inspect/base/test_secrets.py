"""Secrets in free text: each shape of them is blanked, and what is not a secret stays."""

from __future__ import annotations

import random
from base64 import b64encode

import pytest

from pix_inspect.base.secrets import cleaned, cleaned_bytes
from tests.support.words import text, word

SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
"""Source: RFC 8032, 7.1."""
SIGNATURE = b64encode(PUBLIC + SEED).decode()
TELLING = [
    "https://user:hunter2@cache.example.org/x",
    "https://hunter2@cache",
    "https://a@hunter2@cache/x",
    "https://u:p/hunter2@h/nar",
    "ssh-ng://bob:hunter2@host",
    "rsync bob:hunter2@host",
    "https://h/?api_key=hunter2&rev=abc",
    "https://h/x?X-Amz-Signature=hunter2",
    "https://h?sv=hunter2",
    '{"password":"hunter2"}',
    '{"env":{"token":"hunter2"}}',
    '{\\"token\\":\\"hunter2\\"}',
    '{"auths": {"h": {"auth": "hunter2"}}}',
    "{'client_secret': 'hunter2 hunter2'}",
    "export TOKEN=hunter2",
    "GITHUB_TOKEN=hunter2 nix build",
    "DB_PWD=hunter2",
    "PGPASSWORD: hunter2",
    "PASSPHRASE=hunter2",
    "ssh-key = hunter2",
    "signing_key: hunter2",
    "session=hunter2",
    'curl -H "PRIVATE-TOKEN: hunter2"',
    '"passphrase" => "hunter2"',
    "<password>hunter2</password>",
    "<s:client-secret>hunter2 hunter2</s:client-secret>",
    "secret: |\n  hunter2\n  hunter2\nother: x",
    "mysql -u root -phunter2",
    "netrc-file: /x/hunter2",
    "Authorization: Bearer hunter2abc",
    "Cookie: a=hunter2; b=hunter2",
    'Authorization: Digest username="x", response=hunter2',
    "Proxy-Authorization: Basic hunter2==",
    "curl -u bob:hunter2 https://x",
    "curl --user bob:hunter2 x",
    "wget --password hunter2",
    "x --token=hunter2",
    "x --token hunter2",
    "tool --api-key 'hunter2'",
    "sshpass -p hunter2 ssh h",
    "machine cache login me-hunter2 password hunter2",
    "the password is hunter2",
    'password "hunter2 hunter2"',
    "ALTER USER me PASSWORD 'hunter2'",
    "tool --token 'a hunter2'",
    'tool --token \\"hunter2\\"',
    "mysql -p'a hunter2'",
    'token: "a\\"hunter2"',
    '{"tokens": ["hunter2", "hunter2"]}',
    '"secrets": {"a": "hunter2"}',
    '<Token type="a">hunter2</Token>',
    "AccountName=me;AccountKey=hunter2==;",
    "accessKey: hunter2",
    "privkey=hunter2",
    "PHPSESSID=hunter2",
    "sessionid=hunter2",
    "pw: hunter2",
    "totp=hunter2",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\nhunter2\n-----END PGP PRIVATE KEY BLOCK-----",
    "access-tokens = github.com=hunter2 gitlab.com=PAT:hunter2",
    "ghp_hunter2hunter2",
    "glpat-hunter2hunter2",
    "xoxb-hunter2hunter2",
    "npm_hunter2hunter2",
    "AKIAhunter2hunter2",
    "AGE-SECRET-KEY-hunter2hunter2",
    "eyJhunter2x.eyJhunter2.hunter2",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\nhunter2\n-----END OPENSSH PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----hunter2",
    "secrets:\n  - hunter2\n  - a hunter2\n\n  - hunter2\nother: x",
    "tokens:\n- hunter2\n- hunter2\n  hunter2\n",
    "credentials:\n  user: hunter2\n  x: hunter2\n",
    "password:\n    hunter2",
    "secret: |\n  a\n\n  hunter2\n",
    '[secrets]\nfoo = "hunter2"\n\nbar = 1hunter2\n[other]',
    "cat > .netrc <<EOF\nhunter2\n hunter2\nEOF",
    "cat <<-'END' >token\n\thunter2\n\tEND",
    '"cat > x.pem << E\\nhunter2\\nE\\n"',
    "cat <<EOF | docker login --password-stdin\nhunter2",
    "docker login --password-stdin <<< hunter2",
    "echo hunter2 > /root/.netrc",
    "printf '%s' hunter2 | docker login --password-stdin",
    "docker login -u me -p hunter2 registry",
    "redis-cli -h x -a hunter2",
    "openssl enc -k hunter2; openssl rsa -passin pass:hunter2",
    "7z a -phunter2 x.7z y",
    "ldapsearch -x -w hunter2",
    "smbclient -U me%hunter2",
    "kubectl create secret generic x --from-literal=a=hunter2",
    "attic login me https://h hunter2",
    "set -x TOKEN hunter2",
    "setenv API_KEY 'hunter2'",
    'setenv("TOKEN", "hunter2", 1)',
    "define('DB_PASSWORD', 'hunter2');",
    'os.environ["TOKEN"] = "hunter2"',
    'password := "hunter2"',
    "password <- 'hunter2'",
    "TOKEN='a'\"hunter2\"",
    "TOKEN=a\"hunter2\"'hunter2'",
    "TOKEN=$'hunter2'",
    "TOKEN=$(echo hunter2)",
    "TOKEN=`echo hunter2`",
    "PASSWORD=a,hunter2;hunter2&hunter2",
    "passphrase: some hunter2 hunter2",
    "Password for me@host: hunter2",
    '{"name": "API_TOKEN", "value": "hunter2"}',
    '{"value":"hunter2","name":"TOKEN"}',
    "- name: DB_PASSWORD\n  value: hunter2",
    '<add key="Password" value="hunter2"/>',
    "<secret>\n <value>hunter2</value></secret>",
    "token\\u003dhunter2",
    "&quot;token&quot;:&quot;hunter2&quot;",
    "token&#61;hunter2",
    "PuTTY-User-Key-File-3: x\nPrivate-Lines: 2\nhunter2\nhunter2\n",
    "GH_PAT=hunter2",
    "JSESSIONID=hunter2",
    "git clone //me:hunter2@host/x",
    "https://hooks.slack.com/services/T0/B0/hunter2hunter2",
    "sk_live_hunter2hunter2",
    "shpat_hunter2hunter2",
    "hf_hunter2hunter2hunter2hunter2",
    "/home/hunter2/.config",
    "file:///Users/hunter2/x",
]
HARMLESS = [
    "building '/nix/store/g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-hello-2.12.drv'...",
    "copying path '/nix/store/g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-python3-oauthlib-3.2' from 'https://cache.nixos.org'",
    "error: hash mismatch in fixed-output derivation: specified: sha256-abc=, got: sha256-def=",
    "trusted-public-keys = cache.example-1:abc=",
    "author: somebody",
    "compass: north",
    "mapping: x",
    "git+https://example.org/repo?ref=main&rev=abc&shallow=1",
    "took 5 s: 3 of 10 done",
    "bypass=yes",
    "https://cache.example.org/nar/abc.nar.xz",
    "checking for pin... no",
    "x86_64-linux",
    "monkey: x; spw=y; totpole: z",
    "docker run -p 8080:80 image",
    "cat > x.nix <<EOF\n{ }\nEOF",
    "echo built > result.txt",
    "python3.11-hf_transfer-0.1.4, key-value, r8_core",
    '"https://h/x?ref=main" "a"\n b',
    f"cache-1:{SIGNATURE}",
    f"sha512:{SIGNATURE}",
]


def test_what_tells_too_much_is_blanked_in_text_and_in_bytes() -> None:
    for said in TELLING:
        shown = cleaned(said)
        assert "hunter2" not in shown, (said, shown)
        assert len(shown) == len(said)
        on_the_wire = word(0) + text(said.encode()) + text(b"/nix/store/y")
        assert b"hunter2" not in cleaned_bytes(on_the_wire), said
        assert len(cleaned_bytes(on_the_wire)) == len(on_the_wire)


def test_what_is_no_secret_stays() -> None:
    for said in HARMLESS:
        assert cleaned(said) == said
        assert cleaned_bytes(text(said.encode())) == text(said.encode())


def test_a_secret_key_of_nix_is_not_taken_for_a_signature() -> None:
    said = f"cache-1:{b64encode(SEED + PUBLIC).decode()}"
    assert cleaned(f"signed with {said}, {HARMLESS[-2]}") == (
        f"signed with cache-1:{'*' * 88}, {HARMLESS[-2]}"
    )
    assert cleaned_bytes(text(said.encode())) == text(b"cache-1:" + b"*" * 88)


def test_what_stands_beside_a_list_of_secrets_stays() -> None:
    items = " a\n    - b"
    said = f"  tokens:\n    -{items}\n  other: c\nx: d"
    assert cleaned(said) == said.replace(items, "*" * len(items))


def test_values_behind_names_that_say_secret_in_bytes_that_nobody_understands() -> None:
    said = b"".join(
        map(text, (b"access-tokens", b"github.com=abc", b"cores", b"4", b"MY_SECRET", b"x"))
    )
    shown = cleaned_bytes(bytes(5) + said)
    assert len(shown) == len(said) + 5
    assert b"github" not in shown
    assert b"cores" in shown
    assert text(b"4") in shown
    assert shown.endswith(text(b"MY_SECRET") + word(1) + b"*" + bytes(7))
    path = text(b"/nix/store/x-python3-oauthlib-3.2") + text(b"/nix/store/y")
    assert cleaned_bytes(path) == path


@pytest.mark.parametrize(
    "piece",
    [
        "a", "token", "://", "://a", "token=", '"token":"', "-----BEGIN A PRIVATE KEY-----", "a:",
        "?a=", "--token ", "eyJ-", "ghp_", "<token", "password ", "cookie:\n", "key: |\n a\n",
        "token=[", "token={[", 'token="\\', 'token=\\"', "password '", '--token "a', "<token a",
        "<<token\n", "cat <<a >token ", "token:\n- ", "token:\n  a:", "token=$(", "token='a'\"",
        "echo ", "login ", "[token]\n", '"value":"', "a:" + "A" * 86 + "==", "('token",
        "phrase:", "token,value:",
    ],
)  # fmt: skip
def test_hostile_text_is_read_in_bounded_work(piece: str) -> None:
    """Long runs of what begins like a secret end: with work that grows as their square, never."""
    said = piece * (500_000 // len(piece))
    assert len(cleaned(said)) == len(said)


def test_what_is_set_to_something_set_is_blanked_to_its_end() -> None:
    assert cleaned("token=secret=x y") == "token=******** y"
    assert cleaned('token=secret="x y" z') == 'token=*******"***" z'
    assert cleaned("https://h/?key=a&b=c") == "https://h/?key=*&b=*"


def test_letters_are_folded_one_by_one() -> None:
    """The capital dotted I of Turkish is two characters as a small letter."""
    said = "\u0130\u0130 PA\u017f\u017fWORD=hunter2 P\u0130N=hunter2 pr\u0131vate: hunter2 \u0130"
    assert cleaned(said) == said.replace("hunter2", "*******")


def test_any_bytes_keep_their_length() -> None:
    dice = random.Random(5)
    words = [
        b"token",
        b"=",
        b"://",
        b"@",
        b":",
        b"\0",
        b'"',
        b"\\",
        b" ",
        b"-u",
        b"password",
        b"\xff",
        b"?k=",
        b"&",
    ]
    for _ in range(500):
        data = b"".join(dice.choices(words, k=dice.randrange(60)))
        assert len(cleaned_bytes(data)) == len(data)
