# SPDX-License-Identifier: MIT
"""A worker's main: ``python -m snakepit_bridge.worker``, as a host starts it.

The extension owns descriptors, shared memory and the protocol; this module owns the
adapter's life: load, build, initialize, serve, clean up.
"""

from __future__ import annotations

import os
import select
import sys
import threading  # before any other thread: the one that imports it is taken for main
import time

from . import (
    checking,
    configuration,
    contexts,
    event_loop,
    exits,
    faults,
    gil,
    given,
    handover,
    health,
    life,
    loader,
    logs,
    memory_pressure,
    resolution,
    resources,
    runtime,
    search_path,
    sources,
    threads,
)
from .configuration import Configuration
from .gil import is_gil_enabled
from .late import TYPE_CHECKING
from .version import __version__

if TYPE_CHECKING:
    import signal
    from typing import Any

    from .resolution import Answers
else:
    import _signal as signal  # what is below the enums of `signal`, which take long

INTERRUPT_EVERY_MS = 10
MOST_NAMES = 500  # of tools that are sure to fit into the message READY


class Terminated(BaseException):
    """SIGTERM interrupts what runs: the start, or what a worker runs that was asked to
    leave before. The host answers a call that ends so.
    """


def main() -> int:
    """Serves one worker's life. Returns the exit status.

    0: the host said stop; 1: the adapter cannot be served; 2: there is no host, or no
    thread that could hear it. After
    SIGTERM the process ends by that signal, when it has cleaned up.
    """
    prepare_process()
    status = serve_adapter()
    exits.finish()
    return status


class Prepared:
    """What a start finds out of the class alone. A template does that for all workers,
    and then no worker looks up again what it can have from here: each function that it
    runs, and each object that it looks at, has a page of memory copied.

    Raises AdapterError.
    """

    def __init__(self, adapter_class: type, settings: Configuration) -> None:
        """Checks the class and loads the pool's resources. None is built yet."""
        self.adapter_class = adapter_class
        self.foresight: handover.Foresight | None = None
        self.is_checked = checking.is_wanted(settings)
        self.is_per_request = resolution.is_per_request(adapter_class)
        name = runtime.sendable(adapter_class.__qualname__)
        self.building = f"building {name}"
        self.initializing = f"in initialize() of {name}"
        thread_safe = loader.check_thread_safety(adapter_class, settings)
        loader.check_constructor(adapter_class)
        given.offer(adapter_class, "config")
        resources.load(adapter_class, settings)
        given.offer(adapter_class, "resources")
        self.described = describe_worker(adapter_class, thread_safe)

    def foresee(self, settings: Configuration) -> None:
        """Hands over, in a template, what its workers would."""
        foreseen = resolution.foresee(self.adapter_class)
        if foreseen is not None:
            self.foresight = handover.Foresight(foreseen, settings)
            self.described.update(promises(foreseen))


def serve_adapter(forked: Worker | None = None) -> int:
    """The same in a process that is prepared; `forked` is what its template has made
    ready, which has the adapter.
    """
    try:
        message = runtime.attach()
    except (OSError, RuntimeError) as error:
        print(f"snakepit_bridge.worker: {error}", file=sys.stderr)
        return 2
    if forked is None:
        settings = Configuration.from_message(message)
        configuration.use(settings)
    else:
        settings = forked.settings
        settings.take(message)
        if "stop_grace_ms" in message:
            runtime.native.set_grace(settings.stop_grace_ms)
    if settings.environment:  # updating with nothing takes 0.1 ms of a forked worker
        os.environ.update(settings.environment)
    refusal = None
    if forked is None:
        memory_pressure.raise_score(settings.oom_score_adj)
        refusal = confine(settings)
        prepare_imports(settings)
    try:
        runtime.native.greet()
    except OSError as error:  # there may be room for it later, so it is not a verdict
        print(f"snakepit_bridge.worker: {error}", file=sys.stderr)
        return 2
    if refusal is not None:
        runtime.native.failed(*faults.describe(refusal))
        return 1
    worker = Worker(settings) if forked is None else forked
    try:
        signal.signal(signal.SIGTERM, worker.terminate)
        runtime.native.stop_at(signal.SIGTERM, Terminated)
        return worker.live()
    except Terminated:
        worker.clean_up()
    finally:
        if worker.is_terminated:
            end_by(signal.SIGTERM)
    return 1


def confine(settings: Configuration) -> Exception | None:
    """Applies the pool's sandbox, if it has one, and returns why that is impossible."""
    if settings.sandbox:
        from . import sandbox

        try:
            sandbox.apply(settings)
        except sandbox.SandboxError as error:
            return error
    return None


