# SPDX-License-Identifier: MIT
"""What adapters say of themselves, and what of it the host hears."""

from __future__ import annotations

import time

import pytest
from support import Pit, eventually, pool

REPORTS = "reports:Reports"


def reports(profile="process", **options):
    return pool(profile, adapter=REPORTS, **options)


@pytest.fixture
def listening(profile):
    with Pit.open(reports(profile), listens=True) as pit:
        yield pit.await_ready()


def named(pit, *names):
    return [event for event in list(pit.events) if event.name in names]


def await_named(pit, *names, count=1):
    eventually(lambda: len(named(pit, *names)) >= count)
    return named(pit, *names)


def await_silence(pit):
    """Waits until nothing has come for a while that is long beside 20 ms."""
    heard, since = -1, time.monotonic()

    def is_silent():
        nonlocal heard, since
        if len(pit.events) != heard:
            heard, since = len(pit.events), time.monotonic()
        return time.monotonic() - since > 0.3

    eventually(is_silent, within=30)


# ---- What arrives --------------------------------------------------------------------


def test_an_event_arrives_with_all_it_was_given(listening):
    before = time.time_ns()
    listening.call("one", {"number": 2.5}, session="s-1")
    (event,) = await_named(listening, "report.one")
    assert event.measurements == {"number": 2.5}
    assert event.metadata == {
        "text": "snake",
        "none": None,
        "flag": True,
        "list": [1, "two", 3.5],
        "map": {"a": {"b": b"\x00\xff"}},
    }
    assert event.correlation_id == "c-1"
    assert event.session_id == "s-1"
    assert event.pool == "default"
    assert event.call > 0
    assert event.worker in [row.id for row in listening.workers()]
    assert before <= event.time_ns <= time.time_ns()
    assert event.dropped == 0


def test_events_outside_of_a_call_name_none(profile):
    with Pit.open(reports(profile), listens=True) as pit:
        pit.await_ready()
        loaded = await_named(pit, "adapter.loaded", count=pit.stats().workers)
        assert {event.call for event in loaded} == {0}
    left = named(pit, "adapter.left")
    assert len(left) == len(loaded), "what it says at its end is heard before the close"


def test_events_of_a_thread_keep_their_order(listening):
    listening.call("many_on_threads", {"threads": 4, "count": 50})
    events = await_named(listening, "report.thread", count=200)
    for thread in range(4):
        indices = [
            event.measurements["index"]
            for event in events
            if event.measurements["thread"] == thread
        ]
        assert indices == list(range(50))


def test_a_call_is_answered_before_its_events_are_read(listening):
    # 60 KiB of events wait in shared memory; nobody read them meanwhile, nobody waits.
    listening.call("many", {"count": 12, "bytes": 4096})
    assert len(await_named(listening, "report.many", count=12)) == 12


def test_what_does_not_fit_is_dropped_and_counted(listening):
    count = 20_000
    listening.call("many", {"count": count, "bytes": 1000}, timeout_ms=60_000)
    # What was dropped last is told with the next event that is not.
    await_silence(listening)
    listening.call("one")
    await_named(listening, "report.one")
    told = named(listening, "report.many", "report.one")
    assert len(told) + sum(event.dropped for event in told) == count + 1
    heard = [event.measurements["index"] for event in named(listening, "report.many")]
    assert len(heard) < count, "20 MB were read faster than they were written"
    assert heard == sorted(heard)


# ---- Spans ---------------------------------------------------------------------------


def test_spans_say_when_they_begin_and_end(listening):
    correlation = listening.call("nested")
    await_named(listening, "outer.stop")
    names = ("outer.start", "inner.start", "within", "inner.stop", "outer.stop")
    events = named(listening, *names)
    assert tuple(event.name for event in events) == names
    assert {event.correlation_id for event in events} == {correlation}
    assert len({event.call for event in events}) == 1
    by_name = {event.name: event for event in events}
    inner = by_name["inner.stop"].measurements["duration"]
    assert 0 <= inner <= by_name["outer.stop"].measurements["duration"]
    assert by_name["outer.start"].measurements["system_time"] > 0
    assert by_name["outer.stop"].metadata == {"model": "small"}


def test_a_span_says_what_it_failed_with(listening):
    fault = listening.fails("nested", {"fails": True})
    assert fault.type == "ValueError"
    (event,) = await_named(listening, "outer.exception")
    assert event.metadata == {
        "model": "small",
        "error_type": "ValueError",
        "error_message": "no such model",
    }
    assert not named(listening, "outer.stop")


def test_coroutines_and_their_threads_have_call_and_span(listening):
    listening.call("awaited", session="s-2")
    await_named(listening, "awaited.stop")
    events = named(listening, "awaited.start", "awaited.part", "awaited.stop")
    assert len(events) == 4
    assert len({event.correlation_id for event in events}) == 1
    assert events[0].correlation_id != ""
    assert len({event.call for event in events}) == 1
    assert {event.session_id for event in events} == {"s-2"}


