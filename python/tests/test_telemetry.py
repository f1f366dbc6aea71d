# SPDX-License-Identifier: MIT
"""Telemetry without a host: what an adapter's own tests see."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from fractions import Fraction
from typing import Any
from unittest.mock import MagicMock

import pytest
from snakepit_bridge import BaseAdapter, standalone, telemetry, tool


class Counter(BaseAdapter):
    @tool
    def count(self, items: list[Any]) -> int:
        with telemetry.span("count", {"kind": "list"}):
            telemetry.emit("count.items", {"items": len(items)})
            return len(items)


def test_outside_of_a_worker_events_go_nowhere() -> None:
    telemetry.emit("alone", {"number": 1})
    assert Counter().count([1, 2]) == 2


def test_capture_collects_what_an_adapter_emits() -> None:
    with telemetry.capture() as events:
        Counter().count([1, 2, 3])
    assert [event.name for event in events] == [
        "count.start",
        "count.items",
        "count.stop",
    ]
    assert events[1].measurements == {"items": 3}
    assert events[2].metadata == {"kind": "list"}
    assert events[2].measurements["duration"] >= 0
    assert len({event.correlation_id for event in events}) == 1
    assert (events[0].call, events[0].session_id) == (0, "")


def test_captures_within_each_other_see_the_same() -> None:
    with telemetry.capture() as outer:
        telemetry.emit("first")
        with telemetry.capture() as inner:
            telemetry.emit("second")
        telemetry.emit("third")
    telemetry.emit("fourth")
    assert [event.name for event in outer] == ["first", "second", "third"]
    assert [event.name for event in inner] == ["second"]


def test_capture_sees_other_threads() -> None:
    with telemetry.capture() as events:
        thread = threading.Thread(target=telemetry.emit, args=("elsewhere",))
        thread.start()
        thread.join()
    assert [event.name for event in events] == ["elsewhere"]


def test_what_was_given_is_copied() -> None:
    measured = {"number": 1}
    with telemetry.capture() as events:
        telemetry.emit("copied", measured)
        measured["number"] = 2
    assert events[0].measurements == {"number": 1}


# ---- Correlation ---------------------------------------------------------------------


def test_an_id_holds_for_what_is_within() -> None:
    with telemetry.capture() as events:
        telemetry.emit("before")
        with telemetry.correlation("request-7") as chosen:
            assert chosen == telemetry.get_correlation_id() == "request-7"
            telemetry.emit("within")
            telemetry.emit("other", correlation_id="request-8")
            with telemetry.span("spanned"):
                pass
        telemetry.emit("after")
    ids = {event.name: event.correlation_id for event in events}
    assert ids == {
        "before": "",
        "within": "request-7",
        "other": "request-8",
        "spanned.start": "request-7",
        "spanned.stop": "request-7",
        "after": "",
    }
    assert telemetry.get_correlation_id() == ""


def test_new_ids_differ() -> None:
    with telemetry.correlation() as first:
        pass
    with telemetry.correlation("") as second:
        pass
    assert first and second and first != second


def test_coroutines_keep_their_ids_apart() -> None:
    async def work(name: str) -> None:
        with telemetry.span(name):
            await asyncio.sleep(0)
            telemetry.emit(f"{name}.step")

    async def both() -> None:
        await asyncio.gather(work("a"), work("b"))

    with telemetry.capture() as events:
        asyncio.run(both())
    ids: dict[str, set[str]] = {}
    for event in events:
        ids.setdefault(event.name[0], set()).add(event.correlation_id)
    assert len(ids["a"]) == len(ids["b"]) == 1
    assert ids["a"] != ids["b"]


# ---- Spans ---------------------------------------------------------------------------


def test_an_exception_is_told_and_goes_on() -> None:
    lookup = telemetry.span("lookup", {"table": "t"})
    with telemetry.capture() as events, pytest.raises(KeyError), lookup:
        raise KeyError("x" * 10_000)
    assert [event.name for event in events] == ["lookup.start", "lookup.exception"]
    assert events[1].metadata["table"] == "t"
    assert events[1].metadata["error_type"] == "KeyError"
    assert len(events[1].metadata["error_message"]) == telemetry.ERROR_CHARACTERS
    assert telemetry.get_correlation_id() == ""


def test_an_exception_that_has_no_text_is_told_too() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    with telemetry.capture() as events, pytest.raises(Odd), telemetry.span("odd"):
        raise Odd
    assert events[1].metadata == {"error_type": "Odd", "error_message": ""}


def test_a_text_that_is_no_unicode_is_told_too() -> None:
    with telemetry.capture() as events, pytest.raises(OSError), telemetry.span("file"):
        raise OSError("no file \udcff")
    assert events[1].metadata["error_message"] == "no file ?"


def test_a_generator_that_is_closed_has_ended() -> None:
    def items() -> Iterator[int]:
        with telemetry.span("items"):
            yield from range(10)

    with telemetry.capture() as events:
        generator = items()
        next(generator)
        generator.close()  # type: ignore[attr-defined]
    assert [event.name for event in events] == ["items.start", "items.stop"]


def test_a_span_ends_with_the_outcome_of_what_ran_in_it() -> None:
    fill = {"fill": "x" * 16_200}
    large = telemetry.span("large", fill)
    with telemetry.capture() as events, pytest.raises(KeyError, match="real"), large:
        raise KeyError("real" + "y" * 400)
    assert [event.name for event in events] == ["large.start", "large.exception"]
    assert "too large" in events[1].metadata["refused_metadata"]
    assert events[1].metadata["error_type"] == "KeyError"

    items: list[Any] = [1]
    with telemetry.capture() as events, telemetry.span("changed", {"items": items}):
        items.append(object())
    assert events[1].name == "changed.stop"
    assert "cannot encode" in events[1].metadata["refused_metadata"]


def test_a_span_can_be_entered_within_itself_and_on_threads() -> None:
    shared = telemetry.span("shared")
    barrier = threading.Barrier(4)

    def enter() -> None:
        with shared:
            barrier.wait(10)
            with shared:
                barrier.wait(10)

    with telemetry.capture() as events:
        threads = [threading.Thread(target=enter) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    names = [event.name for event in events]
    assert names.count("shared.start") == names.count("shared.stop") == 8
    assert len({event.correlation_id for event in events}) == 4


# ---- What is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("",), ValueError, "event has 1 to 255 bytes"),
        (("é" * 128,), ValueError, "event has 1 to 255 bytes"),
        (("a\0b",), ValueError, "zero"),
        ((7,), TypeError, "event is a text, not int"),
        (("e", {"size": "large"}), TypeError, 'measurement "size" is a number'),
        (("e", {"size": None}), TypeError, 'measurement "size" is a number'),
        (("e", {7: 1}), TypeError, "keys of measurements are texts, not int"),
        (("e", {}, {7: 1}), TypeError, "keys of metadata are texts, not int"),
        (("e", {}, {}, 0), TypeError, "correlation_id is a text, not int"),
        (("e\udcff",), ValueError, "event is no UTF-8"),
        (("e", {}, {}, "\udcff"), ValueError, "correlation_id is no UTF-8"),
        (("e", {"n": 2**70}), ValueError, r"beyond 64 bits at measurements\['n'\]"),
        (("e", {}, {"a": [object()]}), TypeError, r"object at metadata\['a'\]\[0\]"),
        (("e", {}, {"result[6]": object()}), TypeError, r"metadata\['result\[6\]'\]"),
        (("e", {}, {"are kept": object()}), TypeError, r"at metadata\['are kept'\]"),
        (("e", {}, {"a": "x" * 17_000}), ValueError, "too large"),
        (("e", {}, {}, "x" * 256), ValueError, "correlation_id has 0 to 255 bytes"),
        (("e", [1, 2]), TypeError, "measurements is a mapping, not list"),
        ((MagicMock(spec=str),), TypeError, "event is a text, not MagicMock"),
        (("e", MagicMock(spec=dict)), TypeError, "measurements is a mapping, not Ma"),
        (("e", {"n": MagicMock(spec=float)}), TypeError, 'measurement "n" is a number'),
        (("e", {}, {"a": MagicMock(spec=dict)}), TypeError, r"Mock at metadata\['a'\]"),
    ],
)
def test_what_is_no_event_is_refused(
    arguments: tuple[Any, ...], error: type[Exception], words: str
) -> None:
    with telemetry.capture() as events, pytest.raises(error, match=words):
        telemetry.emit(*arguments)
    assert events == []


def test_the_name_of_a_span_leaves_room_for_its_ends() -> None:
    telemetry.span("x" * 245)
    with pytest.raises(ValueError, match="operation with its end has 1 to 255 bytes"):
        telemetry.span("x" * 246)
    with pytest.raises(ValueError, match="operation has 1 to 255 bytes"):
        telemetry.span("")


def test_any_real_number_can_be_measured() -> None:
    with telemetry.capture() as events:
        telemetry.emit("e", {"a": 1, "b": 2.5, "c": True, "d": Fraction(1, 2)})
    assert events[0].measurements == {"a": 1, "b": 2.5, "c": 1, "d": 0.5}


# ---- Traces --------------------------------------------------------------------------

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A call that belongs to a trace."""
    with standalone.call("count") as made:
        monkeypatch.setattr(made, "traceparent", PARENT)
        yield made


def test_spans_of_a_call_in_a_trace_have_ids_and_parents(traced: Any) -> None:
    with telemetry.capture() as events:
        telemetry.emit("before")
        with telemetry.span("outer"), telemetry.correlation("x"):
            outer = telemetry.get_traceparent()
            with telemetry.span("inner"):
                telemetry.emit("within")
    before, _, inner_start, within, inner, end = events
    assert (before.traceparent, before.parent_span_id) == (PARENT, "")
    assert outer[:36] == PARENT[:36] != outer
    assert (within.traceparent, within.parent_span_id) == (inner_start.traceparent, "")
    assert (inner.traceparent, inner.parent_span_id) == (
        within.traceparent,
        outer[36:52],
    )
    assert (end.traceparent, end.parent_span_id) == (outer, "b7ad6b7169203331")


def test_without_a_trace_there_is_none() -> None:
    with telemetry.capture() as events, telemetry.span("alone"):
        assert telemetry.get_traceparent() == ""
    assert {(event.traceparent, event.parent_span_id) for event in events} == {("", "")}
