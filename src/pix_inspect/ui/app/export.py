"""What is shown, written into a file: which format, how far it has come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pix.problem import Problem
from pix_inspect.base.new_files import PRIVATE, check_target, save, suggested
from pix_inspect.base.safe_text import inert
from pix_inspect.base.units import count, size
from pix_inspect.export.printer import Printer, exported, format_of
from pix_inspect.export.recording_subset import part_of
from pix_inspect.session.session import Session
from pix_inspect.ui.widgets.path_dialog import Chosen
from pix_inspect.ui.widgets.writing import Pace

RECORDING = ".pcapng"


class Export:
    """The exchanges `shown` (None for all there are now) of a session."""

    def __init__(self, session: Session, shown: Sequence[int] | None, filtered: str) -> None:
        self._session = session
        self._numbers: Sequence[int] = range(len(session)) if shown is None else list(shown)
        which = f" of {len(session):,}, {inert(filtered, 60)}" if shown is not None else ""
        self.title = f"Export {count(len(self._numbers), 'exchange')}{which}  (.txt .jsonl .pcapng)"
        self.name = f"{suggested(session.path.name.partition('.')[0])}.jsonl"

    @staticmethod
    def check(path: Path, replace: bool) -> None:
        """Raise Problem when nothing can be written there."""
        if path.suffix != RECORDING:
            format_of(path)
        check_target(path, replace=replace)

    def write(self, chosen: Chosen, pace: Pace) -> str:
        """Write, and return what to say. Raises Problem, Stopped."""
        if chosen.path.suffix == RECORDING:
            return self._write_recording(chosen, pace)
        printer = Printer(self._session, format_of(chosen.path), redacted=chosen.switched)

        def numbers() -> Iterable[int]:
            for done, number in enumerate(self._numbers):
                if not done % 16:
                    pace.say(f"{done:,} of {len(self._numbers):,}")
                yield number

        pieces = exported(printer, numbers())
        written = save(chosen.path, pieces, mode=PRIVATE, replace=chosen.replace)
        return f"{count(len(self._numbers), 'exchange')}, {size(written)} in {chosen.path}"

    def _write_recording(self, chosen: Chosen, pace: Pace) -> str:
        """Write the connections of what is shown, whole."""
        if chosen.switched:
            raise Problem("nothing can be blanked in a recording: switch that off with ctrl+r")
        session, written = self._session, 0

        def told(more: int) -> None:
            nonlocal written
            written += more
            pace.say(size(written))

        connections = {session.row(number).connection for number in self._numbers}
        pieces = part_of(session, connections)
        save(chosen.path, pieces, mode=PRIVATE, replace=chosen.replace, told=told)
        return f"{count(len(connections), 'connection')}, {size(written)} in {chosen.path}"
