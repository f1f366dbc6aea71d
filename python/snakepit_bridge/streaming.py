# SPDX-License-Identifier: MIT
"""Streams: how an executor, which drives plain iterators, drives asynchronous ones.

The asynchronous iterator runs in one task of the worker's event loop, which hands its
items to the executor that waits for them. It may be a few items ahead and then waits.
Whatever ends the stream, the iterator is closed by its own task, so that its
``finally`` runs where its ``await`` works, and the executor goes on only then.
"""

from __future__ import annotations

import contextvars
import io
import threading

from . import event_loop, host, late, runtime
from .late import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    import queue
    from typing import Any
else:
    queue = late.Module("queue")

AHEAD = 16  # items that the task may have made and the executor not taken

_END = object()


def is_stream(value: object) -> bool:
    """Whether a value is an iterator, asynchronous or not, so that an executor drives
    it. A BytesIO crosses as its bytes, and a StringIO is refused. Classes are asked,
    for a metaclass may answer for any name; and an iterator gives itself as its
    iterator, which an instance of a class that answers for every name does not.
    """
    if issubclass(type(value), (io.BytesIO, io.StringIO)):
        return False
    for following, iterating in (("__next__", "__iter__"), ("__anext__", "__aiter__")):
        if _of_class(value, following) is not None:
            iterate = _of_class(value, iterating)
            return iterate is None or _gives_itself(value, iterate)
    return False


def _of_class(value: object, name: str) -> Any:
    """What the first class of the value that has this name has under it, or None."""
    classes = type(value).__mro__
    return next((vars(cls)[name] for cls in classes if name in vars(cls)), None)


def _gives_itself(value: object, iterate: Any) -> bool:
    try:
        return iterate.__get__(value, type(value))() is value
    except Exception:
        return False


def driven(source: Any) -> Driven:
    """A plain iterator over an asynchronous one, for the thread of an executor."""
    return Driven(source)


class Driven:
    """An asynchronous iterator as a plain one. Owner: the thread that takes from it,
    but for what a comment says.
    """

    def __init__(self, source: Any) -> None:
        """Begins to run `source` on the worker's loop, in the caller's context."""
        self.source = source
        # Of items, then _END; among them host.ASKED, when the task has a question. Put
        # by the task, taken by the owner.
        self.items: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.lock = threading.Lock()  # guards the next two
        self.ahead = 0
        self.waiter: asyncio.Future[None] | None = None
        self.loop = event_loop.started()
        self.call = runtime.current_call()
        self.questions = host.Questions(self.call, self.loop.thread.ident, self.items)
        self.work = StreamWork(self.loop.loop, self._run(), self.items, self.questions)
        self._begin()

    def _begin(self) -> None:
        context = contextvars.copy_context()
        if self.call is not None:
            context.run(runtime.CALL.set, self.call)
            self.loop.works[self.call.id] = self.work
            host.OPEN[self.call.id] = self.questions
            # A cancel that came before the work was listed is seen here.
            if self.call.cancelled:
                self.work.cancel()
        self.loop.loop.call_soon_threadsafe(self.work.begin, context=context)

    def __iter__(self) -> Driven:
        """Itself."""
        return self

    def __next__(self) -> Any:
        """The next item. Raises what the source raised, and `Cancelled`."""
        item = self._take()
        if item is _END:
            self.items.put(_END)  # whoever asks again finds the end again
            self._forget()
            self.work.outcome()
            raise StopIteration
        self._make_room()
        return item

    def close(self) -> None:
        """Returns when the source is closed and its task has ended."""
        if not self.work.ended:
            self.loop.loop.call_soon_threadsafe(self.work.cancel)
            while self._take() is not _END:
                pass
            self.items.put(_END)
        self._forget()

    def _take(self) -> Any:
        """The next item or _END. Meanwhile it asks the host what the task wants."""
        while True:
            item = self.items.get()
            if item is not host.ASKED:
                return item
            self.questions.serve_waiting()

    def _forget(self) -> None:
        if self.call is not None:
            host.OPEN.pop(self.call.id, None)
            self.loop.works.pop(self.call.id, None)
        self.questions.close()

    def _make_room(self) -> None:
        with self.lock:
            self.ahead -= 1
            if self.waiter is None or self.ahead > AHEAD // 2:
                return
            waiter, self.waiter = self.waiter, None
        self.loop.loop.call_soon_threadsafe(_wake, waiter)

    # ---- On the loop's thread

    async def _run(self) -> None:
        try:
            while True:
                try:
                    item = await self.source.__anext__()
                except StopAsyncIteration:
                    return
                await self._give(item)
        finally:
            close = getattr(self.source, "aclose", None)
            if close is not None:
                await close()

    async def _give(self, item: Any) -> None:
        self.items.put(item)
        with self.lock:
            self.ahead += 1
            if self.ahead < AHEAD:
                return
            self.waiter = waiter = self.loop.loop.create_future()
        await waiter


class StreamWork(event_loop.Work):
    """The task of one stream. It is cancelled once, so that nothing interrupts the
    source while it is closed.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Any,
        items: Any,
        open_questions: host.Questions,
    ) -> None:
        """Not begun yet. `items` and `open_questions` are told the end. Any thread."""
        super().__init__(loop, coroutine)
        self.items = items
        self.open_questions = open_questions

    def cancel(self) -> None:
        """Cancels the task, unless that was done before."""
        if not self.is_cancelled:
            super().cancel()

    def end(self, error: BaseException | None) -> None:
        """Lets the executor go on."""
        super().end(error)
        self.open_questions.ended = True
        self.items.put(_END)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
