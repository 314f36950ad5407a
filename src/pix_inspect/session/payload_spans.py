"""Where the content of a payload lies in its stream."""

from __future__ import annotations

from collections.abc import Iterator

from pix.conversation.exchange import CLIENT
from pix_inspect.session.exchange_view import ExchangeView


def content_spans(view: ExchangeView, side: int) -> Iterator[tuple[int, int]]:
    """Yield where the payload of a side stands in its stream: offsets and lengths."""
    exchange = view.exchange
    if exchange is None or exchange.operation is None or view.protocol is None:
        return
    record = exchange.operation.request if side == CLIENT else exchange.operation.reply
    carriage = None if record.payload is None else record.payload.carriage(view.protocol)
    if carriage is not None and carriage.bare:  # its runs are the contents of its files alone
        start = exchange.payload_start if side == CLIENT else exchange.reply_payload_start
        end = exchange.request_end if side == CLIENT else exchange.daemon_end
        if start is not None and end is not None:
            yield start, end - start
    elif carriage is not None:
        for run_side, start, length in exchange.payload_runs or ():
            if run_side == side:
                yield start, length
