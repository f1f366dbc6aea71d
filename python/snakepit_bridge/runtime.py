# SPDX-License-Identifier: MIT
"""The runtime as adapters see it: the C extension in a worker, a stand-in elsewhere.

An extension that is missing is an ordinary case; one that is there and cannot be loaded
is an error and is raised.
"""

from __future__ import annotations

from contextvars import ContextVar

from .late import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Callable

    from ._runtime import Call, Cancelled, Tensor, UnknownTool

    native: Any
else:
    try:
        import snakepit_bridge._runtime as native
        from snakepit_bridge._runtime import Cancelled, Tensor, UnknownTool
    except ModuleNotFoundError as error:
        if error.name != "snakepit_bridge._runtime":
            raise
        from .standalone import Cancelled, Tensor, UnknownTool

        native = None

__all__ = [
    "CALL",
    "Cancelled",
    "Tensor",
    "UnknownTool",
    "attach",
    "class_version",
    "current_call",
    "is_attached",
    "is_standalone",
    "native",
    "runs_call",
    "sendable",
    "shield",
    "shorten_timeslice",
    "stage",
    "tell_of_cancels",
]

HEALTH_TOOL = "_health"  # by this name the host checks; no adapter has a tool of it

_attached = False
_standalone = True
_note_stage: Callable[[str], object] | None = None

# The call that a coroutine belongs to. Set where one begins, and inherited by its tasks
# and by what it gives to `asyncio.to_thread`; executors know their call without it.
CALL: ContextVar[Call | None] = ContextVar("snakepit_call", default=None)


def attach() -> dict[str, Any]:
    """Joins the host that started this process and returns the pool's configuration.

    Once per process, and before `greet`: until then it has one thread. Raises
    RuntimeError if the extension is not installed, OSError if no host left its
    descriptors here.
    """
    global _attached
    if _standalone:  # a worker that was forked has joined with its template
        _check_native()
    configuration: dict[str, Any] = native.attach()
    if _standalone:
        _joined(configuration)
    _attached = True
    return configuration


def attach_template() -> dict[str, Any]:
    """Joins the host as the template of a pool; otherwise as `attach`."""
    _check_native()
    return _joined(native.attach_template())


def _joined(configuration: dict[str, Any]) -> dict[str, Any]:
    """There is a host now, and it may die."""
    global _note_stage, _standalone
    _standalone = False
    _note_stage = native.stage
    native.set_grace(configuration["stop_grace_ms"])
    return configuration


def class_version(found: type) -> int:
    """A number that no other class has, and this one not any more when it or a base
    was changed. 0: that cannot be told.
    """
    return 0 if native is None else int(native.class_version(found))


def _check_native() -> None:
    if native is None:
        raise RuntimeError(
            "snakepit_bridge is here without its extension _runtime, so it can test "
            "adapters but not serve them; install Snakepit's python folder with pip"
        )


def current_call() -> Call | None:
    """The call that this code runs for: id, tool, session, deadline, whether cancelled.

    Right in every executor, in coroutines and their tasks, and in `asyncio.to_thread`.
    None outside of a call, and on threads that a tool started itself. In a test it is
    what `standalone.call` has made.
    """
    call: Call | None = native.current_call() if _attached else None
    return CALL.get() if call is None else call


def shield() -> None:
    """From here on the running call is not interrupted any more.

    What was on its way to it is withdrawn. It still sees `cancelled`, and a worker
    whose call does not end is still killed. For cleaning up. Does nothing outside of a
    call.
    """
    if _attached:
        native.shield()


def shorten_timeslice() -> None:
    """Gives the calling thread a short time slice, as a start has: for imports, which
    take long on a busy machine otherwise.
    """
    if _attached:
        native.shorten_timeslice()


def stage(text: str) -> None:
    """Notes what the start does now: "importing x". A host that finds the start late
    says so. Does nothing where there is no host.
    """
    if _note_stage is not None:
        _note_stage(sendable(text))


def sendable(text: str) -> str:
    """The text with a mark where it has what UTF-8 cannot say."""
    return text.encode("utf-8", "replace").decode()


def tell_of_cancels(function: Callable[[int], object] | None) -> None:
    """Has `function` called with the number of each call that is cancelled.

    On a thread of the extension, after the exception was sent to the call's executor.
    """
    if _attached:
        native.set_on_cancel(function)


def runs_call() -> bool:
    """Whether the calling thread is an executor in the middle of a call."""
    return is_attached() and bool(native.runs_call())


def is_attached() -> bool:
    """Whether this process is a worker that has joined its host."""
    return _attached


def is_standalone() -> bool:
    """Whether no host has started this process: it is a test's, or its author's."""
    return _standalone
