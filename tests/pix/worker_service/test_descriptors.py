"""Our descriptors are those that protoc makes of the shared file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2

from pix.worker_service.descriptors import class_of, file_descriptor
from pix.worker_service.methods import ENUMERATIONS, MESSAGES, METHODS
from tests.support.worker_service import protoc_made


@pytest.fixture
def theirs(tmp_path: Path) -> Any:
    protoc_made(tmp_path, "--descriptor_set_out=OUT/set")
    files = descriptor_pb2.FileDescriptorSet.FromString((tmp_path / "set").read_bytes()).file
    assert len(files) == 1
    for message in files[0].message_type:
        _without_json_names(message)
    return files[0]


def _without_json_names(message: Any) -> None:
    """Protoc writes down what follows from the names."""
    for field in message.field:
        field.ClearField("json_name")
    for nested in message.nested_type:
        _without_json_names(nested)


def test_each_descriptor_is_that_of_protoc(theirs: Any) -> None:
    ours = file_descriptor()
    for kind in ("message_type", "enum_type", "service"):
        pairs = list(zip(getattr(theirs, kind), getattr(ours, kind), strict=True))
        assert pairs
        for expected, made in pairs:
            assert made == expected, expected.name
    assert ours == theirs
    assert len(theirs.service[0].method) == len(METHODS) == 29
    assert len(theirs.enum_type) == len(ENUMERATIONS)
    nested = sum(message.name.count(".") for message in MESSAGES)
    assert len(theirs.message_type) == len(MESSAGES) - nested


def test_a_message_is_written_and_read() -> None:
    message = class_of("PathInfo")(nar_hash=b"\1\2", is_valid=True)
    message.path.path = "/nix/store/x"
    again = class_of("PathInfo").FromString(message.SerializeToString())
    assert again == message
    assert again.SerializeToString() == b"\x12\x02\x01\x02H\x01R\x0e\x0a\x0c/nix/store/x"
