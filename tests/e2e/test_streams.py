# SPDX-License-Identifier: MIT
"""Lessons 25 to 27: streams, from a generator to its reader."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from support import (
    CallFailed,
    default_python,
    eventually,
    pool,
    seconds,
    wait_for_file,
)

MANY = 100_000
MEBIBYTE = 1 << 20
TUBE = 64 * 1024
CLOSED_WITHIN = 60.0


def streams(kind, adapter="Streams", **options):
    """A pool of one worker with the tools of adapters/streams.py. A worker that a busy
    machine holds up has time to close its generators.
    """
    options = {"cancel_grace_ms": 60_000, **options}
    return pool(kind, adapter=f"streams.{adapter}", **options)


def take(stream, count):
    """The next chunks, which must be there."""
    return [stream.take() for _ in range(count)]


def shared_memory_of(pid):
    """Bytes of memfds that a process has touched."""
    with open(f"/proc/{pid}/status") as status:
        rows = dict(line.split(":", 1) for line in status)
    return int(rows["RssShmem"].split()[0]) * 1024


# ---- Every way of streaming ----------------------------------------------------------

WAYS = {
    "count": [0, 1, 2, 3],
    "count_async": [0, 1, 2, 3],
    "iterator": [0, 1, 2, 3],
    "async_iterator": [0, 1, 2, 3],
    "later": ["0", "1", "2", "3"],
    "where": ["where"] * 4,
}


@pytest.mark.parametrize("tool", WAYS)
def test_every_kind_of_iterator_streams_and_is_a_list_for_an_ordinary_call(
    shared_pit, kind, tool
):
    pit = shared_pit(streams(kind))
    with pit.stream(tool, {"n": 4}) as stream:
        assert not stream.is_over
        assert stream.rest() == (WAYS[tool], None)
        assert stream.is_over
        assert stream.err == "END"
        assert stream.rest() == ([], None), "the end is told again"
    assert pit.call(tool, {"n": 4}) == WAYS[tool]
    with pit.stream(tool, {"n": 0}) as stream:
        assert stream.rest() == ([], None)


@pytest.mark.parametrize("adapter", ["Streams", "PerRequest"])
def test_an_iterator_that_crosses_as_a_value_is_one(shared_pit, kind, adapter):
    pit = shared_pit(streams(kind, adapter))
    assert pit.call("bytes_io", {"data": b"two\nlines"}) == b"two\nlines"
    with pit.stream("bytes_io", {"data": b"two\nlines"}) as stream:
        assert stream.rest() == ([b"two\nlines"], None)


def test_items_may_lie_in_what_their_iterator_holds(shared_pit, kind):
    pit = shared_pit(streams(kind))
    assert [int(item[0]) for item in pit.call("window", {"n": 4})] == [0, 1, 2, 3]
    with pit.stream("window", {"n": 4}) as stream:
        chunks, fault = stream.rest()
    assert ([int(item[0]) for item in chunks], fault) == ([0, 1, 2, 3], None)


def test_what_a_generator_returns_is_the_answer_of_its_stream(shared_pit, kind):
    pit = shared_pit(streams(kind))
    with pit.stream("count", {"n": 2}) as stream:
        assert stream.rest() == ([0, 1], None)
        assert stream.returned == {"count": 2}


def test_a_plain_result_is_one_chunk(shared_pit, kind):
    pit = shared_pit(streams(kind))
    with pit.stream("plain", {"value": [1, "x"]}) as stream:
        assert stream.rest() == ([{"value": [1, "x"]}], None)
        assert stream.returned is None


def test_a_final_chunk_ends_the_stream(shared_pit, kind):
    pit = shared_pit(streams(kind))
    wanted = [{"data": i, "is_final": i == 2, "metadata": {"of": 9}} for i in range(3)]
    with pit.stream("chunks", {"n": 9, "final_at": 2}) as stream:
        assert stream.rest() == (wanted, None)
    assert pit.call("chunks", {"n": 9, "final_at": 2}) == wanted


@pytest.mark.parametrize("adapter", ["Fallback", "AsyncHandler"])
def test_adapters_that_answer_any_name_stream_too(shared_pit, kind, adapter):
    pit = shared_pit(streams(kind, adapter))
    with pit.stream("some", {"n": 3}) as stream:
        assert stream.rest() == (["some 0", "some 1", "some 2"], None)


def test_a_tracked_generator_knows_its_call_and_is_counted(shared_pit, kind):
    pit = shared_pit(streams(kind))
    before = pit.call("stats")
    with pit.stream("tracked", {"n": 3}) as stream:
        number = stream.id
        chunks, fault = stream.rest()
    assert fault is None
    assert [chunk["i"] for chunk in chunks] == [0, 1, 2]
    assert {chunk["call"] for chunk in chunks} == {number}
    assert {chunk["tool"] for chunk in chunks} == {"tracked"}
    assert {chunk["active"] for chunk in chunks} == {1}
    assert len({chunk["thread"] for chunk in chunks}) == 1
    after = pit.call("stats")
    assert after["active_requests"] == 0
    assert after["total_requests"] == before["total_requests"] + 1


def test_chunks_as_json_and_by_a_callback(shared_pit):
    pit = shared_pit(streams("process"))
    with pit.stream("chunks", {"n": 2, "final_at": 1}) as stream:
        assert stream.json() is None
        stream.take()
        assert stream.json() == '{"data":0,"is_final":false,"metadata":{"of":2}}'
    seen = []
    with pit.each(lambda chunk: not seen.append(chunk), "count", {"n": 3}) as answer:
        assert answer.value() == {"count": 3}
    assert seen == [0, 1, 2]
    with pit.each(lambda chunk: chunk < 5, "count", {"n": MANY}) as answer:
        assert answer.fault.err == "CANCELLED"
    with pit.each(lambda chunk: True, "no_such_tool") as answer:
        assert answer.fault.err == "UNKNOWN_TOOL"


def test_a_refused_stream_says_why(shared_pit):
    pit = shared_pit(streams("process"))
    with pit.stream("count", {"n": 1}, pool="other") as stream:
        assert stream.err == "UNKNOWN_POOL"
        assert stream.id == 0
        with pytest.raises(CallFailed, match='no pool "other"'):
            stream.take()
    with pit.stream("", {"n": 1}) as stream:
        assert stream.err == "INVALID_ARGUMENT"
        assert "1 to 255 bytes" in stream.fault.message
    with pit.stream("count", {"wrong": 1}) as stream:
        chunks, fault = stream.rest()
        assert (chunks, fault.err, fault.type) == ([], "TOOL_FAILED", "TypeError")


def test_an_endless_stream_is_no_answer_of_an_ordinary_call(shared_pit, kind):
    pit = shared_pit(streams(kind))
    fault = pit.fails("endless")
    assert (fault.err, fault.type) == ("TOOL_FAILED", "ValueError")
    assert "more than 1000000 items" in fault.message
    assert "call it as a stream" in fault.message


# ---- 25: bounded, in order, one end --------------------------------------------------


@pytest.mark.parametrize("tool", ["count", "count_async"])
def test_lesson_25_100000_chunks_arrive_in_order_once_and_then_the_end(
    shared_pit, kind, tool
):
    pit = shared_pit(streams(kind))
    before = pit.stats()
    with pit.stream(tool, {"n": MANY}) as stream:
        for wanted in range(MANY):
            assert stream.take() == wanted
        assert stream.rest() == ([], None)
    assert pit.stats().calls == before.calls + 1
    assert pit.stats().failures == before.failures


@pytest.mark.parametrize("tool", ["count", "count_async"])
def test_lesson_25_a_slow_reader_blocks_the_producer(shared_pit, kind, tmp_path, tool):
    pit = shared_pit(streams(kind))
    path = tmp_path / "end"
    with pit.stream(tool, {"n": MANY, "path": str(path)}) as stream:
        assert stream.take() == 0
        # The worker is blocked when it uses no processor any more.
        (worker,) = pit.processes()
        eventually(lambda: is_still(worker.pid), "the producer waits")
        assert not path.exists(), "it is at its end although nobody reads"
        assert stream.rest() == (list(range(1, MANY)), None)
    assert path.read_text() == "done"


def is_still(pid):
    """Whether a process used no processor for a tenth of a second."""
    before = ticks_of(pid)
    with seconds() as waited:
        threading.Event().wait(0.1)
    return waited.seconds >= 0.1 and ticks_of(pid) == before


def ticks_of(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_lesson_25_a_stalled_reader_of_large_chunks_bounds_the_arena(open_pit, kind):
    pit = open_pit(streams(kind))
    (worker,) = pit.processes()
    assert pit.call("plain", {"value": 1}) == {"value": 1}
    before = shared_memory_of(worker.pid)
    with pit.stream("arrays", {"n": 200, "size": MEBIBYTE}) as stream:
        for i in range(200):
            if i in (1, 50, 150):
                eventually(lambda: is_still(worker.pid), "the producer waits")
            chunk = stream.take()
            assert chunk["i"] == i
            assert (chunk["data"] == i % 251).all()
            # Four wait, one is read, one is being made, and one the generator holds.
            assert shared_memory_of(worker.pid) - before <= 8 * MEBIBYTE + TUBE
        assert stream.rest() == ([], None)


@pytest.mark.parametrize("size", [100, 16_000, 17_000, 300_000])
def test_chunks_of_any_size_arrive_whole(shared_pit, kind, size):
    pit = shared_pit(streams(kind))
    with pit.stream("texts", {"n": 300, "size": size}) as stream:
        for i in range(300):
            assert stream.take() == chr(65 + i % 26) * size
        assert stream.rest() == ([], None)


def test_tensors_of_a_chunk_are_views_until_the_next_one(shared_pit, kind):
    pit = shared_pit(streams(kind))
    with pit.stream("arrays", {"n": 20, "size": MEBIBYTE, "empty": False}) as stream:
        for i in range(20):
            view = stream.take(copy=False)["data"]
            assert view.shape == (MEBIBYTE,)
            assert (view == i % 251).all()


def test_chunks_that_the_arena_has_no_room_for_wait_for_the_reader(shared_pit, kind):
    pit = shared_pit(streams(kind, shared_memory_size="8MiB"))
    with pit.stream(
        "arrays", {"n": 30, "size": 3 * MEBIBYTE, "empty": False}
    ) as stream:
        for i in range(30):
            assert (stream.take()["data"] == i % 251).all()
        assert stream.rest() == ([], None)


def test_a_chunk_that_never_fits_is_a_fault(shared_pit, kind):
    pit = shared_pit(streams(kind, shared_memory_size="8MiB"))
    with pit.stream("arrays", {"n": 1, "size": 9 * MEBIBYTE, "empty": False}) as stream:
        chunks, fault = stream.rest()
    assert (chunks, fault.err) == ([], "NO_MEMORY")
    assert pit.call("plain", {"value": 1}) == {"value": 1}


def test_1000_streams_leave_the_arena_as_it_was(open_pit, kind):
    # A thirtieth of what they write altogether.
    pit = open_pit(streams(kind, shared_memory_size="40MiB"))
    for i in range(1000):
        arguments = {"n": 6, "size": 200_000}
        with pit.stream("arrays", arguments) as stream:
            # Some are read to the end, some are left in the middle or unread.
            for _ in range(i % 7):
                stream.take()
    assert pit.call("plain", {"value": 1}) == {"value": 1}


# ---- Exceptions ----------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["count", "count_async"])
@pytest.mark.parametrize("n", [0, 1, 7000])
def test_an_exception_comes_after_the_chunks_before_it(shared_pit, kind, tool, n):
    pit = shared_pit(streams(kind))
    before = pit.stats()
    with pit.stream(tool, {"n": MANY, "fail_at": n}) as stream:
        chunks, fault = stream.rest()
        assert chunks == list(range(n))
        assert (fault.err, fault.type) == ("TOOL_FAILED", "LookupError")
        assert fault.message == f"no number {n}"
        assert f"in {tool}" in fault.traceback
        assert "n: int" in fault.arguments
        assert stream.rest() == ([], fault), "the fault is told again"
    assert pit.stats().failures == before.failures + 1


def test_an_item_that_cannot_cross_is_a_fault_after_the_others(shared_pit, kind):
    pit = shared_pit(streams(kind))
    with pit.stream("unserialisable", {"n": 3}) as stream:
        chunks, fault = stream.rest()
    assert chunks == [0, 1, 2]
    assert fault.err == "UNSERIALISABLE"
    assert "result['bad']" in fault.message


# ---- 26: cancelling closes the generator ---------------------------------------------


@pytest.mark.parametrize("tool", ["count", "count_async"])
def test_lesson_26_closing_closes_a_generator_that_waits_for_room(
    shared_pit, kind, tool, tmp_path
):
    pit = shared_pit(streams(kind))
    before = pit.stats()
    (worker,) = pit.processes()
    path = tmp_path / "end"
    with pit.stream(tool, {"n": 10**9, "path": str(path)}) as stream:
        assert take(stream, 3) == [0, 1, 2]
        eventually(lambda: is_still(worker.pid), "the producer waits")
    assert wait_for_file(path, CLOSED_WITHIN) == "broken off"
    assert pit.processes() == {worker}, "the worker lives on"
    assert pit.call("plain", {"value": 1}) == {"value": 1}
    assert pit.stats().cancelled == before.cancelled + 1


@pytest.mark.parametrize("tool", ["wait_at", "wait_at_async"])
def test_lesson_26_closing_interrupts_a_generator_that_works(
    shared_pit, kind, tool, tmp_path
):
    pit = shared_pit(streams(kind))
    (worker,) = pit.processes()
    path = tmp_path / "end"
    with pit.stream(tool, {"n": 3, "path": str(path)}) as stream:
        assert take(stream, 3) == [0, 1, 2]
    assert wait_for_file(path, CLOSED_WITHIN) in ("Cancelled", "CancelledError")
    assert pit.call("plain", {"value": 1}) == {"value": 1}
    assert pit.processes() == {worker}


def test_lesson_26_another_thread_cancels_a_reader_that_waits(
    shared_pit, kind, tmp_path
):
    pit = shared_pit(streams(kind))
    path = tmp_path / "end"
    with pit.stream("wait_at", {"n": 1, "path": str(path)}) as stream:
        assert stream.take() == 0
        ended = []
        reader = threading.Thread(target=lambda: ended.append(stream.rest()))
        reader.start()
        assert pit.cancel(stream.id) == "OK"
        reader.join()
    ((chunks, fault),) = ended
    assert (chunks, fault.err) == ([], "CANCELLED")
    assert wait_for_file(path, CLOSED_WITHIN) == "Cancelled"


def test_lesson_26_an_iterator_without_python_code_ends_too(shared_pit, kind):
    pit = shared_pit(streams(kind))
    (worker,) = pit.processes()
    with pit.stream("endless") as stream:
        assert take(stream, 1000) == list(range(1000))
    assert pit.call("plain", {"value": 1}) == {"value": 1}
    assert pit.processes() == {worker}


def test_a_stream_that_waits_in_line_can_be_closed(shared_pit, tmp_path):
    pit = shared_pit(streams("process", prefetch=0))
    with pit.stream("count", {"n": MANY}) as first:
        assert first.take() == 0
        with pit.stream("count", {"n": 1}) as second:
            eventually(lambda: pit.stats().waiting == 1, "it waits")
            assert not second.is_over
        eventually(lambda: pit.stats().waiting == 0, "it has left")
        assert first.rest() == (list(range(1, MANY)), None)


# ---- Deadlines -----------------------------------------------------------------------


@pytest.mark.parametrize("reads", [True, False])
def test_the_deadline_ends_a_stream_whether_or_not_it_is_read(
    shared_pit, kind, reads, tmp_path
):
    pit = shared_pit(streams(kind))
    before = pit.stats()
    path = tmp_path / "end"
    arguments = {"n": 10**9, "path": str(path)}
    with (
        seconds() as taken,
        pit.stream("count", arguments, timeout_ms=2000) as stream,
    ):
        if reads:
            _, fault = stream.rest()
        else:
            assert wait_for_file(path) == "broken off"
            _, fault = stream.rest()
    assert fault.err == "DEADLINE_EXCEEDED"
    assert fault.stage == "running"
    assert 1.9 <= taken.seconds < 12  # a tick of the kernel early at most
    assert wait_for_file(path, CLOSED_WITHIN) == "broken off"
    assert pit.stats().timeouts == before.timeouts + 1


def test_the_deadline_ends_a_reader_that_waits(shared_pit, kind, tmp_path):
    pit = shared_pit(streams(kind))
    arguments = {"n": 2, "path": str(tmp_path / "end")}
    with (
        pit.stream("wait_at", arguments, timeout_ms=2000) as stream,
        seconds() as taken,
    ):
        chunks, fault = stream.rest()
    assert (chunks, fault.err) == ([0, 1], "DEADLINE_EXCEEDED")
    assert taken.seconds < 10
    assert wait_for_file(tmp_path / "end", CLOSED_WITHIN) == "Cancelled"


def test_the_deadline_of_a_stream_in_line_holds(shared_pit):
    pit = shared_pit(streams("process", prefetch=0))
    before = pit.stats()
    with pit.stream("count", {"n": MANY}) as first:
        with pit.stream("count", {"n": 1}, timeout_ms=100) as second:
            eventually(
                lambda: pit.stats().timeouts == before.timeouts + 1,
                "it has ended unread",
            )
            chunks, fault = second.rest()
            assert (chunks, fault.err, fault.stage) == (
                [],
                "DEADLINE_EXCEEDED",
                "line",
            )
        assert first.rest() == (list(range(MANY)), None)


# ---- Capacity ------------------------------------------------------------------------


def test_a_stream_counts_as_one_call(shared_pit, kind):
    pit = shared_pit(streams(kind))
    before = pit.stats()
    with pit.stream("count", {"n": MANY}) as stream:
        assert stream.take() == 0
        assert pit.stats().running == 1
        stream.rest()
        assert pit.stats().running == 0
    assert pit.stats().calls == before.calls + 1


def test_a_tool_that_has_ended_frees_its_slot_although_nobody_reads(shared_pit):
    pit = shared_pit(streams("process", prefetch=0))
    with pit.stream("count", {"n": 1000}) as stream:
        assert stream.take() == 0
        # Of a pool of one executor: this waits until the stream's tool has ended.
        assert pit.call("plain", {"value": 1}, timeout_ms=5000) == {"value": 1}
        with pit.stream("count", {"n": 10}) as other:
            assert other.rest() == (list(range(10)), None)
        assert stream.rest() == (list(range(1, 1000)), None)
        assert stream.returned == {"count": 1000}


def test_streams_beside_each_other(shared_pit):
    pit = shared_pit(streams("thread"))
    with (
        pit.stream("count", {"n": MANY}) as one,
        pit.stream("count_async", {"n": 10_000}) as two,
        pit.stream("texts", {"n": 100, "size": 50_000}) as three,
    ):
        for i in range(100):
            assert one.take() == i
            assert two.take() == i
            assert len(three.take()) == 50_000
            assert pit.call("plain", {"value": i}) == {"value": i}
        assert one.rest() == (list(range(100, MANY)), None)
        assert two.rest() == (list(range(100, 10_000)), None)
        assert three.rest() == ([], None)


def test_many_readers_of_their_own(open_pit):
    pit = open_pit(streams("thread", pool_size=2))
    wrong = []

    def read(number):
        for _ in range(20):
            with pit.stream("count", {"n": 500 + number}) as stream:
                if stream.rest() != (list(range(500 + number)), None):
                    wrong.append(number)

    readers = [threading.Thread(target=read, args=(number,)) for number in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert pit.stats().calls == 160


# ---- Deaths and closing --------------------------------------------------------------


def test_a_death_is_one_fault_after_the_chunks_before_it(open_pit, kind):
    pit = open_pit(streams(kind))
    rows = pit.workers()
    with pit.stream("die_at", {"n": 1000}) as stream:
        chunks, fault = stream.rest()
        assert chunks == list(range(1000))
        assert fault.err == "WORKER_DIED"
        assert "SIGKILL" in fault.cause
        assert stream.rest() == ([], fault)
    pit.await_replacement(*rows)
    assert pit.call("plain", {"value": 1}) == {"value": 1}


def test_a_worker_killed_while_its_reader_stalls(open_pit, kind):
    pit = open_pit(streams(kind))
    rows = pit.workers()
    with pit.stream("arrays", {"n": 10**6, "size": MEBIBYTE}) as stream:
        view = stream.take(copy=False)["data"]
        eventually(lambda: is_still(rows[0].pid), "the producer waits")
        os.kill(rows[0].pid, signal.SIGKILL)
        pit.await_replacement(*rows)
        assert (view == 0).all(), "what is being read stays"
        chunks, fault = stream.rest()
    # A daemon has some more on their way.
    assert 0 < len(chunks) <= (5 if pit.behind is None else 10)
    assert [chunk["i"] for chunk in chunks] == list(range(1, len(chunks) + 1))
    assert fault.err == "WORKER_DIED"


def test_closing_the_pit_ends_a_stream_that_is_read_and_one_that_is_not(
    open_pit, kind, tmp_path
):
    pit = open_pit(streams(kind, pool_size=2))
    unread = pit.stream("count", {"n": 10**9, "path": str(tmp_path / "unread")})
    read = pit.stream("wait_at", {"n": 2, "path": str(tmp_path / "read")})
    assert take(read, 2) == [0, 1]
    assert take(unread, 2) == [0, 1]
    ended = []
    reader = threading.Thread(target=lambda: ended.append(read.rest()))
    reader.start()
    pit.close()
    reader.join()
    ((chunks, fault),) = ended
    assert (chunks, fault.err) == ([], "SHUTTING_DOWN")
    # A stream may be used and closed after its pit.
    _, fault = unread.rest()
    assert fault.err == "SHUTTING_DOWN"
    unread.close()
    read.close()
    for path in ("unread", "read"):
        assert (tmp_path / path).exists(), "the generator was closed"


def test_grace_lets_a_stream_come_to_its_end(open_pit, kind):
    pit = open_pit(streams(kind))
    with pit.stream("slow", {"n": 5, "seconds": 0.05}) as stream:
        assert stream.take() == 0
        pit.close(grace_ms=5000)
        assert stream.rest() == ([1, 2, 3, 4], None)


# ---- 27: cleanup ---------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["count", "count_async"])
@pytest.mark.parametrize("end", ["done", "raised", "closed", "shutdown"])
def test_lesson_27_cleanup_runs_after_the_stream_however_it_ends(
    open_pit, shared_pit, kind, tool, end, tmp_path
):
    given = open_pit if end == "shutdown" else shared_pit
    pit = given(streams(kind, "PerRequest"))
    path = tmp_path / "end"
    arguments = {"n": 10**9 if end in ("closed", "shutdown") else 10, "path": str(path)}
    if end == "raised":
        arguments["fail_at"] = 5
    with pit.stream(tool, arguments) as stream:
        assert take(stream, 5) == [0, 1, 2, 3, 4]
        assert not path.exists() or end in ("done", "raised")
        if end == "done":
            assert stream.rest() == ([5, 6, 7, 8, 9], None)
        elif end == "raised":
            chunks, fault = stream.rest()
            assert (chunks, fault.type) == ([], "LookupError")
        elif end == "shutdown":
            pit.close()
    wanted = "done" if end == "done" else "broken off"
    assert wait_for_file(path, CLOSED_WITHIN) == f"{wanted}, closed, cleaned up"


def test_the_showcase_streams(open_pit):
    pit = open_pit(pool("process", adapter=None, python=default_python("process")))
    with pit.stream("stream_progress", {"steps": 2}) as stream:
        chunks, fault = stream.rest()
    assert fault is None
    assert [chunk["data"]["progress"] for chunk in chunks] == [0.5, 1.0]
    with pit.stream("stream_fibonacci", {"count": 5}) as stream:
        chunks, fault = stream.rest()
    assert [chunk["value"] for chunk in chunks] == [0, 1, 1, 2, 3]
