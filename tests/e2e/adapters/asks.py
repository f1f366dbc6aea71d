# SPDX-License-Identifier: MIT
"""An adapter that asks its host."""

from __future__ import annotations

import array
import contextvars
import os
import signal
import threading
import time

from snakepit_bridge import (
    ThreadSafeAdapter,
    empty,
    tool,
)


class Unsure:
    """What cannot be encoded."""


class Broken(dict):
    """What raises while it is encoded."""

    def items(self):
        raise ValueError("mine")


def take_sigterm_beside(gate):
    """Has a thread take two SIGTERM once somebody opens the gate."""

    def take():
        with open(gate):
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    threading.Thread(target=take, daemon=True).start()


class Asks(ThreadSafeAdapter):
    __thread_safe__ = True

    @tool
    def ping(self):
        return "pong"

    @tool
    def pid(self):
        return os.getpid()

    @tool
    def echo(self, value=None):
        return value

    @tool
    def sleep(self, seconds):
        """In steps that a cancel gets between."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.005)

    @tool
    def die(self):
        os.kill(os.getpid(), signal.SIGKILL)

    @tool
    def stop_yourself(self):
        os.kill(os.getpid(), signal.SIGSTOP)
        signal.pause()  # this thread may be the last one that stops

    @tool
    def host(self, tool, **arguments):
        """Asks, and returns what came."""
        return self.session_context.call_host_tool(tool, **arguments)

    @tool
    def host_beside_a_signal(self, tool, gate):
        """Asks, while another thread takes two SIGTERM."""
        take_sigterm_beside(gate)
        return self.session_context.call_host_tool(tool)

    @tool
    def stream_beside_a_signal(self, gate):
        """Waits for a reader, while another thread takes two SIGTERM."""
        take_sigterm_beside(gate)
        while True:
            yield bytes(16_000)

    @tool
    def host_each(self, questions, then=None):
        """Asks one after the other, and gives each reply as it comes."""
        ask = self.session_context.call_host_tool
        for name, arguments in questions:
            yield ask(name, **arguments)
            yield bytes(20_000)  # outside of the tube
        if then is not None:
            raise ValueError(then)

    @tool
    def host_from_a_handler(self, times):
        """Asks while a signal's handler asks as well; what the handler got."""
        ask = self.session_context.call_host_tool
        caught = []

        def handler(number, frame):
            try:
                caught.append(ask("echo", value="from the handler"))
            except RuntimeError as error:
                caught.append(str(error))

        before = signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        try:
            got = [ask("slow", value=i) for i in range(times)]
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        return {"got": got, "caught": len(caught)}

    @tool
    async def leave_questions(self, tool):
        """Ends while tasks of its still ask."""
        import asyncio

        ask = self.session_context.call_host_tool_async
        self.left = [asyncio.ensure_future(ask(tool)) for _ in range(3)]
        await asyncio.sleep(0)
        return "done"

    @tool
    async def host_each_async(self, questions):
        ask = self.session_context.call_host_tool_async
        for name, arguments in questions:
            yield await ask(name, **arguments)

    @tool
    def host_all(self, questions):
        """Asks all of them, one after the other."""
        ask = self.session_context.call_host_tool
        return [ask(tool, **arguments) for tool, arguments in questions]

    @tool
    def caught(self, tool, arguments=None):
        """What asking raises, as a caller of it sees it."""
        try:
            self.session_context.call_host_tool(tool, **(arguments or {}))
        except Exception as error:
            bases = [base.__name__ for base in type(error).__mro__]
            code = getattr(error, "code", "")
            return {"bases": bases, "code": code, "message": str(error)}
        return None

    @tool
    def goes_on(self, tool, path):
        """Asks, and says in a file how that ended."""
        try:
            self.session_context.call_host_tool(tool)
        except BaseException as error:
            with open(path, "w") as file:
                file.write(type(error).__name__)
            raise

    @tool
    def names(self):
        context = self.session_context
        return {"new": context.host_tools, "old": context.elixir_tools}

    @tool
    def old_name(self, tool, **arguments):
        return self.session_context.call_elixir_tool(tool, **arguments)

    @tool
    def tool_name(self, **arguments):
        """Arguments may have any name."""
        return self.session_context.call_host_tool("echo", **arguments)

    @tool
    def unsure(self):
        return self.session_context.call_host_tool("echo", value=[1, Unsure()])

    @tool
    def array(self, size):
        """A question and an answer with arrays."""
        made = empty((size,), "float64")
        view = memoryview(made)
        for index in range(size):
            view[index] = float(index)
        doubled = self.session_context.call_host_tool("double", data=made)
        return {"first": memoryview(doubled)[1], "shape": list(doubled.shape)}

    @tool
    def keep_array(self):
        self.kept = self.session_context.call_host_tool("array")
        return None

    @tool
    def sum_kept(self):
        return sum(memoryview(self.kept).tolist())

    @tool
    async def in_an_executor(self):
        """What a pool's thread is told without the call's context, and gets with it."""
        import asyncio

        loop = asyncio.get_running_loop()
        context = self.session_context

        def caught(ask):
            try:
                return ask()
            except RuntimeError as error:
                return str(error)

        def ask():
            return context.call_host_tool("echo", value=1)

        def put():
            context.put("key", 1)

        run = contextvars.copy_context().run
        return [
            await loop.run_in_executor(None, caught, ask),
            await loop.run_in_executor(None, caught, put),
            await loop.run_in_executor(None, run, ask),
            await loop.run_in_executor(None, run, lambda: self.session_id),
        ]

    @tool
    def on_a_thread(self):
        """Asks on a thread that the tool has started itself."""
        said = []

        def ask():
            try:
                said.append(self.session_context.call_host_tool("echo", value=1))
            except RuntimeError as error:
                said.append(str(error))

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        return said[0]

    # ---- Coroutines

    @tool
    async def awaited(self, tool, **arguments):
        return await self.session_context.call_host_tool_async(tool, **arguments)

    @tool
    async def gathered(self, count):
        import asyncio

        ask = self.session_context.call_host_tool_async
        return await asyncio.gather(*(ask("echo", value=i) for i in range(count)))

    @tool
    async def to_thread(self, tool, **arguments):
        import asyncio

        ask = self.session_context.call_host_tool
        return await asyncio.to_thread(ask, tool, **arguments)

    @tool
    async def blocks(self):
        return self.session_context.call_host_tool("echo", value=1)

    @tool
    async def awaited_goes_on(self, tool, path):
        try:
            await self.session_context.call_host_tool_async(tool)
        except BaseException as error:
            with open(path, "w") as file:
                file.write(type(error).__name__)
            raise

    # ---- Session values

    @tool
    def put_nested(self, key, depth):
        """A value of so many lists, which no arguments could hold with their map."""
        value = 7
        for _ in range(depth):
            value = [value]
        self.session_context.put(key, value)

    @tool
    def depth_of(self, key):
        value, depth = self.session_context.get(key), 0
        while isinstance(value, list):
            value, depth = value[0], depth + 1
        return depth

    @tool
    def put(self, key, value, ttl=None):
        self.session_context.put(key, value, ttl)

    @tool
    def put_odd(self, kind):
        """Puts what a session cannot keep; the exception."""
        value = {
            "tuple": {"rows": [{(1, 2): 3}]},
            "object": [1, object()],
            "huge": {"n": 2**64},
            "array": {"rows": [1, array.array("d", [1])]},
            "broken": [Broken()],
        }[kind]
        return self.values_caught("put", ["k", value])

    @tool
    def get(self, key, default=None):
        return self.session_context.get(key, default)

    @tool
    def delete(self, key):
        return self.session_context.delete(key)

    @tool
    def keys(self):
        return self.session_context.list()

    @tool
    async def get_in_thread(self, key):
        import asyncio

        return await asyncio.to_thread(self.session_context.get, key)

    @tool
    def values_caught(self, operation, arguments):
        try:
            getattr(self.session_context, operation)(*arguments)
        except Exception as error:
            bases = [base.__name__ for base in type(error).__mro__]
            code = getattr(error, "code", "")
            return {"bases": bases, "code": code, "message": str(error)}
        return None
