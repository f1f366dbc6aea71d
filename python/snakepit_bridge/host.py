# SPDX-License-Identifier: MIT
"""Questions to the host, from wherever an adapter's code runs.

A question travels in the slot of the call that asks, so it is asked by the executor
that runs the call. A coroutine, or a thread that one has started with
`asyncio.to_thread`, hands its question to that executor, which waits for the coroutine
anyway. The one thing to know: of one call, one question is open at a time; others wait
their turn.
"""

from __future__ import annotations

import threading
from collections import deque

from . import late, runtime
from .late import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    import queue
    from typing import Any, Callable

    from . import standalone, telemetry
    from ._runtime import Call
else:
    asyncio = late.Module("asyncio")
    queue = late.Module("queue")
    standalone = late.Module("snakepit_bridge.standalone")
    telemetry = late.Module("snakepit_bridge.telemetry")

ASKED = object()  # the news that there is a question

LIST = "snakepit.tools"  # the question for the names of the host's tools

NO_CALL = (
    "{what}: this code runs for no call of a host. Threads that a tool starts itself, "
    "and those of pools (run_in_executor), have none; ask before they start, or in an "
    "async tool start them with asyncio.to_thread, or hand them "
    "contextvars.copy_context().run and the function"
)


IN_CHECK = (
    "{what}: health_check cannot ask the host, for it runs for no call of it; what it "
    "needs to know a tool may ask for and keep"
)


def _refuse_check(what: str) -> None:
    call = runtime.current_call()
    if call is not None and call.tool == runtime.HEALTH_TOOL:
        raise RuntimeError(IN_CHECK.format(what=what))


def ask(what: str, name: str, arguments: dict[str, Any]) -> Any:
    """What the host's tool `name` returns for `arguments`, which go by name.

    `what` names the caller's own function in errors. Blocks the calling thread, so not
    for code that runs on the event loop. Raises RuntimeError where no call runs or on
    the event loop, or a health check, HostError for what the host says, Cancelled.
    """
    _refuse_check(what)
    if runtime.runs_call():
        return runtime.native.ask(name, arguments, *_trace())
    questions = _of_this_call(what)
    if questions is None:
        return standalone.ask(what, name, arguments)
    if threading.get_ident() == questions.loop_thread:
        way = "run it in asyncio.to_thread"
        if not name.startswith("snakepit."):
            way = f"await session_context.call_host_tool_async(...), or {way}"
        raise RuntimeError(f"{what} would block the event loop; {way}")
    told = threading.Event()
    question = Question(name, arguments, told.set)
    questions.put(question)
    told.wait()
    return question.outcome()


async def ask_async(what: str, name: str, arguments: dict[str, Any]) -> Any:
    """`ask` for coroutines: the loop goes on meanwhile."""
    _refuse_check(what)
    questions = None if runtime.runs_call() else _of_this_call(what)
    if questions is None:
        return ask(what, name, arguments)
    loop = asyncio.get_running_loop()
    told: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        loop.call_soon_threadsafe(_set, told)

    question = Question(name, arguments, tell)
    questions.put(question)
    await told
    return question.outcome()


def _trace() -> tuple[str, ...]:
    """Which span asks; empty where the call belongs to no trace."""
    call = runtime.current_call()
    if call is None or not call.traceparent:
        return ()
    return (telemetry.get_traceparent(),)


def _set(told: asyncio.Future[None]) -> None:
    if not told.done():
        told.set_result(None)


def _of_this_call(what: str) -> Questions | None:
    """The questions of the call that this code runs for; None outside of a worker."""
    if not runtime.is_attached():
        return None
    call = runtime.CALL.get()
    if call is None:
        raise RuntimeError(NO_CALL.format(what=what))
    questions = OPEN.get(call.id)
    if questions is None:
        raise RuntimeError(f"{what}: the call that this code belongs to has ended")
    return questions


class Question:
    """One question on its way to the executor and back."""

    def __init__(
        self, name: str, arguments: dict[str, Any], tell: Callable[[], None]
    ) -> None:
        """`tell` lets the one who asked go on; it may be called twice. Any thread."""
        self.name = name
        self.arguments = arguments
        self.tell = tell
        self.trace = _trace()
        # Written before `tell` is called, read afterwards by the one who asked.
        self.asked = False
        self.result: Any = None
        self.error: BaseException | None = None

    def settle(self) -> None:
        """Asks, once, and tells. The executor.

        What a signal or a cancel raises in between passes; then this is called again.
        """
        if not self.asked:
            try:
                self.result = runtime.native.ask(self.name, self.arguments, *self.trace)
            except BaseException as error:
                self.error = error
            self.asked = True
        self.tell()

    def refuse(self, error: BaseException) -> None:
        """Tells without having asked."""
        if not self.asked:
            self.error = error
            self.asked = True
        self.tell()

    def outcome(self) -> Any:
        """The result; raises what came instead. The one who asked."""
        error, self.error = self.error, None
        if error is None:
            return self.result
        try:
            raise error
        finally:
            del error


class Questions:
    """The questions of one call that waits for its coroutine."""

    def __init__(
        self,
        call: Call | None,
        loop_thread: int | None,
        news: queue.SimpleQueue[Any] | None = None,
    ) -> None:
        """`loop_thread` runs the coroutine and must not block. `news`: where the
        executor waits already.
        """
        self.call = call
        self.loop_thread = loop_thread
        self.lock = threading.Lock()  # guards what follows
        self.waiting: deque[Question] = deque()
        self.closed = False
        self.ended = False  # the coroutine
        # ASKED for each question, and an entry for the end of the coroutine.
        self.news: queue.SimpleQueue[Any] = (
            queue.SimpleQueue() if news is None else news
        )

    def put(self, question: Question) -> None:
        """Hands over a question. Any thread but the executor's."""
        with self.lock:
            if not self.closed:
                self.waiting.append(question)
                self.news.put(ASKED)
                return
        question.refuse(RuntimeError("the call that this code belongs to has ended"))

    def end(self) -> None:
        """The coroutine has ended: what its tasks still ask is refused. Any thread."""
        self.ended = True
        self.news.put(None)

    def serve(self) -> None:
        """Waits for news and asks what is to be asked. The executor."""
        self.news.get()
        self.serve_waiting()

    def serve_waiting(self) -> None:
        """Asks what is to be asked by now. The executor."""
        while self.waiting and not self.ended:
            self.waiting[0].settle()
            self.waiting.popleft()

    def close(self) -> None:
        """Nothing is asked any more. The executor, at the end of its call."""
        with self.lock:
            self.closed = True
        while self.waiting:
            self.waiting[0].refuse(RuntimeError("the call has ended"))
            self.waiting.popleft()


# Of the calls whose executors wait for a coroutine, by the call's number. Single
# operations of a dict are atomic, and a number is put in and taken out by one executor.
OPEN: dict[int, Questions] = {}
