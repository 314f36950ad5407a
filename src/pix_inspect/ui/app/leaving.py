"""The question asked before leaving while clients are connected."""

from __future__ import annotations

from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from pix_inspect.base.units import count
from pix_inspect.ui.widgets.guarded import Guarded
from pix_inspect.ui.widgets.pressed import pressed

Answer = Literal["leave", "stop"]


class Leaving(Guarded, ModalScreen[Answer | None]):
    """Leave the relay running, stop it when the last client is done, or stay."""

    TITLE = "Leaving"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "answer('leave')", "Leave the relay running", id="leaving.leave"),
        Binding("s", "answer('stop')", "Stop it when the last client is done", id="leaving.stop"),
        Binding("question_mark,f1", "app.help", "Keys", key_display="?", id="leaving.help"),
        Binding("escape,q", "dismiss", "Stay", key_display="esc", id="leaving.stay"),
    ]

    def __init__(self, clients: int) -> None:
        super().__init__()
        self.clients = clients

    def compose(self) -> ComposeResult:
        talk = "is" if self.clients == 1 else "are"
        with Vertical(id="question"):
            yield Static(
                Content(f"{count(self.clients, 'client')} {talk} connected through the relay.")
            )
            leave, stop, stay = (
                pressed(self.app, f"leaving.{name}", usual)
                for name, usual in (("leave", "l"), ("stop", "s"), ("stay", "esc"))
            )
            yield OptionList(
                Option(Content(f"{leave}  leave the relay running, recording goes on"), id="leave"),
                Option(Content(f"{stop}  stop it when the last client is done"), id="stop"),
                Option(Content(f"{stay}  stay here"), id="stay"),
            )

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        chosen = message.option.id
        self.dismiss("leave" if chosen == "leave" else "stop" if chosen == "stop" else None)

    def action_answer(self, answer: Answer) -> None:
        self.dismiss(answer)
