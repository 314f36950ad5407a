"""The pane that explains the chosen field; what it says is `explaining`'s."""

from __future__ import annotations

from pix_inspect.ui.widgets.prose import Prose


class Explanation(Prose):
    """What the declarations say of a field."""

    TITLE = "Explanation"
