"""`dataclass` of the standard library, whose methods are made when a class is first used.

They are compiled from text. For all classes of the tool that takes a tenth of a second, and
most runs use few of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from operator import attrgetter
from reprlib import recursive_repr
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T", bound=type)

_LOCK = threading.RLock()


class Field:
    """What `dataclasses.field` will be told."""

    def __init__(self, about: dict[str, Any]) -> None:
        self.about = about


def field(**about: Any) -> Any:
    """Declare a field as `dataclasses.field` does."""
    return Field(about)


@dataclass_transform(field_specifiers=(field,))
def dataclass(
    *,
    eq: bool = True,
    frozen: bool = False,
    kw_only: bool = False,
    repr: bool = True,
    slots: bool = False,
) -> Callable[[T], T]:
    """Return what makes a class with annotations a dataclass, as `dataclasses.dataclass` does."""
    about = {"eq": eq, "frozen": frozen, "kw_only": kw_only, "repr": repr}

    def declare(cls: T) -> T:
        made = _with_slots(cls) if slots else cls
        declared = _Declared(cls, made, about)
        if "__init__" in vars(cls):
            declared.finish()
        return made

    return declare


def _with_slots(cls: T) -> T:
    """Return a class anew, with a slot for each of its fields."""
    of_bases = {name for base in cls.__mro__[1:] for name in vars(base).get("__slots__", ())}
    names = [
        name
        for name, kind in cls.__annotations__.items()
        if not str(kind).removeprefix("typing.").startswith("ClassVar")
    ]
    members = {name: value for name, value in vars(cls).items() if name not in names}
    for name in ("__dict__", "__weakref__"):
        members.pop(name, None)
    members["__slots__"] = tuple(name for name in names if name not in of_bases)
    made = type(cls)(cls.__name__, cls.__bases__, members)
    made.__qualname__ = cls.__qualname__
    return made


class _Declared:
    """A class that was declared, and the one that stands for it: with slots it is another."""

    def __init__(self, cls: type, made: type, about: dict[str, Any]) -> None:
        self._cls: type | None = cls
        self._made = made
        self._about = about
        self._until_then: dict[str, object] = {"__init__": self._init()}
        for name in ("__dataclass_fields__", "__match_args__"):
            self._until_then[name] = _Later(self, name)
        for name, value in self._until_then.items():
            if name not in vars(made):
                setattr(made, name, value)

    def _init(self) -> Callable[..., None]:
        def __init__(value: Any, *arguments: Any, **named: Any) -> None:  # noqa: N807
            self.finish()
            self._made.__init__(value, *arguments, **named)  # type: ignore[misc]

        return __init__

    def finish(self) -> None:
        """Make the methods, once."""
        import dataclasses  # with `inspect`, which not every run needs

        with _LOCK:
            cls, made = self._cls, self._made
            if cls is None:
                return
            for name, value in list(vars(cls).items()):
                if isinstance(value, Field):
                    setattr(cls, name, dataclasses.field(**value.about))
                elif value is self._until_then.get(name, self):
                    delattr(cls, name)
            before = dict(vars(cls))
            # the one method that is compiled is the one that makes a value
            kw_only, frozen = self._about["kw_only"], self._about["frozen"]
            dataclasses.dataclass(init=False, eq=False, repr=False, kw_only=kw_only)(cls)
            fields = dataclasses.fields(cls)
            methods = _methods(fields, **self._about)
            methods["__init__"] = _initializer(cls, fields, frozen, dataclasses.MISSING)
            if frozen:
                methods |= _frozen(dataclasses.FrozenInstanceError)
            for name, method in methods.items():
                if name not in before:
                    setattr(cls, name, method)
            if cls is not made:
                for name, value in sorted(
                    vars(cls).items(), key=lambda each: each[0] == "__init__"
                ):
                    if name.startswith("__") and before.get(name, self) is not value:
                        setattr(made, name, value)
            self._cls = None


def _initializer(
    cls: type, fields: tuple[Any, ...], frozen: bool, missing: object
) -> Callable[..., None]:
    """Return what makes a value of these fields."""
    names: dict[str, Any] = {"__assign": object.__setattr__, "__missing": missing}
    parameters: dict[bool, list[str]] = {False: [], True: ["*"]}
    lines = []
    for field in fields:
        parameter = value = name = field.name
        if field.default is not missing:
            names[f"__{name}"] = field.default
            parameter = f"{name}=__{name}"
        elif field.default_factory is not missing:
            names[f"__{name}"] = field.default_factory
            parameter = f"{name}=__missing"
            value = f"__{name}() if {name} is __missing else {name}"
        parameters[field.kw_only].append(parameter)
        lines.append(f"__assign(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    keywords = parameters[True] if len(parameters[True]) > 1 else []
    head = ", ".join(["self", *parameters[False], *keywords])
    exec(f"def __init__({head}):\n " + "\n ".join(lines or ["pass"]), names)  # as namedtuple does
    made: Callable[..., None] = names["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


def _frozen(error: type[Exception]) -> dict[str, Callable[..., None]]:
    """Return what keeps a value as it was made."""

    def __setattr__(value: object, name: str, to: object) -> None:  # noqa: N807
        raise error(f"cannot assign to field {name!r}")

    def __delattr__(value: object, name: str) -> None:  # noqa: N807
        raise error(f"cannot delete field {name!r}")

    return {"__setattr__": __setattr__, "__delattr__": __delattr__}


def _methods(
    fields: tuple[Any, ...], *, eq: bool, frozen: bool, kw_only: bool, repr: bool
) -> dict[str, Callable[..., Any] | None]:
    """Return what makes values of these fields comparable, and shows them."""
    shown = [field.name for field in fields if field.repr]
    compared = [field.name for field in fields if field.compare]
    values = attrgetter(*compared) if compared else lambda value: ()

    @recursive_repr()
    def __repr__(value: object) -> str:  # noqa: N807
        said = ", ".join(f"{name}={getattr(value, name)!r}" for name in shown)
        return f"{type(value).__qualname__}({said})"

    def __eq__(value: object, other: object) -> bool:  # noqa: N807
        return values(value) == values(other) if type(other) is type(value) else NotImplemented

    def __hash__(value: object) -> int:  # noqa: N807
        return hash(values(value))

    compares = {"__eq__": __eq__, "__hash__": __hash__ if frozen else None} if eq else {}
    return {"__repr__": __repr__, **compares} if repr else compares


class _Later:
    """An attribute of a class that is there when somebody looks."""

    def __init__(self, declared: _Declared, name: str) -> None:
        self._declared = declared
        self._name = name

    def __get__(self, value: object, cls: type) -> Any:
        self._declared.finish()
        return getattr(cls, self._name)
