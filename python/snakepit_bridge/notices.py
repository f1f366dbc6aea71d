# SPDX-License-Identifier: MIT
"""What the bridge warns of."""

from __future__ import annotations

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
    except RuntimeWarning:
        if runtime.is_standalone():
            raise
        if sys.stderr is not None:
            logs.write_warning(f"RuntimeWarning: {text}\n", sys.stderr)
