"""Files of declarations: what the example declares, and what is said of those with a mistake."""

# ruff: noqa: E501 (each mistake is a line)

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pix.codec.declare import Operation
from pix.codec.gates import NEWEST_MINOR, SERVE, Protocol
from pix.codec.values import decode, encode, tree
from pix.daemon import DaemonConnection, NixDaemonError
from pix.problem import Problem
from pix.protocol import OPERATIONS, OPERATIONS_BY_NAME, load_declarations, types, vendors
from pix.protocol.declaration_file import DeclarationError
from pix.protocol.logging import StderrLast
from pix.protocol.names import family_called, users_of, wire_called
from tests.support.playbook import Playbook, said
from tests.support.strategies import values
from tests.support.vendors import (
    EXAMPLE,
    LEAF,
    TABLES,
    TREE,
    declared,
    kept,
    reply,
    request,
    serving,
)

NUMBERS = range(101, 110)
with declared():
    EXAMPLES = [OPERATIONS[number] for number in NUMBERS]
PROTOCOLS = [
    *(Protocol(minor) for minor in (18, 24, 25, 29, 30, 36, 37, 38)),
    Protocol(NEWEST_MINOR, frozenset(["example-shades"])),
]

HEAD = 'vendor = "Example"\n'
"""The first line of every file below: what is wrong begins on line 2."""
OPERATION = HEAD + '[[operations]]\nnumber = 101\nname = "Ask"\ndoc = "asks"\n'
"""Five lines."""
FIELD = OPERATION + 'request = [{{ name = "one", {} }}]\n'
PAYLOAD = OPERATION + '{} = [{{ name = "one", doc = "bulk", {} }}]\n'
TYPE = HEAD + '[types.Thing]\ndoc = "a thing"\n{}\n'

