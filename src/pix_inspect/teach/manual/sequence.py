"""A picture of an exchange: who says what when, as a sequence diagram in SVG.

Made from a recorded exchange; time goes down, but not to scale. Colours come from the page
where it is embedded, and are plain where it stands alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from pix.codec.gates import WORKER
from pix.conversation.exchange import CLIENT, DAEMON
from pix.dataclass import dataclass
from pix_inspect.base.safe_text import inert
from pix_inspect.base.units import duration, size
from pix_inspect.session.exchange_view import ExchangeView, Part

WIDTH, LEFT, RIGHT = 720, 110, 610
STEP, TOP = 40, 56
MOST = 7
"""Log frames that are drawn one by one."""
LONGEST = 62
"""Characters that fit between the lifelines."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """Something said: by whom, the words above the arrow and those below."""

    side: int
    said: str
    detail: str = ""


def arrows(view: ExchangeView) -> list[Arrow]:
    """Return what is said in an exchange, in order."""
    has_log = (view.family or WORKER).has_log
    out = list(_request(view))
    log = view.log
    for part in log[:MOST]:
        after = (part.time or view.row.started) - view.row.started
        out.append(Arrow(DAEMON, part.name, f"{_fields(part)}  +{duration(after)}".strip()))
        if part.name == "STDERR_READ":
            out.append(Arrow(CLIENT, "a string", "the next piece of payload"))
    if len(log) > MOST:
        out.append(Arrow(DAEMON, f"… {len(log) - MOST:,} more frames"))
    error, reply = view.part("error"), view.part("reply")
    payload = view.payload
    if error is not None:
        out.append(Arrow(DAEMON, "STDERR_ERROR", _fields(error)))
    elif view.row.kind == "handshake":
        if has_log:
            out.append(Arrow(DAEMON, "STDERR_LAST"))
    elif reply is not None:
        out.append(Arrow(DAEMON, "STDERR_LAST, reply" if has_log else "reply", _fields(reply)))
    if payload is not None and payload.side == DAEMON and payload.carriage != "written":
        out.append(Arrow(DAEMON, f"payload {payload.name}", size(payload.bytes)))
    return out


def _request(view: ExchangeView) -> Iterator[Arrow]:
    request, reply = view.part("request"), view.part("reply")
    if view.row.kind == "handshake":
        yield Arrow(CLIENT, "client magic, version")
        yield Arrow(DAEMON, "daemon magic, version")
        if request is not None and reply is not None:
            for side, part in ((CLIENT, request), (DAEMON, reply)):
                rest = _fields(part, skip=("magic", "version"))
                if rest:
                    yield Arrow(side, "the rest of its hello", rest)
        return
    name = view.row.operation or "operation"
    yield Arrow(CLIENT, f"{name} ({view.row.wire_number})", _fields(request))
    payload = view.payload
    if payload is not None and payload.side == CLIENT and payload.carriage != "pulled":
        yield Arrow(CLIENT, f"payload {payload.name}", f"{size(payload.bytes)}, {payload.carriage}")


def _fields(part: Part | None, skip: tuple[str, ...] = ()) -> str:
    """Return the names of a part's fields, or the text of a single one."""
    node = part.node if part is not None else None
    children = [
        child for child in (node.children if node else None) or () if child.name not in skip
    ]
    if len(children) == 1 and isinstance(children[0].value, str):
        return inert(children[0].value, LONGEST)
    return ", ".join(child.name for child in children)


def picture(view: ExchangeView) -> tuple[str, str]:
    """Return the drawing as SVG, and what it shows in words."""
    said = arrows(view)
    height = TOP + STEP * len(said) + 24
    title = f"{view.row.operation or 'The handshake'} between client and daemon"
    words = "; ".join(
        f"{'client' if arrow.side == CLIENT else 'daemon'}: {arrow.said}" for arrow in said
    )
    parts = [
        f'<svg class="sequence" xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title><desc>{escape(words)}</desc>",
        _life("client", LEFT, height),
        _life("daemon", RIGHT, height),
    ]
    for i, arrow in enumerate(said):
        parts.append(_arrow(arrow, TOP + STEP * (i + 1) - 8))
    parts.append("</svg>")
    return "".join(parts), words


def _life(name: str, x: int, height: int) -> str:
    return (
        f'<g class="{name}"><rect x="{x - 46}" y="8" width="92" height="28" rx="6" fill="none" '
        f'stroke="currentColor"/><text x="{x}" y="27" text-anchor="middle" fill="currentColor" '
        f'font-family="sans-serif" font-size="14">{name}</text>'
        f'<line x1="{x}" y1="36" x2="{x}" y2="{height - 8}" stroke="currentColor" '
        f'stroke-dasharray="3 5" opacity="0.5"/></g>'
    )


def _arrow(arrow: Arrow, y: int) -> str:
    start, end = (LEFT, RIGHT) if arrow.side == CLIENT else (RIGHT, LEFT)
    back = -9 if end > start else 9
    middle = (LEFT + RIGHT) // 2
    detail = arrow.detail if len(arrow.detail) <= LONGEST else arrow.detail[: LONGEST - 1] + "…"
    below = (
        f'<text x="{middle}" y="{y + 14}" text-anchor="middle" fill="currentColor" opacity="0.75" '
        f'font-family="sans-serif" font-size="11">{escape(detail)}</text>'
        if detail
        else ""
    )
    return (
        f'<g class="{"client" if arrow.side == CLIENT else "daemon"}">'
        f'<line x1="{start}" y1="{y}" x2="{end}" y2="{y}" stroke="currentColor" '
        f'stroke-width="1.5"/><path d="M {end} {y} l {back} -4 l 0 8 z" fill="currentColor"/>'
        f'<text x="{middle}" y="{y - 5}" text-anchor="middle" fill="currentColor" '
        f'font-family="monospace" font-size="13">{escape(arrow.said)}</text>{below}</g>'
    )
