# SPDX-License-Identifier: MIT
"""Calls that are sent again after their worker has died, and breakers."""

from __future__ import annotations

import os
import re
import signal
import threading
import time

import pytest
from support import Refused, eventually, pool

RETRY = {"max_attempts": 3, "backoff_ms": 1}


def tries(kind, **options):
    return pool(kind, adapter="tries.Tries", **{"retry": RETRY, **options})


def kill_one(pit):
    for row in pit.workers():
        if row.state == "READY":
            os.kill(row.pid, signal.SIGKILL)
            return


def attempts_in(path):
    return len(path.read_text().splitlines())


# ---- Retry ---------------------------------------------------------------------------


def test_a_marked_tool_whose_worker_dies_is_called_again(open_pit, kind, tmp_path):
    pit = open_pit(tries(kind))
    path = tmp_path / "attempts"
    with pit.answer("marked", {"path": str(path), "deaths": 2}) as answer:
        assert answer.value() == 3
        assert answer.attempts == 3
        assert answer.retry_after_ms == 0
    assert attempts_in(path) == 3
    stats = pit.stats()
    assert (stats.retries, stats.failures, stats.calls) == (2, 0, 1)
    assert stats.worker_deaths == 2
    with pit.answer("marked", {"path": str(path), "deaths": 99}) as answer:
        assert answer.err == "WORKER_DIED"
        assert answer.attempts == 3
        assert answer.fault.cause
    assert attempts_in(path) == 6


def test_a_tool_that_is_not_marked_never_runs_twice(open_pit, profile, tmp_path):
    pit = open_pit(tries(profile))
    waited = tmp_path / "waited"
    submitted = tmp_path / "submitted"
    assert pit.fails("unmarked", {"path": str(waited)}).err == "WORKER_DIED"
    call = pit.submit("unmarked", {"path": str(submitted)}).wait()
    assert (call.err, call.times, call.attempts) == ("WORKER_DIED", 1, 1)
    assert attempts_in(waited) == attempts_in(submitted) == 1
    assert pit.stats().retries == 0


def test_a_caller_may_mark_its_call(open_pit, profile, tmp_path):
    pit = open_pit(tries(profile))
    asked = {"path": str(tmp_path / "waited")}
    with pit.answer("unmarked", asked, idempotent=True) as answer:
        assert (answer.value(), answer.attempts) == (2, 2)
    asked = {"path": str(tmp_path / "submitted")}
    call = pit.submit("unmarked", asked, idempotent=True).wait()
    assert (call.value, call.times, call.attempts) == (2, 1, 2)


def test_a_stream_is_begun_again_if_it_has_given_nothing(open_pit, profile, tmp_path):
    pit = open_pit(tries(profile))
    asked = {"path": str(tmp_path / "waited"), "deaths": 2}
    with pit.stream("stream", asked) as stream:
        assert stream.rest() == ([3], None)
    ready = threading.Event()
    asked["path"] = str(tmp_path / "reports")
    with pit.stream("stream", asked, ready=ready.set) as stream:
        found = []
        while stream.err != "END":
            assert ready.wait(60)
            ready.clear()
            while (value := stream.try_take()) is not None:
                found.append(value)
        assert found == [3]
    assert pit.stats().retries == 4
    path = tmp_path / "gives"
    with pit.stream("stream", {"path": str(path), "dies": True}) as stream:
        chunks, fault = stream.rest()
    assert chunks == [1]
    assert fault.err == "WORKER_DIED"
    assert attempts_in(path) == 1


def test_an_exception_is_tried_again_where_it_is_named(open_pit, tmp_path):
    retry = {**RETRY, "on": ["TOOL_FAILED"]}
    pit = open_pit(tries("process", retry=retry))
    path = tmp_path / "attempts"
    with pit.answer("raises", {"path": str(path), "failures": 2}) as answer:
        assert (answer.value(), answer.attempts) == (3, 3)
    with pit.answer("raises", {"path": str(path), "failures": 99}) as answer:
        assert (answer.err, answer.attempts) == ("TOOL_FAILED", 3)
        assert answer.fault.message == "attempt 6"
    # What would fail in the same way is not tried again.
    with pit.answer("nothing", {}, idempotent=True) as answer:
        assert (answer.err, answer.attempts) == ("UNKNOWN_TOOL", 1)
    assert pit.fails("marked", {"path": str(tmp_path / "dies")}).err == "WORKER_DIED"


def test_a_burst_of_deaths_does_not_multiply_the_load(open_pit, tmp_path):
    """Thirty calls, each of which kills every worker that it meets."""
    # Not at most three: a last attempt costs a token as well, and is no retry.
    retry = {**RETRY, "max_attempts": 10, "max_tokens": 10}
    pit = open_pit(tries("process", pool_size=2, retry=retry))
    path = tmp_path / "attempts"
    asked = {"path": str(path), "deaths": 10**6}
    calls = [pit.submit("marked", asked) for _ in range(30)]
    assert [call.wait(120).err for call in calls] == ["WORKER_DIED"] * 30
    assert [call.times for call in calls] == [1] * 30
    stats = pit.stats()
    assert stats.retries == 4  # more than half of ten tokens have to be left
    assert stats.retries_refused > 0
    assert attempts_in(path) == 34


