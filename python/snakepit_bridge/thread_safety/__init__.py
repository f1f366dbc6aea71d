# SPDX-License-Identifier: MIT
"""The older path of `snakepit_bridge.thread_safety_checker`."""

from __future__ import annotations

from .checker import (
    ThreadSafetyChecker,
    check_common_pitfalls,
    print_thread_safety_report,
)

__all__ = [
    "ThreadSafetyChecker",
    "check_common_pitfalls",
    "print_thread_safety_report",
]
