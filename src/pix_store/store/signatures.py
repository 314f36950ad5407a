"""Who vouches for a path: public keys, signatures, and what is signed.

A key is `NAME:` and base64, and so is a signature. Source: Nix `path-info.cc` (fingerprint),
`signature/local-keys.cc`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping

from pix.codec.wire import bytes_of
from pix.serving import Refusal
from pix_store.store import ed25519
from pix_store.store.path_info import PathInfo
from pix_store.store.store_paths import StorePaths


def public_keys(words: Iterable[str]) -> dict[str, bytes]:
    """Return public keys by their names. Raises Refusal for what is not one."""
    keys = {}
    for word in words:
        name, _, text = word.partition(":")
        key = _decoded(text)
        if not name or not key:
            raise Refusal("key is corrupt")
        if len(key) != ed25519.KEY_SIZE:
            raise Refusal("public key is not valid")
        keys[name] = key
    return keys


def check_form(signatures: Iterable[str]) -> None:
    """Raise Refusal for what is not a signature."""
    for signature in signatures:
        name, _, signed = signature.partition(":")
        if not name or not _decoded(signed):
            raise Refusal("signature is corrupt")


def fingerprint(info: PathInfo, paths: StorePaths) -> str:
    """Return what is signed of a path."""
    references = ",".join(sorted(map(paths.full, info.references)))
    hashed = f"{info.nar_hash};{info.nar_size}"
    return f"1;{paths.full(info.base)};{hashed};{references}"


def vouched(info: PathInfo, paths: StorePaths, keys: Mapping[str, bytes]) -> bool:
    """Return whether a path has a signature by one of these keys."""
    signed = bytes_of(fingerprint(info, paths))
    for signature in info.sigs:
        name, _, text = signature.partition(":")
        if name in keys and ed25519.verify(keys[name], signed, _decoded(text)):
            return True
    return False


def _decoded(text: str) -> bytes:
    """Return what base64 says, nothing for what is not base64."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