MISTAKES = {
    "vendor = \n": ":1: is not TOML: Invalid value (at line 1, column 10)",
    "a = " + "[" * 10_000: ": a number is too long, or nested too deeply",
    "": ": the key vendor is missing; add it",
    "vendor = 3": ":1: vendor: is to be a text",
    'vender = "x"': ":1: vender: there is no such key; did you mean vendor?",
    HEAD + "[operations]": ":2: operations: is to be an array",
    HEAD + "operations = [3]": ":2: operations[1]: is to be a table with the keys number, name, doc, protocol, introduced, obsolete, removed, instead, feature, early_log, many, notes, request, reply",
    HEAD + '"a\\nb" = 3': """: 'a\\nb' holds a character that cannot be shown""",
    OPERATION.replace("asks", r"\u001b[2J"): ":5: operations[1].doc: '\\x1b[2J' holds a character that cannot be shown",
    OPERATION + r'notes = ["", "\u0007"]': ":6: operations[1].notes[2]: '\\x07' holds a character that cannot be shown",
    # features
    HEAD + "[features.a-b]": ":2: features.a-b: the key doc is missing; add it",
    HEAD + '[features."a b"]\ndoc = ""': ":2: features.a b: 'a b' cannot be a name here; write it as example-colours",
    HEAD + '[features.provenance]\ndoc = "x"': ":2: features.provenance: the feature is declared already; leave it out, it can be used",
    # types
    TYPE.format(""): ":2: types.Thing: a type has one of the keys fields, values, of, choices",
    TYPE.format('of = "U64"\nvalues = {}'): ":2: types.Thing: a type has one of the keys fields, values, of, choices",
    TYPE.format('of = "U65"'): ":4: types.Thing.of: no type is called 'U65'; did you mean U64?",
    TYPE.format('# of which = "U65"?\nof = "U65"'): ":5: types.Thing.of: no type is called 'U65'; did you mean U64?",
    TYPE.format('of = "List<U64>"'): ":4: types.Thing.of: List<U64> is neither a number nor a text; name it as it is",
    TYPE.format("values = {}"): ':4: types.Thing.values: there is no value; write { Red = [0, "like a rose"] }',
    TYPE.format("values = { Red = 0 }"): ':4: types.Thing.values.Red: is to be a number and a text: Red = [0, "what it means"]',
    TYPE.format('values = { red = [0, ""] }'): """:4: types.Thing.values.red: 'red' cannot be a name here; write it as Red = [0, "like a rose"]""",
    TYPE.format('values = { Red = [-1, ""] }'): ":4: types.Thing.values.Red: -1 does not fit 64 bits",
    TYPE.format('values = { Red = [1, ""], Green = [1, ""] }'): ":4: types.Thing.values.Green: 1 is Red already",
    TYPE.format('fields = [{ name = "a", type = "U64", since = "1.30" }]'): ":4: types.Thing.fields: one field at least is to be there in every version: no gate",
    TYPE.format('fields = [{ name = "a", payload = "nar", doc = "", carried = "frames" }]'): ":4: types.Thing.fields.a: the key doc is missing; add it",
    TYPE.format('fields = [{ name = "a", payload = "nar", doc = "x", carried = "frames" }]'): ":4: types.Thing.fields.a: payload stands behind all fields of a request or a reply",
    TYPE.format('fields = [{ name = "a", type = "Thing" }]'): ":4: types.Thing.fields.a.type: Thing is to stand above what it is used by",
    TYPE.format('choices = { a = [0, "U64"], b = [1, "UInt"] }'): ":4: types.Thing.choices.b: cannot be told from another choice: one number, text, type each",
    TYPE.format('choices = { a = [0, "Bool"] }'): ":4: types.Thing.choices.a: a choice is a number, a text, a type with fields, or nothing",
    TYPE.format('choices = { a = "U64" }'): ':4: types.Thing.choices.a: is to be a number and a type: a = [0, "U64"]',
    TYPE.format("choices = { a = [-1] }"): ":4: types.Thing.choices.a: -1 does not fit 64 bits",
    TYPE.format("choices = { a = [18446744073709551616] }"): ":4: types.Thing.choices.a: 18446744073709551616 does not fit 64 bits",
    TYPE.format("choices = {}"): ':4: types.Thing.choices: there is no choice; write { number = [0, "U64"] }',
    HEAD + '[types.StorePath]\ndoc = "x"\nof = "U64"': ":2: types.StorePath: StorePath is declared already; choose another name",
    HEAD + '[types.storepath]\ndoc = "x"\nof = "U64"': ":2: types.storepath: 'storepath' cannot be a name here; write it as QueryColour",
    HEAD + '[types.A]\ndoc = "x"\nfields = [{ name = "b", type = "List<B>" }]\n[types.B]\ndoc = "x"\nof = "U64"': ":4: types.A.fields.b.type: B is to stand above what it is used by",
    # operations
    OPERATION.replace("101", "26"): ":3: operations[1].number: 26 is QueryPathInfo already; choose another",
    OPERATION.replace("101", "-1"): ":3: operations[1].number: is to be from 0 to 32,767",
    OPERATION.replace("101", "true"): ":3: operations[1].number: is to be a number",
    OPERATION.replace("Ask", "IsValidPath"): ":4: operations[1].name: IsValidPath is declared already; choose another name",
    OPERATION.replace("Ask", "isvalidpath"): ":4: operations[1].name: 'isvalidpath' cannot be a name here; write it as QueryColour",
    OPERATION.replace("Ask", "Isvalidpath"): ":4: operations[1].name: Isvalidpath is declared already; choose another name",
    OPERATION + OPERATION.removeprefix(HEAD): ":7: operations[2].number: 101 is Ask already; choose another",
    OPERATION + OPERATION.removeprefix(HEAD).replace("101", "102"): ":8: operations[2].name: Ask is the name of an operation in this file; choose another name",
    OPERATION + 'feature = "provenence"': ":6: operations[1].feature: no feature is called 'provenence'; did you mean provenance?",
    OPERATION + 'feature = "zzz"': ":6: operations[1].feature: no feature is called 'zzz'; declare it as [features.zzz]",
    OPERATION + 'many = "Asks"': ":6: operations[1].many: no operation is called 'Asks'",
    OPERATION + "notes = [1]": ":6: operations[1].notes: is to be an array of texts",
    OPERATION + "early_log = 1": ":6: operations[1].early_log: is to be true or false",
    OPERATION + 'protocol = "ssh"': ":6: operations[1].protocol: no protocol is called 'ssh'; write worker or serve",
    OPERATION + 'obsolete = "2.4"': ":6: operations[1].obsolete: '2.4' is not a protocol version: write it as 1.38",
    OPERATION + "request = [3]": ":6: operations[1].request[1]: is to be a table with the keys name, type, doc, default, since, until, feature, without",
    # fields
    FIELD.format('tipe = "U64"'): ":6: operations[1].request.one.tipe: there is no such key; did you mean type?",
    FIELD.format('doc = "x"'): ":6: operations[1].request.one: the key type is missing; add it",
    FIELD.format('type = "Ask"'): ":6: operations[1].request.one.type: no type is called 'Ask'",
    FIELD.format('type = "List<Nothing>"'): ":6: operations[1].request.one.type: List<Nothing>: Nothing takes no bytes, and cannot be told apart in a list",
    FIELD.format('type = "IsValidPath.request"'): ":6: operations[1].request.one.type: IsValidPath.request is a whole message and cannot be part of another",
    FIELD.format('type = "serve.BuildOptions"'): ":6: operations[1].request.one.type: serve.BuildOptions is of the serve protocol",
    FIELD.format('type = "U64", since = "30"'): ":6: operations[1].request.one.since: '30' is not a protocol version: write it as 1.38",
    FIELD.format('type = "U64", since = "1.30", until = "1.30"'): ":6: operations[1].request.one.until: is the first version without it, so behind since",
    FIELD.format('type = "UInt", default = 4294967296'): ":6: operations[1].request.one.default: 4294967296 does not fit UInt (0 to 2^32 − 1)",
    FIELD.format('type = "BuildMode", default = "Fast"'): ":6: operations[1].request.one.default: 'Fast' is not a value of BuildMode (Normal, Repair, Check)",
    FIELD.format('type = "U64" }, { name = "one", type = "U64"'): ":6: operations[1].request.one: is there twice",
    FIELD.format('type = "U64" }, { name = "class", type = "U64"'): ":6: operations[1].request.class: 'class' cannot be a name here; write it as nar_size",
    FIELD.format('type = "U64" }, { name = "wire", type = "U64"'): ":6: operations[1].request.wire: 'wire' cannot be a name here; write it as nar_size",
    # payload
    PAYLOAD.format("request", 'payload = "nar"'): ":6: operations[1].request.one: the key carried is missing; add it",
    PAYLOAD.format("request", 'payload = "zip", carried = "frames"'): ":6: operations[1].request.one.payload: 'zip' is none of nar, plain, paths, export, log",
    PAYLOAD.format("request", 'payload = "nar", carried = "written"'): ":6: operations[1].request.one.carried: 'written' is none of frames, raw NAR, raw export, pulled",
    PAYLOAD.format("reply", 'payload = "nar", carried = "frames"'): ":6: operations[1].reply.one.carried: 'frames' is none of raw NAR, raw export, written",
    PAYLOAD.format("reply", 'payload = "log", carried = "raw NAR"'): ":6: operations[1].reply.one.payload: a raw NAR holds nar",
    PAYLOAD.format("reply", 'payload = "nar", carried = [{ how = "written", since = 1 }]'): ":6: operations[1].reply.one.carried.since: is to be a text",
    PAYLOAD.format("reply", 'payload = "nar", carried = "raw NAR" }, { name = "b", type = "U64"'): ":6: operations[1].reply.one: payload stands behind all fields of a request or a reply",
    PAYLOAD.format("reply", 'payload = "nar", carried = "written"') + 'protocol = "serve"': ":6: operations[1].reply.one.carried: 'written' is none of raw NAR, raw export",
}  # fmt: skip


