# SPDX-License-Identifier: MIT
"""Imports `threading` for a template; to be imported before it.

In each fork `threading` forgets the threads that are not there any more, and makes its
locks anew. Where there was one thread that changes nothing, and a template forks with
one thread only; but for a worker it is a fifth of all the memory that it writes to. So
there `threading` is left as it is. Other forks, also those of a worker, are as always.
"""

from __future__ import annotations

import os
import sys

from . import runtime
from .late import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

KNOWN = (3, 15)  # the first version whose hook may do something else


def import_threading() -> None:
    """Does nothing special where `threading` was imported before."""
    register = os.register_at_fork
    hooks: list[dict[str, Any]] = []
    special = runtime.native is not None and sys.version_info < KNOWN
    if special and "threading" not in sys.modules:
        os.register_at_fork = lambda **hook: hooks.append(hook)
    try:
        import threading
    finally:
        os.register_at_fork = register
    main = threading.main_thread()
    # The kernel's number of it, which Python before 3.13 leaves as it was.
    has_number = sys.version_info >= (3, 13)
    renew = getattr(main, "_set_native_id", None) if has_number else None
    for hook in hooks:
        if list(hook) == ["after_in_child"]:
            pair = (hook["after_in_child"], renew)
            hook = {"after_in_child": runtime.native.either(pair)}
        register(**hook)


import_threading()
