# SPDX-License-Identifier: MIT
"""A module that waits for ever when it is imported."""

from __future__ import annotations

import threading

NAME = "deeper"
threading.Event().wait()
