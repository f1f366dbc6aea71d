# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextvars
import decimal
from collections.abc import Iterator

import pytest
from snakepit_bridge import BaseAdapter, contexts, event_loop, life, runtime

SET = contextvars.ContextVar("SET", default="not set")


@pytest.fixture(autouse=True)
def no_loop_is_left() -> Iterator[None]:
    yield
    event_loop.stop()


def in_a_new_context(test) -> None:
    contextvars.Context().run(test)


def test_without_decimal_nothing_is_to_be_renewed() -> None:
    def test() -> None:
        SET.set("by the start")
        context, renewal = contexts.of_calls()
        assert renewal is None
        assert context[SET] == "by the start"

    in_a_new_context(test)


def test_each_call_has_a_decimal_context_as_the_start_has_left_it() -> None:
    def call() -> int:
        assert renewal is not None
        renewal()
        started = decimal.getcontext().prec
        decimal.getcontext().prec = 3
        return started

    def start() -> None:
        decimal.getcontext().prec = 9

    with_decimal = contextvars.Context()
    with_decimal.run(start)
    context, renewal = with_decimal.run(contexts.of_calls)
    assert [context.copy().run(call) for _ in range(2)] == [9, 9]
    assert with_decimal.run(decimal.getcontext).prec == 9


def test_a_variable_that_is_only_named_like_decimals_is_no_ones_business() -> None:
    def test() -> None:
        contextvars.ContextVar("decimal_context").set("mine")
        _, renewal = contexts.of_calls()
        assert renewal is not None  # does no harm
        renewal()

    in_a_new_context(test)


class Sets(BaseAdapter):
    async def initialize(self) -> None:
        SET.set("by a coroutine")
        assert runtime.CALL.get() is None


class SetsAndFails(BaseAdapter):
    async def initialize(self) -> None:
        SET.set("before it failed")
        raise OSError("no model")


def test_what_an_async_initialize_sets_is_set_for_the_start() -> None:
    def test() -> None:
        life.initialize(Sets())
        assert SET.get() == "by a coroutine"
        with pytest.raises(OSError, match="no model"):
            life.initialize(SetsAndFails())

    in_a_new_context(test)
    assert SET.get() == "not set"


def test_a_call_stays_with_its_coroutine() -> None:
    async def run() -> object:
        runtime.CALL.set("a call")  # type: ignore[arg-type]
        return 7

    def test() -> None:
        assert contexts.finished(run()) == 7
        assert runtime.CALL.get() is None
        assert contexts.finished(8) == 8

    in_a_new_context(test)
