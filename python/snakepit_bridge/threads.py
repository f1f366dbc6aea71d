# SPDX-License-Identifier: MIT
"""Threads that run tools."""

from __future__ import annotations

import threading

from . import configuration
from .errors import AdapterError


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
            "raise the limits of memory and processes (ulimit -v, -u)"
        ) from error
    finally:
        threading.stack_size(before)
