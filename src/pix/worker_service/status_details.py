"""What an error of the daemon says, as `grpc-status-details-bin` carries it.

The value is a google.rpc.Status with one google.rpc.DebugInfo: `detail` is the message,
`stack_entries` are the traces, innermost first. Source: google/rpc/status.proto,
google/rpc/error_details.proto, of which these are the fields that we use.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from pix.worker_service.extra import need

descriptor_pb2 = need("google.protobuf.descriptor_pb2")
descriptor_pool = need("google.protobuf.descriptor_pool")
message_factory = need("google.protobuf.message_factory")
any_pb2 = need("google.protobuf.any_pb2")
message = need("google.protobuf.message")

KEY = "grpc-status-details-bin"
MOST = 2560
"""Bytes: with the rest of what ends a call they have to fit the 8 KiB that clients take."""

_PREFIX = "type.googleapis.com/"
_Type = descriptor_pb2.FieldDescriptorProto
_ANY = ".google.protobuf.Any"
_MESSAGES = {
    "Status": (
        (1, "code", _Type.TYPE_INT32, False),
        (2, "message", _Type.TYPE_STRING, False),
        (3, "details", _Type.TYPE_MESSAGE, True),
    ),
    "DebugInfo": (
        (1, "stack_entries", _Type.TYPE_STRING, True),
        (2, "detail", _Type.TYPE_STRING, False),
    ),
}


def file_descriptor() -> Any:
    """Return the FileDescriptorProto of what is used of google.rpc."""
    file = descriptor_pb2.FileDescriptorProto(
        name="google/rpc/details.proto", package="google.rpc", syntax="proto3"
    )
    file.dependency.append(any_pb2.DESCRIPTOR.name)
    for known, fields in _MESSAGES.items():
        made = file.message_type.add(name=known)
        for number, field, kind, repeated in fields:
            label = _Type.LABEL_REPEATED if repeated else _Type.LABEL_OPTIONAL
            part = made.field.add(name=field, number=number, type=kind, label=label)
            if kind == _Type.TYPE_MESSAGE:
                part.type_name = _ANY
    return file


@cache
def _class_of(name: str) -> Any:
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(any_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file_descriptor().SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"google.rpc.{name}"))


def written(code: int, text: str, traces: Sequence[str]) -> bytes:
    """Return the value, of at most MOST bytes: what is too much is cut, the last traces first."""
    info = _class_of("DebugInfo")(detail=_cut(text, MOST // 2))
    status = _class_of("Status")(code=code, message=_cut(text, MOST // 8))
    room = MOST - info.ByteSize() - status.ByteSize() - 100
    for trace in traces:
        trace = _cut(trace, MOST // 4)
        room -= len(trace.encode()) + 4
        if room < 0:
            break
        info.stack_entries.append(trace)
    status.details.add(type_url=f"{_PREFIX}google.rpc.DebugInfo", value=info.SerializeToString())
    found: bytes = status.SerializeToString()
    return found


def read(value: bytes) -> tuple[str, tuple[str, ...]]:
    """Return the message and the traces in a value; nothing where it has none."""
    try:
        for detail in _class_of("Status").FromString(value).details:
            if detail.type_url == f"{_PREFIX}google.rpc.DebugInfo":
                info = _class_of("DebugInfo").FromString(detail.value)
                return info.detail, tuple(info.stack_entries)
    except message.DecodeError:
        pass
    return "", ()


def _cut(text: str, most: int) -> str:
    raw = text.encode("utf-8", "replace")
    return raw[:most].decode("utf-8", "ignore") + ("…" if len(raw) > most else "")
