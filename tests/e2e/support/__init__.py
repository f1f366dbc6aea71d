# SPDX-License-Identifier: MIT
"""What the end-to-end tests stand on: a thin binding of the public API, the census, and
hosts in processes of their own.
"""

from .answers import CallFailed, Pairs, Refused
from .callers import Callers
from .configs import KINDS, THREADS, default_python, pool
from .gates import open_gate, wait_for_file
from .pit import Pit, Queue
from .processes import Process, alive_of, children_of, marked
from .templates import template_of
from .waiting import Deadline, eventually, seconds, sleeps

__all__ = [
    "KINDS",
    "THREADS",
    "CallFailed",
    "Callers",
    "Deadline",
    "Pairs",
    "Pit",
    "Process",
    "Queue",
    "Refused",
    "alive_of",
    "children_of",
    "default_python",
    "eventually",
    "marked",
    "open_gate",
    "pool",
    "seconds",
    "sleeps",
    "template_of",
    "wait_for_file",
]
