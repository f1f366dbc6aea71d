# SPDX-License-Identifier: MIT
"""How requests are counted that do not run on one thread's stack."""

from __future__ import annotations

import asyncio
import functools
import gc
import threading
from typing import Any

import pytest
from snakepit_bridge import ThreadSafeAdapter, thread_safe_method, tool
from snakepit_bridge.calling import Kind, kind_of
from snakepit_bridge.errors import AdapterError
from snakepit_bridge.tools import collect


def passing(method: Any) -> Any:
    @functools.wraps(method)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return method(*args, **kwargs)

    return wrapper


class Adapter(ThreadSafeAdapter):
    __thread_safe__ = True

    @tool
    @thread_safe_method
    async def wait(self, event: asyncio.Event) -> str:
        await event.wait()
        return "waited"

    @thread_safe_method
    @passing
    async def passed(self, event: asyncio.Event) -> None:
        await event.wait()

    @thread_safe_method
    async def deep(self) -> int:
        await asyncio.sleep(0)
        await self.deeper()
        await asyncio.create_task(self.deeper())
        await asyncio.to_thread(self.plain)
        return self.plain()

    @thread_safe_method
    async def deeper(self) -> int:
        return self.plain()

    @thread_safe_method
    def plain(self) -> int:
        return self.active()

    @thread_safe_method
    def loops(self) -> int:
        return asyncio.run(self.deep())

    @thread_safe_method
    async def items(self, count: int) -> Any:
        for item in range(count):
            self.plain()
            try:
                got = yield item
            except KeyError:
                got = "a key error"
            if got is not None:
                yield got

    @thread_safe_method
    def numbers(self, count: int) -> Any:
        for item in range(count):
            self.plain()
            try:
                got = yield item
            except KeyError:
                got = "a key error"
            if got is not None:
                yield got
        return "the end"

    @thread_safe_method
    @passing
    def passed_numbers(self) -> Any:
        yield 1

    def active(self) -> int:
        count: int = self.get_stats_dict()["active_requests"]
        return count

    def total(self) -> int:
        count: int = self.get_stats_dict()["total_requests"]
        return count


@pytest.mark.parametrize("name", ["wait", "passed"])
def test_four_coroutines_under_way_are_four_active_requests(name: str) -> None:
    adapter = Adapter()

    async def run() -> list[int]:
        event = asyncio.Event()
        tasks = [asyncio.create_task(getattr(adapter, name)(event)) for _ in range(4)]
        await asyncio.sleep(0)
        counts = [adapter.active(), adapter.total()]
        event.set()
        await asyncio.gather(*tasks)
        return [*counts, adapter.active(), adapter.total()]

    assert asyncio.run(run()) == [4, 4, 0, 4]


@pytest.mark.parametrize("name", ["deep", "loops"])
def test_a_request_counts_once_however_its_methods_call_each_other(name: str) -> None:
    adapter = Adapter()
    result = getattr(adapter, name)()
    assert (result if name == "loops" else asyncio.run(result)) == 1
    assert (adapter.total(), adapter.active()) == (1, 0)


def test_what_a_request_leaves_behind_is_no_part_of_it_any_more() -> None:
    class Leaves(Adapter):
        @thread_safe_method
        async def leave(self, event: asyncio.Event) -> Any:
            async def later() -> None:
                await event.wait()
                self.plain()

            return asyncio.create_task(later())

    adapter = Leaves()

    async def run() -> None:
        event = asyncio.Event()
        task = await adapter.leave(event)
        event.set()
        await task

    asyncio.run(run())
    assert (adapter.total(), adapter.active()) == (2, 0)


def test_a_failing_coroutine_is_over_when_it_failed() -> None:
    class Fails(Adapter):
        @thread_safe_method
        async def fail(self) -> None:
            await asyncio.sleep(0)
            raise ValueError("no")

    adapter = Fails()
    with pytest.raises(ValueError, match="no"):
        asyncio.run(adapter.fail())
    assert (adapter.total(), adapter.active()) == (1, 0)


