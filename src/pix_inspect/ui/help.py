"""The keys, as the panes declare them.

Made from the bindings themselves, with the user's own keys where they were changed; there is
no second list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from rich.segment import Segment
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widget import Widget

from pix_inspect.ui.prose import Prose
from pix_inspect.ui.text import fit

Key = tuple[str, str, str]
"""What is pressed, what happens, and the binding's name."""

MOUSE = [
    ("", "", ""),
    ("Mouse", "", ""),
    ("", "click", "Choose; on a byte, its field"),
    ("", "double click", "Go in, open"),
    ("", "drag a border", "More or less room for a pane"),
    ("", "double click", "On a title: maximise the pane, and back"),
    ("", "shift+drag", "Select text, as the terminal does it"),
]


def keys_of(cls: type[DOMNode], app: App[Any], *, inherited: bool = False) -> list[Key]:
    """Return the keys that a class declares itself, one for each action."""
    found: dict[str, tuple[Binding, list[str]]] = {}
    for binding in Binding.make_bindings(_declared(cls, inherited=inherited)):
        if not binding.description or binding.system:
            continue
        name = binding.id or binding.action
        keys = found.setdefault(name, (binding, []))[1]
        changed = app._keymap.get(binding.id) if binding.id is not None else None
        for key in changed.split(",") if changed is not None else [binding.key]:
            text = app.get_key_display(binding if changed is None else binding.with_key(key))
            if text not in keys:
                keys.append(text)
    return [(" ".join(keys), binding.description, name) for name, (binding, keys) in found.items()]


def _declared(cls: type[DOMNode], *, inherited: bool) -> Iterator[BindingType]:
    for base in cls.__mro__ if inherited else (cls,):
        yield from base.__dict__.get("BINDINGS", ())


def panes_of(screen: Screen[Any]) -> list[Widget]:
    """Return the panes on a screen that have keys of their own, one of each kind.

    Where there are several, that which has the focus stands for them.
    """
    found: dict[type[Widget], Widget] = {}
    for widget in screen.query("*").results(Widget):
        if type(widget).__module__.startswith(__package__ or "") and _declares(type(widget)):
            known = found.setdefault(type(widget), widget)
            if widget.has_focus and not known.has_focus:
                found[type(widget)] = widget
    return list(found.values())


def _declares(cls: type[DOMNode]) -> bool:
    return any(isinstance(each, Binding) and each.id for each in cls.__dict__.get("BINDINGS", ()))


def action_of(cls: type[DOMNode], name: str) -> str:
    """Return what the binding of this name does. Raises KeyError."""
    for binding in Binding.make_bindings(cls.__dict__.get("BINDINGS", ())):
        if name in (binding.id, binding.action):
            return binding.action
    raise KeyError(name)


def sections(app: App[Any], panes: Iterable[type[DOMNode]]) -> list[tuple[str, list[Key]]]:
    """Return the keys by where they work."""
    found: dict[str, list[Key]] = {}
    for pane in panes:
        title = "Everywhere" if issubclass(pane, App) else getattr(pane, "TITLE", "")
        found.setdefault(title or "Everywhere", []).extend(keys_of(pane, app))
    return list(found.items())


class HelpText(Prose):
    """The keys in two columns."""

    TITLE = "Keys"

    def __init__(self, found: list[tuple[str, list[Key]]]) -> None:
        super().__init__()
        self._lines: list[tuple[str, str, str]] = []
        for title, keys in found:
            if self._lines:
                self._lines.append(("", "", ""))
            self._lines.append((title, "", ""))
            self._lines += [("", pressed, said) for pressed, said, _ in keys]
        self._lines += MOUSE

    @property
    def count(self) -> int:
        """The lines of help."""
        return len(self._lines)

    def segments(self, line: int, width: int) -> Iterable[Segment]:
        """Return a line: a title, or keys and what they do."""
        title, pressed, said = self._lines[line]
        if title:
            yield Segment(title, self.tone("name"))
            return
        yield Segment("  " + fit(pressed, 20), self.tone("accent"))
        yield Segment(" " + said, self.tone("text"))


class Help(ModalScreen[None]):
    """All keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1", "dismiss", "Back", key_display="esc", id="help.back"),
    ]

    def __init__(self, found: list[tuple[str, list[Key]]]) -> None:
        super().__init__()
        self._found = found

    def compose(self) -> ComposeResult:
        """Show the text, nothing else."""
        yield HelpText(self._found)
