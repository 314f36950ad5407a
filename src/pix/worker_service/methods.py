"""The service `nix.proto` describes: its methods, and what each asks of a daemon.

    Method   a call of the service: its messages, and the `Way`s to an answer
    Way      the operation that answers it in some versions, and which field is which there
    Message  fields with their numbers, in the file's order; what a field holds is declared in
             `pix.protocol`, unless its `form` says otherwise

The names, numbers and their order are those of the file `nix.proto` (package nix.proto, of the
time of protocol 1.21); everything that is said about the service (descriptors, gateway, client,
manual) is made from this table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeAlias

from pix.codec.declare import Operation, wire_of
from pix.codec.gates import ALWAYS, Gate, Protocol
from pix.codec.lists import ListOf, MapOf
from pix.codec.wire import Boolean, Enumeration, Named, Wire, Word
from pix.protocol import operations as op
from pix.protocol import types as t
from pix.worker_service import asking

PACKAGE = "nix.proto"
FILE = "nix.proto"
SERVICE = "WorkerService"
SPOKEN = Protocol(21)
"""The protocol whose layouts the file follows."""

Values: TypeAlias = "dict[str, Any]"
"""What a message holds, by the names of its fields; or a record, by those of its attributes."""


class Form(Enum):
    """How a field of the file holds what is declared; the value says it for the manual."""

    PLAIN = ""
    DIGITS = "bytes instead of hexadecimal digits"
    ALGORITHM = "a number instead of the name"
    TIME = "a Timestamp instead of seconds"
    PAIRS = "a map instead of pairs"
    PIECE = "the payload, piece by piece"


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """A field of a message.

    `declared` is the annotation of what it holds, `attribute` where records have it (None: no
    daemon is told of it), `message` what it is wrapped in, or the layout of a record.
    """

    number: int
    name: str
    declared: Any
    attribute: str | None
    message: Message | None
    form: Form

    @property
    def wire(self) -> Wire:
        """What it holds, as declared."""
        return wire_of(self.declared)

    @property
    def repeated(self) -> bool:
        """Whether it is a list; what is wrapped is one."""
        return isinstance(self.wire, ListOf) and not self.wraps and self.form is not Form.PAIRS

    @property
    def wraps(self) -> bool:
        """Whether its message has but one field, which holds what this one is declared to."""
        return self.message is not None and self.message.is_wrapper

    @property
    def item(self) -> Wire:
        """What an element, or a map's value, is declared as; else `wire`."""
        wire = self.wire
        if isinstance(wire, ListOf):
            return wire.element
        return wire.value if isinstance(wire, MapOf) else wire


def field(
    number: int,
    name: str,
    declared: Any,
    attribute: str | None = "",
    *,
    message: Message | None = None,
    form: Form = Form.PLAIN,
) -> Field:
    """Return a field; records call it by its own name unless they have another `attribute`."""
    return Field(number, name, declared, name if attribute == "" else attribute, message, form)


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """A message, by its name within the package; `oneof` names the choice its fields are of."""

    name: str
    fields: tuple[Field, ...]
    oneof: str = ""

    @property
    def is_wrapper(self) -> bool:
        """Whether it is one of the three that only say of what kind a value is."""
        return self.name in ("StorePath", "StorePaths", "Signatures")


def message(name: str, *fields: Field, oneof: str = "") -> Message:
    """Return a message of these fields."""
    return Message(name, fields, oneof)


@dataclasses.dataclass(frozen=True, slots=True)
class Numbers:
    """An enumeration of the file: its names and numbers."""

    name: str
    values: tuple[tuple[str, int], ...]


def _numbers(members: type[Named], last: int) -> Numbers:
    """Return an enumeration of ours up to `last`, where the file ends."""
    values = tuple((each.label, int(each)) for each in members if each <= last)
    return Numbers(members.__name__, values)


