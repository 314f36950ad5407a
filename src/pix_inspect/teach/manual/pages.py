"""All pages of the manual: the chapters, and one page for everything that is declared.

Layouts, gates, lives and docs come from the declarations; bytes and pictures from the
bundled recordings, read when the pages are made.
"""

from __future__ import annotations

from collections.abc import Iterator

from pix.codec.gates import FAMILIES, RELEASES, SERVE, WORKER, Family, Protocol
from pix.codec.records import Record
from pix.protocol import OPERATIONS, STDERR_FRAMES, Frame, Operation
from pix.protocol.handshake import HELLOS
from pix.protocol.names import enumerations, records, scalars
from pix.protocol.types import FEATURES
from pix_inspect.findings.kinds import KINDS
from pix_inspect.forensics.mistakes import Mistake
from pix_inspect.teach.bundled import senders
from pix_inspect.teach.entries import NAMED_WHEN, UNKNOWN_LAYOUT, Entry, Table, entry, spoken_by
from pix_inspect.teach.errata import ERRATA, about
from pix_inspect.teach.manual.blocks import (
    Asked,
    Block,
    Bullets,
    Chapter,
    Example,
    Exercise,
    Facts,
    Grid,
    Heading,
    Page,
    Prose,
)
from pix_inspect.teach.manual.chapters import CHAPTERS
from pix_inspect.teach.manual.layouts import DAEMONS, ages, changes, pairs, releases
from pix_inspect.teach.manual.specimens import Specimens

IN_ORDER = "Fields, in wire order"


def pages(specimens: Specimens) -> list[Page]:
    """Return every page, the front page first."""
    found = list(_all(specimens))
    return [_front(found), *found]


def _all(specimens: Specimens) -> Iterator[Page]:
    for chapter in CHAPTERS:
        yield _chapter(chapter, specimens)
    yield _errata()
    for family in FAMILIES:
        yield _handshake(family, specimens)
    for operation in OPERATIONS.values():
        yield _operation(operation, specimens)
    for frame in STDERR_FRAMES.values():
        yield _frame(frame, specimens)
    for name, record in records().items():
        yield _record(name, record, specimens)
    for name in enumerations():
        yield _enumeration(name, specimens)
    yield _scalars()
    for name in FEATURES:
        yield _feature(name)
    yield _versions()
    for family in FAMILIES:
        for minor in range(family.oldest, family.newest + 1):
            yield _version(Protocol(minor, family=family))
    yield _findings()


def _grid(title: str, table: Table, prefix: str) -> Grid:
    anchors: list[str] = []
    for row in table.rows:
        anchor = f"{prefix}{row[0]}"
        # a payload has a row for each way it is carried
        anchors.append("" if anchor in anchors else anchor)
    return Grid(title, table.heads, list(table.rows), anchors, names=(0, 1))


def _errors_of(*names: str) -> Iterator[Block]:
    wrong = list(dict.fromkeys(erratum for name in names for erratum in about(name)))
    if wrong:
        yield Heading("Where documents are wrong", "documents")
        yield Bullets(tuple(each.text for each in wrong))


def _notes(found: Entry) -> Iterator[Block]:
    if found.notes:
        yield Heading("To know", "notes")
        yield Bullets(found.notes)


def _ages(
    sides: tuple[tuple[str, Record], ...], family: Family = WORKER, introduced: int = 0
) -> Iterator[Block]:
    """Yield the table of what is on the wire in which versions."""
    named = [(title, record) for title, record in sides if record.fields or record.payload]
    if not named:
        return
    yield Heading("On the wire, version by version", "versions")
    found = ages([record for _, record in named], family, introduced)
    if len(found) == 1:
        yield Prose(f"The same from {found[0].text}, without features.")
        return
    rows = [
        (age.text, releases(age), *said) for age, said in zip(found, changes(found), strict=True)
    ]
    heads = ("protocol", "releases", *(title for title, _ in named))
    yield Grid("Fields by negotiated version, without features", heads, rows, names=())


