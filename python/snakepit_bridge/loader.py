# SPDX-License-Identifier: MIT
"""From the text of the `adapter` option to a class that can serve."""

from __future__ import annotations

import importlib
import os
import sys

from . import configuration, late, marks, notices, runtime, search_path, signatures
from .base_adapter import BaseAdapter
from .declaration import declared_thread_safe, undeclared_warning
from .errors import AdapterError
from .late import TYPE_CHECKING
from .resolution import FALLBACKS
from .texts import shown

if TYPE_CHECKING:
    import difflib
    import inspect
    import shlex
    from collections.abc import Iterable
    from types import ModuleType
    from typing import Any

    from .configuration import Configuration
else:
    difflib = late.Module("difflib")
    inspect = late.Module("inspect")
    shlex = late.Module("shlex")

IS_ABSTRACT = 1 << 20  # of a class's flags, as `inspect` asks for it


def load(spec: str) -> type:
    """The adapter class that `spec` names: `module`, `module.Class` or `module:Class`.

    Imports the module. Raises AdapterError if module or class cannot be found; what the
    module's own code raises is raised as it is.
    """
    runtime.stage(f"importing the adapter {spec}")
    if not spec.strip(".:"):
        raise AdapterError(
            "no adapter is named; expected module, module.Class or module:Class"
        )
    module_name, colon, class_name = spec.partition(":")
    _refuse_hidden(module_name)
    if colon:
        return _class_of(_module(module_name, spec), class_name)
    module = _import(spec)
    if module is not None:
        return _only_class_of(module)
    module_name, dot, class_name = spec.rpartition(".")
    if not dot:
        raise _no_module(spec, spec)
    return _class_of(_module(module_name, spec), class_name)


def _refuse_hidden(name: str) -> None:
    file = search_path.hidden(name, configuration.current().paths)
    if file:
        module = name.partition(".")[0]
        raise AdapterError(
            f"{shown(file)} cannot be imported, for Python has a module {module!r} of "
            "its own; give the file another name"
        )


def _module(name: str, spec: str) -> ModuleType:
    module = _import(name)
    if module is None:
        raise _no_module(name, spec)
    return module


def _import(name: str) -> ModuleType | None:
    """The module, or None if there is none. What its own code raises is raised."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name == missing or name.startswith(missing + "."):
            return None
        error.msg = f"{error.msg}; {_remedy(missing.partition('.')[0])}"
        raise
    except (TypeError, ValueError):
        # What import_module says of a relative or an empty name.
        if name.startswith(".") or not name:
            return None
        raise


def _remedy(package: str) -> str:
    """How the worker's interpreter gets a package."""
    hidden = _hidden()
    python = shlex.quote(sys.executable)
    if package in getattr(sys, "stdlib_module_names", ()):
        return hidden or (
            f"it is a part of Python that {python} was built without; name by "
            "`python:` an interpreter that has it"
        )
    start = (
        f"{hidden}; or, if {package} is a package,"
        if hidden
        else (f"if {package} is a package,")
    )
    if sys.prefix != sys.base_prefix:
        return (
            f"{start} install it where the worker runs: {python} -m pip install "
            f"{package}"
        )
    # pip refuses to install into an interpreter that the distribution manages.
    return (
        f"{start} name by `python:` an environment that has it and "
        "snakepit_bridge: "
        f"{python} -m venv env && env/bin/pip install {package}"
    )


def _hidden() -> str:
    """What of the search path this user cannot read, so that modules in there seem not
    to exist; empty if all can be read.
    """
    folders = search_path.unreadable()
    if not folders:
        return ""
    barrier = search_path.barrier(folders[0])
    return (
        f"it may be in {shown(folders[0])}, which the worker's user {os.getuid()} "
        f"cannot read, for {shown(barrier)} keeps them out; let them read and pass it "
        "(chmod o+rx)"
    )


def _no_module(name: str, spec: str) -> AdapterError:
    places = [shown(place) for place in search_path.others()]
    rest = f" and {len(places) - 4} more" if len(places) > 4 else ""
    hidden = _hidden()
    if hidden:
        return AdapterError(f"no module named {name!r} (adapter {spec!r}); {hidden}")
    return AdapterError(
        f"no module named {name!r} (adapter {spec!r}). Besides Python's own modules, "
        f"sys.path has {', '.join(places[:4])}{rest}. The folder of the configuration "
        "file is there; PYTHONPATH in adapter_env adds others."
    )


