# SPDX-License-Identifier: MIT
"""Large arrays at a local door: those of the daemon's own user stay where they lie."""

from __future__ import annotations

import os
import pathlib
import signal
import tempfile
from collections.abc import Iterator

import numpy
import pytest
from support.children import Child, in_child
from support.daemon import Daemon
from support.pit import Pit
from support.served import config, end, serve_whole
from support.waiting import eventually

ELEMENTS = 1 << 20
OTHER = 65534  # a user that nobody is


def serve(folder: pathlib.Path, pool_size: int = 1, mode: str = "0600") -> Daemon:
    door = {"address": address_in(folder), "door": "local", "mode": mode}
    keys = {"adapter": "lends.Lends", "pool_size": pool_size}
    return serve_whole(config(folder, {"listen": ["127.0.0.1:0", door]}, **keys))


def address_in(folder: pathlib.Path) -> str:
    return f"unix:{folder}/local.sock"


@pytest.fixture()
def folder(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    daemon = serve(tmp_path)
    yield tmp_path
    end([daemon])


def shares(pit: Pit, array: numpy.ndarray) -> bool:
    """Whether what a tool keeps of an array changes with it."""
    array[0] = 1
    pit.call("keep", {"array": array})
    array[0] = 2
    shared = pit.call("first_kept") == 2
    pit.call("let_go")
    return shared


def windows(pid: int) -> int:
    """How often a worker has mapped the memory of clients and its pool's."""
    maps = pathlib.Path(f"/proc/{pid}/maps").read_text()
    return maps.count("snakepit-requests")


def test_a_large_array_is_read_where_it_lies(folder: pathlib.Path) -> None:
    with Pit.connect(address_in(folder)) as pit:
        shared = pit.tensor("float32", (ELEMENTS,))
        shared.array[:] = 1
        eventually(lambda: shares(pit, shared.array), "the worker has mapped it")
        shared.free()


def test_an_array_that_is_not_in_shared_memory_is_there_once(
    folder: pathlib.Path,
) -> None:
    with Pit.connect(address_in(folder)) as pit:
        for i in range(50):
            array = numpy.full(ELEMENTS, i, numpy.float32)
            assert pit.call("first", {"array": array}) == i


def test_a_small_array_is_copied(folder: pathlib.Path) -> None:
    with Pit.connect(address_in(folder)) as pit:
        shared = pit.tensor("float32", (1000,))
        assert not any(shares(pit, shared.array) for _ in range(20))
        shared.free()


def test_memory_that_a_tool_keeps_is_not_used_again(folder: pathlib.Path) -> None:
    with Pit.connect(address_in(folder)) as pit:
        for i in range(20):
            pit.call("keep", {"array": numpy.full(ELEMENTS, i, numpy.float32)})
            pit.call("first", {"array": numpy.full(ELEMENTS, 99, numpy.float32)})
            assert pit.call("sum_kept") == i * ELEMENTS
            pit.call("let_go")


def test_what_a_tool_keeps_outlives_a_client_that_is_killed(
    folder: pathlib.Path,
) -> None:
    def keep_and_wait() -> None:
        with Pit.connect(address_in(folder)) as own:
            shared = own.tensor("float32", (ELEMENTS,))
            eventually(lambda: shares(own, shared.array), "the worker has mapped it")
            shared.array[:] = 3
            own.call("keep", {"array": shared.array})
            os.kill(os.getpid(), signal.SIGKILL)

    child = Child(keep_and_wait)
    os.waitpid(child.pid, 0)
    os.close(child.out)
    with Pit.connect(address_in(folder)) as pit:
        pid = pit.call("pid")
        for _ in range(20):
            assert pit.call("sum_kept") == 3 * ELEMENTS
        assert windows(pid) == 2
        pit.call("let_go")

        def is_gone() -> bool:
            return pit.call("pid") == pid and windows(pid) == 1

        eventually(is_gone, "the worker has let go of the memory")


def test_a_worker_that_comes_later_reads_it_too(folder: pathlib.Path) -> None:
    with Pit.connect(address_in(folder)) as pit:
        shared = pit.tensor("float32", (ELEMENTS,))
        shared.array[:] = 5
        eventually(lambda: shares(pit, shared.array), "the worker has mapped it")
        for _ in range(3):
            before = pit.call("pid")
            calls = [pit.submit("first", {"array": shared.array}) for _ in range(20)]
            pit.recycle()
            calls += [pit.submit("first", {"array": shared.array}) for _ in range(20)]
            assert {call.wait().value for call in calls} == {2}
            eventually(lambda: pit.call("pid") != before, "another worker")  # noqa: B023
        eventually(lambda: shares(pit, shared.array), "the worker has mapped it")
        shared.free()


def test_many_clients_leave_nothing_behind(tmp_path: pathlib.Path) -> None:
    daemon = serve(tmp_path, pool_size=2)
    address = address_in(tmp_path)
    with Pit.connect(address) as pit:
        pids = [worker.pid for worker in pit.workers()]
        opened = pathlib.Path(f"/proc/{daemon.popen.pid}/fd")

        def nothing_is_left() -> bool:
            assert pit.call("pid") in pids
            return [windows(pid) for pid in pids] == [1, 1]

        before = None
        for _ in range(2):
            for _ in range(50):
                with Pit.connect(address) as one:
                    array = one.tensor("float32", (ELEMENTS,))
                    array.array[:] = 7
                    for _ in range(4):
                        assert one.call("first", {"array": array.array}) == 7
                    array.free()
            eventually(nothing_is_left, "no memory of clients is mapped")
            before = before or len(list(opened.iterdir()))
        eventually(
            lambda: len(list(opened.iterdir())) <= before, "as many descriptors as then"
        )
    end([daemon])


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
def test_an_array_of_another_user_is_copied() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        daemon = serve(folder, mode="0666")

        def call_as_other() -> bool:
            os.setuid(OTHER)
            with Pit.connect(address_in(folder)) as pit:
                shared = pit.tensor("float32", (ELEMENTS,))
                return any(shares(pit, shared.array) for _ in range(20))

        assert in_child(call_as_other) is False
        end([daemon])
