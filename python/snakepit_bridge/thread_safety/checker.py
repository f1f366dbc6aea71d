# SPDX-License-Identifier: MIT
"""The older path of `snakepit_bridge.thread_safety_checker`."""

from __future__ import annotations

from ..thread_safety_checker import (
    Pitfall,
    ThreadSafetyChecker,
    ThreadSafetyError,
    check_common_pitfalls,
    check_thread_safe,
    check_thread_safety,
    disable_thread_safety_checks,
    enable_thread_safety_checks,
    find_pitfalls,
    get_global_checker,
    print_thread_safety_report,
    require_thread_safe_adapter,
    validate_adapter_thread_safety,
)

__all__ = [
    "Pitfall",
    "ThreadSafetyChecker",
    "ThreadSafetyError",
    "check_common_pitfalls",
    "check_thread_safe",
    "check_thread_safety",
    "disable_thread_safety_checks",
    "enable_thread_safety_checks",
    "find_pitfalls",
    "get_global_checker",
    "print_thread_safety_report",
    "require_thread_safe_adapter",
    "validate_adapter_thread_safety",
]
