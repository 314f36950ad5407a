"""Rows in a tree of which parts are open: which row is the n-th line, and where a row is.

Only open rows are objects here; the children of a list of a million paths are counted, not
made. Long lists are shown a page at a time, behind which a line says how many more there
are. What is open is known by path, so that the tree of an exchange that grows can be put in
the place of the one before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from pix.dataclass import dataclass, field
from pix.untrusted import natural
from pix_inspect.describe.field_rows import FieldRow

PAGE = 200
"""Rows of a long list that are shown at once."""

SMALL_LIST = 8
ROOMY = 40
"""What is opened by itself: parts and records, while all of it has about so many lines."""

Path = tuple[int, ...]


@dataclass(slots=True)
class Branch:
    """An open row: its children, how many are shown, which of them are open themselves."""

    children: Sequence[FieldRow]
    shown: int
    opened: dict[int, Branch] = field(default_factory=dict)

    @classmethod
    def of(cls, children: Sequence[FieldRow]) -> Branch:
        """Return a branch that shows the first page."""
        return cls(children, min(len(children), PAGE))

    @property
    def lines(self) -> int:
        """The lines below the row."""
        more = 1 if self.shown < len(self.children) else 0
        return self.shown + more + sum(branch.lines for branch in self._visible())

    def _visible(self) -> Iterator[Branch]:
        return (branch for i, branch in self.opened.items() if i < self.shown)


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a row and its path, or (with `row` None) what stands for `more` rows."""

    path: Path
    row: FieldRow | None
    opened: bool = False
    more: int = 0


