# SPDX-License-Identifier: MIT
"""The worker's event loop: one thread on which all coroutines of an adapter run.

An executor that has a coroutine to run hands it over and waits, so that it counts
against the worker's capacity like any other call. The one thing to know: whatever stops
the waiting, `run` returns only when the coroutine has ended, with its ``finally``
blocks, for the arguments belong to the executor's call.

The first coroutine starts the thread; a worker without any never imports asyncio.
"""

from __future__ import annotations

import contextvars
import os
import threading

from . import host, late, runtime, threads
from .late import TYPE_CHECKING
from .runtime import Cancelled

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine
    from typing import Any
else:
    asyncio = late.Module("asyncio")

STOP_WITHIN = 5.0  # seconds that what still runs may take to end when the loop stops


class Work:
    """One coroutine. Owner: the loop's thread, but for what a comment says."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Any,
        questions: host.Questions | None = None,
    ) -> None:
        """Not begun yet. Any thread. `questions` are asked while it is waited for."""
        self.loop = loop
        self.coroutine = coroutine
        self.questions = questions
        self.task: asyncio.Task[None] | None = None
        self.is_cancelled = False
        # Written before `done` is released, read afterwards by the one who waits.
        self.ended = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = threading.Lock()
        self.done.acquire()

    def begin(self) -> None:
        """Makes the task, in the context of the caller."""
        if self.ended:
            return
        life = self.live()
        try:
            self.task = self.loop.create_task(life)
        except BaseException as error:  # of a factory of tasks that a tool has set
            life.close()
            self.coroutine.close()
            self.end(error)
        else:
            self.task.add_done_callback(self.close)

    def cancel(self) -> None:
        """Cancels the task; a coroutine that has not begun never will.

        Once: a cancel comes by the host's word and by the executor that it interrupts,
        and the second would strike the `finally` that the first has begun.
        """
        if self.is_cancelled:
            return
        self.is_cancelled = True
        if self.task is not None:
            self.task.cancel()
        elif not self.ended:
            self.coroutine.close()
            self.end(Cancelled("cancelled before it began"))

    async def live(self) -> None:
        """Awaits the coroutine and keeps what it comes to.

        Nothing is raised: an exit that a tool asks for would end the loop's thread.
        """
        try:
            self.result = await self.coroutine
        except BaseException as error:
            self.end(error)
        else:
            self.end(None)

    def close(self, task: asyncio.Task[None]) -> None:
        """Ends what was cancelled before its first step: `live` was never entered."""
        if not self.ended:
            self.coroutine.close()
            self.end(Cancelled("cancelled before it began"))

    def end(self, error: BaseException | None) -> None:
        """Lets the one who waits go on. Drops the coroutine, which has ended."""
        leave_if_forked()
        self.error = error
        self.coroutine = None
        self.ended = True
        self.done.release()
        if self.questions is not None:
            self.questions.end()

    def wait(self) -> None:
        """Returns when the coroutine has ended. The thread that called `run`.

        Meanwhile it asks the host what the coroutine wants to know.
        """
        if self.questions is None:
            if not self.ended:
                self.done.acquire()
            return
        while not self.ended:
            self.questions.serve()

    def outcome(self) -> Any:
        """The result; raises what the coroutine raised. The thread that called `run`.

        What a cancelled coroutine raises is `Cancelled`, as in any other tool.
        """
        error, self.error = self.error, None
        if error is None:
            return self.result
        if self.is_cancelled and _is_from_a_cancel(error):
            raise Cancelled("the call was cancelled") from None
        try:
            raise error
        finally:
            del error  # a frame in its own traceback would keep the arguments


def leave_if_forked() -> None:
    """Ends a process that a coroutine has forked and that comes back from it: it would
    go on as a second event loop of the worker.
    """
    if os.getpid() != _process:
        text = f"snakepit: process {os.getpid()}, which an async tool has forked, came "
        text += "back from it and was ended; a child must leave by os._exit()\n"
        os.write(2, text.encode())
        os._exit(70)


def _is_from_a_cancel(error: BaseException) -> bool:
    return isinstance(error, asyncio.CancelledError)


class EventLoop:
    """A running loop and its thread."""

    def __init__(self) -> None:
        """Starts the thread."""
        self.loop = asyncio.new_event_loop()
        # Of the calls that wait here, by the call's number. Single operations of a dict
        # are atomic, and a number is put in and taken out by one executor.
        self.works: dict[int, Work] = {}
        self.stopping = False
        self.thread = threading.Thread(
            target=self.turn, name="snakepit-loop", daemon=True
        )
        # Where threads inherit a context, this one must not go on in that of a call.
        contextvars.Context().run(threads.start, self.thread)

    def turn(self) -> None:
        """The thread: runs the loop until it is stopped."""
        asyncio.set_event_loop(self.loop)
        while not self.stopping:
            try:
                self.loop.run_forever()
            except BaseException as error:
                # A task that the adapter made asked for an exit. Other calls go on.
                context = {
                    "message": "a task tried to end the loop",
                    "exception": error,
                }
                self.loop.call_exception_handler(context)

    def run(self, coroutine: Coroutine[Any, Any, Any], shielded: bool = False) -> Any:
        """Runs a coroutine to its end and returns its result. Any other thread.

        A `shielded` one is not cancelled with the call.
        """
        call = runtime.current_call()
        context = contextvars.copy_context()
        questions = None
        if call is not None:
            context.run(runtime.CALL.set, call)
            questions = host.Questions(call, self.thread.ident)
            host.OPEN[call.id] = questions
        work = Work(self.loop, coroutine, questions)
        listed = call is not None and not shielded
        try:
            if call is not None and listed:
                self.works[call.id] = work
                # A cancel that came before the work was listed is seen here; a later
                # one finds it.
                call.raise_if_cancelled()
            self.loop.call_soon_threadsafe(work.begin, context=context)
            work.wait()
        except BaseException:
            # Wherever it struck: what has begun is cancelled, what has not never will.
            self.loop.call_soon_threadsafe(work.cancel)
            work.wait()
            raise
        finally:
            if call is not None and questions is not None:
                host.OPEN.pop(call.id, None)
                questions.close()
            if call is not None and listed:
                self.works.pop(call.id, None)
        return work.outcome()

    def cancel(self, call: int) -> None:
        """Cancels the coroutine that a call waits for, if it does. Any thread."""
        work = self.works.get(call)
        if work is not None:
            self.loop.call_soon_threadsafe(work.cancel)

    def stop(self) -> None:
        """Ends what still runs, then the thread. Any other thread, once."""
        self.stopping = True
        work = Work(self.loop, self.end_tasks())
        self.loop.call_soon_threadsafe(work.begin)
        if not work.done.acquire(timeout=STOP_WITHIN):
            return  # something holds the loop; its thread goes with the process
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(STOP_WITHIN)
        if not self.thread.is_alive():
            self.loop.close()

    async def end_tasks(self) -> None:
        """Cancels the tasks that the adapter left behind and waits for them."""
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self.loop.shutdown_asyncgens()


_process = 0  # whose loop it is
_lock = threading.Lock()  # guards the making of the loop
_running: EventLoop | None = None


def run(coroutine: Coroutine[Any, Any, Any], shielded: bool = False) -> Any:
    """Runs a coroutine on the worker's event loop, to its end; returns its result.

    Raises what it raises, and `Cancelled` where the caller's call was cancelled, in
    which case the coroutine was cancelled and has ended; a `shielded` one is not. Not
    for code that runs on the loop itself, which awaits.
    """
    return started().run(coroutine, shielded)


def started() -> EventLoop:
    """The worker's loop, which runs now. Any thread."""
    global _running, _process
    if _running is None:
        with _lock:
            if _running is None:
                _process = os.getpid()
                _running = EventLoop()
                runtime.tell_of_cancels(_running.cancel)
    return _running


def stop() -> None:
    """Stops the loop if one runs: its tasks are cancelled and have ended afterwards.

    A loop that does not get to it in five seconds is left to the end of the process.
    """
    global _running
    loop, _running = _running, None
    if loop is not None:
        runtime.tell_of_cancels(None)
        loop.stop()
