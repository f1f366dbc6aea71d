# SPDX-License-Identifier: MIT
"""Which files this process's code came from. The host looks at them when its
configuration is reloaded: where one has changed, it replaces the workers.
"""

from __future__ import annotations

import os
import sys

from .late import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .configuration import Configuration

MOST = 1000  # files that are told to the host
_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_LIBRARY = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_INSTALLED = tuple(
    f"{os.sep}{folder}{os.sep}" for folder in ("site-packages", "dist-packages")
)


def of_process(settings: Configuration) -> list[str]:
    """The absolute paths of the modules that were imported, and of the pool's
    resources: without Python's own and the bridge's. Of an installed package only the
    module itself, which an upgrade replaces with all the others.
    """
    found = dict.fromkeys(_resources(settings))
    for name, module in list(sys.modules.items()):
        path = _file_of(module)
        if path and _counts(name, path):
            found[path] = None
    return [path for path in found if _can_be_told(path)][:MOST]


def _can_be_told(path: str) -> bool:
    try:
        path.encode()  # not one whose folder's name is not UTF-8
    except UnicodeEncodeError:
        return False
    return os.path.exists(path)


def _resources(settings: Configuration) -> Iterator[str]:
    folder = settings.paths[0] if settings.paths else ""
    for path, _ in settings.preload_resources:
        yield os.path.abspath(os.path.join(folder, path))


def _file_of(module: Any) -> str:
    """Without a look at what a module makes up for names that it does not have."""
    path = vars(module).get("__file__") if isinstance(module, type(sys)) else None
    return os.path.abspath(path) if isinstance(path, str) else ""


def _counts(name: str, path: str) -> bool:
    if path.startswith(_PACKAGE):
        return False
    if any(folder in path for folder in _INSTALLED):
        return "." not in name
    return not path.startswith(_LIBRARY)
