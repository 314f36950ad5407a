"""Line feeds that became CR LF on the way, as a terminal or a text-mode pipe makes them.

Neither side errs then: it is tried whether what a side said fits without each CR before an LF.
What really holds CR LF fits as it is; and where one LF stands bare, nothing changes line ends.
"""

from __future__ import annotations

import re
from dataclasses import replace

from pix.codec.errors import Truncated
from pix.codec.values import Tree, tree
from pix.codec.wire import Wire
from pix.conversation.exchange import CLIENT, SIDES
from pix_inspect.base.units import count
from pix_inspect.forensics.messages import (
    MOST_MISSING,
    Answers,
    Requests,
    is_likely,
    is_regular,
)
from pix_inspect.forensics.mistakes import Diagnosis, Mistake
from pix_inspect.forensics.rules import Case, operation_of, title_of
from pix_inspect.session.exchange_view import ExchangeView

_BARE = re.compile(rb"(?<!\r)\n")
_LINE_END = b"\r\n"


def line_ends(case: Case) -> Diagnosis | None:
    """The oldest request or answer that fits without the CR before each LF."""
    sides = (case.side, 1 - case.side)
    found = (_restored(view, side, case) for side in sides for view in reversed(case.suspects))
    return next(filter(None, found), None)


def _restored(view: ExchangeView, side: int, case: Case) -> Diagnosis | None:
    exchange = view.exchange
    start = None if exchange is None else (exchange.start, exchange.daemon_start)[side]
    turn = case.turns.at(side, start) if start is not None else None
    if turn is None or start is None:
        return None
    data, protocol = bytes(turn.data[start - turn.start :]), view.protocol or case.protocol
    first = data.find(_LINE_END)
    said = (each.data for each in case.turns.all if each.side == side)
    if first < 0 or any(map(_BARE.search, said)):
        return None
    later = [each for each in reversed(case.suspects) if each.row.number >= view.row.number]
    asked = list(filter(None, map(operation_of, later)))
    wire: Wire = Requests() if side == CLIENT else Answers(asked)
    is_open = not turn.whole or turn is case.turns.all[-1]
    restored = data.replace(_LINE_END, b"\n")
    if _fits(tree(wire, data, protocol), first, is_open):
        return None
    if not _fits(tree(wire, restored, protocol), first, is_open):
        return None
    lines = count(len(data) - len(restored), "line feed")
    place = f"the {SIDES[side]}'s byte {start + first:,}"
    said_in = title_of(view) if side == CLIENT else f"the answer to {title_of(view)}"
    where = f"{said_in}: a CR stands before {lines}, first at {place}"
    return Diagnosis(Mistake.LINE_ENDS, where, evidence=("without them all of it fits",))


def _fits(found: Tree, first: int, is_open: bool) -> bool:
    """Whether all is regular and likely; what is open may break off behind a whole message."""
    if found.error is not None:
        if not (is_open and isinstance(found.error, Truncated)):
            return False
        whole = [node for node in found.nodes if node.end is not None]
        if found.error.missing >= MOST_MISSING or not whole or (whole[-1].end or 0) <= first:
            return False
        found = replace(found, nodes=whole, error=None)
    return is_regular(found) and is_likely(found)
