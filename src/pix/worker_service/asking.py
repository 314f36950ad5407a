"""What a method asks of an operation that is not quite it, and what it makes of the answer.

The first argument is what was asked: to ask, attributes of the operation; to tell, fields of
the message. Raises EncodeError for what cannot be asked.
"""

from __future__ import annotations

from typing import Any

from pix.codec.errors import EncodeError
from pix.codec.gates import Protocol
from pix.codec.wire import bytes_of
from pix.daemon.operations import UNLIMITED
from pix.daemon.path_names import derived_path
from pix.daemon.upload import file_contents

ALL_OUTPUTS = "!*"


def among_one(asked: dict[str, Any], protocol: Protocol) -> dict[str, Any]:
    """Ask about one path where many are asked about."""
    return {"paths": {asked["path"]}}


def whether_among(asked: dict[str, Any], reply: Any) -> dict[str, Any]:
    """Say whether the path is among those that came back."""
    return {"has_substitutes": asked["path"] in reply.paths}


def old_add(asked: dict[str, Any], protocol: Protocol) -> dict[str, Any]:
    """What is not fixed is SHA-256 of the NAR, whatever else is said."""
    if not asked["fixed"]:
        return {**asked, "recursive": True, "hash_algo": "sha256"}
    if not asked["hash_algo"]:
        raise EncodeError("hash_type", "is needed where `fixed` is set: which algorithm")
    return asked


def new_add(asked: dict[str, Any], protocol: Protocol) -> dict[str, Any]:
    """Since 1.25 a method says all of it, and flat files come as they are."""
    said = old_add(asked, protocol)
    kind = "fixed:r" if said["recursive"] else "fixed"
    dump = said["dump"] if said["recursive"] else file_contents(said["dump"])
    return {"name": said["name"], "method": f"{kind}:{said['hash_algo']}", "dump": dump}


def text_as_file(asked: dict[str, Any], protocol: Protocol) -> dict[str, Any]:
    """A text is a file that is hashed as text."""
    return {**asked, "method": "text:sha256", "dump": bytes_of(asked["dump"])}


def derived(asked: dict[str, Any], protocol: Protocol) -> dict[str, Any]:
    """What is to be built, in the words of the version; a plain derivation is all its outputs."""
    return {**asked, "paths": [_derived(path, protocol) for path in asked["paths"]]}


def _derived(text: str, protocol: Protocol) -> str:
    text = text.replace("^", "!")
    if text.endswith(".drv") and "!" not in text:
        text += ALL_OUTPUTS
    return derived_path(text, protocol)


def limited(asked: dict[str, Any], protocol: Protocol) -> dict[str, Any]:
    """A limit that is not set is 0 in a message, and is none."""
    return {**asked, "max_freed": asked["max_freed"] or UNLIMITED}


def without_ca(asked: dict[str, Any], protocol: Protocol) -> dict[str, Any]:
    """Say of each path that its content address is not known."""
    return {"paths_with_ca": dict.fromkeys(sorted(asked["paths_with_ca"]))}


def known_outputs(asked: dict[str, Any], reply: Any) -> dict[str, Any]:
    """Say the output paths that are known."""
    return {"paths": {path for path in reply.outputs.values() if path}}


def output_names(asked: dict[str, Any], reply: Any) -> dict[str, Any]:
    """Say the outputs' names."""
    return {"names": set(reply.outputs)}


def with_path(asked: dict[str, Any], reply: Any) -> dict[str, Any]:
    """Say which path it is, and whether anything is known of it."""
    return {"path": asked["path"], "is_valid": reply.info is not None}


def path_alone(asked: dict[str, Any], reply: Any) -> dict[str, Any]:
    """Say the path, which is all that the file has room for."""
    return {"path": asked["path"]}