@pytest.mark.parametrize(
    ("levels", "width", "where"),
    [
        (40, 1, "91: types.A29.fields.x0"),
        (10, 12, "13: types.A3.fields.x3"),
        (10, 10_000, "7: types.A1.fields.x500"),
    ],
)
def test_types_in_types_come_to_an_end(levels: int, width: int, where: str) -> None:
    """A file of a recording is from anywhere: it cannot ask for more work than it is long."""
    text, inner = HEAD, "String"
    for level in range(levels):
        fields = ", ".join(
            f'{{ name = "x{n}", type = "{inner}" }}' for n in range(width if level else 1)
        )
        text += f'[types.A{level}]\ndoc = "a thing"\nfields = [{fields}]\n'
        inner = f"A{level}"
    with pytest.raises(DeclarationError, match=rf"^acme\.toml:{where}: is too much: "):
        vendors.declare(text, "acme.toml")


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_said_with_its_place(text: str) -> None:
    before = [dict(table) for table in TABLES]
    with kept(), pytest.raises(DeclarationError) as raised:
        vendors.declare(text, "acme.toml")
    assert str(raised.value) == "acme.toml" + MISTAKES[text]
    assert [dict(table) for table in TABLES] == before


TOKENS = list(re.finditer(r'"[^"\n]*"|\b\d+\b|true|false|\[\]|\{\}|\w+ =', EXAMPLE.read_text()))
OTHERS = ["0", "-1", "1e9", "true", "[]", "{}", '""', "[[0]]", '"frames"', '"Leaf"', '"List<Leaf>"', '"2.5"', '"serve"', '"Hint"', "name =", "of ="]  # fmt: skip


