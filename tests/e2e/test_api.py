# SPDX-License-Identifier: MIT
"""What the public API promises, in each kind of pool."""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import threading
import time

import pytest
from support import (
    THREADS,
    CallFailed,
    Refused,
    default_python,
    eventually,
    extensions,
    open_gate,
    pool,
)
from support import library as raw
from support.answers import Answer, Stream, Writer
from support.library import lib

PERSON = {"name": "Ada", "born": 1815, "tags": ["x", None, True], "ratio": 0.5}


def test_a_call_answers_with_what_the_tool_returned(shared_pit, kind):
    pit = shared_pit(pool(kind))
    assert pit.call("ping") == "pong"
    assert pit.call("echo", {"value": PERSON}) == PERSON
    assert pit.call("echo_all", {"b": 1, "a": 2}) == {"b": 1, "a": 2}
    assert pit.call("echo_all") == {}


def test_json_arguments_are_submitted(shared_pit, kind):
    pit = shared_pit(pool(kind))
    answers = []
    ended = threading.Event()

    def done(_user, err, handle):
        with Answer(err, handle) as answer:
            answers.append(answer.value())
        ended.set()

    callback = raw.DoneFunction(done)
    call = ctypes.c_uint64()
    text = b'{"value": [1, "x", null]}'
    rest = (None, callback, None, ctypes.byref(call))
    assert lib.submit_json(pit.handle, b"echo", text, *rest) == 0
    assert ended.wait(20)
    assert answers == [[1, "x", None]]
    assert call.value != 0


def test_json_arguments_open_a_stream(shared_pit, kind):
    pit = shared_pit(pool(kind, adapter="streams.Streams"))
    handle = ctypes.c_void_p()
    err = lib.stream_open_json(
        pit.handle, b"count", b'{"n": 3}', None, ctypes.byref(handle)
    )
    with Stream(err, handle) as stream:
        assert list(stream) == [0, 1, 2]


def test_the_time_of_a_call_begins_before_its_json_is_read(shared_pit, kind):
    pit = shared_pit(pool(kind))
    # Far more than can be read in a millisecond.
    text = json.dumps({"more": [1.5] * 2_000_000})
    with pytest.raises(CallFailed) as failed:
        pit.call_json("echo_all", text, timeout_ms=1)
    assert failed.value.err == "DEADLINE_EXCEEDED"
    assert failed.value.fault.stage == "line"


def test_json_goes_in_and_comes_out(shared_pit, kind):
    pit = shared_pit(pool(kind))
    text = json.dumps({"value": {**PERSON, "text": 'ünï"\\\n\u0001€😀', "big": 2**63}})
    assert json.loads(pit.call_json("echo", text)) == json.loads(text)["value"]
    assert pit.call_json("ping") == '"pong"'
    assert pit.call_json("echo", "{}") == "null"
    with pytest.raises(CallFailed) as failed:
        pit.call_json("echo", '{"value": [1, 2')
    assert failed.value.err == "MALFORMED"
    assert "the call's JSON arguments: line 1, column" in failed.value.fault.message
    with pytest.raises(CallFailed) as failed:
        pit.call_json("echo", '{"value": [0, {"$bytes": "A"}]}')
    assert "$bytes is not base64 (at .value[1])" in failed.value.fault.message
    for text in ("[1]", '"x"', "null", "7"):
        with pytest.raises(CallFailed) as failed:
            pit.call_json("echo", text)
        assert failed.value.err == "INVALID_ARGUMENT"


