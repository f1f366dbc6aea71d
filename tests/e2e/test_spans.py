# SPDX-License-Identifier: MIT
"""The spans that calls become, as a C program takes them."""

from __future__ import annotations

import re
import time

import pytest
from support import Pit, eventually, pool
from support.asking import Blocked
from support.host_tools import register

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{SPAN}-01"
NEARLY = 2_000_000  # ns by which clocks of two processes may differ


def open_traced(profile, top=None, **options):
    made = pool(profile, adapter="traced.Traced", **options)
    return Pit.open(made, traces=True, **(top or {})).await_ready()


@pytest.fixture
def traced(profile):
    with open_traced(profile) as pit:
        yield pit


def await_spans(pit, *names):
    """One span of each name, of the trace above, when all are there."""

    def found():
        ours = {span.name: span for span in list(pit.spans) if span.trace == TRACE}
        return [ours[name] for name in names] if ours.keys() >= set(names) else None

    return eventually(found)


def assert_within(inner, outer):
    assert inner.parent == outer.id
    assert outer.start - NEARLY <= inner.start <= inner.end <= outer.end + NEARLY


def test_a_call_its_run_the_adapters_span_and_the_hosts_tool_are_one_in_the_other(
    traced,
):
    seen = []
    register(traced, "note", lambda info: seen.append(info.traceparent))
    before = time.time_ns()
    asked = {"tool": "note"}
    traced.call("ask", asked, trace=(SAMPLED, "a=b"), session="s-1")
    after = time.time_ns()
    call, run, span, tool = await_spans(
        traced, "default/ask", "run", "asking", "host tool note"
    )
    assert call.parent == SPAN
    assert_within(run, call)
    assert_within(span, run)
    assert_within(tool, span)
    assert seen == [f"00-{TRACE}-{tool.id}-01"]
    assert before - NEARLY <= call.start <= call.end <= after + NEARLY
    assert (call.kind, call.state, call.err) == (1, "a=b", "OK")
    assert call.attributes.items() >= {
        ("rpc.system", "snakepit"),
        ("rpc.service", "default"),
        ("rpc.method", "ask"),
        ("session.id", "s-1"),
    }
    assert run.attributes["snakepit.worker.id"] == traced.workers()[0].id


def test_a_call_that_fails_says_so_in_its_spans(traced):
    traced.fails("work", {"seconds": 0.05, "fails": True}, trace=(SAMPLED,))
    call, run, span = await_spans(traced, "default/work", "run", "work")
    assert (call.err, call.message) == ("TOOL_FAILED", "not today")
    assert call.attributes["error.type"] == run.attributes["error.type"] == run.err
    assert (span.err, span.attributes["error.type"]) == ("TOOL_FAILED", "ValueError")
    assert span.attributes["seconds"] == 0.05
    assert run.end - run.start >= 49_000_000


def test_time_in_line_is_a_span(profile):
    with open_traced(
        profile,
        threads_per_worker=1 if profile == "thread" else None,
        prefetch=0,
        pool_size=1,
    ) as pit:
        first = pit.submit("work", {"seconds": 0.2})
        second = pit.submit("where", trace=(SAMPLED,))
        assert second.wait().value and first.wait().fault is None
        call, line, run = await_spans(pit, "default/where", "line", "run")
        assert_within(line, call)
        assert line.end <= run.start + NEARLY


def test_a_stream_is_a_span_from_its_first_chunk_on(traced):
    with traced.stream("where_streamed", trace=(SAMPLED,)) as stream:
        assert len(list(stream)) == 2
    call, run, stream_span = await_spans(
        traced, "default/where_streamed", "run", "stream"
    )
    assert stream_span.parent == run.parent == call.id
    assert stream_span.attributes["snakepit.stream.chunks"] == 2


def test_each_attempt_is_a_run(profile):
    retry = {"max_attempts": 3, "on": ["TOOL_FAILED"], "backoff_ms": 1}
    with open_traced(profile, retry=retry) as pit:
        asked = {"seconds": 0.001, "fails": True}
        with pit.answer("work", asked, trace=(SAMPLED,), idempotent=True) as answer:
            assert answer.attempts == 3
        (call,) = await_spans(pit, "default/work")
        runs = eventually(lambda: [s for s in pit.spans if s.name == "run"])
        assert [run.attributes["snakepit.attempt"] for run in runs] == [1, 2, 3]
        assert len({run.id for run in runs}) == 3
        assert call.attributes["snakepit.attempts"] == 3
        works = eventually(
            lambda: [s for s in pit.spans if s.name == "work"][2:] and pit.spans
        )
        parents = {s.parent for s in works if s.name == "work"}
        assert parents == {run.id for run in runs}


def test_who_calls_decides_and_else_the_part_that_the_file_says(profile):
    with open_traced(profile, {"trace_sample": 0}) as pit:
        unsampled = SAMPLED[:-1] + "0"
        assert pit.call("where", trace=(unsampled,)) == [unsampled, "", unsampled]
        assert pit.call("where") == ["", "", ""]
        around, _, _ = pit.call("where", trace=(SAMPLED,))
        assert re.fullmatch(f"00-{TRACE}-[0-9a-f]{{16}}-01", around)
        assert around != SAMPLED
        await_spans(pit, "default/where")
        spans = [span for span in pit.spans if span.name == "default/where"]
        assert len(spans) == 1
    with open_traced(profile) as pit:
        around, _, _ = pit.call("where")
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-03", around)
    # What was under way is told before the pit is closed.
    (call,) = [span for span in pit.spans if span.name == "default/where"]
    assert (call.trace, call.parent) == (around[3:35], "")
    assert [s.name for s in pit.spans].count("worker start") >= 1


def test_the_run_of_a_call_that_is_given_up_is_told(traced):
    hold = Blocked()
    register(traced, "hold", hold)
    call = traced.submit("ask", {"tool": "hold"}, trace=(SAMPLED,))
    hold.wait()
    traced.cancel(call)
    hold.leave.set()
    assert call.wait().fault.err == "CANCELLED"
    call, run = await_spans(traced, "default/ask", "run")
    assert call.err == run.err == "CANCELLED"


def gather(pit, first: int) -> tuple[list[str], set[str]]:
    """The traces of three calls, and those in which their batches have run."""
    traces = [f"{number:032x}" for number in range(first, first + 3)]
    before = [pit.submit("work", {"seconds": 0.2}) for _ in range(pit.stats().capacity)]
    calls = [
        pit.submit("where_gathered", {"numbers": 1}, trace=(f"00-{trace}-{SPAN}-01",))
        for trace in traces
    ]
    seen = {call.wait().value[0].split("-")[1] for call in calls}
    for call in before:
        call.wait()
    return traces, seen


def test_each_call_of_a_batch_has_spans_of_its_own_trace(profile):
    """What the adapter does for all of them is in the trace of the first."""
    with open_traced(profile, pool_size=1) as pit:
        tried = iter(range(1, 301, 3))

        def gathered():
            traces, seen = gather(pit, next(tried))
            return traces if len(seen) < len(traces) else None

        traces = eventually(gathered)

        def found():
            spans = [span for span in list(pit.spans) if span.trace in traces]
            named = {(span.trace, span.name): span for span in spans}
            names = ("default/where_gathered", "run")
            wanted = {(trace, name) for trace in traces for name in names}
            return named if named.keys() >= wanted else None

        spans = eventually(found)
    for trace in traces:
        call = spans[trace, "default/where_gathered"]
        assert call.parent == SPAN
        assert_within(spans[trace, "run"], call)
