"""The service as protobuf descriptors, built when they are needed from the table of methods.

They stand in a pool of their own, so that a program may load code that was generated from the
file beside them. `tests/pix/worker_service/test_descriptors.py` holds them to what protoc
makes of the file.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from pix.worker_service import status_details
from pix.worker_service.extra import need
from pix.worker_service.methods import (
    ENUMERATIONS,
    FILE,
    MESSAGES,
    METHODS,
    PACKAGE,
    SERVICE,
    Field,
    Message,
    file_type,
)

descriptor_pb2 = need("google.protobuf.descriptor_pb2")
descriptor_pool = need("google.protobuf.descriptor_pool")
message_factory = need("google.protobuf.message_factory")
empty_pb2 = need("google.protobuf.empty_pb2")
timestamp_pb2 = need("google.protobuf.timestamp_pb2")

_Type = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bool": _Type.TYPE_BOOL,
    "bytes": _Type.TYPE_BYTES,
    "string": _Type.TYPE_STRING,
    "uint32": _Type.TYPE_UINT32,
    "uint64": _Type.TYPE_UINT64,
}
_OURS = f".{PACKAGE}."


@cache
def pool() -> Any:
    """Return the descriptor pool that has the file, what it imports, and what errors hold."""
    made = descriptor_pool.DescriptorPool()
    for known in (empty_pb2, timestamp_pb2, status_details.any_pb2):
        made.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
    made.AddSerializedFile(status_details.file_descriptor().SerializeToString())
    made.AddSerializedFile(file_descriptor().SerializeToString())
    return made


@cache
def class_of(message: str) -> Any:
    """Return the class of a message by its name in the package, or its full name."""
    name = message if message.startswith("google.") else f"{PACKAGE}.{message}"
    return message_factory.GetMessageClass(pool().FindMessageTypeByName(name))


def file_descriptor() -> Any:
    """Return the FileDescriptorProto of `nix.proto`."""
    file = descriptor_pb2.FileDescriptorProto(name=FILE, package=PACKAGE, syntax="proto3")
    file.dependency.extend([empty_pb2.DESCRIPTOR.name, timestamp_pb2.DESCRIPTOR.name])
    made: dict[str, Any] = {}
    for message in MESSAGES:
        outer, _, name = message.name.rpartition(".")
        place = made[outer].nested_type if outer else file.message_type
        made[message.name] = place.add(name=name)
    for message in MESSAGES:
        _fill(made[message.name], message)
    for numbers in ENUMERATIONS:
        enumeration = file.enum_type.add(name=numbers.name)
        for label, number in numbers.values:
            enumeration.value.add(name=label, number=number)
    service = file.service.add(name=SERVICE)
    for method in METHODS:
        service.method.add(
            name=method.name,
            input_type=_full(method.request.name),
            output_type=_full(method.reply.name),
            **({"client_streaming": True} if method.streams else {}),
        )
    return file


def _full(name: str) -> str:
    return f".{name}" if name.startswith("google.") else _OURS + name


def _fill(made: Any, message: Message) -> None:
    if message.oneof:
        made.oneof_decl.add(name=message.oneof)
    for part in message.fields:
        field = made.field.add(name=part.name, number=part.number, label=_Type.LABEL_OPTIONAL)
        kind = file_type(part)
        if part.repeated or kind.startswith("map<"):
            field.label = _Type.LABEL_REPEATED
        if kind.startswith("map<"):
            kind = _entry(made, message, part, kind.removesuffix(">").rpartition(" ")[2])
        _typed(field, kind)
        if message.oneof:
            field.oneof_index = 0


def _typed(field: Any, kind: str) -> None:
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
        return
    numbers = any(each.name == kind for each in ENUMERATIONS)
    field.type = _Type.TYPE_ENUM if numbers else _Type.TYPE_MESSAGE
    field.type_name = _full(kind)


def _entry(made: Any, message: Message, part: Field, value: str) -> str:
    """Add the message that stands for a pair of a map, and return its name."""
    name = "".join(word.title() for word in part.name.split("_")) + "Entry"
    entry = made.nested_type.add(name=name)
    entry.options.map_entry = True
    for number, (what, kind) in enumerate((("key", "string"), ("value", value)), 1):
        _typed(entry.field.add(name=what, number=number, label=_Type.LABEL_OPTIONAL), kind)
    return f"{message.name}.{name}"