def test_a_cancelled_coroutine_is_over() -> None:
    adapter = Adapter()

    async def run() -> None:
        task = asyncio.create_task(adapter.wait(asyncio.Event()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert (adapter.total(), adapter.active()) == (1, 0)


def test_an_async_generator_is_active_from_its_first_item_to_its_end() -> None:
    adapter = Adapter()

    async def run() -> None:
        items = adapter.items(3)
        assert await items.__anext__() == 0
        assert (adapter.active(), adapter.total()) == (1, 1)
        adapter.plain()  # of whoever takes the items: another request
        assert (adapter.active(), adapter.total()) == (1, 2)
        assert await items.asend("sent") == "sent"
        assert await items.__anext__() == 1
        assert await items.athrow(KeyError()) == "a key error"
        assert [item async for item in items] == [2]
        assert (adapter.active(), adapter.total()) == (0, 2)
        closed = adapter.items(3)
        await closed.__anext__()
        await closed.aclose()
        assert (adapter.active(), adapter.total()) == (0, 3)

    asyncio.run(run())


def test_a_generator_is_active_from_its_first_item_to_its_end() -> None:
    adapter = Adapter()
    numbers = adapter.numbers(3)
    assert next(numbers) == 0
    assert (adapter.active(), adapter.total()) == (1, 1)
    adapter.plain()
    assert (adapter.active(), adapter.total()) == (1, 2)
    assert numbers.send("sent") == "sent"
    assert next(numbers) == 1
    assert numbers.throw(KeyError()) == "a key error"
    assert next(numbers) == 2
    with pytest.raises(StopIteration, match="the end"):
        next(numbers)
    assert (adapter.active(), adapter.total()) == (0, 2)


def test_a_generator_may_be_closed_on_another_thread() -> None:
    adapter = Adapter()
    numbers = adapter.numbers(3)
    next(numbers)
    closer = threading.Thread(target=numbers.close)
    closer.start()
    closer.join()
    assert adapter.active() == 0


def test_a_generator_that_a_decorator_hands_on_is_one_request() -> None:
    adapter = Adapter()
    numbers = adapter.passed_numbers()
    assert list(numbers) == [1]
    assert (adapter.active(), adapter.total()) == (0, 1)
    forgotten = adapter.passed_numbers()
    assert adapter.active() == 1
    del forgotten
    gc.collect()
    assert adapter.active() == 0


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("wait", Kind.COROUTINE),
        ("items", Kind.ASYNC_GENERATOR),
        ("numbers", Kind.GENERATOR),
        ("plain", Kind.PLAIN),
    ],
)
def test_a_counted_method_is_of_the_kind_that_it_was(name: str, kind: Kind) -> None:
    assert kind_of(getattr(Adapter(), name)) is kind


def test_a_block_that_is_tracked_in_a_coroutine_is_one_request() -> None:
    adapter = Adapter()

    async def block(event: asyncio.Event) -> None:
        with adapter.track_request():
            await event.wait()
            adapter.plain()

    async def run() -> None:
        event = asyncio.Event()
        tasks = [asyncio.create_task(block(event)) for _ in range(3)]
        await asyncio.sleep(0)
        assert adapter.active() == 3
        event.set()
        await asyncio.gather(*tasks)

    asyncio.run(run())
    assert (adapter.active(), adapter.total()) == (0, 3)


@pytest.mark.parametrize("attribute", ["_handle_request_impl", "_dispatch"])
def test_an_async_request_is_active_until_it_is_answered(attribute: str) -> None:
    async def handler(self: Any, request: Any) -> int:
        await asyncio.sleep(0)
        return self.plain()

    adapter = type("Handles", (Adapter,), {attribute: handler})()
    answer = adapter.handle_request({"command": "x"})
    assert adapter.active() == 1
    assert asyncio.run(answer) == 1
    assert (adapter.active(), adapter.total()) == (0, 1)


def test_async_dispatches_come_one_after_the_other() -> None:
    class Dispatches(Adapter):
        inside = 0
        most = 0

        async def _dispatch(self, request: Any) -> None:
            self.inside += 1
            self.most = max(self.most, self.inside)
            await asyncio.sleep(0)
            self.inside -= 1

    adapter = Dispatches()

    async def run() -> None:
        await asyncio.gather(*(adapter.handle_request({}) for _ in range(5)))

    asyncio.run(run())
    assert adapter.most == 1


def test_a_counted_tool_may_take_an_argument_called_self() -> None:
    class Echoes(Adapter):
        @thread_safe_method
        def open(self, /, **arguments: Any) -> Any:
            return arguments

        @thread_safe_method
        def closed(self, **arguments: Any) -> Any:
            return arguments

    arguments = {"self": 1}
    assert Echoes().open(**arguments) == arguments
    with pytest.raises(TypeError, match=r"closed\(\) got multiple .* 'self'"):
        Echoes().closed(**arguments)


# ---- What has no instance ------------------------------------------------------------


@pytest.mark.parametrize("kind", [staticmethod, classmethod])
def test_methods_without_an_instance_are_refused_where_they_are_marked(
    kind: Any,
) -> None:
    def method(a: int = 1) -> int:
        return a

    what = "static" if kind is staticmethod else "class"
    text = f"method is a {what} method; make it a method with self"
    with pytest.raises(TypeError, match=text):
        thread_safe_method(kind(method))
    with pytest.raises(TypeError, match="not property objects"):
        thread_safe_method(property(method))


@pytest.mark.parametrize("kind", [staticmethod, classmethod])
@pytest.mark.parametrize("mark", [thread_safe_method, lambda f: tool(f)])
def test_methods_without_an_instance_are_refused_where_they_are_collected(
    kind: Any, mark: Any
) -> None:
    def method(a: int = 1) -> int:
        return a

    marked = kind(mark(thread_safe_method(method)))
    adapter = type("Made", (Adapter,), {"method": marked})()
    with pytest.raises(AdapterError, match=r"Made\.method is a (static|class) method"):
        collect(adapter)
