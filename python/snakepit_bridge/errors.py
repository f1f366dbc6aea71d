# SPDX-License-Identifier: MIT
"""The bridge's own exceptions."""

from __future__ import annotations

from .runtime import UnknownTool

__all__ = ["AdapterError", "UnknownTool"]


class AdapterError(Exception):
    """An adapter cannot be served. The message tells its author why."""
