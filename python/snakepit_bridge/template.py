# SPDX-License-Identifier: MIT
"""A template's main: ``python -m snakepit_bridge.template``, as a host starts it.

A template has imported the adapter of its pool, loaded the pool's resources, and serves
nobody. It forks workers when the host asks: each finds all this done, and shares the
memory that it took.
"""

from __future__ import annotations

import fcntl
import gc
import os
import stat
import sys

from . import configuration, faults, loader, resources, runtime, worker
from .configuration import Configuration

FORKABLE_MARK = "__forkable__"


def main() -> int:
    """Serves one template's life, and in each process that it forks one worker's.

    Returns the exit status; a template in use ends with its channel instead. 1: it
    cannot be used, and the host knows why; 2: there is no host.
    """
    worker.prepare_process()
    opened_before = open_descriptors()
    try:
        settings = Configuration.from_message(runtime.attach_template())
    except (OSError, RuntimeError) as error:
        print(f"snakepit_bridge.template: {error}", file=sys.stderr)
        return 2
    configuration.use(settings)
    refusal = worker.confine(settings)
    if refusal is not None:
        runtime.native.unforkable(str(refusal))
        return 1
    worker.prepare_imports(settings)
    try:
        adapter_class = loader.load(settings.adapter)
        resources.load(adapter_class, settings)
    except BaseException as error:  # a module may well call sys.exit() when imported
        kind, message, _ = faults.describe(error)
        runtime.native.unforkable(f"its import failed: {kind}: {message}")
        return 1
    reason = reason_against(adapter_class, opened_before)
    if reason:
        runtime.native.unforkable(reason)
        return 1
    if not serve():
        return 1
    reseed()
    return worker.serve_adapter(adapter_class)


def serve() -> bool:
    """Forks whenever the host asks. True in each new worker.

    False in the template itself, once it may no longer fork.
    """
    settle()
    runtime.native.ready({})
    try:
        while not runtime.native.fork():
            pass
    except RuntimeError as error:
        runtime.native.unforkable(str(error))
        return False
    return True


def settle() -> None:
    """Makes memory and output fit to be shared.

    What is frozen is never visited by the collector, so the workers' collections do not
    copy its pages. What were left in a buffer each worker would print again.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    gc.collect()
    gc.freeze()


def reseed() -> None:
    """Gives a new worker random numbers of its own; `random` sees to itself."""
    numbers = sys.modules.get("numpy.random")
    if numbers is not None:
        numbers.seed()


# ---- What cannot be forked -----------------------------------------------------------


def reason_against(adapter_class: type, opened_before: set[int]) -> str:
    """Why workers of this adapter must be started one by one; empty if nothing does."""
    if not getattr(adapter_class, FORKABLE_MARK, True):
        return f"{adapter_class.__name__} sets {FORKABLE_MARK} = False"
    if not runtime.native.can_fork():
        return "this kernel or C library does not allow it"
    if os.getpgrp() != os.getpid():
        return "its import has left its process group"
    threads = runtime.native.threads()
    if threads != 1:
        return f"its import leaves {threads} threads running"
    if has_children():
        return "its import has started a process"
    for descriptor in sorted(open_descriptors() - opened_before):
        if not is_harmless(descriptor):
            return f"its import has opened {name_of(descriptor)}"
    return ""


def has_children() -> bool:
    """Whether a child of this process lives or waits to be reaped."""
    options = os.WEXITED | os.WNOHANG | os.WNOWAIT
    try:
        os.waitid(os.P_ALL, 0, options)
    except ChildProcessError:
        return False
    return True


def open_descriptors() -> set[int]:
    """Numbers of the open descriptors, that of the look itself apart."""
    found = {int(name) for name in os.listdir("/proc/self/fd")}
    return {number for number in found if os.path.lexists(f"/proc/self/fd/{number}")}


def is_harmless(descriptor: int) -> bool:
    """Whether processes may share it: a file or a device that is only read."""
    try:
        mode = os.fstat(descriptor).st_mode
        access = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
    except OSError:
        return True  # it was closed in the meantime
    if stat.S_ISCHR(mode):
        return True
    return (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) and access == os.O_RDONLY


def name_of(descriptor: int) -> str:
    """What the kernel calls it: a path, ``socket:[1234]`` and so on."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return f"descriptor {descriptor}"


if __name__ == "__main__":
    sys.exit(main())
