"""What leaves the screen: copied to the clipboard, or written into a file that is asked for."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

from pix_inspect.base.units import count, size
from pix_inspect.ui.app.export import Export
from pix_inspect.ui.app.other_screens import marked_and_chosen
from pix_inspect.ui.exchange.copying import Copied
from pix_inspect.ui.exchange.payload_saving import Wish
from pix_inspect.ui.main.main_screen import MainScreen
from pix_inspect.ui.widgets.path_dialog import Chosen, PathDialog
from pix_inspect.ui.widgets.text import safe
from pix_inspect.ui.widgets.writing import Writing

if TYPE_CHECKING:
    from pix_inspect.ui.app.app import Inspector

MOST_COPIED = 72_000
"""Bytes that terminals take through OSC 52; more go to a file."""


def save(app: Inspector, wish: Wish | Export, switch: str = "") -> None:
    """Ask where to, then write there in the background, and say what became of it."""

    def begin(chosen: Chosen | None) -> None:
        if chosen is not None:
            work = Writing(f"writing {chosen.path}", lambda pace: wish.write(chosen, pace))
            app.push_screen(work, lambda said: tell(app, said or "", failed=work.failed))

    dialog = PathDialog(
        wish.title, wish.name, wish.check, new=True, switch=switch, switched=bool(switch)
    )
    app.push_screen(dialog, begin)


def tell(app: Inspector, said: str, *, failed: bool) -> None:
    """Say what became of writing."""
    if failed:
        app.warn(said)
    else:
        app.notify(safe(said, 400), markup=False)


def put(app: Inspector, copied: Copied) -> None:
    """Copy a text; what is more than terminals take goes to a file."""
    raw = copied.text.encode("utf-8", "surrogateescape")
    if len(raw) <= MOST_COPIED:
        app.copy_to_clipboard(raw.decode("utf-8", "replace"))  # terminals take UTF-8 only
        app.notify(f"copied {safe(copied.what)} ({size(len(raw))})", markup=False, timeout=2)
        return
    descriptor, name = tempfile.mkstemp(prefix="pix-inspect-", suffix=".txt")
    with os.fdopen(descriptor, "wb") as file:
        file.write(raw)
    said = f"{safe(copied.what)} is too long for a terminal's clipboard: it is in {name}"
    app.notify(said, markup=False)


def excerpt_of(main: MainScreen) -> Copied | None:
    """Return the exchanges from the last mark to the cursor as Markdown. Raises Problem."""
    from pix_inspect.export.excerpt import excerpt

    pair = marked_and_chosen(main)
    if pair is None:
        return None
    first, last = sorted(pair)
    text = excerpt(main.session, first + 1, last + 1)
    return Copied(f"an excerpt of {count(last - first + 1, 'exchange')}", text)
