# SPDX-License-Identifier: MIT
"""What a template hands over before its workers have an instance."""

import os
import threading

from snakepit_bridge import BaseAdapter, tool

held = threading.Event()


class Foreseen(BaseAdapter):
    """Tools of each kind, a fallback and a health check."""

    def __init__(self):
        self.factor = 3
        self.begun = False

    def initialize(self):
        self.begun = True

    def health_check(self):
        return self.factor == 3

    @tool
    def times(self, x):
        """Multiplies."""
        return [x * self.factor, self.begun]

    @tool
    async def later(self, x):
        return x + self.factor

    @tool(batch=4)
    def many(self, x):
        return [one - self.factor for one in x]

    @tool(idempotent=True)
    def count(self):
        yield from range(self.factor)

    def execute_tool(self, name, arguments, context):
        return [name, arguments, self.factor]

    @tool
    def threads(self):
        """What `threading` knows, here and in a child that this has forked."""
        thread = threading.Thread(target=held.wait, daemon=True)
        thread.start()
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writing, b"%d" % len(threading.enumerate()))
            os._exit(0)
        os.waitpid(child, 0)
        held.set()
        thread.join()
        main = threading.main_thread()
        return {
            "all": [one.name for one in threading.enumerate()],
            "main": main is threading.current_thread() and main.is_alive(),
            "number": threading.get_native_id() == os.getpid(),
            "in_child": int(os.read(reading, 9)),
        }


class Own(Foreseen):
    """An instance with something of its own that can be called."""

    def __init__(self):
        super().__init__()
        self.times = lambda x: ["its own", x]


class Changes(Foreseen):
    """A constructor that changes the class."""

    def __init__(self):
        super().__init__()
        type(self).times = tool(lambda self, x: ["changed", x])