def test_options_say_their_size(shared_pit):
    pit = shared_pit(pool())
    handle = ctypes.c_void_p()

    def call(room, size):
        options = raw.CallOptions.from_buffer(room)
        options.size = size
        err = lib.call(
            pit.handle, b"ping", None, ctypes.byref(options), ctypes.byref(handle)
        )
        with Answer(err, handle) as answer:
            return answer.err, answer.fault.message

    known = ctypes.sizeof(raw.CallOptions)
    assert call(bytearray(known), known)[0] == "OK"
    assert call(bytearray(known), raw.CallOptions.timeout_ms.offset)[0] == "OK"
    assert call(bytearray(known + 16), known + 16)[0] == "OK"
    wish = bytearray(known) + b"\1" + bytes(15)
    assert call(wish, known)[0] == "OK"
    err, message = call(wish, known + 16)
    assert (err, "later snakepit.h" in message) == ("INVALID_ARGUMENT", True)
    err, message = call(bytearray(known), 0)
    assert (err, "sizeof" in message) == ("INVALID_ARGUMENT", True)


def test_the_tool_sees_the_session_of_its_call(shared_pit, kind):
    pit = shared_pit(pool(kind))
    assert pit.call("session", session="sitting-1") == ["sitting-1"] * 3
    assert pit.call("session") == [""] * 3
    assert pit.call("session", session="é" * 127) == ["é" * 127] * 3


def test_concurrent_calls_each_see_their_own_session(open_pit):
    pit = open_pit(pool("thread"))
    calls = [pit.submit("session", session=f"s{i}") for i in range(500)]
    assert [call.wait().value[0] for call in calls] == [f"s{i}" for i in range(500)]


def test_the_tool_sees_its_deadline(shared_pit, kind):
    pit = shared_pit(pool(kind, call_timeout_ms=0))
    assert pit.call("call_info")["deadline"] is None
    info = pit.call("call_info", timeout_ms=5000)
    assert info["tool"] == "call_info"
    assert 0 < info["deadline"] - time.monotonic() < 5


def test_unknown_pools_and_tools_are_named_in_the_error(shared_pit, kind):
    pit = shared_pit(pool(kind))
    fault = pit.fails("ping", pool="nowhere")
    assert fault.err == "UNKNOWN_POOL"
    assert "nowhere" in fault.message
    fault = pit.fails("no_such_tool")
    assert fault.err == "UNKNOWN_TOOL"
    assert "no_such_tool" in fault.message
    with pytest.raises(Refused, match="UNKNOWN_POOL"):
        pit.submit("ping", pool="nowhere")
    with pytest.raises(Refused, match="UNKNOWN_POOL"):
        pit.await_ready("nowhere")
    with pytest.raises(Refused, match="UNKNOWN_POOL"):
        pit.stats("nowhere")
    with pytest.raises(Refused, match="UNKNOWN_POOL"):
        pit.workers("nowhere")


def test_calls_without_a_pool_go_to_the_default_one(open_pit):
    first = pool("process", name="first", adapter_env={"WHO": "first"})
    default = pool("process", adapter_env={"WHO": "default"})
    pit = open_pit(first, default)
    assert pit.pool_names() == ["first", "default"]
    assert pit.call("environment", {"names": ["WHO"]}) == {"WHO": "default"}
    asked = pit.call("environment", {"names": ["WHO"]}, pool="first")
    assert asked == {"WHO": "first"}
    pit.close()
    pit = open_pit(first, pool("process", name="other"))
    assert pit.call("environment", {"names": ["WHO"]}) == {"WHO": "first"}


@pytest.mark.parametrize(
    ("exception", "type_name", "message"),
    [
        ("ValueError", "ValueError", "no"),
        ("SystemExit", "SystemExit", "no"),
        ("KeyboardInterrupt", "KeyboardInterrupt", "no"),
        ("GeneratorExit", "GeneratorExit", "no"),
        ("MemoryError", "MemoryError", "no"),
        ("StopIteration", "StopIteration", "no"),
        ("Unprintable", "guinea_pig.Unprintable", "__str__"),
        ("chained", "RuntimeError", "outer"),
        ("recursion", "RecursionError", "recursion"),
    ],
)
def test_an_exception_reaches_the_caller_as_type_message_and_traceback(
    shared_pit, profile, exception, type_name, message
):
    pit = shared_pit(pool(profile))
    fault = pit.fails("fail", {"kind": exception})
    assert fault.err == "TOOL_FAILED"
    assert fault.type == type_name
    assert message in fault.message
    assert fault.stage == "running"
    assert "guinea_pig.py" in fault.traceback
    assert "snakepit_bridge/runtime" not in fault.traceback
    if exception == "chained":
        assert "KeyError: 'inner'" in fault.traceback
    worker = pit.workers()[0]
    assert fault.worker == worker.id
    assert pit.call("pid") == worker.pid