def prepare_process() -> None:
    """Signals and output as user code finds them."""
    search_path.hide_request()
    gil.watch()
    if runtime.native is not None:
        runtime.native.leave_interrupts_to_host()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            # The host reads UTF-8, whatever the locale says.
            reconfigure(
                line_buffering=True, encoding="utf-8", errors="backslashreplace"
            )
    logs.install()


def prepare_imports(settings: Configuration) -> None:
    """The module search path, and the arguments for adapters that read `sys.argv`."""
    search_path.add(settings.paths)
    sys.argv[:] = [__file__, *settings.adapter_args]


def terminator(worker: Worker) -> Any:
    """What handles SIGTERM: it ends the worker so that the adapter is cleaned up.

    One that serves ends when its calls have, for the runtime lets none begin any more.
    If it was asked to leave before, they are interrupted, and so is a start. Once more
    ends the process at once.
    """

    def terminate(number: int, frame: object) -> None:
        if worker.is_interrupted:
            end_by(signal.SIGTERM)
        worker.is_terminated = True
        if worker.is_serving and runtime.native.leave_requests() < 2:
            return
        worker.is_interrupted = True
        if worker.executors is None:
            raise Terminated("the worker was told to end, by SIGTERM")
        worker.executors.interrupt()

    return terminate


def end_by(number: int) -> None:
    """Ends the process by a signal, as if nobody had handled it."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def promises(answers: Answers | resolution.Foreseen) -> dict[str, Any]:
    """What the host must know of tools: which take many calls at once, and how many,
    and which may be called once more. As many as READY has room for.
    """
    many = list(answers.batched.items())[:MOST_NAMES]
    return {
        "batches": {name: terms.max_batch for name, terms in many},
        "idempotent": answers.idempotent[: MOST_NAMES - len(many)],
    }


class Worker:
    """One adapter instance and the threads that call it. Owner: main thread."""

    def __init__(
        self, settings: Configuration, prepared: Prepared | None = None
    ) -> None:
        """Nothing is loaded yet, but for what the template has."""
        self.settings = settings
        self.prepared = prepared
        self.adapter: Any = None  # stays None where each call has an instance
        self.is_serving = False
        self.executors: Executors | None = None  # threads that serve
        self.is_terminated = False  # SIGTERM came
        self.is_interrupted = False  # it interrupts what runs
        self.terminate = terminator(self)

    def live(self) -> int:
        """From the adapter's import to its cleanup. Returns the exit status."""
        try:
            try:
                self.start()
            except Terminated:
                raise
            except BaseException as error:  # a module may well call sys.exit()
                runtime.native.failed(*faults.describe(error))
                return 1
            return self.serve()
        finally:
            self.clean_up()

    def start(self) -> None:
        """Loads, builds, initializes and registers the adapter, and tells the host.

        Raises AdapterError, or whatever the adapter's own code raises.
        """
        prepared = self.prepared
        if prepared is None:
            adapter_class = loader.load(self.settings.adapter)
            prepared = Prepared(adapter_class, self.settings)
        if prepared.is_checked:
            checking.install(prepared.adapter_class, self.settings)
        if prepared.is_per_request:
            self.register(prepared, resolution.of_class(prepared.adapter_class))
        else:
            self.build(prepared)
        runtime.native.set_context(*contexts.of_calls())
        described = prepared.described
        described["gil_enabled"] = is_gil_enabled()  # or what was built has enabled it
        if self.settings.sources:
            described["sources"] = sources.of_process(self.settings)
        runtime.native.stage("waiting for its first call, which it did not take")
        runtime.native.ready(described)

    def build(self, prepared: Prepared) -> None:
        """Builds, registers and initializes the instance that all calls share."""
        runtime.native.stage(prepared.building)
        adapter = self.adapter = prepared.adapter_class()
        foresight = prepared.foresight
        if foresight is None:
            given.check_seen(adapter)
        elif foresight.holds_for(adapter):
            foresight.take_up(adapter)
            runtime.native.stage(prepared.initializing)
            foresight.initialize()
            return
        answers = resolution.of_instance(adapter)
        runtime.native.stage(prepared.initializing)
        life.initialize(adapter)
        self.register(prepared, answers)

    def register(self, prepared: Prepared, answers: Answers) -> None:
        """Hands what answers to the extension, which calls it from then on."""
        if prepared.foresight is not None:
            runtime.native.forget()
        handover.all_of(prepared.adapter_class, answers, self.adapter, self.settings)
        prepared.described.update(promises(answers))

    def serve(self) -> int:
        """Runs the executors until the worker is to leave. Returns the exit status."""
        self.is_serving = True
        if self.settings.profile != "thread":
            runtime.native.run(0)
            return 0
        return self.serve_on_threads()

    def serve_on_threads(self) -> int:
        """Runs each executor on a thread of its own while this one handles signals."""
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            # None of a tool's code runs here, so its interrupt_main() means nothing.
            signal.signal(signal.SIGINT, lambda number, frame: None)
        executors = Executors(self.settings)
        self.executors = executors  # the first ones serve while the last ones start
        try:
            executors.start()
            executors.wait()
        finally:
            self.executors = None
        return 0

    def clean_up(self) -> None:
        """Cleans the adapter up and ends its tasks, once. From here on SIGTERM ends the
        process at once, unless the adapter has its own handler.
        """
        try:
            if signal.getsignal(signal.SIGTERM) is self.terminate:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
        finally:
            adapter, self.adapter = self.adapter, None
            life.clean_up(adapter)
            event_loop.stop()
            checking.print_report()


