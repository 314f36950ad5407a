"""Secrets in exports: blanked by name, everywhere, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pix.codec.declare import wire_of
from pix.codec.gates import Protocol
from pix.codec.values import encode
from pix.codec.wire import pack_u64
from pix.protocol.operations import SetOptions
from pix_inspect.cli import main
from pix_inspect.recording.peer import Peer
from pix_inspect.recording.writer import RecordingWriter
from pix_inspect.session.redaction import REDACTED, cleaned_bytes, is_secret, redact, secret_spans
from tests.support.lines_of_time import Scene, text, word

V35 = Protocol(35)
OVERRIDES = {
    "access-tokens": "github.com=ghp_hunter2",
    "cores": "4",
    "netrc-file": "/home/me/hunter2",
    "some-password": "hunter2",
    "trusted-public-keys": "cache.example-1:abc",
}


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "s.pcapng"
    writer = RecordingWriter(path, about={})
    log = writer.open(Peer(), {}, time=1_700_000_000_000_000_000)
    request = pack_u64(19) + encode(wire_of(SetOptions), SetOptions(overrides=OVERRIDES), V35)
    last = pack_u64(0x616C7473)
    said = [
        (0, pack_u64(0x6E697863) + pack_u64(0x123)),
        (1, pack_u64(0x6478696F) + pack_u64(0x123)),
        (0, bytes(16)),
        (1, pack_u64(6) + b"2.18.0\0\0" + pack_u64(1) + last),
        (0, request),
        (1, last),
    ]
    for i, (side, data) in enumerate(said):
        log.chunk(side, 1_700_000_000_000_000_000 + i, data, len(data))
    log.close(1_700_000_000_000_001_000)
    writer.close()
    return path


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_in_a_redacted_dump(
    recording: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dump", str(recording), "--format", form]) == 0
    assert "hunter2" in capsys.readouterr().out
    assert main(["dump", str(recording), "--format", form, "--redact"]) == 0
    out = capsys.readouterr().out
    assert "hunter2" not in out
    assert out.count(REDACTED) == 3
    assert "access-tokens" in out
    assert "cache.example-1:abc" in out


def test_the_json_is_otherwise_the_same(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["dump", str(recording), "--format", "json"])
    plain = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    main(["dump", str(recording), "--format", "json", "--redact"])
    redacted = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for one, other in zip(plain, redacted, strict=True):
        if one["operation"] == "SetOptions":
            one["request"].pop("overrides")
            other["request"].pop("overrides")
        assert one == other


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("access-tokens", True), ("extra-access-tokens", True), ("netrc-file", True),
        ("secret-key-files", True), ("API_TOKEN", True), ("impure-env-password", True),
        ("signing-key", True), ("cores", False), ("substituters", False),
        ("trusted-public-keys", False), ("extra-trusted-public-keys", False), ("keep-going", False),
    ],
)  # fmt: skip
def test_what_counts_as_secret(name: str, secret: bool) -> None:
    assert is_secret(name) is secret


def test_an_environment_is_redacted_too(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    outputs = {"out": {"path": "/nix/store/x", "hash_algo": "", "hash": ""}}
    env = {"API_TOKEN": "hunter2", "name": "hello"}
    derivation = {"outputs": outputs, "input_srcs": [], "platform": "x", "builder": "sh",
                  "args": [], "env": env}  # fmt: skip
    scene.ask("BuildDerivation", drv_path="/nix/store/x.drv", derivation=derivation, mode="Normal")
    session = scene.done(closed=False)
    view = session.exchange(1)
    (span,) = secret_spans(view)
    start = view.span(0)[0]
    data = view.kept[0].first(start, view.span(0)[1])
    assert data[span[0] - start + 8 : span[1] - start].rstrip(b"\0") == b"hunter2"
    assert "hunter2" not in str([part.node.plain() for part in redact(view).parts if part.node])


def test_secrets_in_bytes_that_nobody_understands() -> None:
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
    assert cleaned_bytes(bytes(8) + path) == bytes(8) + path