def _class_of(module: ModuleType, name: str) -> type:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if isinstance(found, type):
        return found
    if found is not None:
        raise AdapterError(
            f"{module.__name__}.{name} is not a class, but a value of type "
            f"{type(found).__name__}"
        )
    raise AdapterError(
        f"module {module.__name__!r} has no class {name!r}{_hint(module, name)}"
    )


def _hint(module: ModuleType, name: str) -> str:
    classes = [
        key for key, value in vars(module).items() if issubclass(type(value), type)
    ]
    nearest = difflib.get_close_matches(name, classes, n=1, cutoff=0.5)
    if nearest:
        return f"; did you mean {nearest[0]!r}?"
    adapters = _names(_adapters_in(module))
    return f"; its adapters: {adapters}" if adapters else ""


def _only_class_of(module: ModuleType) -> type:
    adapters = _adapters_in(module)
    if len(adapters) == 1:
        return adapters[0]
    if not adapters:
        raise AdapterError(
            f"module {module.__name__!r} ({_place(module)}) has no adapter class, "
            "that is, no public subclass of BaseAdapter and no class with @tool methods"
        )
    raise AdapterError(
        f"module {module.__name__!r} has several adapter classes ({_names(adapters)}); "
        f"name one: {module.__name__}:{adapters[0].__name__}"
    )


def _place(module: ModuleType) -> str:
    return shown(str(getattr(module, "__file__", None) or "no file"))


def _names(classes: Iterable[type]) -> str:
    return ", ".join(sorted(found.__name__ for found in classes))


def _adapters_in(module: ModuleType) -> list[type]:
    """The module's own adapters; if it has none, those that it imports."""
    classes = {
        id(value): value
        for name, value in vars(module).items()
        if issubclass(type(value), type)
        and not name.startswith("_")
        and not value.__flags__ & IS_ABSTRACT
    }.values()
    own = [found for found in classes if found.__module__ == module.__name__]
    derived = [found for found in classes if issubclass(found, BaseAdapter)]
    return (
        [found for found in own if found in derived]
        or [found for found in own if _looks_like_adapter(found)]
        or [found for found in derived if not _is_of_the_bridge(found)]
    )


def _is_of_the_bridge(found: type) -> bool:
    return found.__module__.partition(".")[0] == "snakepit_bridge"


def _looks_like_adapter(found: type) -> bool:
    """Whether a class that is no BaseAdapter has something to call."""
    return any(
        name in FALLBACKS or marks.look(name, value, found) is not None
        for name, value in list(vars(found).items())
    )


def check_constructor(adapter_class: type) -> None:
    """Raises AdapterError if the constructor wants arguments; there are none."""
    if type(adapter_class).__call__ is not type.__call__:
        return  # its metaclass may give some
    constructor = adapter_class.__init__  # type: ignore[misc]
    if constructor is object.__init__ or signatures.takes_itself_alone(constructor):
        return
    try:
        inspect.signature(constructor, follow_wrapped=False).bind(None)
    except TypeError as error:
        raise AdapterError(
            f"{adapter_class.__name__} is built without arguments, but its constructor "
            f"says: {error}; self.config holds the pool's adapter_config"
        ) from None
    except ValueError:
        pass  # a class of C code has no signature to look at


def check_thread_safety(
    adapter_class: type, configuration: Configuration
) -> bool | None:
    """What the class declares; in the thread profile, whether that will do.

    A declared False is for the host to judge: it refuses the thread profile, by the
    pool's `on_unsupported`. Raises AdapterError for no declaration where the pool says
    `undeclared_adapter: refuse`; else the lack of one is a RuntimeWarning.
    """
    declared = declared_thread_safe(adapter_class)
    if configuration.profile != "thread" or declared is not None:
        return declared
    if configuration.undeclared_adapter == "refuse":
        raise AdapterError(undeclared_warning(adapter_class))
    notices.warn(undeclared_warning(adapter_class), stacklevel=2)
    return None
