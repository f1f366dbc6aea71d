# SPDX-License-Identifier: MIT
"""Tools of the host that streams ask, and that open streams."""

from __future__ import annotations

import threading

import numpy
import pytest
from support import (
    CallFailed,
    pool,
)
from support.asking import Blocked, open_asking, open_asking_one
from support.host_tools import register


@pytest.fixture
def pit(open_pit, kind):
    return open_asking(open_pit, kind)


@pytest.fixture
def one(open_pit, profile):
    return open_asking_one(open_pit, profile)


# ---- Streams -------------------------------------------------------------------------


def test_a_stream_asks_between_its_chunks(pit):
    questions = [["echo", {"value": i}] for i in range(300)]
    with pit.stream("host_each", {"questions": questions}) as stream:
        chunks, fault = stream.rest()
    assert fault is None
    assert chunks[::2] == list(range(300))
    with pit.stream("host_each_async", {"questions": questions}) as stream:
        assert stream.rest() == (list(range(300)), None)


def test_an_error_of_the_hosts_ends_a_stream_after_its_chunks(pit):
    questions = [["echo", {"value": 1}], ["no_such", {}]]
    with pit.stream("host_each", {"questions": questions}) as stream:
        chunks, fault = stream.rest()
    assert chunks[0] == 1
    assert fault.err == "TOOL_FAILED"
    assert "no_such" in fault.message


@pytest.mark.own_pit("what a program's tool calls waits for a second executor")
def test_what_a_streams_question_calls_back_harms_no_chunk(one):
    register(one, "back", lambda info, value: one.call("echo", {"value": value}))
    array = numpy.arange(1000)
    questions = [["back", {"value": i}] for i in range(50)]
    asked = {"questions": questions, "then": array.tolist()}
    with one.stream("host_each", asked) as stream:
        chunks, fault = stream.rest()
    assert chunks[::2] == list(range(50))
    assert fault.type == "ValueError"
    assert "questions: list[50]" in fault.arguments
    assert one.call("ping") == "pong"


def test_a_stream_that_is_closed_while_it_asks_leaves_nothing(one):
    gate = Blocked()
    register(one, "gate", gate)
    stream = one.stream("host_each", {"questions": [["gate", {}]] * 3})
    reader = threading.Thread(target=stream.rest)
    reader.start()
    gate.wait()
    assert one.cancel(stream.id) == "OK"
    gate.leave.set()
    reader.join(20)
    assert not reader.is_alive()
    assert stream.fault.err == "CANCELLED"
    stream.close()
    assert one.call("ping") == "pong"


# ---- Streams within ------------------------------------------------------------------


@pytest.mark.own_pit("what a program's tool calls waits for a second executor")
def test_a_host_tool_may_open_a_stream_where_there_is_room(open_pit, profile):
    pit = open_pit(pool(profile, adapter="asks.Asks", pool_size=2))
    register(pit, "echo", lambda info, value: value)
    kept = []

    def within(info, how):
        asked = {"questions": [["echo", {"value": 1}]] * 2}
        stream = pit.stream("host_each", asked)
        if how == "read":
            with stream:
                return stream.rest()[0][::2]
        kept.append(stream)
        if how == "one":
            return stream.take()
        return pit.call("echo", {"value": "beside"})

    register(pit, "within", within)
    for how, wanted in (("read", [1, 1]), ("one", 1), ("beside", "beside")):
        asked = {"tool": "within", "how": how}
        assert pit.call("host", asked, timeout_ms=10_000) == wanted
    for stream in kept:
        stream.close()
    assert pit.stats().violations == 0


def test_a_host_tool_may_not_read_the_stream_that_waits_for_it(one):
    told = []

    def meddle(info):
        try:
            stream.take()
        except CallFailed:
            told.append(stream.err)
        stream_close(stream)

    def stream_close(stream):
        handle = stream.handle
        stream.close()
        stream.handle = handle

    register(one, "meddle", meddle)
    stream = one.stream("host_each", {"questions": [["meddle", {}]] * 2})
    _, fault = stream.rest()
    assert told == ["INVALID_ARGUMENT"]
    assert fault.err == "CANCELLED"
    stream.close()
    assert one.call("ping") == "pong"
