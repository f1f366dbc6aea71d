# SPDX-License-Identifier: MIT
"""The older path of `snakepit_bridge.base_adapter_threaded`."""

from __future__ import annotations

from ..base_adapter_threaded import (
    RequestTracker,
    ThreadLocalStorage,
    ThreadSafeAdapter,
    require_thread_safe,
    thread_safe_method,
    tool,
    validate_thread_safety,
)

__all__ = [
    "RequestTracker",
    "ThreadLocalStorage",
    "ThreadSafeAdapter",
    "require_thread_safe",
    "thread_safe_method",
    "tool",
    "validate_thread_safety",
]
