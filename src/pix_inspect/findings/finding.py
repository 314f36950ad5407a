"""One finding: what is irregular, where, and what to do about it."""

from __future__ import annotations

from typing import Any

from pix.conversation.exchange import SIDES
from pix.dataclass import dataclass
from pix_inspect.base.safe_text import inert
from pix_inspect.findings.kinds import GRADES, KINDS, Grade, Kind
from pix_inspect.forensics.mistakes import Diagnosis, Mistake


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding and its place.

    `exchange` is the number of the exchange, `offset` stands in the stream of `side`, `field`
    is a path such as `request.info.ca`; None and empty where there is no such place. `said` is
    what is the case here, inert; `diagnosis` what explains it.
    """

    kind: Kind
    exchange: int
    connection: int
    said: str = ""
    side: int | None = None
    offset: int | None = None
    field: str = ""
    diagnosis: Diagnosis | None = None

    @property
    def grade(self) -> Grade:
        return self.kind.grade

    @property
    def place(self) -> str:
        """The place in words: `#12, client's byte 4,096, request.path`."""
        words = [f"#{self.exchange}"]
        if self.side is not None and self.offset is not None:
            words.append(f"{SIDES[self.side]}'s byte {self.offset:,}")
        if self.field:
            words.append(inert(self.field, 120))
        return ", ".join(words)

    @property
    def mistake(self) -> Mistake | None:
        """The known mistake that explains it."""
        return self.diagnosis.mistake if self.diagnosis is not None else None

    @property
    def explanation(self) -> tuple[str, ...]:
        """What explains it, in lines of text."""
        return self.diagnosis.lines if self.diagnosis is not None else ()

    def as_json(self) -> dict[str, Any]:
        """Return the finding as JSON."""
        return {
            "finding": self.kind.name,
            "grade": self.grade,
            "exchange": self.exchange,
            "connection": self.connection,
            "side": None if self.side is None else SIDES[self.side],
            "offset": self.offset,
            "field": self.field or None,
            "what": self.kind.what,
            "said": self.said,
            "diagnosis": list(self.explanation),
            "mistakes": [self.mistake.label] if self.mistake is not None else [],
            "why": self.kind.why,
            "advice": self.kind.advice,
            "source": self.kind.source or None,
        }


def sorted_by_grade(found: list[Finding]) -> list[Finding]:
    """Return findings with the gravest first, those of one kind together, in order of place."""
    kinds = list(KINDS)
    return sorted(
        found,
        key=lambda f: (-GRADES.index(f.grade), kinds.index(f.kind.name), f.exchange),
    )