def _operation(operation: Operation, specimens: Specimens) -> Page:
    found = entry(operation.name)
    blocks: list[Block] = [Facts(tuple(found.facts))]
    for title, table in found.tables:
        caption = f"Fields of the {title}, in wire order"
        blocks += [Heading(title.capitalize(), title), _grid(caption, table, f"{title}.")]
    if not found.tables:
        blocks.append(Prose("No fields in either direction."))
    sides = (("request", operation.request), ("reply", operation.reply))
    blocks += _ages(sides, operation.family, operation.life.introduced.minor or 0)
    blocks += _notes(found)
    blocks += _errors_of(operation.name)
    blocks += specimens.shown(operation.name, picture=True)
    seen = senders().get(operation.name)
    if seen:
        blocks.append(Heading("Who sends it", "senders"))
        blocks.append(Prose("In the bundled recordings, with the protocol that was spoken:"))
        blocks.append(Bullets(tuple(f"`{each}`" for each in seen)))
    return Page(
        f"operations/{operation.name}",
        f"{operation.name} ({operation.number})",
        "operation",
        operation.doc,
        blocks,
        (operation.name,),
    )


def _frame(frame: Frame, specimens: Specimens) -> Page:
    found = entry(frame.name)
    blocks: list[Block] = [Facts(tuple(found.facts))]
    for title, table in found.tables:
        blocks += [Heading(title.capitalize(), "layout"), _grid(IN_ORDER, table, "layout.")]
    blocks += _ages((("fields", frame.fields),))
    blocks += [*_notes(found), *_errors_of(frame.name), *specimens.shown(frame.name)]
    names = (frame.name, frame.fields.name)
    return Page(f"frames/{frame.name}", frame.name, "STDERR frame", frame.doc, blocks, names)


def _handshake(family: Family, specimens: Specimens) -> Page:
    name = f"{family.prefix}handshake"
    found = entry(name)
    blocks: list[Block] = [Facts(tuple(found.facts))]
    for (title, table), prefix in zip(found.tables, ("request.", "reply."), strict=True):
        blocks += [Heading(title.capitalize(), prefix[:-1]), _grid(IN_ORDER, table, prefix)]
    blocks += _ages(tuple(zip(("client", "daemon"), HELLOS[family], strict=True)), family)
    blocks += [*_notes(found), *_errors_of(name)]
    blocks += specimens.shown(name, picture=True)
    names = (name, *(f"{family.prefix}{side} hello" for side in ("client", "daemon")))
    title = "The handshake" if family is WORKER else f"The handshake of the {family} protocol"
    return Page(f"operations/{name}", title, "handshake", found.summary, blocks, names)


def _record(name: str, record: Record, specimens: Specimens) -> Page:
    found = entry(name)
    blocks: list[Block] = [Facts(tuple(found.facts))] if found.facts else []
    for _, table in found.tables:
        blocks += [Heading("Layout", "layout"), _grid(IN_ORDER, table, "layout.")]
    blocks += _ages((("fields", record),), SERVE if name.startswith(SERVE.prefix) else WORKER)
    blocks += [*_notes(found), *_errors_of(name), *specimens.shown(name)]
    return Page(f"types/{name}", name, "type", found.summary, blocks, (name,))


def _enumeration(name: str, specimens: Specimens) -> Page:
    found = entry(name)
    ((_, table),) = found.tables
    anchors = [row[1] for row in table.rows]
    blocks: list[Block] = [
        Heading("Values", "values"),
        Grid("values", table.heads, list(table.rows), anchors, names=(1,)),
    ]
    blocks += [*_notes(found), *_errors_of(name), *specimens.shown(name)]
    return Page(f"types/{name}", name, "enumeration", found.summary, blocks, (name,))


def _scalars() -> Page:
    rows = [(name, wire.doc) for name, wire in sorted(scalars().items())]
    blocks: list[Block] = [
        Grid("Words and strings", ("type", "meaning"), rows, [name for name, _ in rows])
    ]
    blocks += _errors_of(*scalars())
    return Page(
        "types/scalars", "Words and strings", "types", "Types that hold no others.", blocks,
        anchored=tuple(scalars()),
    )  # fmt: skip


def _feature(name: str) -> Page:
    found = entry(name)
    blocks: list[Block] = [Facts(tuple(found.facts))]
    blocks += [_grid(title, table, "field.") for title, table in found.tables]
    return Page(f"features/{name}", name, "feature", found.summary, blocks, (name,))


