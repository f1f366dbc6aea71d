# SPDX-License-Identifier: MIT
"""Texts of others as they can stand in a sentence."""

from __future__ import annotations


def shown(path: str) -> str:
    """A path in one line: with escapes, in quotes, where it has what cannot be printed.

    The host shows the first line of a reason only.
    """
    return path if path.isprintable() else repr(path)
