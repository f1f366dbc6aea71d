# SPDX-License-Identifier: MIT
"""Completion queues: calls and streams that no thread waits for."""

from __future__ import annotations

import os
import pathlib
import select
import signal
import threading
import warnings

import pytest
from support import (
    CallFailed,
    Queue,
    Refused,
    eventually,
    open_gate,
    pool,
    programs,
)
from support.children import fork as fork_here
from support.children import in_child
from support.host_tools import register
from support.places import ROOT

MANY = 1000
WITHIN_S = 60
CHUNKS_AT_ONCE = 100


def streams(kind="process", **options):
    """A pool of one worker with the tools of adapters/streams.py."""
    return pool(kind, adapter="streams.Streams", **options)


def threads():
    return len(os.listdir("/proc/self/task"))


class Loop:
    """One event loop: a queue, and what was reported to it."""

    def __init__(self, pit):
        self.pit = pit
        self.queue = Queue(pit)
        self.fd = self.queue.fd()
        self.chunks = []
        self.ends = []
        self.unread = []  # streams that had more than one turn reads
        self.ready = 0
        self.runs_on = set()

    def open(self, tool, arguments, **options):
        """A stream that is read to its end whenever it is ready, and then closed."""
        stream = None

        def read():
            self.runs_on.add(threading.get_ident())
            try:
                # One that is always ahead of its reader must not keep it for ever.
                for _ in range(CHUNKS_AT_ONCE):
                    chunk = stream.try_take()
                    if chunk is None:
                        break
                    self.chunks.append(chunk)
                else:
                    self.unread.append(read)
                    return
                if stream.err == "AGAIN":
                    return
            except CallFailed as failed:
                stream.err = failed.fault.err
            self.ends.append(stream.err)
            stream.close()

        def ready():
            self.ready += 1
            read()

        stream = self.pit.stream(
            tool, arguments, queue=self.queue, ready=ready, **options
        )
        assert stream.err == "OK"
        return stream

    def drain(self, timeout_ms=0):
        unread, self.unread = self.unread, []
        for read in unread:
            read()
        count = self.queue.drain(0 if unread else timeout_ms)
        while (more := self.queue.drain()) > 0:
            count += more
        return count


def run(loops, over):
    """Polls and drains until something is over."""
    polled = {loop.fd: loop for loop in loops}
    while not over():
        for loop in loops:
            loop.drain()
        if not over():
            busy = any(loop.unread for loop in loops)
            readable, _, _ = select.select(polled, [], [], 0 if busy else WITHIN_S)
            assert readable or busy, "nothing came in time"


# ---- Many streams, one thread --------------------------------------------------------


def test_the_example_reads_a_thousand_streams(tmp_path: pathlib.Path):
    programs.skip_if_sanitized()
    program = programs.build(
        "queues", tmp_path, "-Wall", "-Werror", where=ROOT / "examples"
    )
    text = pool(
        "process",
        pool_size=2,
        adapter="text_adapter.TextAdapter",
        adapter_env={"PYTHONPATH": str(ROOT / "examples")},
    )
    said = programs.run(program, text)
    assert said == "2500 and 2500 chunks, 0 failures\n"


