# SPDX-License-Identifier: MIT
"""`dataclass` and `field` for the bridge's own classes.

They are dataclasses to whoever looks at them, and made without the module
`dataclasses`: that imports `inspect`, which takes as long as an interpreter's start.
Type checkers see the real ones::

    if TYPE_CHECKING:
        from dataclasses import dataclass
    else:
        from .records import dataclass

The one thing to know: what the functions of `dataclasses` read in a class is made when
they do.
"""

from __future__ import annotations

from reprlib import recursive_repr

from . import late
from .late import TYPE_CHECKING

if TYPE_CHECKING:
    import dataclasses
    from typing import Any, Callable
else:
    dataclasses = late.Module("dataclasses")


# What `dataclasses` leaves in a class for its own functions.
TWIN_HAS = ("__dataclass_fields__", "__dataclass_params__")


def complete(*classes: type) -> None:
    """Has made now what these records have made when they are first used: in a
    template, so that its workers need not.
    """
    for cls in classes:
        vars(cls)["__init__"].__get__(None, cls)


class Factory:
    """Stands where an instance gets a default of its own."""

    def __init__(self, make: Callable[[], Any]) -> None:
        """`make` gives it."""
        self.make = make

    def __repr__(self) -> str:
        """As in a signature of `dataclasses`."""
        return "<factory>"


def field(*, default_factory: Callable[[], Any]) -> Any:
    """A field whose default is made for each instance."""
    return Factory(default_factory)


def dataclass(cls: Any = None, /, *, frozen: bool = False) -> Any:
    """As `dataclasses.dataclass` for a class without bases that are dataclasses."""
    if cls is None:
        return lambda cls: dataclass(cls, frozen=frozen)
    names = tuple(cls.__annotations__)
    own = vars(cls)
    defaults = {name: own[name] for name in names if name in own}
    for name, default in defaults.items():
        if isinstance(default, Factory):
            delattr(cls, name)
    methods = {"__init__": Init(cls, names, defaults), **_comparing(names)}
    if frozen:
        methods.update(_freezing(cls, names))
    else:
        methods["__hash__"] = None  # what can change is not a key
    left: dict[str, Any] = {
        name: Twin(cls, name, defaults, frozen) for name in TWIN_HAS
    }
    left.update(__match_args__=names, __snakepit_fields__=Names(cls, names))
    for name, value in (methods | left).items():
        setattr(cls, name, value)
    return cls


class Names:
    """The names of a class's fields, which its subclasses do not have from it: they may
    have more. The encoder asks for them.
    """

    def __init__(self, cls: type, names: tuple[str, ...]) -> None:
        """Of this class."""
        self.cls = cls
        self.names = names

    def __get__(self, instance: object, owner: type) -> tuple[str, ...]:
        """Raises AttributeError for a subclass."""
        if owner is not self.cls:
            raise AttributeError("__snakepit_fields__")
        return self.names


class Init:
    """Has `__init__` made when it is first looked up: compiling that of all records
    takes longer than importing the rest of the bridge, and a start needs few.
    """

    def __init__(
        self, cls: Any, names: tuple[str, ...], defaults: dict[str, Any]
    ) -> None:
        """Of this class."""
        self.cls = cls
        self.names = names
        self.defaults = defaults

    def __get__(self, instance: object, owner: type) -> Any:
        """What the class has from now on."""
        made = _init(self.cls, self.names, self.defaults)
        self.cls.__init__ = made
        return made.__get__(instance, owner)


class Twin:
    """Has `dataclasses` make the same class once somebody reads what that leaves."""

    def __init__(
        self, cls: Any, name: str, defaults: dict[str, Any], frozen: bool
    ) -> None:
        """`name` of TWIN_HAS, in this class."""
        self.cls = cls
        self.name = name
        self.defaults = defaults
        self.frozen = frozen

    def __get__(self, instance: object, owner: type) -> Any:
        """What the class has under this name from now on."""
        namespace = {"__annotations__": dict(self.cls.__annotations__)}
        for name, default in self.defaults.items():
            is_made = isinstance(default, Factory)
            namespace[name] = (
                dataclasses.field(default_factory=default.make) if is_made else default
            )
        twin: Any = type(self.cls.__name__, (), namespace)
        twin.__module__ = self.cls.__module__
        dataclasses.dataclass(frozen=self.frozen)(twin)
        for name in TWIN_HAS:
            setattr(self.cls, name, getattr(twin, name))
        return getattr(twin, self.name)


# ---- Methods -------------------------------------------------------------------------


def _init(cls: Any, names: tuple[str, ...], defaults: dict[str, Any]) -> Any:
    """Written out, as it is with `dataclasses`: it is quick, and has a signature."""
    parameters = [
        f"{name}=defaults[{name!r}]" if name in defaults else name for name in names
    ]
    lines = [f"def __init__(self, {', '.join(parameters)}):", " fields = self.__dict__"]
    for name in names:
        value = name
        if isinstance(defaults.get(name), Factory):
            value = f"{name}.make() if {name} is defaults[{name!r}] else {name}"
        lines.append(f" fields[{name!r}] = {value}")
    made: dict[str, Any] = {"defaults": defaults, "__name__": cls.__module__}
    exec("\n".join(lines), made)
    init = made["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__annotations__ = {**cls.__annotations__, "return": None}
    return init


def _comparing(names: tuple[str, ...]) -> dict[str, Any]:
    def values(record: Any) -> tuple[Any, ...]:
        return tuple([getattr(record, name) for name in names])

    @recursive_repr()
    def __repr__(self: Any) -> str:
        fields = [f"{name}={getattr(self, name)!r}" for name in names]
        return f"{type(self).__qualname__}({', '.join(fields)})"

    def __eq__(self: Any, other: Any) -> Any:
        same = other.__class__ is self.__class__
        return values(self) == values(other) if same else NotImplemented

    def __hash__(self: Any) -> int:
        return hash(values(self))

    return {"__repr__": __repr__, "__eq__": __eq__, "__hash__": __hash__}


def _freezing(cls: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """A subclass that is not a dataclass may have other attributes, and change them."""

    def __setattr__(self: Any, name: str, value: object) -> None:
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        object.__setattr__(self, name, value)

    def __delattr__(self: Any, name: str) -> None:
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        object.__delattr__(self, name)

    return {"__setattr__": __setattr__, "__delattr__": __delattr__}
