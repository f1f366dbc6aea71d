# SPDX-License-Identifier: MIT
"""Session values in the tests of an adapter, where there is no host."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from unittest.mock import MagicMock

import pytest
from conftest import hammer
from snakepit_bridge import BaseAdapter, errors, standalone, tool
from snakepit_bridge.session import SessionContext


@pytest.fixture(autouse=True)
def no_values() -> Iterator[None]:
    yield
    standalone.sessions.clear()


class Carts(BaseAdapter):
    @tool
    def add(self, item: str) -> list[str]:
        cart: list[str] = self.session_context.get("cart", [])
        cart.append(item)
        self.session_context.put("cart", cart)
        return cart

    @tool
    async def added_later(self, item: str) -> list[str]:
        return await asyncio.to_thread(self.add, item)


def test_an_adapters_test_needs_nothing_to_have_values() -> None:
    carts = Carts()
    assert carts.add("egg") == ["egg"]
    assert carts.add("ham") == ["egg", "ham"]
    session = carts.session_context
    assert session.get("cart") == ["egg", "ham"]
    assert session.get("other") is None
    assert session.get("other", 7) == 7
    assert session.list() == ["cart"]
    assert session.delete("cart") is True
    assert session.delete("cart") is False
    assert session.list() == []


def test_each_session_has_its_own_values_until_its_test_ends() -> None:
    carts = Carts()
    with standalone.session("Ada"):
        assert carts.session_id == carts.session_context.session_id == "Ada"
        assert carts.add("egg") == ["egg"]
        with standalone.session("Bob"):
            assert carts.add("ham") == ["ham"]
        with standalone.session("Ada"):
            assert carts.add("tea") == ["egg", "tea"]
        assert carts.add("jam") == ["egg", "tea", "jam"]
    assert carts.session_id == ""
    assert carts.session_context.list() == []
    for name in ("Ada", "Bob"):
        with standalone.session(name):
            assert carts.session_context.list() == []


def test_coroutines_and_threads_of_a_session_share_its_values() -> None:
    carts = Carts()

    def work(index: int) -> None:
        with standalone.session("Ada"):
            carts.session_context.put(str(index), index)

    with standalone.session("Ada"):
        assert asyncio.run(carts.added_later("egg")) == ["egg"]
        hammer(4, 10, work)
        assert sorted(carts.session_context.list()) == ["0", "1", "2", "3", "cart"]


def test_a_call_without_a_session_can_be_tried() -> None:
    with standalone.session(""):
        for use in (
            lambda session: session.get("k"),
            lambda session: session.put("k", 1),
            lambda session: session.delete("k"),
            lambda session: session.list(),
        ):
            with pytest.raises(LookupError, match="its caller has to name one"):
                use(Carts().session_context)


def test_values_are_copies_of_what_a_host_would_give_back() -> None:
    session = SessionContext("s")
    value: dict[str, Any] = {"pair": (1, 2), "rows": [{"x": {3}}]}
    session.put("k", value)
    value["rows"].clear()
    plain = {"pair": [1, 2], "rows": [{"x": [3]}]}
    found = session.get("k")
    assert found == plain
    found["rows"].clear()
    assert session.get("k") == plain
    session.put("k", None)
    assert session.get("k", "default") is None


def test_what_a_host_refuses_is_refused() -> None:
    session = SessionContext("s")
    session.put("k", "old")
    for value, kind, place in (
        ({"rows": [{(1, 2): 3}]}, TypeError, "tuple at value['rows'][0].keys(); keys"),
        ([1, object()], TypeError, "cannot encode object at value[1]; only plain"),
        ({"n": 2**64}, OverflowError, "an integer beyond 64 bits at value['n'];"),
        ([MagicMock()], TypeError, "unittest.mock.MagicMock at value[0]; only plain"),
        (MagicMock(spec=dict), TypeError, "unittest.mock.MagicMock at value; only pl"),
        (MagicMock(spec=str), TypeError, "unittest.mock.MagicMock at value; only pla"),
        (["\ud800"], ValueError, "text with lone surrogates at value[0];"),
        ([memoryview(b"12345678").cast("d")], TypeError, "memoryview at value[0]; a s"),
    ):
        with pytest.raises(kind) as refused:
            session.put("k", value)
        assert place in str(refused.value)
        start = "session_context.put: session 's' cannot keep 'k': "
        assert str(refused.value).startswith(start)
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(ValueError, match=r"session 's' cannot keep 'k': nesting too"):
        session.put("k", cycle)
    for key in ("", "x" * 256, "é" * 128, 5):
        with pytest.raises(errors.HostValueError, match="1 to 255 bytes"):
            session.put(key, 1)  # type: ignore[arg-type]
        with pytest.raises(errors.HostValueError, match=r"session_context\.get: a key"):
            session.get(key)  # type: ignore[arg-type]
    for ttl in (0, -1, True, "1", float("nan")):
        with pytest.raises(errors.HostValueError, match="seconds above 0"):
            session.put("k", 1, ttl)  # type: ignore[arg-type]
    assert session.get("k") == "old"


def test_a_value_lives_as_long_as_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(standalone, "clock", lambda: now)
    session = SessionContext("s")
    session.put("short", 1, ttl=5)
    session.put("long", 2, ttl=5.5)
    session.put("stays", 3)
    now = 104.9
    assert session.list() == ["short", "long", "stays"]
    now = 105.0
    assert session.get("short") is None
    assert session.list() == ["long", "stays"]
    session.put("long", 2)  # without a ttl now, and the newest
    now = 1000.0
    assert session.list() == ["stays", "long"]