@pytest.mark.own_pit("a client has 256 calls under way at a pool")
def test_one_thread_reads_a_thousand_running_streams_of_two_queues(open_pit, tmp_path):
    """All of them run at once: none can wait for the end of another one."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    pit = open_pit(
        streams(
            "thread",
            pool_size=4,
            threads_per_worker=MANY // 4,
        )
    )
    loops = [Loop(pit), Loop(pit)]
    before = threads()
    for i in range(MANY):
        loops[i % 2].open("count_behind", {"n": 3, "gate": str(gate)})
    run(loops, lambda: len(loops[0].chunks) + len(loops[1].chunks) == MANY)
    assert threads() == before
    assert pit.stats().running == MANY
    assert all(chunk == 0 for loop in loops for chunk in loop.chunks)
    opened = os.open(gate, os.O_WRONLY)
    run(loops, lambda: len(loops[0].ends) + len(loops[1].ends) == MANY)
    os.close(opened)
    for loop in loops:
        assert sorted(loop.chunks) == [0] * 500 + [1] * 500 + [2] * 500
        assert loop.ends == ["END"] * 500
        assert loop.runs_on == {threading.get_ident()}
        assert loop.queue.free() == "OK"
    assert threads() == before


def test_a_stream_of_many_chunks_is_read_as_it_comes(shared_pit, kind):
    pit = shared_pit(streams(kind))
    loop = Loop(pit)
    loop.open("count", {"n": 20_000})
    run([loop], lambda: loop.ends)
    assert loop.chunks == list(range(20_000))
    assert loop.ends == ["END"]
    assert loop.queue.free() == "OK"


def test_a_slow_reader_holds_up_its_tool_and_nobody_else(open_pit):
    pit = open_pit(streams("thread", threads_per_worker=2))
    fast, slow = Loop(pit), Loop(pit)
    stream = pit.stream("endless", {}, queue=slow.queue, ready=lambda: None)
    fast.open("count", {"n": 1000})
    run([fast], lambda: fast.ends)
    assert fast.chunks == list(range(1000))
    stream.close()
    assert slow.queue.free() == "OK"
    assert fast.queue.free() == "OK"


def test_a_queue_that_others_left_alone_is_heard_again(open_pit):
    """What nothing reports to hears no bell, and hears them all once something does."""
    pit = open_pit(streams("thread"))
    busy, idle = Loop(pit), Loop(pit)
    for _ in range(5):
        for loop in (busy, idle):
            for _ in range(40):
                loop.ends.clear()
                loop.open("count", {"n": 1})
                run([loop], lambda loop=loop: loop.ends)
    for loop in (busy, idle):
        assert loop.queue.free() == "OK"


# ---- Which queue, and how often ------------------------------------------------------


def test_a_call_is_reported_to_its_own_queue_alone(shared_pit, kind):
    pit = shared_pit(pool(kind))
    with Queue(pit) as first, Queue(pit) as second:
        here = [pit.submit("echo", {"value": i}, queue=first) for i in range(50)]
        there = [pit.submit("echo", {"value": i}, queue=second) for i in range(50)]
        plain = pit.submit("echo", {"value": "default"})
        assert plain.wait().value == "default"
        eventually(lambda: pit.stats().running == 0, "all have ended")
        assert sum(call.times for call in here + there) == 0
        while not all(call.times for call in here):
            first.drain(1000)
        assert [call.value for call in here] == list(range(50))
        assert sum(call.times for call in there) == 0
        assert second.free() == "BUSY"
        while not all(call.times for call in there):
            second.drain(1000)
    assert {call.times for call in here + there} == {1}


def ended(call, queue):
    """How a call was reported, once."""
    while call.times == 0:
        assert queue.drain(WITHIN_S * 1000) > 0
    assert queue.drain() == 0
    assert call.times == 1
    return call.err


def test_every_end_is_reported_once(open_pit, kind):
    pit = open_pit(pool(kind, pool_size=1, cancel_grace_ms=20_000))
    with Queue(pit) as queue:
        call = pit.submit("spin", {"seconds": 60}, queue=queue)
        assert pit.cancel(call) == "OK"
        assert ended(call, queue) == "CANCELLED"
        call = pit.submit("spin", {"seconds": 60}, queue=queue, timeout_ms=50)
        assert ended(call, queue) == "DEADLINE_EXCEEDED"
        call = pit.submit("fail", {"kind": "ValueError"}, queue=queue)
        assert ended(call, queue) == "TOOL_FAILED"
        call = pit.submit("die", queue=queue)
        assert ended(call, queue) == "WORKER_DIED"


def test_every_end_of_a_stream_is_reported_once(open_pit, kind):
    pit = open_pit(streams(kind, pool_size=1, cancel_grace_ms=20_000))
    loop = Loop(pit)
    stream = loop.open("endless", {})
    run([loop], lambda: loop.chunks)
    assert pit.cancel(stream.id) == "OK"
    run([loop], lambda: loop.ends)
    assert loop.ends.pop() == "CANCELLED"
    loop.open("endless", {}, timeout_ms=200)
    run([loop], lambda: loop.ends)
    assert loop.ends.pop() == "DEADLINE_EXCEEDED"
    loop.open("count", {"n": 5, "fail_at": 3})
    run([loop], lambda: loop.ends)
    assert loop.ends.pop() == "TOOL_FAILED"
    eventually(lambda: pit.stats().running == 0, "what was given up has ended")
    loop.open("endless", {})
    loop.chunks.clear()
    run([loop], lambda: loop.chunks)
    for process in pit.processes():
        process.kill(signal.SIGKILL)
    run([loop], lambda: loop.ends)
    assert loop.ends.pop() == "WORKER_DIED"
    assert loop.drain() == 0
    assert loop.queue.free() == "OK"


def test_the_default_queue_takes_streams_too(shared_pit, kind):
    pit = shared_pit(streams(kind))
    done = threading.Event()
    chunks = []

    def read():
        while (chunk := stream.try_take()) is not None:
            chunks.append(chunk)
        if stream.err == "END":
            done.set()

    opened = threading.Event()
    stream = pit.stream(
        "count", {"n": 100}, ready=lambda: opened.wait(WITHIN_S) and read()
    )
    opened.set()
    assert done.wait(WITHIN_S)
    assert chunks == list(range(100))
    stream.close()


def test_a_stream_that_does_not_report_may_be_polled(shared_pit, kind):
    pit = shared_pit(streams(kind))
    with pit.stream("count", {"n": 100}) as stream:
        chunks = []

        def is_over():
            chunk = stream.try_take()
            if chunk is not None:
                chunks.append(chunk)
            return stream.err == "END"

        eventually(is_over, "it has ended")
        assert chunks == list(range(100))


def test_what_makes_no_sense_is_refused(open_pit):
    pit, other = open_pit(streams()), open_pit(streams(name="other"))
    with Queue(other) as foreign, Queue(pit) as queue:
        with pytest.raises(Refused, match="belongs to another pit"):
            pit.submit("count", {"n": 1}, queue=foreign)
        with pit.stream("count", {"n": 1}, queue=foreign, ready=lambda: None) as stream:
            assert stream.err == "INVALID_ARGUMENT"
            assert "belongs to another pit" in stream.fault.message
        with pit.stream("count", {"n": 1}, queue=queue) as stream:
            assert stream.err == "INVALID_ARGUMENT"
            assert "`ready` is NULL" in stream.fault.message
        with pit.stream("count", {"n": 1}, queue=queue, ready=lambda: None) as stream:
            assert stream.err == "OK"
            with pytest.raises(CallFailed):
                stream.take()
            assert stream.err == "INVALID_ARGUMENT"


# ---- Host's tools --------------------------------------------------------------------


def test_tools_of_the_host_run_where_the_queue_is_drained(open_pit, kind):
    pit = open_pit(pool(kind, adapter="asks.Asks"))
    ran_on = []

    def following(_info, x):
        ran_on.append(threading.get_ident())
        return x + 1

    register(pit, "following", following)
    with Queue(pit) as queue:
        call = pit.submit("host", {"tool": "following", "x": 1}, queue=queue)
        assert ended(call, queue) == "OK"
        assert call.value == 2
    assert ran_on == [threading.get_ident()]


# ---- Freeing and closing -------------------------------------------------------------


def test_a_queue_in_use_is_not_freed(shared_pit, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    pit = shared_pit(streams())
    queue = Queue(pit)
    fd = queue.fd()
    stream = pit.stream(
        "count_behind", {"n": 2, "gate": str(gate)}, queue=queue, ready=lambda: None
    )
    assert queue.free() == "BUSY"
    assert queue.fd() == fd
    open_gate(gate, lambda: pit.stats().running == 0)
    assert queue.free() == "BUSY"
    stream.close()
    assert queue.free() == "OK"
    with pytest.raises(OSError):
        os.fstat(fd)


def test_a_drain_within_a_drain_does_nothing(shared_pit):
    pit = shared_pit(pool())
    with Queue(pit) as queue:
        inner = []
        call = pit.submit(
            "echo",
            {"value": 1},
            queue=queue,
            then=lambda _: inner.append((queue.drain(1000), queue.free())),
        )
        assert ended(call, queue) == "OK"
        assert inner == [(0, "BUSY")]


def test_a_pit_has_255_queues_and_not_one_more(shared_pit):
    pit = shared_pit(pool())
    queues = [Queue(pit) for _ in range(255)]
    with pytest.raises(Refused, match="can have no more") as refused:
        Queue(pit)
    assert refused.value.err == "SATURATED"
    calls = [pit.submit("echo", {"value": 1}, queue=queue) for queue in queues]
    for queue, call in zip(queues, calls):
        assert ended(call, queue) == "OK"
    assert queues[7].free() == "OK"
    queues[7] = Queue(pit)
    for queue in queues:
        assert queue.free() == "OK"


def test_a_queue_outlives_its_pit(open_pit):
    pit = open_pit(streams())
    queue = Queue(pit)
    reported = []
    call = pit.submit("plain", {"value": 1}, queue=queue)
    stream = pit.stream("endless", {}, queue=queue, ready=lambda: reported.append(1))
    pit.close(0)
    assert call.times == 1
    assert call.err in ("OK", "SHUTTING_DOWN")
    assert len(reported) == 1
    assert queue.drain(1000) == 0
    assert queue.fd() >= 0
    with pytest.raises(CallFailed):
        while stream.try_take() is not None:
            pass
    assert stream.err == "SHUTTING_DOWN"
    assert queue.free() == "OK"
    stream.close()


def close_under_drains(pit):
    """Three loops on threads of their own, which drain until after the close."""
    stop = threading.Event()
    loops = [Loop(pit) for _ in range(3)]
    calls = []

    def work(loop):
        for i in range(100):
            calls.append(pit.submit("plain", {"value": i}, queue=loop.queue))
            if i % 20 == 0:
                loop.drain()
        while not stop.is_set():
            loop.drain(20)

    workers = [threading.Thread(target=work, args=(loop,)) for loop in loops]
    for loop in loops:
        loop.open("endless", {})
    for worker in workers:
        worker.start()
    eventually(lambda: len(calls) == 300, "they have begun all of them")
    pit.close(0)
    stop.set()
    for worker in workers:
        worker.join(WITHIN_S)
    for loop in loops:
        while loop.unread:
            loop.drain()
    assert {call.times for call in calls} == {1}
    for loop in loops:
        assert loop.ends == ["SHUTTING_DOWN"]
        assert loop.queue.free() == "OK"


def test_a_pit_closes_while_its_queues_are_drained(open_pit, kind):
    for _ in range(3):
        close_under_drains(open_pit(streams(kind, pool_size=2)))


# ---- Forks ---------------------------------------------------------------------------


def test_a_forked_child_can_only_free_it(open_pit):
    pit = open_pit(streams(), logs=False)
    queue = Queue(pit)
    chunks = []
    stream = pit.stream(
        "count", {"n": 3}, queue=queue, ready=lambda: chunks.append(stream.try_take())
    )

    def refused(function):
        try:
            return function()
        except (Refused, CallFailed) as error:
            return getattr(error, "err", None) or error.fault.err

    def child():
        told = {
            "fd": refused(queue.fd),
            "submit": refused(lambda: pit.submit("plain", {"value": 1}, queue=queue)),
            "try_next": refused(stream.try_take),
            "drain": queue.drain(20_000),
        }
        stream.close()
        return {**told, "free": queue.free()}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert in_child(child) == {
            "fd": "FORKED",
            "submit": "FORKED",
            "try_next": "FORKED",
            "drain": 0,
            "free": "OK",
        }
    while not chunks:
        assert queue.drain(WITHIN_S * 1000) > 0
    assert chunks == [0]
    stream.close()
    assert queue.free() == "OK"


@pytest.mark.own_pit("a daemon's figures do not say what has come back from it")
def test_what_a_child_forks_in_a_callback_does_not_drain_on(open_pit):
    pit = open_pit(pool(), logs=False)
    queue = Queue(pit)
    outcome = []

    def fork(_):
        child = fork_here()
        if child == 0:
            return
        outcome.append(os.waitpid(child, 0)[1])

    first = pit.submit("echo", {"value": 1}, queue=queue, then=fork)
    second = pit.submit("echo", {"value": 2}, queue=queue)
    eventually(lambda: pit.stats().running == 0, "both have ended")
    parent = os.getpid()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        count = queue.drain(WITHIN_S * 1000)
    if os.getpid() != parent:
        os._exit(0 if (count, second.times) == (1, 0) else 1)
    assert outcome == [0]
    assert (count, first.times, second.times) == (2, 1, 1)
    assert queue.free() == "OK"
