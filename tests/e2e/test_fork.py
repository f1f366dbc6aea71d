# SPDX-License-Identifier: MIT
"""A pit belongs to the process that opened it: what a forked child may do with it."""

from __future__ import annotations

import ctypes
import json
import os
import pathlib
import re
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from ctypes import byref
from typing import Any

import pytest
from support import library as raw
from support.answers import CallFailed, Refused
from support.children import CHILD_S, Child, in_child
from support.children import fork as fork_here
from support.configs import pool
from support.library import err_name, lib
from support.pit import Pit, Queue
from support.places import ROOT
from support.stacks import stacks_of
from support.waiting import eventually


@pytest.fixture(autouse=True)
def forks_are_meant() -> Iterator[None]:
    """Python warns of a fork beside threads, which is what is tested here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def refusal(function: Callable[[], Any]) -> str:
    """The error with which something is refused, OK if it is not."""
    try:
        function()
    except Refused as refused:
        return refused.err
    except CallFailed as failed:
        return failed.fault.err
    return "OK"


# ---- What is refused -----------------------------------------------------------------


def register(pit: Pit) -> str:
    function = raw.ToolFunction(lambda *_: 0)
    pit.submitted.append(function)
    return err_name(lib.tool_register(pit.handle, b"tool", function, None, None))


def submit_json(pit: Pit) -> str:
    done = raw.DoneFunction(lambda *_: None)
    pit.submitted.append(done)
    return err_name(lib.submit_json(pit.handle, b"echo", b"{}", None, done, None, None))


def submit_tools(pit: Pit) -> str:
    done = raw.DoneFunction(lambda *_: None)
    pit.submitted.append(done)
    return err_name(lib.submit_tools(pit.handle, None, done, None, None))


def stream_json(pit: Pit) -> str:
    stream = ctypes.c_void_p()
    err = lib.stream_open_json(pit.handle, b"echo", b"{}", None, byref(stream))
    lib.stream_close(stream)
    return err_name(err)


def metrics(pit: Pit) -> str:
    text, size = ctypes.c_void_p(), ctypes.c_size_t()
    err = lib.metrics(pit.handle, None, byref(text), byref(size))
    lib.metrics_free(text)
    return err_name(err)


def sessions(pit: Pit) -> str:
    answer = ctypes.c_void_p()
    err = lib.sessions(pit.handle, None, 10, byref(answer))
    lib.answer_free(answer)
    return err_name(err)


def deaths(pit: Pit) -> str:
    count = ctypes.c_size_t()
    return err_name(lib.pool_deaths(pit.handle, None, None, 0, byref(count)))


EVERYTHING: dict[str, Callable[[Pit], Any]] = {
    "await_ready": lambda pit: refusal(pit.await_ready),
    "await_serving": lambda pit: err_name(lib.await_serving(pit.handle, None, 0, None)),
    "pool_retry": lambda pit: err_name(lib.pool_retry(pit.handle, None, None)),
    "pool_recycle": lambda pit: refusal(pit.recycle),
    "pool_resize": lambda pit: refusal(lambda: pit.resize(1)),
    "worker_recycle": lambda pit: refusal(lambda: pit.recycle(worker=1)),
    "worker_stacks": lambda pit: refusal(lambda: stacks_of(pit, 1)),
    "worker_health": lambda pit: refusal(lambda: pit.health(1)),
    "reload_file": lambda pit: refusal(lambda: pit.reload_file("x")),
    "reload_memory": lambda pit: refusal(pit.reload),
    "flush_log": lambda pit: err_name(lib.flush_log(pit.handle, 0)),
    "call": lambda pit: pit.fails("echo", {"value": 1}).err,
    "call_json": lambda pit: refusal(lambda: pit.call_json("echo", '{"value": 1}')),
    "submit": lambda pit: refusal(lambda: pit.submit("echo", {"value": 1})),
    "submit_json": submit_json,
    "submit_tools": submit_tools,
    "cancel": lambda pit: pit.cancel(1),
    "completion_fd": lambda pit: refusal(pit.completion_fd),
    "queue_new": lambda pit: refusal(lambda: Queue(pit)),
    "stream_open": lambda pit: pit.stream("echo", {"value": 1}).err,
    "stream_open_json": stream_json,
    "stream_each": lambda pit: pit.each(lambda _: True, "echo", {"value": 1}).err,
    "session_put": lambda pit: refusal(lambda: pit.put("s", "k", 1)),
    "session_get": lambda pit: refusal(lambda: pit.get("s", "k")),
    "session_delete": lambda pit: pit.delete("s", "k"),
    "session_list": lambda pit: refusal(lambda: pit.keys("s")),
    "sessions": sessions,
    "session_close": lambda pit: pit.end_session("s"),
    "tool_register": register,
    "tool_unregister": lambda pit: err_name(
        lib.tool_unregister(pit.handle, b"tool", None)
    ),
    "tensor_new": lambda pit: refusal(lambda: pit.tensor("uint8", (4,))),
    "pool_get_stats": lambda pit: refusal(pit.stats),
    "pool_workers": lambda pit: refusal(pit.workers),
    "worker_executors": lambda pit: refusal(pit.executors),
    "pool_deaths": deaths,
    "calls": lambda pit: err_name(lib.calls(pit.handle, None, 1, None, None)),
    "recent_calls": lambda pit: err_name(
        lib.recent_calls(pit.handle, None, None, None, None)
    ),
    "calls_record": lambda pit: err_name(lib.calls_record(pit.handle, True)),
    "pool_breakers": lambda pit: refusal(pit.breakers),
    "metrics": metrics,
    "pool_tools": lambda pit: pit.tools().err,
}


# What has no error to return, and is looked at below.
WITHOUT_ERROR = {"close", "drain", "tensor_free", "pool_count", "pool_name"}


def test_every_function_that_takes_a_pit_is_tried() -> None:
    headers = (ROOT / "include/snakepit").glob("*.h")
    header = "".join(path.read_text() for path in headers)
    taking = re.findall(r"snakepit_(\w+)\(\s*(?:const )?snakepit \*pit\b", header)
    assert set(taking) == set(EVERYTHING) | WITHOUT_ERROR


def test_every_function_says_so_in_a_forked_child(open_pit: Callable[..., Pit]) -> None:
    pit = open_pit(pool())
    told = in_child(lambda: {name: ask(pit) for name, ask in EVERYTHING.items()})
    assert told == dict.fromkeys(EVERYTHING, "FORKED")
    assert in_child(lambda: pit.drain(20_000)) == 0
    assert pit.call("echo", {"value": "parent"}) == "parent"


def test_the_error_says_whose_the_pit_is(open_pit: Callable[..., Pit]) -> None:
    pit = open_pit(pool())
    message = in_child(lambda: pit.fails("echo", {"value": 1}).message)
    assert "forked child" in message
    assert "open another one here" in message


def test_the_parent_gets_its_own_answers(open_pit: Callable[..., Pit]) -> None:
    pit = open_pit(pool(pool_size=1))

    def try_often() -> list[str]:
        return [pit.fails("echo", {"value": "child"}).err for _ in range(200)]

    for _ in range(5):
        child = Child(try_often)
        own = [pit.call("echo", {"value": turn}) for turn in range(200)]
        assert own == list(range(200))
        assert set(child.outcome()) == {"FORKED"}


def test_forks_while_other_threads_call(open_pit: Callable[..., Pit]) -> None:
    pit = open_pit(pool(pool_size=2))
    stop = threading.Event()
    wrong: list[Any] = []

    def call_on(name: str) -> None:
        while not stop.is_set():
            answer = pit.call("echo", {"value": name})
            if answer != name:
                wrong.append(answer)

    callers = [threading.Thread(target=call_on, args=(f"t{n}",)) for n in range(3)]
    for caller in callers:
        caller.start()

    def use_and_close() -> str:
        err = pit.fails("echo", {"value": "child"}).err
        pit.close()
        return err

    outcomes = [in_child(use_and_close) for _ in range(20)]
    stop.set()
    for caller in callers:
        caller.join()
    assert outcomes == ["FORKED"] * 20
    assert not wrong


# ---- What the child may do -----------------------------------------------------------


def test_close_in_the_child_leaves_the_parent_alone(
    open_pit: Callable[..., Pit],
) -> None:
    pit = open_pit(pool(pool_size=2), pool(name="more"))
    before = pit.processes()
    pending = pit.submit("echo", {"value": "mine"})
    in_child(lambda: pit.close(60_000))
    assert pending.wait().value == "mine"
    assert pit.processes() == before
    # The loop of the parent still sees its workers.
    pit.kill_workers()
    assert pit.call("echo", {"value": 1}) == 1


def test_a_child_that_leaves_by_exit_does_no_harm(open_pit: Callable[..., Pit]) -> None:
    pit = open_pit(pool())
    libc = ctypes.CDLL(None)
    assert in_child(lambda: "here", leave=libc.exit) == "here"
    assert pit.call("echo", {"value": 1}) == 1


def test_a_child_has_nothing_of_the_parents_open(open_pit: Callable[..., Pit]) -> None:
    def open_files() -> list[str]:
        folder = "/proc/self/fd"
        names = os.listdir(folder)
        return [
            os.readlink(f"{folder}/{n}")
            for n in names
            if os.path.lexists(f"{folder}/{n}")
        ]

    before = in_child(open_files)
    pit = open_pit(pool(pool_size=2))
    assert len(in_child(open_files)) == len(before)
    maps = pathlib.Path("/proc/self/maps")
    mapped = in_child(lambda: maps.read_text().count("memfd:snakepit"))
    assert mapped == 0
    assert pit.call("echo", {"value": 1}) == 1


def test_a_child_opens_a_pit_of_its_own(open_pit: Callable[..., Pit]) -> None:
    pit = open_pit(pool())

    def use_own() -> list[Any]:
        with Pit.open(pool()) as own:
            own.await_ready()
            values = [
                own.call("echo", {"value": 2}),
                own.submit("echo", {"value": 3}).wait().value,
            ]
            return [
                *values,
                pit.fails("echo", {"value": 1}).err,
                own.call("echo", {"value": 4}),
            ]

    assert in_child(use_own) == [2, 3, "FORKED", 4]
    assert pit.call("echo", {"value": 1}) == 1


def test_a_grandchild_may_not_use_the_childs(open_pit: Callable[..., Pit]) -> None:
    pit = open_pit(pool())

    def fork_again() -> list[Any]:
        with Pit.open(pool()) as own:
            own.await_ready()
            errors = in_child(
                lambda: [p.fails("echo", {"value": 1}).err for p in (own, pit)]
            )
            return [errors, own.call("echo", {"value": 2})]

    assert in_child(fork_again) == [["FORKED", "FORKED"], 2]


# ---- What was held at the fork -------------------------------------------------------


def test_a_held_answer_without_tensors_stays_readable(
    open_pit: Callable[..., Pit],
) -> None:
    pit = open_pit(pool())
    large = "x" * 100_000
    for value in (7, large):
        answer = pit.answer("echo", {"value": value})

        def read(answer: Any = answer) -> Any:
            read = [answer.value(), json.loads(answer.json())]
            answer.free()
            return read

        assert in_child(read) == [value, value]
        assert answer.value() == value
        answer.free()
    failed = pit.answer("no_such_tool")
    assert in_child(lambda: failed.fault.err) == "UNKNOWN_TOOL"
    failed.free()


def test_a_held_answer_with_tensors_is_the_parents(
    open_pit: Callable[..., Pit],
) -> None:
    pit = open_pit(pool(adapter="guinea_tensors.Tensors"))
    answer = pit.answer("make", {"count": 5000})
    assert answer.err == "OK"

    def look() -> list[Any]:
        fault = lib.answer_fault(answer.handle).contents
        reader = raw.Reader()
        lib.answer_reader(answer.handle, byref(reader))
        outcome = [
            err_name(fault.err),
            lib.answer_json(answer.handle) is None,
            err_name(lib.reader_skip(byref(reader))),
        ]
        answer.free()
        return outcome

    assert in_child(look) == ["FORKED", True, "END"]
    assert err_name(lib.answer_fault(answer.handle).contents.err) == "OK"
    # The worker has its memory back once, from the parent.
    answer.free()
    with pit.answer("make", {"count": 5000}) as another:
        assert another.err == "OK"


def test_a_held_stream_has_failed_in_the_child(open_pit: Callable[..., Pit]) -> None:
    pit = open_pit(pool(adapter="streams.Streams"))
    stream = pit.stream("count", {"n": 200})
    assert next(stream) == 0

    def read_on() -> list[Any]:
        reader = raw.Reader()
        errors = [
            err_name(lib.stream_next(stream.handle, byref(reader))) for _ in range(2)
        ]
        fault = lib.answer_fault(lib.stream_answer(stream.handle)).contents
        told = [*errors, err_name(fault.err), lib.stream_id(stream.handle)]
        lib.stream_close(stream.handle)
        return told

    assert in_child(read_on) == ["FORKED", "FORKED", "FORKED", 0]
    assert list(stream) == list(range(1, 200))
    stream.close()


def test_a_held_tensor_can_be_given_back_in_the_child(
    open_pit: Callable[..., Pit],
) -> None:
    pit = open_pit(pool())
    tensor = pit.tensor("uint8", (1000,))
    used = pit.stats().shared_bytes
    in_child(tensor.free)
    assert pit.stats().shared_bytes == used
    tensor.free()


# ---- Forks in callbacks --------------------------------------------------------------


def test_a_fork_in_a_callback(open_pit: Callable[..., Pit]) -> None:
    pit = open_pit(pool())
    told: list[Any] = []
    for _ in range(3):
        pit.submit(
            "echo",
            {"value": 1},
            then=lambda _: told.append(
                in_child(lambda: pit.fails("echo", {"value": 1}).err)
            ),
        ).wait()
    assert told == ["FORKED"] * 3
    assert pit.call("echo", {"value": 1}) == 1


@pytest.mark.parametrize("way", ["call", "stream", "submit"])
def test_a_child_that_returns_from_a_hosts_tool_gets_no_further(
    open_pit: Callable[..., Pit], way: str
) -> None:
    """The parent's call goes on; that of the child has failed, or its thread ends."""
    pit = open_pit(pool(adapter="asks.Asks", pool_size=1))
    children: list[int] = []
    parent = os.getpid()

    def fork(*_: Any) -> int:
        pid = fork_here()
        if pid > 0:
            children.append(pid)
        else:
            signal.alarm(CHILD_S)
        return 0

    function = raw.ToolFunction(fork)
    assert lib.tool_register(pit.handle, b"fork", function, None, None) == 0
    arguments = {"tool": "fork"}
    try:
        if way == "call":
            with pit.answer("host", arguments) as answer:
                err = answer.err
        elif way == "stream":
            with pit.each(lambda _: True, "host", arguments) as answer:
                err = answer.err
        else:
            err = pit.submit("host", arguments).wait().err
    except BaseException:
        if os.getpid() != parent:
            os._exit(9)
        raise
    if os.getpid() != parent:
        os._exit(0 if err == "FORKED" else 8)
    assert err == "OK"
    for child in children:
        _, status = os.waitpid(child, 0)
        assert status == 0
    assert len(children) == 1
    assert pit.call("echo", {"value": 1}) == 1


@pytest.mark.parametrize("where", ["log", "event"])
def test_a_child_that_returns_to_a_thread_of_the_library_ends(where: str) -> None:
    """The callback runs on such a thread, which the child is without."""
    children: list[int] = []

    def fork(*_: Any) -> None:
        if not children:
            children.append(fork_here())
            if children[0] == 0:
                signal.alarm(CHILD_S)

    log = raw.LogFunction(fork if where == "log" else lambda *_: None)
    event = raw.EventFunction(fork) if where == "event" else raw.EventFunction()
    options = raw.OpenOptions(
        size=ctypes.sizeof(raw.OpenOptions), log=log, log_level=1, event=event
    )
    text = json.dumps({"pools": [pool(adapter="reports.Reports")]}).encode()
    handle = ctypes.c_void_p()
    err = lib.open_memory(text, len(text), byref(options), byref(handle), None)
    assert err == 0
    with Pit(handle, options, []) as pit:
        pit.await_ready()
        eventually(lambda: children, f"the {where} was told")
        _, status = os.waitpid(children[0], 0)
        assert status == 0
        pit.call("one")