def test_all_are_answered_while_workers_are_killed(open_pit, profile):
    retry = {"max_attempts": 10, "backoff_ms": 5, "max_tokens": 1000}
    pit = open_pit(tries(profile, pool_size=2, retry=retry, restart_limit=1000))
    calls = []
    for turn in range(200):
        calls.append(pit.submit("echo", {"value": turn}, idempotent=True))
        if turn % 20 == 10:
            kill_one(pit)
        with pit.answer("echo", {"value": turn}, idempotent=True) as answer:
            assert answer.value() == turn
    for turn, call in enumerate(calls):
        assert (call.wait().value, call.times) == (turn, 1)
    assert pit.stats().failures == 0


def test_a_pause_holds_up_nobody_else_and_is_cancelled(open_pit, tmp_path):
    retry = {"max_attempts": 3, "backoff_ms": 3_600_000}
    pit = open_pit(tries("process", call_timeout_ms=0, retry=retry))
    path = tmp_path / "attempts"
    call = pit.submit("marked", {"path": str(path), "deaths": 9})
    eventually(lambda: pit.stats().retries == 1, "its worker has died")
    assert pit.call("echo", {"value": 1}) == 1
    (row,) = pit.workers()
    os.kill(row.pid, signal.SIGKILL)
    pit.await_replacement(row)
    assert pit.submit("echo", {"value": 2}).wait().value == 2
    assert not call.ended.is_set()
    assert pit.cancel(call.id) == "OK"
    assert (call.wait().err, call.times) == ("CANCELLED", 1)
    assert attempts_in(path) == 1


def test_a_session_that_is_tied_strictly_is_not_sent_elsewhere(open_pit, tmp_path):
    path = tmp_path / "attempts"
    pit = open_pit(tries("process", affinity="strict_queue"))
    fault = pit.fails("marked", {"path": str(path)}, session="s")
    assert fault.err == "WORKER_DIED"
    assert attempts_in(path) == 1
    assert pit.call("marked", {"path": str(path)}, session="s") == 2


# ---- Breakers ------------------------------------------------------------------------


@pytest.mark.own_pit("the refusal of a daemon has no retry_after_ms")
def test_a_tool_that_kills_workers_is_left_alone(open_pit, profile, tmp_path):
    breaker = {"failures": 2, "open_ms": 60_000}
    pit = open_pit(tries(profile, retry="off", breaker=breaker))
    asked = {"path": str(tmp_path / "attempts"), "deaths": 2}
    for _ in range(2):
        assert pit.fails("marked", asked).err == "WORKER_DIED"
    with pit.answer("marked", asked) as answer:
        assert answer.err == "BREAKER_OPEN"
        assert 1 <= answer.retry_after_ms <= 60_000
        assert f"again in {answer.retry_after_ms} ms" in answer.fault.message
    with pytest.raises(Refused, match=r"BREAKER_OPEN.*again in \d+ ms"):
        pit.submit("marked", asked)
    with pit.stream("marked", asked) as stream:
        assert stream.err == "BREAKER_OPEN"
    assert pit.call("echo", {"value": 1}) == 1
    stats = pit.stats()
    assert (stats.breakers_open, stats.breaker_refused) == (1, 3)
    (row,) = pit.breakers()
    assert (row.tool, row.state) == ("marked", "open")
    assert 1 <= row.retry_after_ms <= 60_000
    (line,) = pit.logged("breaker.open")
    assert 'tool="marked"' in line


def test_one_call_closes_a_breaker(open_pit, tmp_path):
    breaker = {"failures": 1, "open_ms": 100}
    pit = open_pit(tries("process", retry="off", breaker=breaker))
    deadly = {"path": str(tmp_path / "deadly"), "deaths": 10**6}
    well = {"path": str(tmp_path / "well"), "deaths": 0}
    faults = []

    def is_open():
        faults.append(pit.fails("marked", deadly))
        return faults[-1].err == "BREAKER_OPEN"

    eventually(is_open, "the breaker has opened")
    wait_ms = int(re.search(r"again in (\d+) ms", faults[-1].message)[1])
    time.sleep(wait_ms / 1000)  # it says when to come back
    assert pit.call("marked", well) == 1
    assert pit.call("marked", well) == 2
    (row,) = pit.breakers()
    assert (row.state, row.failures, row.retry_after_ms) == ("closed", 0, 0)
    assert len(pit.logged("breaker.closed")) == 1


def test_calls_that_are_late_open_a_breaker(open_pit, profile):
    breaker = {"failures": 2, "open_ms": 60_000}
    pit = open_pit(tries(profile, breaker=breaker))
    faults = []

    def is_open():
        faults.append(pit.fails("late", timeout_ms=100))
        return faults[-1].err == "BREAKER_OPEN"

    eventually(is_open, "the breaker has opened")
    stages = [fault.stage for fault in faults]
    assert stages.count("running") == 2
