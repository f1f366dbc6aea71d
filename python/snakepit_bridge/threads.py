# SPDX-License-Identifier: MIT
"""Threads that run tools."""

from __future__ import annotations

import threading

from . import configuration
from .errors import AdapterError

_LIMITS = (
    ("RLIMIT_NPROC", "processes and threads (ulimit -u, LimitNPROC=, TasksMax=)"),
    ("RLIMIT_AS", "address space (ulimit -v, LimitAS=)"),
)


def remedy() -> str:
    """What to raise where a thread cannot be started, with what it is now."""
    import resource  # for what seldom fails, so not at the top

    limits = []
    for name, what in _LIMITS:
        soft = resource.getrlimit(getattr(resource, name))[0]
        is_set = soft != resource.RLIM_INFINITY
        limits.append(f"of {what}{f', which is {soft}' if is_set else ''}")
    return f"raise the limit {' or '.join(limits)}"


def start(thread: threading.Thread) -> None:
    """Starts a thread with the stack that the pool's `executor_stack_size` asks for.

    Threads that tools start themselves keep theirs. Raises AdapterError if the process
    may have no more threads or no more memory for them.
    """
    size = configuration.current().executor_stack_size
    before = threading.stack_size(size)
    try:
        thread.start()
    except RuntimeError as error:
        raise AdapterError(
            f"the thread {thread.name} could not be started with a stack of {size} "
            f"bytes ({error}); lower executor_stack_size or threads_per_worker, or "
            f"{remedy()}"
        ) from error
    finally:
        threading.stack_size(before)
