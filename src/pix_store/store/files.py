"""Single files and NARs: one from the other."""

from __future__ import annotations

from collections.abc import Iterable

from pix.codec.nar_files import nar_of_contents
from pix_store.store.content_address import ContentAddress, Method, file_of
from pix_store.store.hashes import sha256
from pix_store.store.path_info import PathInfo
from pix_store.store.spool import Spool
from pix_store.store.store import Store


def contents_of(store: Store, base: str) -> bytes:
    """Return the contents of a valid path that is one file. Raises Refusal."""
    with Spool() as nar:
        nar.fill(store.nar(base))
        file = file_of(nar)
        return b"".join(nar.pieces(file.offset, file.size))


def add_text(store: Store, name: str, text: bytes, references: Iterable[str]) -> str:
    """Add a text that refers to some full paths; return its path. Raises Refusal."""
    path = store.paths.text(sha256(text), name, references)
    base = store.paths.base(path)
    ca = ContentAddress(Method("text:", "sha256"), sha256(text))
    with Spool() as nar:
        nar.fill(nar_of_contents(len(text), [text]))
        bases = frozenset(map(store.paths.base, references))
        store.add(PathInfo(base, nar.sha256, nar.size, bases, ca=str(ca)), nar)
    return path