HASH_TYPE = Numbers(
    "HashType", (("UNKNOWN", 0), ("MD5", 1), ("SHA1", 2), ("SHA256", 3), ("SHA512", 4))
)
ENUMERATIONS = (
    HASH_TYPE,
    _numbers(t.BuildMode, 2),
    _numbers(t.GCAction, 3),
    _numbers(t.BuildStatus, 12),
)

EMPTY = message("google.protobuf.Empty")
STORE_PATH = message("StorePath", field(1, "path", t.StorePath))
STORE_PATHS = message("StorePaths", field(1, "paths", frozenset[t.StorePath]))
SIGNATURES = message("Signatures", field(1, "sigs", frozenset[t.Signature]))
IS_VALID = message("IsValidPathResponse", field(1, "is_valid", t.Bool, "valid"))
HAS_SUBSTITUTES = message(
    "HasSubstitutesResponse", field(1, "has_substitutes", t.Bool, "substitutable")
)
ADD_METADATA = message(
    "AddToStoreRequest.Metadata",
    field(1, "fixed", t.Bool),
    field(2, "recursive", t.Bool),
    field(3, "hash_type", t.HashName, "hash_algo", form=Form.ALGORITHM),
    field(4, "base_name", t.Name, "name"),
)
ADD_TO_STORE = message(
    "AddToStoreRequest",
    field(1, "meta", op.AddToStore, message=ADD_METADATA),
    field(3, "data", t.Contents, "dump", form=Form.PIECE),
    oneof="add_oneof",
)
ADD_TEXT = message(
    "AddTextToStoreRequest",
    field(1, "name", t.Name),
    field(2, "content", t.Contents, "text"),
    field(3, "references", frozenset[t.StorePath]),
)
BUILD_PATHS = message(
    "BuildPathsRequest",
    field(1, "drvs", tuple[t.DerivedPath, ...], "paths"),
    field(2, "mode", t.Mode),
)
ROOTS = message("FindRootsResponse", field(1, "roots", tuple[t.Root, ...], form=Form.PAIRS))
OPTIONS = message(
    "SetOptionsRequest",
    field(1, "keep_failed", t.Bool),
    field(2, "keep_going", t.Bool),
    field(3, "try_fallback", t.Bool),
    field(4, "max_build_jobs", t.UInt),
    field(5, "verbose_build", t.VerbosityNumber),
    field(6, "build_cores", t.UInt),
    field(7, "use_substitutes", t.Bool),
    field(8, "overrides", dict[t.Text, t.Text]),
)
COLLECT = message(
    "CollectGarbageRequest",
    field(1, "action", t.Action),
    field(2, "paths_to_delete", frozenset[t.StorePath]),
    field(3, "ignore_liveness", t.Bool),
    field(4, "max_freed", t.U64),
)
COLLECTED = message(
    "CollectGarbageResponse",
    field(1, "deleted_paths", tuple[t.Text, ...], "paths"),
    field(2, "bytes_freed", t.Size),
)
PATH_INFO = message(
    "PathInfo",
    field(10, "path", t.StorePath, message=STORE_PATH),
    field(9, "is_valid", t.Bool, "valid"),
    field(1, "deriver", t.MaybeStorePath, message=STORE_PATH),
    field(2, "nar_hash", t.NarHash, form=Form.DIGITS),
    field(3, "references", frozenset[t.StorePath]),
    field(4, "registration_time", t.Time, form=Form.TIME),
    field(11, "download_size", t.Size),
    field(5, "nar_size", t.Size),
    field(6, "ultimate", t.Bool),
    field(7, "sigs", frozenset[t.Signature]),
    field(8, "ca", t.MaybeContentAddress),
)
SUBSTITUTABLE = message(
    "SubstitutablePathInfos",
    field(1, "path_infos", tuple[t.KeyedSubstitutablePathInfo, ...], "infos", message=PATH_INFO),
)
OUTPUT_NAMES = message("DerivationOutputNames", field(1, "names", frozenset[t.OutputName]))
HASH_PART = message("HashPart", field(1, "hash_part", t.HashPart))
VERIFY = message(
    "VerifyStoreRequest",
    field(1, "check_contents", t.Bool),
    field(2, "repair", t.Bool),
    field(3, "dont_check_sigs", t.Bool, None),
)
VERIFIED = message("VerifyStoreResponse", field(1, "errors", t.Bool, "errors_remain"))
DERIVATION_OUTPUT = message(
    "Derivation.DerivationOutput",
    field(1, "path", t.MaybeStorePath, message=STORE_PATH),
    field(2, "hash_algo", t.Text),
    field(3, "hash", t.Text, form=Form.DIGITS),
)
DERIVATION = message(
    "Derivation",
    field(1, "outputs", dict[t.OutputName, t.DerivationOutput], message=DERIVATION_OUTPUT),
    field(2, "input_sources", frozenset[t.StorePath], "input_srcs", message=STORE_PATHS),
    field(3, "platform", t.Text),
    field(4, "builder", t.Text, message=STORE_PATH),
    field(5, "args", tuple[t.Text, ...]),
    field(6, "env", dict[t.Text, t.Text]),
)
BUILD_DERIVATION = message(
    "BuildDerivationRequest",
    field(1, "drv_path", t.StorePath, message=STORE_PATH),
    field(2, "derivation", t.BasicDerivation, message=DERIVATION),
    field(3, "build_mode", t.Mode, "mode"),
)
BUILT = message(
    "BuildDerivationResponse",
    field(1, "status", t.Status),
    field(2, "error_message", t.Text, "error_msg"),
)
ADD_SIGNATURES = message(
    "AddSignaturesRequest",
    field(1, "path", t.StorePath, message=STORE_PATH),
    field(2, "sigs", frozenset[t.Signature], message=SIGNATURES),
)
ADD_NAR = message(
    "AddToStoreNarRequest",
    field(1, "path_info", op.AddToStoreNar, message=PATH_INFO),
    field(2, "chunk", t.Contents, "nar", form=Form.PIECE),
    oneof="add_oneoff",
)
MISSING_PATHS = message(
    "QueryMissingResponse",
    field(1, "will_build", frozenset[t.StorePath]),
    field(2, "will_substitute", frozenset[t.StorePath]),
    field(3, "unknown", frozenset[t.StorePath]),
    field(4, "download_size", t.Size),
    field(5, "nar_size", t.Size),
)

