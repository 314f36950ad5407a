"""Requests that come as a stream: a first message that says what, then pieces of the payload.

A piece is asked for when the one before it was passed on, so that of an upload of any size only
a message or two are held.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pix.codec.errors import EncodeError
from pix.worker_service.descriptors import class_of
from pix.worker_service.extra import need
from pix.worker_service.messages import read
from pix.worker_service.methods import Message, Method, Values

protobuf = need("google.protobuf.message")


def parsed(layout: Message, data: bytes) -> Any:
    """Return the message that bytes are. Raises EncodeError."""
    try:
        return class_of(layout.name).FromString(data)
    except protobuf.DecodeError:
        raise EncodeError(layout.name, "these bytes are not such a message") from None


def opened(method: Method, messages: Iterator[bytes]) -> tuple[Values, Iterator[bytes]]:
    """Return what the first message of a stream says, and the payload behind it.

    Raises EncodeError, the payload too, for messages of the wrong kind.
    """
    first, piece = method.request.fields
    data = next(messages, None)
    message = None if data is None else parsed(method.request, data)
    if message is None or message.WhichOneof(method.request.oneof) != first.name:
        raise EncodeError(method.request.name, f"the first message has to be `{first.name}`")
    return read(method.head, getattr(message, first.name)), _pieces(method, piece.name, messages)


def _pieces(method: Method, name: str, messages: Iterator[bytes]) -> Iterator[bytes]:
    for data in messages:
        message = parsed(method.request, data)
        if message.WhichOneof(method.request.oneof) != name:
            raise EncodeError(method.request.name, f"each message but the first is `{name}`")
        yield getattr(message, name)
