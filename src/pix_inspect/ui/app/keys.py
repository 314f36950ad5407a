"""The keys of a screen: what each does, where it works, and how it is written.

Made from the bindings themselves, with the user's own keys where they were changed; there is
no second list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from textual.app import App
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widget import Widget

from pix_inspect.ui.widgets.lines import Lines

Key = tuple[str, str, str]
"""What is pressed, what happens, and the binding's name."""

Section = tuple[str, list[Key]]
"""Where keys work, and the keys."""

EVERYWHERE = "Everywhere"
MOVING = "Moving in a pane"


def keys_of(
    cls: type[DOMNode], app: App[Any], works: Callable[[Binding, str], bool] | None = None
) -> list[Key]:
    """Return the keys that a class declares or inherits, one line for each action.

    What all panes of lines have in common is left to `Lines`. `works` tells of a binding and
    one of its keys whether it is to be listed.
    """
    found: dict[str, tuple[Binding, list[str]]] = {}
    for binding in _bindings(cls):
        if not binding.description or binding.system:
            continue
        name = binding.id or binding.action
        changed = app._keymap.get(binding.id) if binding.id is not None else None
        for key in changed.split(",") if changed is not None else [binding.key]:
            if works is not None and not works(binding, key):
                continue
            keys = found.setdefault(name, (binding, []))[1]
            text = app.get_key_display(binding if changed is None else binding.with_key(key))
            if text not in keys:
                keys.append(text)
    return [(" ".join(keys), binding.description, name) for name, (binding, keys) in found.items()]


def _bindings(cls: type[DOMNode]) -> Iterable[Binding]:
    def declared() -> Iterator[BindingType]:
        for base in cls.__mro__:
            if _ours(base) and (base is cls or base is not Lines):
                yield from base.__dict__.get("BINDINGS", ())

    return Binding.make_bindings(declared())


def _ours(cls: type[Any]) -> bool:
    return cls.__module__.startswith("pix_inspect.ui.")


def panes_of(screen: Screen[Any]) -> list[Widget]:
    """Return the panes on a screen that have keys of their own, one of each kind.

    Where there are several, that which has the focus stands for them.
    """
    found: dict[type[Widget], Widget] = {}
    for widget in screen.query("*").results(Widget):
        if _ours(type(widget)) and any(binding.id for binding in _bindings(type(widget))):
            known = found.setdefault(type(widget), widget)
            if widget.has_focus and not known.has_focus:
                found[type(widget)] = widget
    return list(found.values())


def action_of(cls: type[DOMNode], name: str) -> str:
    """Return what the binding of this name does. Raises KeyError."""
    for binding in _bindings(cls):
        if name in (binding.id, binding.action):
            return binding.action
    raise KeyError(name)


def sections(screen: Screen[Any]) -> list[Section]:
    """Return the keys that work on a screen by where they work: those of the focused pane first."""
    app = screen.app
    panes = panes_of(screen)
    at_hand = [pane for pane in panes if pane.has_focus_within]
    lines = [pane for pane in screen.query(Lines) if pane.can_focus]
    places: list[tuple[str, DOMNode, type[DOMNode]]] = [
        *((_title(pane), pane, type(pane)) for pane in at_hand),
        (_title(screen), screen, type(screen)),
        *((_title(pane), pane, type(pane)) for pane in panes if pane not in at_hand),
        *((MOVING, pane, Lines) for pane in lines[:1]),
        (EVERYWHERE, app, type(app)),
    ]
    first = {
        key: place
        for place in (screen, app)
        for key, bindings in place._bindings.key_to_bindings.items()
        if any(binding.priority for binding in bindings)
    }
    found: dict[str, list[Key]] = {}
    for title, place, cls in places:

        def works(binding: Binding, key: str, place: DOMNode = place) -> bool:
            if place is app and screen.is_modal and not binding.priority:
                return False
            return first.get(key, place) is place

        keys = keys_of(cls, app, works)
        if keys:
            found.setdefault(title, []).extend(keys)
    return list(found.items())


def _title(place: Widget) -> str:
    """Return what a pane or a screen is called."""
    return getattr(place, "TITLE", None) or EVERYWHERE
