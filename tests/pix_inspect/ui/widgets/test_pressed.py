"""How keys are called in texts: as usual, or as the user has chosen them."""

from __future__ import annotations

from textual.app import App

from pix_inspect.ui.widgets.pressed import pressed


async def test_a_key_is_called_as_it_is_chosen() -> None:
    app: App[None] = App()
    async with app.run_test():
        assert pressed(app, "back", "esc") == "esc"
        app.set_keymap({"back": "ctrl+b,f3", "quit": "/"})
        assert pressed(app, "back", "esc") == "^b"
        assert pressed(app, "quit", "q") == "/"
