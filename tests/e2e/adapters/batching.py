# SPDX-License-Identifier: MIT
"""Tools that take many calls at once, and what they see of that."""

from __future__ import annotations

import asyncio
import os
import signal
import time

from snakepit_bridge import Cancelled, ThreadSafeAdapter, current_call, tool

WAITS = {"max_batch": 8, "batch_wait_us": 100_000}


def wait_for(path):
    """Until somebody opens the other end of a named pipe."""
    with open(path) as pipe:
        return pipe.read()


def note(path, text=""):
    with open(path, "a") as file:
        file.write(f"{text}\n")


class Batching(ThreadSafeAdapter):
    __thread_safe__ = True

    @tool
    def hold(self, ready, gate):
        """Keeps its executor."""
        note(ready)
        wait_for(gate)

    @tool
    def ping(self):
        return "pong"

    @tool(batch=WAITS)
    def double(self, x):
        """Twice the number, and how many calls there were."""
        return [[2 * value, len(x)] for value in x]

    @tool(batch=8)
    def at_once(self, x):
        """As double, of what is there."""
        return [[2 * value, len(x)] for value in x]

    @tool(batch=WAITS)
    def inverse(self, x):
        """One that cannot be done fails alone."""

        def one(value):
            return 1 / value if value else ZeroDivisionError("there is none of 0")

        return [one(value) for value in x]

    @tool(batch=WAITS)
    def breaks(self, x):
        raise ValueError(f"a batch of {len(x)}")

    @tool(batch=WAITS)
    def forgets(self, x):
        return x[1:]

    @tool(batch=WAITS)
    def rows(self, row, scale=1.0):
        """The sum of each row, and what came in."""
        shape = list(row.shape) if hasattr(row, "shape") else None
        return [[float(one.sum()), type(row).__name__, shape] for one in row]

    @tool(batch=WAITS)
    def scaled(self, row):
        """One array of results."""
        return 2 * row

    @tool(batch={"max_batch": 8, "batch_wait_us": 20_000})
    async def later(self, x):
        await asyncio.sleep(0.001)
        return [[value, len(x)] for value in x]

    @tool(batch=WAITS)
    def told(self, x):
        """What the call is that a batch runs as."""
        call = current_call()
        seen = [call.tool, call.session_id, call.cancelled, call.deadline is None]
        return [[*seen, round(call.remaining or 0), len(x)] for _ in x]

    @tool(batch=WAITS)
    def waits(self, x, ready, gate):
        """Says how many there are and waits, or until nobody wants any of them."""
        note(ready[0], len(x))
        wait_for(gate[0])
        return [[value, len(x)] for value in x]

    @tool(batch=WAITS)
    def spins(self, x, path):
        """Until it is cancelled, by whatever way."""
        try:
            note(path[0], len(x))  # whoever has read this may strike at once
            while not current_call().cancelled:
                time.sleep(0.001)
            note(path[0], "cancelled")
            while True:
                time.sleep(0.001)
        except Cancelled:
            note(path[0], "struck")
            raise

    @tool(batch=WAITS)
    def dies(self, x, path):
        note(path[0], len(x))
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)

    @tool(batch=WAITS, idempotent=True)
    def dies_once(self, x, path):
        """Kills its worker in the first attempt."""
        with open(path[0], "a+") as file:
            file.write("attempt\n")
            file.seek(0)
            attempts = len(file.readlines())
        if attempts == 1:
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)
        return [attempts for _ in x]

    @tool(batch=WAITS)
    def asks(self, x):
        """Of the host, once for all."""
        found = self.session_context.call_host_tool("sum", values=x)
        return [found for _ in x]
