# SPDX-License-Identifier: MIT
"""What a test may not leave behind: processes, descriptors, threads, shared memory, and
errors in the log that it has not announced.
"""

from __future__ import annotations

import collections
import dataclasses
import gc
import os
import pathlib
import re

from .processes import Process, marked
from .waiting import Deadline

# Names that multiprocessing and PostgreSQL give, in any process of the machine: of what
# is not ours nobody knows when it goes. A test of such names looks for its own.
OF_OTHERS = ("sem.mp-", "sem.loky-", "psm_", "wnsm_", "PostgreSQL.")
SETTLE = 1.0  # seconds that what was killed from outside may take to be gone


@dataclasses.dataclass(frozen=True)
class Census:
    """What there is at one moment."""

    processes: frozenset[Process]
    descriptors: collections.Counter[str]
    mappings: int  # of memfds
    threads: int
    shared: frozenset[str]  # names in /dev/shm

    @classmethod
    def take(cls) -> Census:
        gc.collect()
        return cls(
            processes=frozenset(marked()),
            descriptors=descriptors_of("self"),
            mappings=memfd_mappings("self"),
            threads=len(os.listdir("/proc/self/task")),
            shared=shared_names(),
        )


def shared_names() -> frozenset[str]:
    """What there is in /dev/shm, but for what other programs put there."""
    return frozenset(
        name for name in os.listdir("/dev/shm") if not name.startswith(OF_OTHERS)
    )


def descriptors_of(pid: int | str) -> collections.Counter[str]:
    """The open descriptors of a process, counted by kind."""
    folder = pathlib.Path(f"/proc/{pid}/fd")
    kinds: collections.Counter[str] = collections.Counter()
    for name in os.listdir(folder):
        try:
            target = os.readlink(folder / name)
        except OSError:
            continue  # the descriptor of the listing itself
        kinds[re.sub(r"\d+", "N", target)] += 1
    return kinds


def memfd_mappings(pid: int | str) -> int:
    """How many mappings of memfds a process has."""
    text = pathlib.Path(f"/proc/{pid}/maps").read_text(errors="replace")
    return text.count("/memfd:")


def leaks(before: Census, after: Census) -> list[str]:
    """What has come and not gone, one sentence each."""
    found = []
    for process in after.processes - before.processes:
        state = process.state or "gone"
        found.append(f"process {process.pid} ({process.words}) is left, state {state}")
    for kind, count in (after.descriptors - before.descriptors).items():
        found.append(f"{count} descriptors of kind {kind}")
    if after.mappings > before.mappings:
        found.append(f"{after.mappings - before.mappings} mappings of memfds")
    if after.threads > before.threads:
        found.append(f"{after.threads - before.threads} threads")
    found += [f"/dev/shm/{name}" for name in after.shared - before.shared]
    return found


def settled_leaks(before: Census) -> list[str]:
    """What is left when there was time for the kernel to clean up."""
    deadline = Deadline(SETTLE)
    while True:
        found = leaks(before, Census.take())
        if not found or deadline.over:
            return found
