"""The manual is complete: everything declared has its place, and every link leads somewhere."""

from __future__ import annotations

from pix.codec.gates import NEWEST_MINOR, OLDEST_MINOR
from pix.codec.records import Record
from pix.protocol import OPERATIONS, STDERR_FRAMES
from pix.protocol.handshake import HELLOS
from pix.protocol.names import enumerations, records, scalars
from pix.protocol.types import FEATURES
from pix_inspect.findings.kinds import KINDS
from pix_inspect.teach.errata import DIALECTS, ERRATA, Dialect, Erratum
from pix_inspect.teach.manual.blocks import Page
from pix_inspect.teach.manual.links import Links


def anchors_of(record: Record, path: str, prefix: str) -> set[str]:
    found = {f"{path}#{prefix}{part.name}" for part in record.fields}
    if record.payload is not None:
        found.add(f"{path}#{prefix}{record.payload.name}")
    return found


def test_everything_declared_has_its_place(links: Links) -> None:
    wanted = {f"versions/1.{minor}" for minor in range(OLDEST_MINOR, NEWEST_MINOR + 1)}
    for operation in OPERATIONS.values():
        path = f"operations/{operation.name}"
        wanted.add(path)
        wanted |= anchors_of(operation.request, path, "request.")
        wanted |= anchors_of(operation.reply, path, "reply.")
    for frame in STDERR_FRAMES.values():
        wanted.add(f"frames/{frame.name}")
        wanted |= anchors_of(frame.fields, f"frames/{frame.name}", "layout.")
    for name, record in records().items():
        wanted.add(f"types/{name}")
        if not name.endswith("Hello"):
            wanted |= anchors_of(record, f"types/{name}", "layout.")
    for family, hellos in HELLOS.items():
        for hello, prefix in zip(hellos, ("request.", "reply."), strict=True):
            wanted |= anchors_of(hello, f"operations/{family.prefix}handshake", prefix)
    for name, wire in enumerations().items():
        wanted |= {f"types/{name}#{label}" for label in wire.by_label}
    assert {"ActivityType", "ResultType", "BuildStatus"} <= set(enumerations())
    wanted |= {f"types/scalars#{name}" for name in scalars()}
    wanted |= {f"features/{name}" for name in FEATURES}
    wanted |= {f"findings/findings#{name}" for name in KINDS}
    assert wanted - links.anchors == set()


def test_every_erratum_is_told_where_it_belongs(manual: list[Page], links: Links) -> None:
    text = {page.path: str(page.blocks) for page in manual}
    told: list[Erratum | Dialect] = [*ERRATA, *DIALECTS]
    for erratum in told:
        for subject in erratum.subjects:
            assert subject in links.targets, subject
            assert repr(erratum.fact)[1:-1] in text[links.targets[subject].partition("#")[0]]
