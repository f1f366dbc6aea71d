# SPDX-License-Identifier: MIT
"""The runtime as adapters see it: the C extension in a worker, a stand-in elsewhere.

An extension that is missing is an ordinary case; one that is there and cannot be loaded
is an error and is raised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._runtime import Call, Cancelled, Tensor

    native: Any
else:
    try:
        import snakepit_bridge._runtime as native
        from snakepit_bridge._runtime import Cancelled, Tensor
    except ModuleNotFoundError as error:
        if error.name != "snakepit_bridge._runtime":
            raise
        from .standalone import Cancelled, Tensor

        native = None

__all__ = ["Cancelled", "Tensor", "attach", "current_call", "is_attached", "native"]

_attached = False


def attach() -> dict[str, Any]:
    """Joins the host that started this process and returns the pool's configuration.

    Once per process. Raises RuntimeError if the extension is not installed, OSError if
    no host left its descriptors here.
    """
    global _attached
    if native is None:
        raise RuntimeError(
            "snakepit_bridge is here without its extension _runtime, so it can test "
            "adapters but not serve them; install Snakepit's python folder with pip"
        )
    configuration: dict[str, Any] = native.attach()
    _attached = True
    return configuration


def current_call() -> Call | None:
    """The call that this thread runs: id, session, deadline, whether it was cancelled.

    None outside of a call, and on threads that a tool started itself.
    """
    if not _attached:
        return None
    call: Call | None = native.current_call()
    return call


def is_attached() -> bool:
    """Whether this process is a worker that has joined its host."""
    return _attached
