# SPDX-License-Identifier: MIT
"""Adapters of each way to answer and to live; what they do they write to a journal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time

from journals import Journal
from snakepit_bridge import (
    BaseAdapter,
    Cancelled,
    ThreadSafeAdapter,
    current_call,
    runtime,
    tool,
)


class Living(ThreadSafeAdapter):
    """Writes down its life, sync. `adapter_config` says where, and what fails."""

    __thread_safe__ = True

    def __init__(self):
        super().__init__()
        self.journal = Journal(self.config["journal"])
        self.journal.write("construct")
        if self.config.get("fails") == "construct":
            raise ValueError("the constructor says no")

    def initialize(self):
        self.journal.write("initialize")
        if self.config.get("fails") == "initialize":
            raise ValueError("initialize says no")
        if self.config.get("gate"):
            self.journal.write("at the gate")
            with open(self.config["gate"]):
                pass

    def cleanup(self):
        self.journal.write("cleanup begins")
        # An interruption that comes late would strike here.
        until = time.monotonic() + self.config.get("cleanup_seconds", 0)
        while time.monotonic() < until:
            pass
        self.journal.write("cleanup")

    @tool
    def ping(self):
        return "pong"

    @tool
    def identity(self):
        return id(self)

    @tool
    def fail(self):
        raise ValueError("no")

    @tool
    def spin(self):
        self.journal.write("spin")
        while True:
            pass

    @tool
    def fork_and_terminate(self):
        """How a forked child ends that is sent SIGTERM: the signal's number."""
        child = os.fork()
        if child == 0:
            while True:
                signal.pause()
        os.kill(child, signal.SIGTERM)
        return os.WTERMSIG(os.waitpid(child, 0)[1])

    @tool
    def note_and_sleep(self):
        """Busy in a C function that signals interrupt."""
        self.journal.write("sleep")
        time.sleep(60)

    @tool
    def cancel_in_cleanup(self):
        """Ends in the moment in which it sees that it was cancelled."""
        self.journal.write("wait")
        with contextlib.suppress(Cancelled):
            while not current_call().cancelled:
                time.sleep(0.0001)


class AsyncLiving(Living):
    """The same life, async."""

    async def initialize(self):
        await asyncio.sleep(0)
        super().initialize()
        self.loop = asyncio.get_running_loop()

    async def cleanup(self):
        await asyncio.sleep(0.001)
        self.journal.write("same loop")
        super().cleanup()

    @tool
    async def is_same_loop(self):
        return self.loop is asyncio.get_running_loop()

    @tool
    async def async_forever(self):
        self.journal.write("forever")
        try:
            await asyncio.sleep(60)
        finally:
            self.journal.write("finally")


class Once(Living):
    """An instance for each call."""

    __thread_safe__ = True
    __per_request__ = True


class AsyncOnce(AsyncLiving):
    __thread_safe__ = True
    __per_request__ = True


class OnceRequests(Living):
    """Answers what is not a tool, by an instance for each call."""

    __thread_safe__ = True
    __per_request__ = True

    def handle_request(self, request):
        return [request.command, request.args, id(self)]


class Coroutines(ThreadSafeAdapter):
    """Async tools."""

    __thread_safe__ = True

    async def initialize(self):
        self.meeting = 0
        self.met = asyncio.Event()
        self.background = None

    def note(self, path, text):
        Journal(path).write(text)

    @tool
    async def add(self, a, b=1):
        await asyncio.sleep(0)
        return a + b

    @tool
    def sync(self):
        return threading.current_thread().name

    @tool
    async def thread(self):
        return threading.current_thread().name

    @tool
    async def fail(self):
        await asyncio.sleep(0)
        raise ValueError("an async no")

    @tool
    async def leave(self):
        await asyncio.sleep(0)
        raise SystemExit(3)

    @tool
    async def task_that_leaves(self):
        async def leave():
            raise SystemExit(3)

        with contextlib.suppress(SystemExit, asyncio.CancelledError):
            await asyncio.create_task(leave())

    @tool
    async def meet(self, count, path=None):
        """Returns when `count` calls have come."""
        self.meeting += 1
        if path:
            self.note(path, "inside")
        if self.meeting == count:
            self.met.set()
        await self.met.wait()
        return self.meeting

    @tool
    async def forever(self, path):
        self.note(path, "begin")
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.005)
            self.note(path, "finally")

    @tool
    async def deaf(self, path):
        self.note(path, "begin")
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)

    @tool
    async def asks(self, path):
        """Cooperative: never awaits anything that could be cancelled for long."""
        self.note(path, "begin")
        call = current_call()
        try:
            while True:
                call.raise_if_cancelled()
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(0.001)
        except Cancelled:
            self.note(path, "Cancelled")
            raise

    @tool
    async def blocks(self, seconds):
        time.sleep(seconds)

    @tool
    async def context(self, pause=0.0):
        """What the coroutine, its task and a thread beside it know of the call."""
        before = self.known()
        await asyncio.sleep(pause)
        task = await asyncio.create_task(self.known_later(pause))
        thread = await asyncio.get_running_loop().run_in_executor(None, self.known)
        copied = None
        if hasattr(asyncio, "to_thread"):
            copied = await asyncio.to_thread(self.known)
        return {
            "before": before,
            "after": self.known(),
            "task": task,
            "plain thread": thread,
            "to_thread": copied,
        }

    async def known_later(self, pause):
        await asyncio.sleep(pause)
        return self.known()

    def known(self):
        call = current_call()
        if call is None:
            return None
        return [call.id, call.tool, self.session_id, self.session_context.session_id]

    @tool
    async def leave_behind(self, path):
        """A task that outlives its call."""

        async def stay():
            try:
                await asyncio.sleep(3600)
            finally:
                self.note(path, f"left {current_call().cancelled}")

        self.background = asyncio.create_task(stay())
        await asyncio.sleep(0)
        return True

    @tool
    async def own_cancel(self):
        """Is cancelled by its own doing, not by the caller."""
        made = asyncio.get_running_loop().create_future()
        made.cancel()
        await made

    @tool
    async def hundred_small(self):
        for _ in range(100):
            await asyncio.sleep(0)
        return 100