def test_a_stream_that_is_closed_early_has_come_to_its_end(listening):
    with listening.stream("chunks") as stream:
        assert next(stream) == 0
    await_named(listening, "chunks.stop", "chunks.exception")
    assert [event.name for event in named(listening, "chunks.stop")] == ["chunks.stop"]


# ---- When nobody listens, and when there is nobody -----------------------------------


def test_without_a_listener_events_are_lines_of_the_log(profile):
    with Pit.open(reports(profile)) as pit:
        pit.await_ready()
        pit.call("one", session='a "session"')
        eventually(lambda: any("report.one" in line.text for line in pit.lines))
    (line,) = [line for line in pit.lines if 'event="report.one"' in line.text]
    assert line.event == "worker.event"
    assert line.level == "info"
    assert 'session="a \\"session\\""' in line.text
    assert 'measurements={"number":1}' in line.text


def test_what_a_worker_says_before_it_is_killed_is_heard(listening):
    assert listening.fails("dies").err == "WORKER_DIED"
    (event,) = await_named(listening, "report.last")
    assert event.measurements == {"left": 0}


def test_a_forked_child_says_nothing(listening):
    assert listening.call("forks") == 0
    await_named(listening, "report.parent")
    assert not named(listening, "report.child")


def test_each_event_after_a_silence_is_told_anew(listening):
    # Each is awaited, so the host has often gone to sleep before the next.
    for turn in range(100):
        listening.call("one", {"number": turn})
        await_named(listening, "report.one", count=turn + 1)
    numbers = [event.measurements["number"] for event in named(listening, "report.one")]
    assert numbers == list(range(100))


def test_a_call_does_not_inherit_the_span_of_a_cancelled_one(listening):
    # The exception of a cancel may come between any two steps of a span.
    for turn in range(30):
        spans = listening.submit("spans_for_ever")
        await_named(listening, "for.ever.start", count=turn + 1)
        assert listening.cancel(spans) == "OK"
        assert spans.wait().err == "CANCELLED"
        assert listening.call("correlation") == ""


def test_a_flood_of_events_holds_up_nobody_else():
    # A callback of Python's takes long for each event.
    flooders = 4
    pools = (
        reports(name="flooding", pool_size=flooders),
        reports(name="other", start_timeout_ms=3000),
    )
    with Pit.open(*pools, listens=True) as pit:
        pit.await_ready()
        floods = [
            pit.submit("flood", {"seconds": 3}, pool="flooding", timeout_ms=30_000)
            for _ in range(flooders)
        ]
        await_named(pit, "flood", count=1000)
        pit.kill_workers(pool="other")
        late = pit.submit("spans_for_ever", pool="other", timeout_ms=200)
        assert late.wait(within=2).err == "DEADLINE_EXCEEDED"
        assert not pit.logged("worker.kill")
        assert not all(flood.ended.is_set() for flood in floods), "it was over before"
        assert all(flood.wait(30).value > 0 for flood in floods)


# ---- What is refused -----------------------------------------------------------------


BAD = pytest.mark.parametrize(
    ("kind", "type_", "words"),
    [
        ("correlation", "TypeError", "correlation_id is a text, not int"),
        ("name", "ValueError", "event has 1 to 255 bytes"),
        ("measurement", "TypeError", 'measurement "size" is a number, not str'),
        ("metadata", "TypeError", "at metadata['thing']['deep']"),
        ("array", "TypeError", "at metadata['array']; an event holds no arrays"),
        ("size", "ValueError", "is too large (at most 16384)"),
    ],
)


def assert_is_refused(pit, kind, type_, words):
    fault = pit.fails("bad", {"kind": kind})
    assert (fault.err, fault.type) == ("TOOL_FAILED", type_)
    assert words in fault.message


@BAD
def test_what_is_no_event_is_refused(listening, kind, type_, words):
    assert_is_refused(listening, kind, type_, words)
    listening.call("one")
    await_named(listening, "report.one")
    assert not named(listening, "report.bad")


@BAD
def test_it_is_refused_too_where_nobody_listens(kind, type_, words):
    with Pit.open(reports(), listens=None) as pit:
        assert_is_refused(pit.await_ready(), kind, type_, words)
        pit.call("one")


@BAD
def test_it_is_refused_too_where_results_may_hold_markers(kind, type_, words):
    pool = reports(on_unserialisable="marker")
    with Pit.open(pool, listens=True) as pit:
        assert_is_refused(pit.await_ready(), kind, type_, words)


def test_a_number_of_numpy_is_a_measurement(listening):
    listening.call("of_numpy")
    (event,) = await_named(listening, "report.numpy")
    assert event.measurements == {"mean": 2.5, "count": 3}
