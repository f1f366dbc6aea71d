# SPDX-License-Identifier: MIT
"""The older path of `snakepit_bridge.thread_safety_checker`."""

from __future__ import annotations

from ..thread_safety_checker import *  # noqa: F403
from ..thread_safety_checker import __all__ as __all__