MESSAGES = (
    STORE_PATH, STORE_PATHS, SIGNATURES, IS_VALID, HAS_SUBSTITUTES, ADD_TO_STORE, ADD_METADATA,
    ADD_TEXT, BUILD_PATHS, ROOTS, OPTIONS, COLLECT, COLLECTED, PATH_INFO, SUBSTITUTABLE,
    OUTPUT_NAMES, HASH_PART, VERIFY, VERIFIED, DERIVATION, DERIVATION_OUTPUT, BUILD_DERIVATION,
    BUILT, ADD_SIGNATURES, ADD_NAR, MISSING_PATHS,
)  # fmt: skip
"""The file's messages in its order; one that stands in another, behind that."""


@dataclasses.dataclass(frozen=True, slots=True)
class Way:
    """An operation that answers a method, within its `gate`.

    `names` say which attribute a field is where the field's own name for it is not right. `ask`
    makes the request's attributes of those of the message, `tell` the reply's values of what
    was asked and answered; `remark` says for the manual what they do.
    """

    kind: type
    gate: Gate = ALWAYS
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    ask: Callable[[Values, Protocol], Values] | None = None
    tell: Callable[[Values, Any], Values] | None = None
    remark: str = ""

    @property
    def operation(self) -> Operation:
        """The operation, as declared."""
        found: Operation = self.kind.operation  # type: ignore[attr-defined]  # `operation` put it
        return found

    def attribute(self, part: Field) -> str | None:
        """Return where the operation has a field of the message."""
        return self.names.get(part.name, part.attribute)