@settings(max_examples=50)
@given(st.sampled_from(TOKENS), st.sampled_from(OTHERS))
def test_whatever_a_file_says_it_is_declared_or_one_line(token: re.Match[str], other: str) -> None:
    text = EXAMPLE.read_text()
    before, said = [dict(table) for table in TABLES], ""
    with kept():
        try:
            vendors.declare(text[: token.start()] + other + text[token.end() :], "acme.toml")
        except DeclarationError as error:
            said = str(error)
        assert said.isprintable()
        assert bool(said) == ([dict(table) for table in TABLES] == before)


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (None, "No such file or directory"),
        (b"vendor = '\xff'", "byte 10 is not UTF-8"),
        (b" " * (vendors.LARGEST_FILE + 1), "longer than 1,048,576 bytes"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, raw: bytes | None, what: str) -> None:
    path = tmp_path / "acme.toml"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(Problem) as raised:
        load_declarations(path)
    assert str(raised.value) == f"{path}: {what}"


def test_what_a_file_declares_is_known_as_our_own_is() -> None:
    with declared():
        leaf = types.OF_VENDORS["Leaf"]
        assert wire_called("List<Leaf>").parts() == (leaf,)
        assert users_of(leaf) == ["QueryLeaves", "QueryLeaf"]
        assert family_called("Leaf") is not SERVE
        assert [OPERATIONS[number].number for number in NUMBERS] == list(NUMBERS)
        paint = OPERATIONS_BY_NAME["Paint"]
        assert str(paint.life.obsolete) == "1.37 (Example Nix 2.9)"
        assert str(OPERATIONS_BY_NAME["QueryLeaf"].life.introduced) == "Example Nix"
        assert paint.notes == (
            "Whoever is not trusted gets an error.",
            "An operation of Example Nix, as vendor.toml declares it.",
        )
        painted = request("Paint", path=LEAF)
        assert (painted.colour.label, painted.labels, painted.settings) == ("Red", (), {})
        load_declarations(EXAMPLE)  # again: it is known
    assert not any(number in OPERATIONS for number in NUMBERS)
    assert "Leaf" not in types.OF_VENDORS


def test_a_client_of_the_library_sends_them(tmp_path: Path) -> None:
    with (
        declared(),
        serving(tmp_path / "d"),
        DaemonConnection(tmp_path / "d", features=["example-shades"]) as daemon,
    ):
        assert daemon.call(request("QueryColour", path=LEAF)).colour.label == "DarkBlue"
        with pytest.raises(NixDaemonError, match="this path has no colour"):
            daemon.call(request("QueryColour", path=LEAF + "-absent"))
        hint = types.OF_VENDORS["Leaf"].kind(shade=7)  # type: ignore[attr-defined]
        answer = daemon.call(request("QueryLeaf", path=LEAF, hint=hint))
        assert (answer.leaf.weight, answer.fallen) == (3, 1_700_000_000)
        assert daemon.call(request("AddLeaf", label="x", nar=TREE)).path == LEAF
        pulled = daemon.call(request("ImportLeaf", pressed=b"x" * 99))
        assert pulled.paths == frozenset([f"{LEAF}-99"])


def test_the_python_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(EXAMPLE.parents[1])
    text = Path("docs/vendors.md").read_text()
    (script,) = re.findall("```python\n(.*?)```", text, re.DOTALL)
    with declared(), serving(tmp_path / "d"):
        exec(script, {"socket": tmp_path / "d", "path": LEAF})
    assert capsys.readouterr().out == "DarkBlue\n"


