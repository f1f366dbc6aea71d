"""Tools that change what belongs to their context, and tools that look at it."""

import contextvars
import decimal
import itertools

import numpy
from snakepit_bridge import BaseAdapter, ThreadSafeAdapter, tool

USER = contextvars.ContextVar("USER", default="nobody")
BUILT = contextvars.ContextVar("BUILT", default="not built")
INITIALIZED = contextvars.ContextVar("INITIALIZED", default="not initialized")


class Looks:
    """What there is in a context, as plain values."""

    def seen(self):
        return {
            "user": USER.get(),
            "prec": decimal.getcontext().prec,
            "inexact": bool(decimal.getcontext().flags[decimal.Inexact]),
            "divide": numpy.geterr()["divide"],
            "built": BUILT.get(),
            "initialized": INITIALIZED.get(),
        }

    def change(self, user):
        USER.set(user)
        BUILT.set("spoilt")
        decimal.getcontext().prec = 3
        decimal.Decimal(1) / 3
        numpy.seterr(divide="ignore")
        return self.seen()

    @tool
    def look(self):
        return self.seen()

    @tool
    async def look_async(self):
        return self.seen()

    @tool
    def set(self, user):
        return self.change(user)

    @tool
    async def set_async(self, user):
        return self.change(user)

    @tool
    def set_and_fail(self, user):
        self.change(user)
        raise ValueError(user)

    @tool
    def steps(self, user):
        """Each step sees what the one before has set; so does the last one."""
        try:
            for number in itertools.count():
                yield f"{USER.get()} {decimal.getcontext().prec}"
                USER.set(f"{user} {number}")
                decimal.getcontext().prec = 5 + number
        finally:
            self.closed = USER.get()

    @tool
    async def steps_async(self, user):
        for number in range(3):
            yield f"{USER.get()} {decimal.getcontext().prec}"
            USER.set(f"{user} {number}")
            decimal.getcontext().prec = 5 + number

    @tool
    def ask_and_look(self, user):
        """Asks a tool of the host that calls this pool meanwhile."""
        self.change(user)
        inner = self.session_context.call_host_tool("nested")
        return [inner, self.seen()]


class Shared(Looks, ThreadSafeAdapter):
    """Its start leaves something in every kind of context."""

    __thread_safe__ = True

    def __init__(self):
        super().__init__()
        self.closed = "not yet"
        self.cleaned = None
        BUILT.set("built")
        decimal.getcontext().prec = 9
        numpy.seterr(divide="raise")

    async def initialize(self):
        INITIALIZED.set("initialized")

    def cleanup(self):
        print("cleaned", BUILT.get(), decimal.getcontext().prec, USER.get(), flush=True)

    @tool
    def closed_as(self):
        return self.closed


class Untouched(Looks, BaseAdapter):
    """Its start leaves nothing."""

    __thread_safe__ = True


class PerRequest(Looks, BaseAdapter):
    """Each call's instance starts in the call's own context."""

    __per_request__ = True
    __thread_safe__ = True

    def __init__(self):
        BUILT.set("built")
        decimal.getcontext().prec = 9
        numpy.seterr(divide="raise")

    async def initialize(self):
        INITIALIZED.set("initialized")
