# SPDX-License-Identifier: MIT
"""Tools of a program at a local door, as tools of the daemon's workers call them."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import threading
from collections.abc import Iterator

import numpy
import pytest
from support.asking import Blocked, echo
from support.children import Child
from support.daemon import Daemon
from support.host_tools import HostFault, register, unregister_all
from support.pit import Pit
from support.served import config, end, serve
from support.waiting import eventually


def serve_asking(folder: pathlib.Path) -> Daemon:
    """Two workers whose tools ask their host."""
    listen = ["127.0.0.1:0", {"address": f"unix:{folder}/local.sock", "door": "local"}]
    return serve(config(folder, {"listen": listen}, adapter="asks.Asks", pool_size=2))


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """For all tests that leave its workers alone."""
    made = serve_asking(tmp_path_factory.mktemp("asking"))
    yield made
    end([made])


@pytest.fixture()
def own(tmp_path: pathlib.Path) -> Iterator[Daemon]:
    made = serve_asking(tmp_path)
    yield made
    end([made])


def address_of(daemon: Daemon) -> str:
    return next(url for url in daemon.urls(2) if url.startswith("unix:"))


@pytest.fixture()
def pit(daemon: Daemon) -> Iterator[Pit]:
    with Pit.connect(address_of(daemon)) as made:
        register(made, "echo", lambda info, value: value)
        yield made
        unregister_all(made)


@pytest.mark.parametrize("value", [None, 1.5, -(2**63), "snake", b"\0", [1, {"k": []}]])
def test_what_the_program_returns_is_what_python_gets(pit: Pit, value: object) -> None:
    assert pit.call("host", echo(value)) == value


def test_many_questions_of_one_call_are_answered_in_order(pit: Pit) -> None:
    questions = [["echo", {"value": i}] for i in range(500)]
    assert pit.call("host_all", {"questions": questions}) == list(range(500))


@pytest.mark.parametrize("size", [1000, 3000, 1 << 16, 1 << 20])
def test_questions_and_replies_of_any_size_cross(pit: Pit, size: int) -> None:
    for _ in range(5):
        assert pit.call("host", echo("x" * size)) == "x" * size


def test_arrays_cross_both_ways(pit: Pit) -> None:
    seen = []

    def double(info, data):
        seen.append(data)
        return data * 2

    register(pit, "double", double)
    for size in (2, 100_000):
        assert pit.call("array", {"size": size}) == {"first": 2.0, "shape": [size]}
        numpy.testing.assert_array_equal(seen.pop(), numpy.arange(size, dtype=float))


def test_a_tool_that_fails_says_why(pit: Pit) -> None:
    def fail(info):
        raise HostFault("NOT_FOUND", "no such customer")

    register(pit, "fail", fail)
    fault = pit.fails("host", {"tool": "fail"})
    assert fault.message == 'host tool "fail": NOT_FOUND: no such customer'


def test_an_unknown_tool_is_told_with_the_name_that_is_like_it(pit: Pit) -> None:
    message = pit.fails("host", {"tool": "ecoh"}).message
    assert message == 'the host has no tool "ecoh"; did you mean "echo"?'


def test_submitted_calls_ask_their_own_program(daemon: Daemon, pit: Pit) -> None:
    register(pit, "who", lambda info: "first")
    with Pit.connect(address_of(daemon)) as other:
        register(other, "who", lambda info: "second")
        calls = [p.submit("host", {"tool": "who"}) for p in (pit, other) * 20]
        assert [call.wait().value for call in calls] == ["first", "second"] * 20
        unregister_all(other)


def test_each_question_of_a_stream_is_answered_while_its_chunks_are_read(
    daemon: Daemon,
) -> None:
    asked = {"questions": [["echo", {"value": i}] for i in range(5)]}
    got = []

    def read_streams(own: Pit) -> None:
        for _ in range(40):
            with own.stream("host_each", asked, timeout_ms=20_000) as stream:
                chunks, fault = stream.rest()
            got.append((chunks[::2], fault))

    with contextlib.ExitStack() as stack:
        pits = [stack.enter_context(Pit.connect(address_of(daemon))) for _ in range(4)]
        for own in pits:
            register(own, "echo", lambda info, value: value)
            stack.callback(unregister_all, own)
        readers = [threading.Thread(target=read_streams, args=[own]) for own in pits]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
    assert got == [(list(range(5)), None)] * 160


ENDS = {"time": "DEADLINE_EXCEEDED", "cancel": "CANCELLED", "worker": "WORKER_DIED"}


@pytest.mark.parametrize("ends", ENDS)
def test_a_stream_that_ends_while_it_asks_leaves_the_daemon_whole(
    own: Daemon, ends: str
) -> None:
    gate = Blocked()
    asked = {"questions": [["gate", {}]]}
    options = {"timeout_ms": 300} if ends == "time" else {}
    with Pit.connect(address_of(own)) as pit, Pit.connect(address_of(own)) as other:
        register(pit, "gate", gate)
        register(pit, "echo", lambda info, value: value)
        stream = pit.stream("host_each", asked, **options)
        reader = threading.Thread(target=stream.rest)
        reader.start()
        gate.wait()
        if ends == "worker":
            for worker in other.workers():
                os.kill(worker.pid, signal.SIGKILL)
        elif ends == "cancel":
            assert pit.cancel(stream.id) == "OK"
        # In the daemon, while what was asked waits here.
        eventually(lambda: other.stats().running == 0, "that the call has ended")
        gate.leave.set()
        reader.join(20)
        assert stream.fault.err == ENDS[ends]
        stream.close()
        calls = [pit.submit("host", echo(i)) for i in range(10)]
        assert [call.wait().value for call in calls] == list(range(10))
        unregister_all(pit)


def test_a_program_that_is_killed_in_its_tool_leaves_the_worker_free(
    daemon: Daemon, pit: Pit, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "asked"
    address = address_of(daemon)

    def wait_for_ever() -> None:
        with Pit.connect(address) as own:

            def block(info):
                path.touch()
                threading.Event().wait()

            register(own, "block", block)
            own.call("host", {"tool": "block"})

    for _ in range(3):
        child = Child(wait_for_ever)
        eventually(path.exists, "its tool was asked")
        os.kill(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)
        os.close(child.out)
        path.unlink()
    calls = [pit.submit("host", echo(i)) for i in range(10)]
    assert [call.wait().value for call in calls] == list(range(10))