def _versions() -> Page:
    rows = [
        (family.version(minor), text)
        for family, known in RELEASES.items()
        for minor, text in sorted(known.items())
    ]
    matrix = [(name, *spoken) for name, spoken in pairs()]
    blocks: list[Block] = [
        Prose("What is on the wire depends on the smaller of both sides' versions."),
        Heading("Releases", "releases"),
        Grid("Which releases speak what", ("protocol", "releases"), rows, names=()),
        Heading("Client and daemon", "pairs"),
        Grid(
            "What a client (down) speaks with a daemon (across)",
            ("client", *(name for name, _ in DAEMONS)),
            matrix,
            names=(),
        ),
    ]
    blocks += [
        Heading("Features", "features"),
        Grid(
            "Feature strings of the handshake at 1.38",
            ("feature", "offered by", "changes"),
            [(name, feature.offered, feature.doc) for name, feature in FEATURES.items()],
        ),
    ]
    return Page(
        "versions/versions", "Versions and features", "versions",
        "Which release speaks what, and what two of them speak with each other.", blocks,
    )  # fmt: skip


def _version(version: Protocol) -> Page:
    name = version.text
    found = entry(name)
    blocks: list[Block] = [Facts(tuple(found.facts))]
    blocks += [Grid(title, t.heads, list(t.rows), names=(0, 1)) for title, t in found.tables]
    blocks += [*([Bullets(found.notes)] if found.notes else []), *_errors_of(name)]
    title = f"Protocol {name}"
    summary = f"What {name} changed. {spoken_by(version)}"
    return Page(f"versions/{name}", title, "version", summary, blocks, (name,))


def _findings() -> Page:
    heads = ("finding", "grade", "what", "means", "needs", "what to do")
    rows = [(k.name, k.grade, k.what, k.why, k.evidence, k.advice) for k in KINDS.values()]
    mistakes = [(each.label, each.what, each.source) for each in Mistake]
    blocks: list[Block] = [
        Prose(UNKNOWN_LAYOUT),
        Grid("Findings", heads, rows, list(KINDS)),
        Heading("Mistakes", "mistakes"),
        Prose(NAMED_WHEN),
        Grid("Mistakes of implementations", ("mistake", "what", "met in"), mistakes, names=()),
    ]
    return Page(
        "findings/findings", "Findings and mistakes", "findings",
        "What `check` says of a recording, which evidence that needs, and what to do.", blocks,
        anchored=tuple(KINDS),
    )  # fmt: skip


def _chapter(chapter: Chapter, specimens: Specimens) -> Page:
    blocks: list[Block] = []
    for part in chapter.parts:
        match part:
            case Example():
                blocks += specimens.shown(part.of, picture=part.picture, heading=False)
            case Asked():
                blocks.append(specimens.asked(part.recording))
            case Exercise():
                blocks.append(specimens.answered(part))
            case _:
                blocks.append(part)
    return Page(f"chapters/{chapter.name}", chapter.title, "chapter", chapter.summary, blocks)


def _errata() -> Page:
    rows = [(", ".join(e.subjects), e.document, e.claim, e.fact) for e in ERRATA]
    blocks: list[Block] = [
        Grid(
            "Documents and what holds",
            ("about", "document", "says", "real Nix"),
            rows,
            names=(),
        )
    ]
    return Page(
        "chapters/documents", "Where documents are wrong", "chapter",
        "Claims of other documents that real Nix does not bear out.", blocks,
    )  # fmt: skip


def _front(found: list[Page]) -> Page:
    kinds = {
        "chapter": "Chapters",
        "handshake": "Handshake",
        "operation": "Operations",
        "STDERR frame": "STDERR frames",
        "type": "Record types",
        "enumeration": "Enumerations",
        "types": "Words and strings",
        "feature": "Features",
        "versions": "Versions",
        "version": "Versions, one by one",
        "findings": "Findings",
    }
    blocks: list[Block] = [
        Prose(
            "The protocol between Nix clients and the nix-daemon, 1.10 to 1.38 and its features, "
            "and the one of `nix-store --serve`, 2.0 to 2.8, "
            "from the declarations that `pix-inspect` decodes with. Every example is a recorded "
            "exchange of real Nix, decoded when this manual was made."
        )
    ]
    for kind, title in kinds.items():
        members = [page for page in found if page.kind == kind]
        blocks.append(Heading(title, kind.replace(" ", "-").lower()))
        rows = [(page.names[0] if page.names else page.title, page.summary) for page in members]
        targets = [page.path for page in members]
        blocks.append(Grid(title, ("name", "what"), rows, names=(), targets=targets))
    return Page("index", "The Nix daemon protocol", "front", "A manual and reference.", blocks)