@dataclasses.dataclass(frozen=True, slots=True)
class Method:
    """A method of the service: what it takes and returns, and the ways to an answer."""

    name: str
    request: Message
    reply: Message
    ways: tuple[Way, ...]

    @property
    def path(self) -> str:
        """The path of its calls."""
        return f"/{PACKAGE}.{SERVICE}/{self.name}"

    @property
    def streams(self) -> bool:
        """Whether its requests are a stream: a first message, then pieces of the payload."""
        return bool(self.request.oneof)

    @property
    def head(self) -> Message:
        """What says in one message all but the payload."""
        first = self.request.fields[0].message if self.streams else None
        return first or self.request

    def way(self, protocol: Protocol) -> Way | None:
        """Return how it is answered in `protocol`, None where it cannot be."""
        for way in self.ways:
            if way.gate.admits(protocol) and way.operation.life.is_there(protocol.minor):
                return way
        return None


_FORGOTTEN = 35
"""In 1.35 are the first daemons that no longer know some operations: Lix."""
_BEFORE, _SINCE = Gate(until=_FORGOTTEN), Gate(since=_FORGOTTEN)
_OLD_ADD, _NEW_ADD = Gate(until=25), Gate(since=25)


def _plain(name: str, request: Message, reply: Message, kind: type, **names: str) -> Method:
    return Method(name, request, reply, (Way(kind, names=names),))


