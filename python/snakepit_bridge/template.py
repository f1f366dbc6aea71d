# SPDX-License-Identifier: MIT
"""A template's main: ``python -m snakepit_bridge.template``, as a host starts it.

A template has imported the adapter of its pool, loaded the pool's resources, and serves
nobody. It forks workers when the host asks: each finds all this done, and shares the
memory that it took.
"""

from __future__ import annotations

import gc
import sys

from . import at_fork  # noqa: F401  # before `threading`, which others import

# isort: split
from . import (
    arrays,
    configuration,
    exits,
    faults,
    loader,
    memory_pressure,
    records,
    resolution,
    runtime,
    worker,
)
from .configuration import Configuration
from .forkable import Forkability
from .session import SessionContext
from .stream import StreamChunk


def main() -> int:
    """Serves one template's life, and in each process that it forks one worker's.

    Returns the exit status; a template in use ends with its channel instead. 1: it
    cannot be used, and the host knows why; 2: there is no host.
    """
    worker.prepare_process()
    forkability = Forkability()
    try:
        settings = Configuration.from_message(runtime.attach_template())
    except (OSError, RuntimeError) as error:
        print(f"snakepit_bridge.template: {error}", file=sys.stderr)
        return 2
    configuration.use(settings)
    memory_pressure.raise_score(settings.oom_score_adj)
    refusal = worker.confine(settings)
    if refusal is not None:
        runtime.native.unforkable(str(refusal))
        return 1
    worker.prepare_imports(settings)
    try:
        adapter_class = loader.load(settings.adapter)
        prepared = worker.Prepared(adapter_class, settings)
        prepared.foresee(settings)
        records.complete(resolution.Answers, SessionContext, StreamChunk)
        arrays.maker(settings.tensors)  # imports NumPy for all workers at once
    except BaseException as error:  # a module may well call sys.exit() when imported
        kind, message, _ = faults.describe(error)
        runtime.native.unforkable(f"its import failed: {kind}: {message}")
        return 1
    settle()
    reason = forkability.reason_against(adapter_class)
    if reason:
        runtime.native.unforkable(reason)
        return 1
    forked = worker.Worker(settings, prepared)
    gc.freeze()
    runtime.native.settle()
    if not serve(forkability.reopened):
        return 1
    reseed()
    return exits.leave(worker.serve_adapter(forked))


def serve(reopened: list[int]) -> bool:
    """Forks whenever the host asks. True in each new worker, which has the descriptors
    `reopened` for itself.

    False in the template itself, once it may no longer fork.
    """
    runtime.native.set_reopened(reopened)
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

    What was left in a buffer each worker would print again. Garbage goes first, for
    its finalizers may leave something; what is frozen afterwards is never visited by
    the collector, so the workers' collections do not copy its pages.
    """
    exits.flush_output()
    gc.collect()


def reseed() -> None:
    """Gives a new worker random numbers of its own; `random` sees to itself."""
    numbers = sys.modules.get("numpy.random")
    if numbers is not None:
        numbers.seed()


if __name__ == "__main__":
    sys.exit(main())
