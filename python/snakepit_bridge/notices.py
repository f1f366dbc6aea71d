# SPDX-License-Identifier: MIT
"""What the bridge warns of."""

from __future__ import annotations

import os
import sys

from . import late, runtime
from .late import TYPE_CHECKING

if TYPE_CHECKING:
    import warnings

    from . import logs
else:
    logs = late.Module("snakepit_bridge.logs")
    warnings = late.Module("warnings")


def warn(text: str, stacklevel: int = 1) -> None:
    """Issues a RuntimeWarning.

    In a worker it never becomes an error, whatever PYTHONWARNINGS or the adapter's
    filters say: what is only warned of does not refuse an adapter or fail a call.
    """
    try:
        warnings.warn(text, RuntimeWarning, stacklevel=stacklevel + 1)
    except Exception:  # the warning, or what the adapter's way of showing it raises
        if runtime.is_standalone():
            raise
        _write(f"RuntimeWarning: {text}\n")


def _write(line: str) -> None:
    try:
        logs.write_warning(line, sys.stderr)
    except Exception:  # the adapter has closed or replaced it
        os.write(2, line.encode("utf-8", "backslashreplace"))