class Executors:
    """The threads of the thread profile. Owner: main thread, but for `run`."""

    def __init__(self, settings: Configuration) -> None:
        """No thread runs yet. At heartbeats the GIL is looked at, while it is off."""
        interval_ms = settings.heartbeat_interval_ms
        self.interval_ms = None if is_gil_enabled() else interval_ms
        # Seconds that they have once they are interrupted. The adapter needs some of
        # its grace to clean up.
        self.patience = min(1.0, settings.stop_grace_ms / 2000)
        self.until: float | None = None  # monotonic; None: they are not interrupted
        self.threads = [
            threading.Thread(
                target=self.run,
                args=(index,),
                name=f"snakepit-executor-{index}",
                daemon=True,  # where one is lost, the others must not keep the process
            )
            for index in range(settings.executors)
        ]
        self.endings: list[BaseException | None] = []  # None: the worker is to leave
        # A signal may come just before the main thread goes to sleep, which Python's
        # locks would sleep through; so it sleeps in a read, and signals write too.
        self.bell, self.rope = os.pipe()
        os.set_blocking(self.rope, False)

    def start(self) -> None:
        """Starts all threads. Raises RuntimeError if the process may have no more."""
        others = signal.set_wakeup_fd(self.rope, warn_on_full_buffer=False)
        if others != -1:  # the adapter has its own
            signal.set_wakeup_fd(others)
        for thread in self.threads:
            threads.start(thread)

    def run(self, index: int) -> None:
        """Runs executor `index` on the calling thread, then rings the bell."""
        try:
            runtime.native.run(index)
        except BaseException as error:
            self.endings.append(error)
        else:
            self.endings.append(None)
        self.ring()

    def ring(self) -> None:
        """Has the main thread look. Any thread."""
        try:
            os.write(self.rope, b"\0")
        except BlockingIOError:
            pass  # a full pipe rings as well

    def interrupt(self) -> None:
        """Interrupts what they run, and has `wait` come back soon. Main thread."""
        self.until = time.monotonic() + self.patience
        self.ring()

    def wait(self) -> None:
        """Returns when all have ended, or when those that were interrupted have had
        their time; raises when one has failed.

        Signal handlers run meanwhile, and what they raise is raised.
        """
        while self.any_serving():
            if self.until is None:
                self.listen(self.interval_ms)
            elif time.monotonic() < self.until:
                runtime.native.interrupt()  # also those that could not be before
                self.listen(INTERRUPT_EVERY_MS)
            else:
                return
        for thread in self.threads:
            thread.join()

    def listen(self, within_ms: int | None) -> None:
        """Waits for the bell; ends the process if a tool has closed it."""
        waiting = select.poll()
        waiting.register(self.bell, select.POLLIN)
        if not waiting.poll(within_ms):
            self.look_at_gil()
            return
        try:
            os.read(self.bell, 64)
        except OSError:
            runtime.native.lost_descriptors()

    def look_at_gil(self) -> None:
        """Tells the host, once, that a tool's import has switched the GIL on."""
        if is_gil_enabled() and runtime.native.gil_returned():
            self.interval_ms = None

    def any_serving(self) -> bool:
        """Whether some have not ended yet. Raises what one of them died of."""
        for failure in filter(None, self.endings):
            if not isinstance(failure, Terminated):
                raise failure
        return len(self.endings) < len(self.threads)


def describe_worker(adapter_class: type, thread_safe: bool | None) -> dict[str, Any]:
    """What the host is told when the worker can serve, all fit for MessagePack."""
    return {
        "adapter": f"{adapter_class.__module__}.{adapter_class.__qualname__}",
        "bridge": __version__,
        "free_threaded": "t" in sys.abiflags,
        "gil_enabled": is_gil_enabled(),
        "health_check": health.is_checked(adapter_class),
        "implementation": sys.implementation.name,
        "python": ".".join(map(str, sys.version_info[:3])),
        "thread_safe": thread_safe,
    }


if __name__ == "__main__":
    sys.exit(main())
