# SPDX-License-Identifier: MIT
"""Where modules are looked for: Python's own first, then those beside the adapter.

The folder of the adapter comes behind the standard library, so that no file in it
takes the place of a module that Python or Snakepit needs, and before installed
packages, so that the adapter's own modules are found whatever is installed. The current
folder is not searched. What PYTHONPATH names comes first of all, by Python's own rule.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder

from .late import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# The environment of a worker asks so for a safe path; programs that tools start are to
# find theirs as usual.
SAFE_PATH = ("PYTHONSAFEPATH", "snakepit")


def hide_request() -> None:
    """Takes out of the environment what only this process was to read there."""
    name, value = SAFE_PATH
    if os.environ.get(name) == value:
        del os.environ[name]


def add(folders: Iterable[str]) -> None:
    """Has modules of `folders` found, before installed ones and after Python's own."""
    place = max(
        (i for i, entry in enumerate(sys.path) if _is_pythons(entry)), default=-1
    )
    sys.path[place + 1 : place + 1] = folders


def _is_pythons(folder: str) -> bool:
    """Whether the standard library is in there."""
    library = os.path.dirname(os.__file__)
    return folder in (library, os.path.join(library, "lib-dynload"))


def own() -> list[str]:
    """The folders of the standard library on the search path."""
    return [entry for entry in sys.path if _is_pythons(entry)]


def barrier(path: str) -> str:
    """The first folder on the way to a place, itself included, that this user may not
    pass or read; empty if there is none.
    """
    for place in (os.path.abspath(path), os.path.realpath(path)):
        for folder in _way_to(place):
            needed = os.X_OK if folder != place else os.R_OK | os.X_OK
            if os.path.isdir(folder) and not os.access(folder, needed):
                return folder
    return ""


def _way_to(place: str) -> list[str]:
    """The folders from the root to a place, itself included."""
    way = [place]
    while os.path.dirname(way[-1]) != way[-1]:
        way.append(os.path.dirname(way[-1]))
    return way[::-1]


def unreadable() -> list[str]:
    """The folders of the search path that this user cannot read."""
    return [entry for entry in sys.path if entry and barrier(entry)]


def others() -> list[str]:
    """The search path without the standard library."""
    return [entry or "." for entry in sys.path if not _is_pythons(entry)]


def hidden(name: str, folders: Iterable[str]) -> str:
    """The file in `folders` that a module of Python's own has taken the name of; empty
    if there is none. Of "package.module" the package counts.
    """
    top = name.partition(".")[0]
    if not _is_own_of_python(top):
        return ""
    spec = PathFinder.find_spec(top, list(folders))
    return "" if spec is None or spec.origin is None else spec.origin


def _is_own_of_python(top: str) -> bool:
    if top in sys.builtin_module_names:
        return True
    spec = PathFinder.find_spec(top)
    if spec is None or spec.origin is None:
        return False
    place = os.path.dirname(spec.origin)
    return _is_pythons(os.path.dirname(place) if _is_package(spec) else place)


def _is_package(spec: object) -> bool:
    return getattr(spec, "submodule_search_locations", None) is not None


def find(name: str, folder: str) -> str:
    """What a worker would find under the name: "found", "missing" or "hidden"."""
    add([folder])
    if hidden(name, [folder]):
        return "hidden"
    known = name in sys.builtin_module_names or PathFinder.find_spec(name) is not None
    return "found" if known else "missing"
