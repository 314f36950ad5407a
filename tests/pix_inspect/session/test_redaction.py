"""Secrets in exports: blanked by name, everywhere, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pix.codec.declare import wire_of
from pix.codec.gates import Protocol
from pix.codec.values import encode
from pix.codec.wire import pack_u64
from pix.protocol import vendors
from pix.protocol.logging import StderrLast
from pix.protocol.operations import SetOptions
from pix_inspect.cli import main
from pix_inspect.describe.text_and_json import text_of
from pix_inspect.recording.notes import Peer
from pix_inspect.recording.writer import RecordingWriter
from pix_inspect.session.redaction import is_secret, redacted, secret_spans
from pix_inspect.session.session import Session
from tests.support.recording import connected
from tests.support.vendors import kept, request

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
    assert out.count("(redacted, ") == 3
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
    talk = connected(tmp_path)
    outputs = {"out": {"path": "/nix/store/x", "hash_algo": "", "hash": ""}}
    env = {"API_TOKEN": "hunter2", "name": "hello"}
    derivation = {"outputs": outputs, "input_srcs": [], "platform": "x", "builder": "sh",
                  "args": [], "env": env}  # fmt: skip
    talk.ask("BuildDerivation", drv_path="/nix/store/x.drv", derivation=derivation, mode="Normal")
    session = talk.session(closed=False)
    view = session.exchange(1)
    (span,) = secret_spans(view)
    start = view.span(0)[0]
    data = view.kept[0].first(start, view.span(0)[1])
    assert data[span[0] - start + 8 : span[1] - start].rstrip(b"\0") == b"hunter2"
    shown = [part.node.plain() for part in redacted(view).parts if part.node]
    assert "hunter2" not in str(shown)
    assert "hunter2" in str([part.node.plain() for part in view.parts if part.node])
    assert shown[0]["derivation"]["env"] == {"API_TOKEN": "(redacted, 7 bytes)", "name": "hello"}


def test_a_text_is_looked_through_once_a_view(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def cleaned(text: str) -> str:
        looked.append(text)
        return text

    monkeypatch.setattr("pix_inspect.session.redaction.cleaned", cleaned)
    view = redacted(Session(recording).read_all().exchange(1))
    assert list(text_of(view, 0)) == list(text_of(view, 0))
    assert "cache.example-1:abc" in looked
    assert len(looked) == len(set(looked))


def test_only_what_is_known_to_be_harmless_is_shown(tmp_path: Path) -> None:
    store = "/nix/store/g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-x"
    env = {"CACHIX": "hunter2", "deps": f"{store} {store}/bin", "version": "1.0", "zone": "hunter2"}
    derivation = {"outputs": {}, "input_srcs": [], "platform": "x", "builder": "/bin/sh",
                  "args": ["-e", store, "echo hunter2", "--key=hunter2"], "env": env}  # fmt: skip
    talk = connected(tmp_path)
    talk.ask("BuildDerivation", drv_path=f"{store}.drv", derivation=derivation, mode="Normal")
    talk.ask("AddTextToStore", name="x", text="export KEY=hunter2", references=[])
    session = talk.session(closed=False)
    shown = redacted(session.exchange(1)).part("request")
    assert shown is not None
    assert shown.node is not None
    said = shown.node.plain()["derivation"]
    assert said["env"] == {
        "CACHIX": "(redacted, 7 bytes)", "deps": env["deps"], "version": "1.0",
        "zone": "(redacted, 7 bytes)",
    }  # fmt: skip
    assert said["args"] == ["-e", store, "(redacted, 12 bytes)", "(redacted, 13 bytes)"]
    for i in (1, 2):
        view = session.exchange(i)
        start, end = view.span(0)
        data = bytearray(view.kept[0].first(start, end))
        for first, last in secret_spans(view):
            data[first - start : last - start] = bytes(last - first)
        assert b"hunter2" not in data
        assert "hunter2" not in "\n".join(text_of(redacted(view), session.started))


def test_an_excerpt_and_a_dump_are_equally_strong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    talk = connected(tmp_path)
    talk.ask("SetOptions", overrides={"substituters": "https://a@hunter2@c", "other": "hunter2"})
    talk.session(closed=False).close()
    path = next(tmp_path.glob("*.pcapng"))
    for words in (["dump", "--redact"], ["dump", "--redact", "--format", "json"]):
        assert main([*words, str(path)]) == 0
        assert "hunter2" not in capsys.readouterr().out
    assert main(["excerpt", str(path), "1..2"]) == 0
    assert "hunter2" not in capsys.readouterr().out


def test_texts_of_vendors_are_blanked_by_the_name_of_their_field(tmp_path: Path) -> None:
    fields = (
        '{ name = "api_key", type = "String" }, { name = "tokens", type = "List<String>" },'
        ' { name = "label", type = "String" }, { name = "notes", type = "Contents" }'
    )
    text = f"""vendor = "A"
        [[operations]]
        number = 101
        name = "Ask"
        doc = "asks"
        request = [{fields}]
    """
    with kept():
        vendors.declare(text, "a.toml")
        said = request("Ask", api_key="hunter2", tokens=("hunter2",), label="seen", notes="hunter2")
        session = connected(tmp_path).trip(said, StderrLast()).session()
        view = session.exchange(1)
        shown = "\n".join(text_of(redacted(view), 0))
        assert shown.count("(redacted, 7 bytes)") == 4  # and what it is about
        assert "label: seen" in shown
        assert "hunter2" not in shown
        assert len(secret_spans(view)) == 3
