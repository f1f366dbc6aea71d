# SPDX-License-Identifier: MIT
"""How the bridge's own commands end."""

from __future__ import annotations

import os
import signal
import sys
from typing import Callable

OK = 0
FAILED = 1  # a fault was found
USAGE = 2  # the command line is wrong
SYSTEM = 6  # the system refused; the numbers are those of the command `snakepit`


def finish(run: Callable[[], int]) -> int:
    """What `run` returns; a reader who has had enough of its output is not an error."""
    try:
        status = run()
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt:
        # Ends by the signal, as a command does that does not handle it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        raise
    return status


def complain(text: str, status: int) -> int:
    """Says what is wrong on standard error; gives `status`."""
    print(f"snakepit: {text}", file=sys.stderr)
    return status