def test_arguments_that_do_not_fit_the_tool_are_a_type_error(shared_pit, kind):
    pit = shared_pit(pool(kind))
    for arguments in ({}, {"value": 1, "other": 2}):
        fault = pit.fails("type_of", arguments)
        assert (fault.err, fault.type) == ("TOOL_FAILED", "TypeError")
        assert "type_of" in fault.message


def test_all_executors_share_one_instance(open_pit):
    pit = open_pit(pool("thread"))
    calls = [pit.submit("numbers") for _ in range(200)]
    answers = [call.wait().value for call in calls]
    assert {instances for instances, _ in answers} == {1}
    assert sorted(count for _, count in answers) == list(range(1, 201))


def test_stats_add_up(open_pit, profile, tmp_path):
    pit = open_pit(pool(profile, max_queue=1, prefetch=0))
    capacity = THREADS if profile == "thread" else 1
    stats = pit.stats()
    assert (stats.capacity, stats.workers, stats.workers_ready) == (capacity, 1, 1)
    assert (stats.name, stats.profile, stats.state) == (
        b"default",
        profile.encode(),
        b"ready",
    )
    for _ in range(10):
        pit.call("ping")
    for _ in range(3):
        pit.fails("fail")
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    running = [pit.submit("wait_for", {"path": str(gate)}) for _ in range(capacity)]
    waiting = pit.submit("ping")
    eventually(lambda: pit.stats().waiting == 1, "one waits")
    assert pit.stats().running == capacity
    assert pit.fails("ping").err == "SATURATED"
    assert pit.refusal("ping") == "SATURATED"
    assert pit.cancel(waiting) == "OK"
    assert waiting.wait().err == "CANCELLED"
    eventually(lambda: pit.stats().waiting == 0, "it has left the line")
    assert pit.fails("ping", timeout_ms=30).err == "DEADLINE_EXCEEDED"
    assert len(pit.workers()) == 1
    assert pit.workers()[0].load == capacity
    open_gate(gate, lambda: all(call.ended.is_set() for call in running))
    assert {call.err for call in running} == {"OK"}
    stats = pit.stats()
    assert stats.calls == 10 + 3 + capacity + 4
    assert stats.failures == 3 + 4
    assert (stats.saturated, stats.timeouts, stats.cancelled) == (2, 1, 1)
    assert (stats.worker_starts, stats.worker_deaths, stats.violations) == (1, 0, 0)
    assert (stats.running, stats.waiting) == (0, 0)


def test_callbacks_run_on_the_thread_that_drains(open_pit, kind):
    pit = open_pit(pool(kind))
    fd = pit.completion_fd()
    threads = []
    calls = [
        pit.submit(
            "echo", {"value": i}, then=lambda _: threads.append(threading.get_ident())
        )
        for i in range(200)
    ]
    done = 0
    while done < 200:
        assert select.select([fd], [], [], 10)[0], "the descriptor stays silent"
        done += pit.drain()
    assert [call.value for call in calls] == list(range(200))
    assert set(threads) == {threading.get_ident()}
    assert pit.drain() == 0


def test_drain_waits_for_the_first_call_to_end(open_pit, kind):
    pit = open_pit(pool(kind))
    pit.completion_fd()
    assert pit.drain(20) == 0
    call = pit.submit("sleep", {"seconds": 0.05})
    assert pit.drain(5000) == 1
    assert call.value == 0.05