def test_commands_of_the_serve_protocol() -> None:
    text = (
        HEAD
        + '[types.Mood]\nprotocol = "serve"\ndoc = "a mood"\n'
        + 'fields = [{ name = "good", type = "Bool" },'
        + ' { name = "why", type = "String", since = "2.6" }]\n'
        + OPERATION.removeprefix(HEAD)
        + 'protocol = "serve"\nintroduced = "2.5"\nreply = [{ name = "mood", type = "serve.Mood" }]\n'
    )
    with kept():
        vendors.declare(text, "acme.toml")
        ask = OPERATIONS_BY_NAME["serve.Ask"]
        assert (ask.number, ask.family, str(ask.life.introduced)) == (101, SERVE, "2.5")
        value = wire_called("serve.Mood").kind(good=True, why="sun")  # type: ignore[attr-defined]
        for minor, size in ((5, 8), (7, 24)):
            protocol = Protocol(minor, family=SERVE)
            talk = Playbook(protocol).greet()
            kept_fields = {"good": True} | ({"why": "sun"} if minor > 5 else {})
            mood = type(value)(**kept_fields)
            talk >> request("serve.Ask") << ask.reply.kind(mood=mood)
            _, asked = talk.exchanges()
            assert (asked.operation, asked.complete) == (ask, True)
            assert asked.reply == (16, 16 + size)


@pytest.mark.parametrize("operation", EXAMPLES, ids=lambda operation: operation.name)
@given(data=st.data())
def test_every_operation_is_written_and_read_in_every_version(
    operation: Operation, data: st.DataObject
) -> None:
    protocol = data.draw(st.sampled_from(PROTOCOLS))
    for record in (operation.request, operation.reply):
        fields = {each.name: values(each.wire, protocol) for each in record.layout(protocol)}
        carried = {} if record.payload is None else {record.payload.name: b""}
        drawn = record.kind(**data.draw(st.fixed_dictionaries(fields)), **carried)
        raw = encode(record, drawn, protocol)
        read = decode(record, raw, protocol)
        assert all(getattr(read, name) == getattr(drawn, name) for name in fields)
        found = tree(record, raw, protocol)
        assert (found.error, found.end) == (None, len(raw))
        said = json.loads(json.dumps(found.nodes[0].plain()))
        assert list(said) == list(fields)
        made = {each.name: each.wire.value_of(said[each.name]) for each in record.layout(protocol)}
        assert encode(record, record.kind(**made, **carried), protocol) == raw


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=str)
def test_a_conversation_of_all_operations(protocol: Protocol) -> None:
    """Whole, byte by byte, and with bytes behind."""
    with declared():
        talk = Playbook(protocol).greet()
        leaf = types.OF_VENDORS["Leaf"].kind(colour=7)  # type: ignore[attr-defined]
        turns = [
            (request("QueryColour", path=LEAF), reply("QueryColour", colour=1)),
            (
                request("QueryLeaves", paths=frozenset([LEAF])),
                reply("QueryLeaves", leaves={LEAF: (leaf, leaf)}),
            ),
            (request("QueryLeaf", path=LEAF, hint=7), reply("QueryLeaf", leaf=leaf, fallen=3)),
            (request("Paint", path=LEAF, labels=("a",)), reply("Paint")),
            (request("AddLeaf", label="x", nar=TREE), reply("AddLeaf", path=LEAF)),
            (request("AddLeafLog", path=LEAF, log=b"x" * 99), reply("AddLeafLog", done=True)),
            (request("LeafFromPath", path=LEAF), reply("LeafFromPath", nar=TREE)),
        ]
        for asked, answered in turns:
            talk >> asked << StderrLast() << answered
        _, *found = talk.exchanges()
        assert [each.name for each in found] == [asked.operation.name for asked, _ in turns]
        assert all(each.complete and not each.notes for each in found)
        carrying = [each.name for each in found if each.payload_side is not None]
        assert carrying == ["AddLeaf", "AddLeafLog", "LeafFromPath"]
        assert said(turns[0][0], protocol)[:8] == (101).to_bytes(8, "little")
