# SPDX-License-Identifier: MIT
"""The version of this package: that of the library whose memory layout it shares."""

from __future__ import annotations

__version__ = "0.6.0"
