"""Whose word is due in a handshake that goes on.

The client speaks first, and hears the daemon's version. Where there are features, the daemon's
follow its own; then it says the rest, and the daemon ends it.
"""

from __future__ import annotations

from pix.codec.gates import WORKER, Protocol, negotiate
from pix.conversation.exchange import CLIENT, DAEMON
from pix.protocol.handshake import HELLOS
from pix_inspect.session.exchange_view import ExchangeView

HEAD = 16
"""Bytes of magic and version."""


def is_clients_turn(view: ExchangeView) -> bool:
    """Whether the next word of a handshake is the client's; not where its daemon is none."""
    client, daemon = (view.span(side)[1] for side in (CLIENT, DAEMON))
    if client < HEAD:
        return True
    family = view.family or WORKER
    magic = view.field("reply", "magic")
    if daemon < HEAD or magic is None or magic.value != family.magics[DAEMON]:
        return False
    is_asking = client > HEAD == daemon and _has_features(view)
    is_over = view.exchange is not None and view.exchange.request_done is not None
    return not is_asking and not is_over


def _has_features(view: ExchangeView) -> bool:
    """Whether both versions are such that lists of features are said."""
    family = view.family or WORKER
    said = [view.field(part, "version") for part in ("request", "reply")]
    versions = [int(each.value) for each in said if each is not None and each.value is not None]
    if len(versions) < 2:
        return False
    agreed = Protocol(negotiate(versions[0], versions[1], family), family=family)
    return HELLOS[family][CLIENT].has("features", agreed)
