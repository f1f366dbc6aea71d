# SPDX-License-Identifier: MIT
"""The pool's `preload_resources`: what is loaded before an adapter is built.

The adapter's class says how: ``load_resource(path, type)``, a class or static method,
is called once for each resource and process. All instances find what it returned in
`self.resources`, so also those of ``__per_request__``.
"""

from __future__ import annotations

import os
from types import MappingProxyType

from . import calling, late, runtime
from .errors import AdapterError
from .late import TYPE_CHECKING
from .texts import shown

if TYPE_CHECKING:
    import inspect
    from collections.abc import Mapping
    from typing import Any, Callable

    from .configuration import Configuration
else:
    inspect = late.Module("inspect")

_loaded: Mapping[str, Any] | None = None


def current() -> Mapping[str, Any]:
    """What was loaded, by the path as the configuration writes it. Read-only."""
    return MappingProxyType({}) if _loaded is None else _loaded


def load(adapter_class: type, settings: Configuration) -> None:
    """Loads the pool's resources, unless this process or its template has done so.

    Raises AdapterError if the class does not say how, or from whatever its
    `load_resource` raises.
    """
    global _loaded
    if _loaded is not None or not settings.preload_resources:
        return
    load_one = _loader_of(adapter_class)
    folder = settings.paths[0] if settings.paths else ""
    _loaded = MappingProxyType(
        {
            path: _load_one(load_one, os.path.join(folder, path), kind)
            for path, kind in settings.preload_resources
        }
    )


def _load_one(load_one: Callable[[str, str], Any], path: str, kind: str) -> Any:
    runtime.stage(f"loading the resource {path} (type {kind!r})")
    try:
        return load_one(path, kind)
    except Exception as error:
        raise AdapterError(
            f"preload_resources: {shown(path)} (type {kind!r}) could not be loaded: "
            f"{type(error).__name__}: {error}"
        ) from error


def forget() -> None:
    """Lets go of what was loaded. For tests."""
    global _loaded
    _loaded = None


def _loader_of(adapter_class: type) -> Callable[[str, str], Any]:
    name = adapter_class.__name__
    found = inspect.getattr_static(adapter_class, "load_resource", None)
    if not isinstance(found, (classmethod, staticmethod)):
        raise AdapterError(
            f"the pool has preload_resources, but {name} cannot load them; "
            "it needs @classmethod def load_resource(cls, path, type), "
            "which runs before there is an instance"
        )
    function: Callable[[str, str], Any] = adapter_class.load_resource  # type: ignore[attr-defined]
    if calling.kind_of(function) is not calling.Kind.PLAIN:
        raise AdapterError(f"load_resource of {name} must be a plain function")
    return function