def test_answers_stay_valid_after_close(open_pit, kind):
    pit = open_pit(pool(kind))
    small = pit.answer("echo", {"value": "still here"})
    large = pit.answer("big", {"length": 1 << 20})
    array = pit.answer("make", {"count": 1 << 16, "value": 2.5})
    failed = pit.answer("fail")
    pit.close()
    assert small.value() == "still here"
    assert small.json() == '"still here"'
    assert large.value() == "x" * (1 << 20)
    assert array.value().sum() == 2.5 * (1 << 16)
    assert failed.fault.type == "ValueError"
    for answer in (small, large, array, failed):
        answer.free()


def test_many_threads_call_at_once(open_pit, profile):
    pit = open_pit(pool(profile, pool_size=2))
    wrong = []

    def caller(number: int) -> None:
        for i in range(200):
            wanted = [number, i]
            if pit.call("echo", {"value": wanted}) != wanted:
                wrong.append(wanted)

    threads = [threading.Thread(target=caller, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert pit.stats().calls == 16 * 200
    assert pit.stats().failures == 0


@pytest.mark.parametrize("adapter", ["guinea_pig.GuineaPig", "unsafe.Undeclared"])
@pytest.mark.own_pit("which interpreters workers have is not an affair of the door")
def test_a_thread_pool_on_a_gil_interpreter_falls_back_to_processes(open_pit, adapter):
    pit = open_pit(
        pool(
            "thread",
            python=default_python("process"),
            threads_per_worker=3,
            adapter=adapter,
        )
    )
    stats = pit.stats()
    assert (stats.profile, stats.workers, stats.capacity) == (b"process", 3, 3)
    assert stats.threads_per_worker == 1
    assert len(pit.processes()) == 3
    assert pit.call("ping") == "pong"
    assert len(pit.logged("pool.fallback")) == 1
    assert not [line for line in pit.logged("worker.exit") if "expected=no" in line]


@pytest.mark.own_pit("it says where the text of its configuration was")
@pytest.mark.errors_logged("pool.failed")
def test_a_thread_pool_on_a_gil_interpreter_is_refused_if_so_wished(open_pit):
    wanted = pool("thread", python=default_python("process"), on_unsupported="refuse")
    with pytest.raises(Refused) as refused:
        open_pit(wanted)
    assert refused.value.err in ("POOL_FAILED", "INVALID_CONFIG")
    assert "free-threaded" in refused.value.why
    for part in (
        "<memory>: pool default: python: ",
        "/python",
        "on_unsupported: refuse",
    ):
        assert part in refused.value.why


@pytest.mark.own_pit("which interpreters workers have is not an affair of the door")
def test_an_adapter_that_is_not_thread_safe_falls_back_to_processes(open_pit):
    pit = open_pit(pool("thread", adapter="unsafe.Declared", threads_per_worker=2))
    assert pit.stats().profile == b"process"
    assert len(pit.processes()) == 2
    assert pit.call("ping") == "pong"


@pytest.fixture
def takes_the_gil(tmp_path):
    """Makes the extension that switches the GIL back on, when it is called."""
    hidden = extensions.takes_the_gil(tmp_path).rename(tmp_path / "hidden.so")
    return lambda: hidden.rename(tmp_path / "takes_the_gil.so")


def changed(tmp_path, **keys):
    """A thread pool whose next workers import the extension, once it is there."""
    return pool(
        "thread",
        adapter="unsafe.Changed",
        adapter_config={"imports": str(tmp_path / "takes_the_gil.so")},
        threads_per_worker=2,
        **keys,
    )


@pytest.mark.own_pit("which interpreters workers have is not an affair of the door")
def test_a_pool_falls_back_when_a_replacement_takes_the_gil(
    open_pit, tmp_path, takes_the_gil
):
    pit = open_pit(changed(tmp_path, pool_size=2))
    assert (pit.stats().profile, pit.stats().capacity) == (b"thread", 4)
    takes_the_gil()
    os.kill(pit.workers()[0].pid, signal.SIGKILL)
    eventually(
        lambda: pit.stats().profile == b"process" and pit.stats().state == b"ready",
        "the pool has fallen back",
    )
    assert (pit.stats().workers, pit.stats().capacity) == (4, 4)
    assert len(pit.processes()) == 4
    assert pit.call("ping") == "pong"
    (line,) = pit.logged("pool.fallback")
    assert "GIL" in line


@pytest.mark.errors_logged("pool.failed")
@pytest.mark.own_pit("which interpreters workers have is not an affair of the door")
def test_a_pool_fails_when_a_replacement_takes_the_gil_if_so_wished(
    open_pit, tmp_path, takes_the_gil
):
    pit = open_pit(changed(tmp_path, on_unsupported="refuse"))
    assert pit.call("ping") == "pong"
    takes_the_gil()
    os.kill(pit.workers()[0].pid, signal.SIGKILL)
    eventually(lambda: pit.stats().state == b"failed", "the pool has failed")
    fault = pit.fails("ping")
    assert fault.err == "POOL_FAILED"
    assert "GIL" in fault.message


@pytest.mark.own_pit("a daemon's log ends with it, which ends with the pit here")
def test_an_undeclared_adapter_runs_with_a_warning(open_pit):
    pit = open_pit(pool("thread", adapter="unsafe.Undeclared"))
    assert pit.stats().profile == b"thread"
    assert pit.call("ping") == "pong"

    def warnings() -> list[str]:
        return [line for line in pit.logged("worker.stderr") if "thread safety" in line]

    eventually(warnings, "a warning")
    pit.close()
    assert len(warnings()) == 1


@pytest.mark.errors_logged("pool.failed")
@pytest.mark.own_pit("which interpreters workers have is not an affair of the door")
def test_an_undeclared_adapter_is_refused_if_so_wished(open_pit):
    wanted = pool(
        "thread",
        adapter="unsafe.Undeclared",
        undeclared_adapter="refuse",
        on_unsupported="refuse",
    )
    with pytest.raises(Refused, match="does not declare thread safety"):
        open_pit(wanted)


def test_two_pits_live_in_one_process(open_pit):
    first = open_pit(pool("process"), ready=False)
    second = open_pit(pool("thread"), ready=False)
    first.await_ready()
    second.await_ready()
    assert first.call("pid") != second.call("pid")
    assert not first.processes() & second.processes()
    calls = [pit.submit("pid") for _ in range(50) for pit in (first, second)]
    assert {call.wait().value for call in calls} == {
        process.pid for process in first.processes() | second.processes()
    }
    first.close()
    assert second.call("ping") == "pong"


def test_a_writer_can_be_used_again(shared_pit):
    pit = shared_pit(pool("process"))
    arguments = {"value": list(range(1000))}
    with Writer(arguments) as writer:
        assert writer.error == "OK"
        first = pit.call("echo", arguments)
        assert first == pit.call("echo", arguments) == arguments["value"]


def test_closing_nothing_is_fine():
    lib.close(None, 1000)
    lib.answer_free(None)


def test_draining_needs_no_descriptor(open_pit, kind):
    pit = open_pit(pool(kind))
    pit.submit("ping").wait()  # by the library's thread, which gives way now
    ran_on = []
    calls = [
        pit.submit("ping", then=lambda _: ran_on.append(threading.get_ident()))
        for _ in range(20)
    ]
    while len(ran_on) < len(calls):
        assert pit.drain(5000) > 0 or len(ran_on) == len(calls)
    pit.drain(0)  # the library's thread may have been quick enough to do all of them
    call = pit.submit("ping", then=lambda _: ran_on.append(threading.get_ident()))
    assert pit.drain(5000) == 1
    assert call.times == 1
    assert ran_on[-1] == threading.get_ident()
