# SPDX-License-Identifier: MIT
"""Follows what a call returned before its body ran: generators and coroutines.

A thread counts as being in such a body while a step of it runs: from a `next()`, or
from the event loop's turn, until it yields or awaits. Between the steps nobody is in
it, and the next one may be on another thread.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Coroutine, Generator
from contextlib import AbstractContextManager
from typing import Any, Callable

Step = Callable[[], AbstractContextManager[object]]  # what lasts as long as a step


def follow(function: Callable[..., Any], result: Any, step: Step) -> Any:
    """What a call of `function` gave, followed if its body has not run yet.

    A generator that the function did not make itself is left alone.
    """
    below = inspect.unwrap(function)
    if inspect.isgeneratorfunction(below) and inspect.isgenerator(result):
        return steps(result, step)
    if inspect.iscoroutinefunction(below) and inspect.iscoroutine(result):
        return awaited(result, step)
    if inspect.isasyncgenfunction(below) and inspect.isasyncgen(result):
        return items(result, step)
    return result


def like(function: Callable[..., Any], call: Callable[..., Any]) -> Callable[..., Any]:
    """`call` as a function that looks like `function`, and is of the same kind but for
    async generators, which are seen to be ones below their decorators.
    """
    made: Callable[..., Any] = call
    if inspect.isgeneratorfunction(function):

        def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            return (yield from call(*args, **kwargs))

        made = generator
    elif inspect.iscoroutinefunction(function):

        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            return await call(*args, **kwargs)

        made = coroutine
    return functools.wraps(function)(made)


def steps(body: Any, step: Step) -> Generator[Any, Any, Any]:
    """A generator that behaves as `body` does, a generator or a coroutine's iterator.

    What `step` raises is raised where the body would have gone on, and closes it.
    """
    advance: Callable[[], Any] = functools.partial(body.send, None)
    try:
        while True:
            with step():
                item = advance()
            try:
                sent = yield item
                advance = functools.partial(body.send, sent)
            except GeneratorExit:
                with step():
                    body.close()
                raise
            except BaseException as error:
                advance = functools.partial(body.throw, error)
    except StopIteration as end:
        return end.value
    finally:
        body.close()


class _Awaited:
    """What awaits a coroutine step by step."""

    def __init__(self, awaitable: Awaitable[Any], step: Step) -> None:
        self.iterator = awaitable.__await__()
        self.step = step

    def __await__(self) -> Generator[Any, Any, Any]:
        return steps(self.iterator, self.step)


async def awaited(coroutine: Coroutine[Any, Any, Any], step: Step) -> Any:
    """A coroutine that behaves as `coroutine` does."""
    return await _Awaited(coroutine, step)


async def items(body: Any, step: Step) -> AsyncGenerator[Any, Any]:
    """An async generator that behaves as `body` does."""
    advance: Callable[[], Any] = functools.partial(body.asend, None)
    try:
        while True:
            item = await _Awaited(advance(), step)
            try:
                sent = yield item
                advance = functools.partial(body.asend, sent)
            except GeneratorExit:
                await _Awaited(body.aclose(), step)
                raise
            except BaseException as error:
                advance = functools.partial(body.athrow, error)
    except StopAsyncIteration:
        return
    finally:
        await body.aclose()