class Outline:
    """The lines of a tree."""

    def __init__(self, rows: Sequence[FieldRow] = ()) -> None:
        self.root = Branch(rows, len(rows))

    def __len__(self) -> int:
        return self.root.lines

    def line(self, number: int) -> Line:
        """Return a line. Raises IndexError."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        branch = self.root
        path: Path = ()
        while True:
            index, rest = self._within(branch, number)
            if index >= branch.shown:
                return Line((*path, branch.shown), None, more=len(branch.children) - branch.shown)
            path = (*path, index)
            if rest == 0:
                return Line(path, branch.children[index], index in branch.opened)
            branch = branch.opened[index]
            number = rest - 1

    @staticmethod
    def _within(branch: Branch, number: int) -> tuple[int, int]:
        """Return which child a line belongs to, and its number counted from that child's."""
        passed = 0
        for index in sorted(branch.opened):
            if index >= branch.shown:
                break
            at = index + passed
            if number <= at:
                break
            below = branch.opened[index].lines
            if number <= at + below:
                return index, number - at
            passed += below
        return number - passed, 0

    def find(self, path: Path) -> int:
        """Return the line of a path, that of the nearest visible row above when it is hidden."""
        branch = self.root
        number = -1
        for index in path:
            if index >= branch.shown:
                break
            number += 1 + index
            number += sum(b.lines for i, b in branch.opened.items() if i < index)
            below = branch.opened.get(index)
            if below is None:
                break
            branch = below
        return max(number, 0)

    def branch(self, path: Path) -> Branch | None:
        """Return the branch of an open row."""
        branch: Branch | None = self.root
        for index in path:
            branch = branch.opened.get(index) if branch is not None else None
        return branch

    def row(self, path: Path) -> FieldRow | None:
        """Return the row at a path, whether or not it is visible."""
        children: Sequence[FieldRow] = self.root.children
        row: FieldRow | None = None
        for index in path:
            if not 0 <= index < len(children):
                return None
            row = children[index]
            children = row.children
        return row

    def rows(self, path: Path) -> list[FieldRow]:
        """Return the rows from the top down to a path."""
        found = (self.row(path[:depth]) for depth in range(1, len(path) + 1))
        return [row for row in found if row is not None]

    # Opening and closing ----------------------------------------------------------------

    def open(self, path: Path) -> bool:
        """Open a row and all rows above it; return whether anything changed."""
        changed = False
        branch = self.root
        for index in path:
            if index >= len(branch.children):
                return changed
            if index >= branch.shown:
                branch.shown = min(len(branch.children), (index // PAGE + 1) * PAGE)
                changed = True
            below = branch.opened.get(index)
            if below is None:
                row = branch.children[index]
                if not row.has_children:
                    return changed
                below = branch.opened[index] = Branch.of(row.children)
                changed = True
            branch = below
        return changed

    def reveal(self, path: Path) -> None:
        """Make the row at a path visible."""
        self.open(path[:-1])
        branch = self.branch(path[:-1])
        if branch is not None and path and path[-1] >= branch.shown:
            branch.shown = min(len(branch.children), (path[-1] // PAGE + 1) * PAGE)

    def close(self, path: Path) -> bool:
        """Close a row; return whether it was open."""
        above = self.branch(path[:-1])
        return above is not None and above.opened.pop(path[-1], None) is not None

    def more(self, path: Path) -> None:
        """Show the next page of the list in which a path stands."""
        branch = self.branch(path[:-1])
        if branch is not None:
            branch.shown = min(len(branch.children), branch.shown + PAGE)

    def open_all(self, path: Path, most: int = 2000) -> None:
        """Open a row with everything below it, as far as `most` lines go."""
        self.open(path)
        waiting = [path]
        while waiting and len(self) < most:
            at = waiting.pop(0)
            branch = self.branch(at)
            if branch is None:
                continue
            for index in range(branch.shown):
                if branch.children[index].has_children:
                    self.open((*at, index))
                    waiting.append((*at, index))
                    if len(self) >= most:
                        return

    def open_usual(self) -> None:
        """Open parts and records from the top down while there is room, but no long lists."""
        waiting: list[Path] = [(index,) for index in range(len(self.root.children))]
        while waiting:
            path = waiting.pop(0)
            row = self.row(path)
            if row is None or not row.has_children:
                continue
            children = row.children
            if len(self) + len(children) > ROOMY or _is_long(row, children):
                continue
            self.open(path)
            waiting += [(*path, index) for index in range(len(children))]

    # The same shape for other rows ------------------------------------------------------

    def shape(self) -> dict[tuple[str, ...], int]:
        """Return what is open: label paths, and how many rows each shows."""
        found: dict[tuple[str, ...], int] = {}
        waiting: list[tuple[tuple[str, ...], Branch]] = [((), self.root)]
        while waiting:
            labels, branch = waiting.pop()
            for index, below in branch.opened.items():
                path = (*labels, branch.children[index].label)
                found[path] = below.shown
                waiting.append((path, below))
        return found

    def take_shape(self, shape: dict[tuple[str, ...], int]) -> None:
        """Open what a shape says, as far as it is here."""
        waiting: list[tuple[tuple[str, ...], Path]] = [((), ())]
        while waiting:
            labels, path = waiting.pop()
            branch = self.branch(path)
            if branch is None:
                continue
            wanted = {key[-1] for key in shape if key[:-1] == labels}
            for index in range(branch.shown) if wanted else ():
                label = branch.children[index].label
                if label in wanted and branch.children[index].has_children:
                    self.open((*path, index))
                    below = self.branch((*path, index))
                    key = (*labels, label)
                    if below is not None:
                        below.shown = min(len(below.children), max(below.shown, shape[key]))
                    waiting.append((key, (*path, index)))

    def labels(self, path: Path) -> tuple[str, ...]:
        """Return the labels from the top down to a path."""
        return tuple(row.label for row in self.rows(path))

    def at_labels(self, labels: tuple[str, ...]) -> Path:
        """Return the path of the row with these labels, as far down as it is here."""
        path: Path = ()
        children: Sequence[FieldRow] = self.root.children
        for label in labels:
            index = next(
                (i for i in range(min(len(children), PAGE)) if children[i].label == label), None
            )
            if index is None:
                index = natural(label)
            if index is None or index >= len(children):
                break
            path = (*path, index)
            children = children[index].children
        return path

    # Bytes ------------------------------------------------------------------------------

    def at_byte(self, side: int, offset: int) -> Path:
        """Return the path of the innermost row that holds a byte; () when none does."""
        path: Path = ()
        children: Sequence[FieldRow] = self.root.children
        while True:
            index = _holding(children, side, offset)
            if index is None:
                return path
            path = (*path, index)
            children = children[index].children


def _is_long(row: FieldRow, children: Sequence[FieldRow]) -> bool:
    return len(children) > SMALL_LIST and (row.kind == "field" or row.label == "log")


def _holding(children: Sequence[FieldRow], side: int, offset: int) -> int | None:
    """Return the child that holds a byte; long lists are in the order of their bytes."""
    if len(children) > 2 * PAGE:
        index = bisect_right(children, offset, key=lambda row: row.start) - 1
        return index if index >= 0 and _holds(children[index], side, offset) else None
    found: int | None = None
    for index, row in enumerate(children):
        # a payload's stretch may lie around others: the shortest that holds the byte is meant
        if _holds(row, side, offset) and (
            found is None or _length(row) <= _length(children[found])
        ):
            found = index
    return found


def _holds(row: FieldRow, side: int, offset: int) -> bool:
    return row.side == side and row.start <= offset < row.end


def _length(row: FieldRow) -> int:
    return row.end - row.start