METHODS = (
    _plain("IsValidPath", STORE_PATH, IS_VALID, op.IsValidPath),
    Method(
        "HasSubstitutes",
        STORE_PATH,
        HAS_SUBSTITUTES,
        (
            Way(op.HasSubstitutes, _BEFORE),
            Way(
                op.QuerySubstitutablePaths,
                _SINCE,
                ask=asking.among_one,
                tell=asking.whether_among,
                remark="whether the path is among those that come back",
            ),
        ),
    ),
    _plain("QueryReferrers", STORE_PATH, STORE_PATHS, op.QueryReferrers, paths="referrers"),
    Method(
        "AddToStore",
        ADD_TO_STORE,
        STORE_PATH,
        (
            Way(op.AddToStore, _OLD_ADD, ask=asking.old_add),
            Way(
                op.AddToStore,
                _NEW_ADD,
                ask=asking.new_add,
                remark="the first three fields become `method`; of a flat file the bytes are"
                " taken out of the NAR",
            ),
        ),
    ),
    Method(
        "AddTextToStore",
        ADD_TEXT,
        STORE_PATH,
        (
            Way(op.AddTextToStore, _OLD_ADD),
            Way(
                op.AddToStore,
                _NEW_ADD,
                {"content": "dump"},
                ask=asking.text_as_file,
                remark="`method` is text:sha256",
            ),
        ),
    ),
    Method(
        "BuildPaths",
        BUILD_PATHS,
        EMPTY,
        (
            Way(
                op.BuildPaths,
                ask=asking.derived,
                remark="a derivation named plainly means all its outputs",
            ),
        ),
    ),
    _plain("EnsurePath", STORE_PATH, EMPTY, op.EnsurePath),
    _plain("AddTempRoot", STORE_PATH, EMPTY, op.AddTempRoot),
    _plain("AddIndirectRoot", STORE_PATH, EMPTY, op.AddIndirectRoot, path="link"),
    _plain("SyncWithGC", EMPTY, EMPTY, op.SyncWithGC),
    _plain("FindRoots", EMPTY, ROOTS, op.FindRoots),
    _plain("SetOptions", OPTIONS, EMPTY, op.SetOptions),
    Method(
        "CollectGarbage",
        COLLECT,
        COLLECTED,
        (
            Way(
                op.CollectGarbage,
                ask=asking.limited,
                remark="a `max_freed` of 0, or none, is no limit; `ignore_liveness` is refused",
            ),
        ),
    ),
    Method(
        "QuerySubstitutablePathInfos",
        STORE_PATHS,
        SUBSTITUTABLE,
        (
            Way(op.QuerySubstitutablePathInfos, Gate(until=22)),
            Way(
                op.QuerySubstitutablePathInfos,
                Gate(since=22),
                {"paths": "paths_with_ca"},
                ask=asking.without_ca,
                remark="no content addresses",
            ),
        ),
    ),
    Method(
        "QueryDerivationOutputs",
        STORE_PATH,
        STORE_PATHS,
        (
            Way(op.QueryDerivationOutputs, _BEFORE, {"paths": "outputs"}),
            Way(
                op.QueryDerivationOutputMap,
                _SINCE,
                tell=asking.known_outputs,
                remark="the paths that are known",
            ),
        ),
    ),
    _plain("QueryAllValidPaths", EMPTY, STORE_PATHS, op.QueryAllValidPaths),
    Method(
        "QueryPathInfo",
        STORE_PATH,
        PATH_INFO,
        (Way(op.QueryPathInfo, tell=asking.with_path, remark="`path` as it was asked about"),),
    ),
    Method(
        "QueryDerivationOutputNames",
        STORE_PATH,
        OUTPUT_NAMES,
        (
            Way(op.QueryDerivationOutputNames, _BEFORE),
            Way(
                op.QueryDerivationOutputMap,
                _SINCE,
                tell=asking.output_names,
                remark="the names alone",
            ),
        ),
    ),
    _plain("QueryPathFromHashPart", HASH_PART, STORE_PATH, op.QueryPathFromHashPart),
    _plain("QueryValidPaths", STORE_PATHS, STORE_PATHS, op.QueryValidPaths),
    _plain("QuerySubstitutablePaths", STORE_PATHS, STORE_PATHS, op.QuerySubstitutablePaths),
    _plain("QueryValidDerivers", STORE_PATH, STORE_PATHS, op.QueryValidDerivers, paths="derivers"),
    _plain("OptimiseStore", EMPTY, EMPTY, op.OptimiseStore),
    _plain("VerifyStore", VERIFY, VERIFIED, op.VerifyStore),
    _plain("BuildDerivation", BUILD_DERIVATION, BUILT, op.BuildDerivation),
    _plain("AddSignatures", ADD_SIGNATURES, EMPTY, op.AddSignatures),
    Method(
        "NarFromPath",
        STORE_PATH,
        STORE_PATH,
        (
            Way(
                op.NarFromPath,
                tell=asking.path_alone,
                remark="`path` as it was asked about; the NAR is read and dropped",
            ),
        ),
    ),
    _plain("AddToStoreNar", ADD_NAR, EMPTY, op.AddToStoreNar),
    Method(
        "QueryMissing",
        STORE_PATHS,
        MISSING_PATHS,
        (
            Way(
                op.QueryMissing,
                ask=asking.derived,
                remark="a derivation named plainly means all its outputs",
            ),
        ),
    ),
)
"""The methods, in the file's order."""
METHODS_BY_OPERATION = {method.ways[0].operation.name: method for method in METHODS}
"""By the operation that a method is named after."""


def file_type(part: Field) -> str:
    """Return the type of a field as the file has it, without `repeated`: `map<string, bytes>`."""
    wire = part.wire
    if part.form is Form.PAIRS:
        return "map<string, string>"
    if part.form in (Form.DIGITS, Form.PIECE):
        return "bytes"
    if part.form is Form.ALGORITHM:
        return HASH_TYPE.name
    if part.form is Form.TIME:
        return "google.protobuf.Timestamp"
    if isinstance(wire, MapOf):
        return f"map<string, {part.message.name if part.message else 'string'}>"
    return part.message.name if part.message is not None else _scalar(part.item)


def _scalar(wire: Wire) -> str:
    if isinstance(wire, Boolean):
        return "bool"
    if isinstance(wire, Enumeration):
        return wire.members.__name__
    return f"uint{32 if wire.bits <= 32 else 64}" if isinstance(wire, Word) else "string"
