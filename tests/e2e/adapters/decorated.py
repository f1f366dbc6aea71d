# SPDX-License-Identifier: MIT
"""Tools below decorators that change what they are, or keep it."""

import asyncio
import functools

from snakepit_bridge import BaseAdapter, ThreadSafeAdapter, thread_safe_method, tool


def passing(method):
    @functools.wraps(method)
    def wrapper(*args, **kwargs):
        return method(*args, **kwargs)

    return wrapper


def awaiting(method):
    @functools.wraps(method)
    async def wrapper(*args, **kwargs):
        await asyncio.sleep(0)
        return method(*args, **kwargs)

    return wrapper


def driving(method):
    @functools.wraps(method)
    def wrapper(*args, **kwargs):
        return asyncio.run(method(*args, **kwargs))

    return wrapper


def listing(method):
    @functools.wraps(method)
    def wrapper(*args, **kwargs):
        return list(method(*args, **kwargs))

    return wrapper


class Later:
    def __init__(self, value):
        self.value = value

    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        return self.value


class Tools:
    @tool
    @awaiting
    def sync_made_async(self, a):
        return a + 1

    @tool
    @driving
    async def async_made_sync(self, a):
        await asyncio.sleep(0)
        return a + 1

    @tool
    @passing
    async def passed_on(self, a):
        await asyncio.sleep(0)
        return a + 1

    @tool
    @passing
    async def fails(self, a):
        await asyncio.sleep(0)
        raise ValueError(a)

    @tool
    @passing
    async def never_ends(self, a):
        await asyncio.Event().wait()

    @tool
    def gives_an_awaitable(self, a):
        return Later(a + 1)

    @tool
    @listing
    def generator_made_a_list(self, a):
        yield a + 1

    @tool
    @passing
    def generator_passed_on(self, a):
        yield a + 1

    @tool
    @passing
    async def items_passed_on(self, a):
        yield a + 1


class Shared(Tools, ThreadSafeAdapter):
    __thread_safe__ = True

    def initialize(self):
        self.met = None

    @thread_safe_method
    async def meet(self, count):
        """Waits until `count` are here; the counts that are seen then."""
        if self.met is None:
            self.met = asyncio.Event()
        if self.get_stats_dict()["active_requests"] == count:
            self.met.set()
        await self.met.wait()
        return self.inner()

    @thread_safe_method
    def inner(self):
        stats = self.get_stats_dict()
        return [stats["active_requests"], stats["total_requests"]]

    @tool
    def counts(self):
        stats = self.get_stats_dict()
        return [stats["active_requests"], stats["total_requests"]]


class PerRequest(Tools, BaseAdapter):
    __per_request__ = True
    __thread_safe__ = True