class AsyncExecute(BaseAdapter):
    __thread_safe__ = True

    @tool
    def registered(self):
        return "tool"

    async def execute_tool(self, tool_name, arguments, context):
        await asyncio.sleep(0)
        return [tool_name, arguments, context.session_id]


class SyncExecute(BaseAdapter):
    __thread_safe__ = True

    @tool
    def registered(self):
        return "tool"

    def execute_tool(self, tool_name, arguments, context):
        return [tool_name, arguments, context.session_id]

    def handle_request(self, request):
        return "must not be reached"


def _answer(request):
    return [
        request.command,
        request["command"],
        request.args,
        dict(request)["args"],
        request.input,
        request.get("nothing", "default"),
        "command" in request,
    ]


class SyncHandle(BaseAdapter):
    __thread_safe__ = True

    def handle_request(self, request):
        return _answer(request)


class AsyncHandle(BaseAdapter):
    __thread_safe__ = True

    async def handle_request(self, request):
        await asyncio.sleep(0)
        return _answer(request)


class SyncImpl(ThreadSafeAdapter):
    __thread_safe__ = True

    def _handle_request_impl(self, request):
        return _answer(request)


class AsyncImpl(ThreadSafeAdapter):
    __thread_safe__ = True

    async def _handle_request_impl(self, request):
        await asyncio.sleep(0)
        return _answer(request)


class SyncDispatch(BaseAdapter):
    __thread_safe__ = True

    def _dispatch(self, request):
        return _answer(request)


class AsyncDispatch(BaseAdapter):
    __thread_safe__ = True

    async def _dispatch(self, request):
        await asyncio.sleep(0)
        return _answer(request)


class PlainDispatch:
    """No base class of ours."""

    __thread_safe__ = True

    def __init__(self):
        self.greeting = self.config["greeting"]

    def _dispatch(self, request):
        return [self.greeting, request.command]


class Resources(ThreadSafeAdapter):
    """Loads what the pool names, and counts how often."""

    __thread_safe__ = True
    loads = 0

    @classmethod
    def load_resource(cls, path, type):
        Resources.loads += 1
        with open(path) as file:
            return [type, file.read()]

    def __init__(self):
        super().__init__()
        self.seen = dict(self.resources)

    @tool
    def report(self):
        return {
            "loads": Resources.loads,
            "in the constructor": self.seen,
            "now": dict(self.resources),
        }


class ResourcesOnce(Resources):
    __thread_safe__ = True
    __per_request__ = True


class Asking(ThreadSafeAdapter):
    """Sync tools that look at their call."""

    __thread_safe__ = True

    @tool
    def remaining(self):
        call = current_call()
        return [call.remaining, call.deadline - time.monotonic(), call.cancelled]

    @tool
    def no_deadline(self):
        call = current_call()
        return [call.remaining, call.deadline]

    @tool
    def asks(self, path):
        """Stops by itself, at the first question after it was cancelled."""
        runtime.shield()  # so that no exception strikes elsewhere
        Journal(path).write("begin")
        call = current_call()
        while True:
            time.sleep(0.001)
            try:
                call.raise_if_cancelled()
            except Cancelled as cancelled:
                Journal(path).write(
                    f"{type(cancelled).__mro__[1].__name__}: {cancelled}"
                )
                raise

    @tool
    def kept(self):
        """A call that was kept is over."""
        self.previous, previous = current_call(), getattr(self, "previous", None)
        return None if previous is None else [previous.cancelled, previous.tool]
