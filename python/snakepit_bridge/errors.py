# SPDX-License-Identifier: MIT
"""The bridge's own exceptions."""

from __future__ import annotations


class AdapterError(Exception):
    """An adapter cannot be served. The message tells its author why."""


class UnknownTool(LookupError):
    """No tool has the name that was called."""
