"""Whether one direction of an imported connection stops being there, rather than its side to speak.

The other goes on then as one that is asked, or answered. A relay records both directions, or says
what it could not keep, so that there it is somebody's mistake.
"""

from __future__ import annotations

from dataclasses import replace

from pix.codec.declare import STDERR_FRAMES
from pix.codec.gates import WORKER
from pix.conversation.exchange import CLIENT, DAEMON, SIDES
from pix.conversation.notes import Reason
from pix_inspect.findings.finding import Finding
from pix_inspect.findings.kinds import KINDS, OF_LAYOUT
from pix_inspect.findings.look import Look
from pix_inspect.forensics.mistakes import Proviso

LEFT = frozenset(("client-left", "daemon-left", "handshake-stalled"))
BLAMING = OF_LAYOUT - {"unknown-value"} | LEFT | {"early-answer", "stray-frame", "frames-unread"}
"""Kinds that are true only where all that was said is there."""
UNFINISHED = frozenset((Reason.NO_ANSWER, Reason.ANSWER_CUT))
ANSWERED = frozenset((Reason.ANSWERED_EARLY, Reason.FRAMES_UNREAD))
UNASKED = frozenset(
    (Reason.UNASKED, Reason.UNASKED_OUT_OF_STEP, Reason.NOT_AGREED, Reason.FRAME_CUT)
)


def without_blame(found: list[Finding], look: Look) -> list[Finding]:
    """Return what is found of an exchange, with one remark for what the recording may lack in place
    of what blames a side for it.
    """
    blaming = [each for each in found if each.kind.name in BLAMING]
    if not blaming or not look.session.made.is_import or (side := _silent(look)) is None:
        return found
    if side == DAEMON and not all(each.kind.name in LEFT for each in blaming):
        return found  # what the client said speaks for itself
    named = [each.diagnosis for each in blaming if each.diagnosis and each.diagnosis.mistake]
    why = replace(named[0], proviso=Proviso.ALL_SAID, word="") if named else None
    said = f"{look.row.name}: the {SIDES[side]} says no more, and the {SIDES[1 - side]} goes on"
    remark = replace(blaming[0], kind=KINDS["half-recorded"], said=said, diagnosis=why)
    return [*(each for each in found if each not in blaming), remark]


def _silent(look: Look) -> int | None:
    """Return the side of which nothing more is there while the other goes on all the same."""
    spoke = look.session.connections[look.row.connection].spoke
    is_heard = look.session.made.timeless and _is_over(look)
    if spoke[DAEMON] > spoke[CLIENT] or is_heard or _is_half_a_number_left(look):
        return CLIENT if _is_answered(look, spoke[CLIENT]) else None
    return DAEMON if _is_left_behind(look) else None


def _is_over(look: Look) -> bool:
    """Whether a daemon ended a handshake, as it does once it has heard all of its client's part."""
    exchange = look.view.exchange
    return look.row.kind == "handshake" and exchange is not None and exchange.settled


def _is_answered(look: Look, last: int) -> bool:
    """Whether the daemon answers what is not there, or not whole, behind the client's last byte."""
    row, reasons = look.row, look.reasons
    if row.kind == "operation":
        is_cut = Reason.REQUEST_CUT in reasons
        is_heard = row.state == "error" or (is_cut and Reason.ANSWER_CUT in reasons)
        if not (is_cut or row.took is None) or not (is_heard or reasons & ANSWERED):
            return False
        asking, answering = look.view.kept
        end = look.view.span(DAEMON)[1]
        return asking.position(asking.end) < answering.position(end - 1)
    if row.kind == "handshake":
        return any(n.reason is Reason.HANDSHAKE_CUT and n.side == CLIENT for n in look.notes)
    if row.kind == "opaque" and reasons.isdisjoint(UNASKED):
        return False
    head = look.view.kept[DAEMON].first(row.daemon_start, row.daemon_start + 8)
    is_later = row.started > last or _is_half_a_number_left(look)
    family = look.session.connections[row.connection].family or WORKER
    frame = int.from_bytes(head, "little")
    is_answer = not family.has_log or frame in STDERR_FRAMES or len(head) < 8
    return is_later and is_answer


def _is_half_a_number_left(look: Look) -> bool:
    """Whether all that the client says behind an exchange is less than a number; where times are
    made up, that may stand behind answers to it.
    """
    behind = look.row
    if not look.session.made.timeless:
        return False
    while (number := look.around.behind(behind)) is not None:
        behind = look.session.row(number)
        if behind.client_start >= 0:
            return any(n.reason is Reason.NUMBER_CUT for n in look.session.remarks(number))
    return False


def _is_left_behind(look: Look) -> bool:
    """Whether the client asks on, one question behind the other, though none is answered."""
    row = look.row
    if row.kind == "handshake":
        return (
            Reason.HANDSHAKE_OPAQUE not in look.reasons
            and look.session.connections[row.connection].exchanges > 1
        )
    if look.reasons.isdisjoint(UNFINISHED):
        return False
    beside = (look.around.before(row), look.around.behind(row))
    others = [look.session.row(each) for each in beside if each is not None]
    return any(
        other.started != row.started
        and not UNFINISHED.isdisjoint(n.reason for n in look.session.remarks(other.number - 1))
        for other in others
    )
