# SPDX-License-Identifier: MIT
"""Lessons 38 and 39, and tensors: shared memory that has no name and is given back."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess

import numpy
import pytest
from support import Process, Refused, eventually, pool, seconds, wait_for_file
from support.answers import DTYPES
from support.census import shared_names

MIB = 1 << 20
NO_PATIENCE = 5.0  # seconds for memory to be given back


def shared_bytes(pit, pool_name=None):
    return pit.stats(pool_name).shared_bytes


def shared_rss(process):
    """Bytes of shared memory that are resident in a process."""
    text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("RssShmem:")]
    return int(line.split()[1]) * 1024


def requests_bytes():
    """Bytes of memory behind the largest requests segment of this process."""
    most = 0
    for entry in os.scandir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            if "memfd:snakepit-requests" in os.readlink(entry.path):
                most = max(most, os.stat(entry.path).st_blocks * 512)
    return most


# ---- Tensors -------------------------------------------------------------------------


def test_tensors_go_in_with_their_dtype_and_shape(shared_pit, kind):
    pit = shared_pit(pool(kind))
    # The tool asks for a buffer, and there is none of bfloat16; see test_values.
    for name in set(DTYPES.values()) - {"bfloat16"}:
        array = numpy.arange(6).reshape(2, 3).astype(name)
        found = pit.call("describe", {"array": array})
        assert found["dtype"] == name
        assert found["shape"] == [2, 3]
        assert found["type"] == "Tensor"
        assert found["readonly"] is True


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0, 2), (2, 2, 2, 2, 2, 2, 2, 2)])
def test_tensors_of_any_shape_come_back_as_they_went(shared_pit, shape):
    pit = shared_pit(pool())
    array = numpy.arange(int(numpy.prod(shape)), dtype="int16").reshape(shape)
    found = pit.call("echo", {"value": array})
    assert found.shape == shape
    assert found.dtype == array.dtype
    assert (found == array).all()


def test_tensors_that_are_not_packed_are_packed_on_the_way(shared_pit, kind):
    pit = shared_pit(pool(kind))
    base = numpy.arange(24, dtype="float64").reshape(4, 6)
    for view in (base.T, base[::2, 1::3], base[::-1], numpy.asfortranarray(base)):
        assert (pit.call("echo", {"value": view}) == view).all()


def test_tensors_that_are_none_are_refused(shared_pit):
    pit = shared_pit(pool())
    with pytest.raises(Refused, match="INVALID_ARGUMENT"):
        pit.tensor("float64", (-1,))
    with pytest.raises(Refused, match=r"INVALID_ARGUMENT|NO_MEMORY"):
        pit.tensor("float64", (2**62,))
    with pytest.raises(Refused, match=r"NO_MEMORY.*shared_memory_size; raise it"):
        pit.tensor("uint8", (65 * MIB,))
    with pytest.raises(Refused, match="UNKNOWN_POOL"):
        pit.tensor("uint8", (1,), pool="nowhere")


def test_a_shared_tensor_goes_in_without_a_copy(open_pit, kind):
    pit = open_pit(pool(kind, shared_memory_size="128MiB"))
    tensor = pit.tensor("float64", (4 * MIB,))
    tensor.array[...] = 0.5
    before = shared_bytes(pit)
    assert before >= 32 * MIB
    assert pit.call("total", {"array": tensor}) == 2 * MIB
    assert shared_bytes(pit) - before < MIB
    tensor.array[0] = 100.5
    assert pit.call("total", {"array": tensor}) == 2 * MIB + 100
    found = pit.call("describe", {"array": tensor})
    assert (found["readonly"], found["type"]) == (True, "Tensor")
    where = pit.call("where", {"array": tensor}).split()
    assert "memfd:" in where[5]
    assert where[1] == "r--s"
    tensor.free()
    assert shared_bytes(pit) < MIB


@pytest.mark.quiet
def test_a_shared_tensor_is_taken_in_constant_time(open_pit, profile):
    pit = open_pit(pool(profile, shared_memory_size="512MiB"))
    tensor = pit.tensor("uint8", (256 * MIB,))

    def best(argument):
        taken = []
        for _ in range(200):
            with seconds() as one:
                pit.answer("echo_nothing", argument).free()
            taken.append(one.seconds)
        return min(taken)

    assert best({"array": tensor}) - best({"array": 1}) < 0.0005
    tensor.free()


def test_what_python_keeps_stays_valid_and_is_given_back_later(shared_pit, kind):
    pit = shared_pit(pool(kind))
    empty = shared_bytes(pit)
    for i in range(1, 9):
        array = numpy.full(MIB // 8, float(i))
        assert pit.call("keep", {"array": array}) == i
        array[...] = -1
    held = shared_bytes(pit)
    assert held - empty >= 8 * MIB
    for i in range(50):
        pit.call("total", {"array": numpy.full(MIB // 8, float(i))})
    assert pit.call("kept_sum") == sum(range(1, 9)) * (MIB // 8)
    assert shared_bytes(pit) - held < 2 * MIB
    pit.call("drop")

    def given_back():
        pit.call("ping")
        return shared_bytes(pit) - empty < MIB

    eventually(given_back, "the memory is given back", NO_PATIENCE)


def test_a_kept_tensor_outlives_what_the_host_frees(shared_pit, kind):
    pit = shared_pit(pool(kind))
    tensor = pit.tensor("float64", (MIB // 8,))
    tensor.array[...] = 3
    pit.call("keep", {"array": tensor})
    tensor.free()
    assert shared_bytes(pit) >= MIB
    other = pit.tensor("float64", (MIB // 8,))
    other.array[...] = 7
    assert pit.call("kept_sum") == 3 * (MIB // 8)
    other.free()
    pit.call("drop")
    pit.call("ping")
    eventually(lambda: pit.call("ping") and shared_bytes(pit) < MIB, within=NO_PATIENCE)


def test_what_a_dead_worker_held_is_given_back(open_pit, profile):
    pit = open_pit(pool(profile))
    empty = shared_bytes(pit)
    for _ in range(8):
        pit.call("keep", {"array": numpy.zeros(MIB // 8)})
    assert shared_bytes(pit) - empty >= 8 * MIB
    pit.kill_workers()
    eventually(lambda: shared_bytes(pit) - empty < MIB, within=NO_PATIENCE)


def test_what_a_given_up_call_held_is_given_back(open_pit, profile):
    pit = open_pit(pool(profile, cancel_grace_ms=50))
    empty = shared_bytes(pit)
    for tool in ("spin", "hold_gil"):
        arguments = {"path": None, "seconds": 60, "unused": numpy.zeros(MIB)}
        fault = pit.fails(f"{tool}_beside", arguments, timeout_ms=50)
        assert fault.err == "DEADLINE_EXCEEDED"
        # Its worker may have to be killed, and takes the next call with it.
        eventually(lambda: pit.stats().running == 0, "it has ended")
        pit.await_replacement()
    eventually(lambda: shared_bytes(pit) - empty < MIB, within=NO_PATIENCE)


@pytest.mark.parametrize("in_arena", [True, False])
def test_a_result_is_read_where_the_worker_put_it(shared_pit, kind, in_arena):
    pit = shared_pit(pool(kind))
    answer = pit.answer("make", {"count": MIB, "value": 0.25, "shared": in_arena})
    view = answer.value(copy=False)
    assert view.sum() == MIB / 4
    address = view.ctypes.data
    lines = pathlib.Path("/proc/self/maps").read_text().splitlines()
    spans = [
        line
        for line in lines
        if int(line.split("-")[0], 16)
        <= address
        < int(line.split("-")[1].split()[0], 16)
    ]
    assert "/memfd:" in spans[0]
    for i in range(20):
        pit.answer("make", {"count": MIB // 8, "value": float(i)}).free()
    assert view.sum() == MIB / 4
    del view
    answer.free()


def test_results_that_are_freed_make_room(open_pit, kind):
    pit = open_pit(pool(kind, shared_memory_size="16MiB"))
    for i in range(100):
        with pit.answer("make", {"count": MIB, "value": float(i)}) as answer:
            assert answer.value(copy=False)[0] == i


# ---- 38: memory of a burst -----------------------------------------------------------

RETAINED = 128 * MIB  # that an arena may keep for the next burst
# Workers tidy up with their heartbeats. Frequent ones, of which a busy machine may miss
# many.
TIDY_SOON = {"heartbeat_interval_ms": 100, "heartbeat_max_missed": 100}


def test_lesson_38_memory_that_a_burst_took_is_given_back(open_pit, profile, alone):
    pit = open_pit(pool(profile, shared_memory_size="512MiB", **TIDY_SOON))
    here = Process.of(os.getpid())
    (worker,) = pit.processes()
    pit.call("ping")
    blocks = requests_bytes()
    before = (shared_rss(here), shared_rss(worker))
    tensors = [pit.tensor("uint8", (16 * MIB,)) for _ in range(24)]
    for tensor in tensors:
        tensor.array[...] = 1
        assert pit.call("describe", {"array": tensor})["first"] == 1
    answers = [pit.answer("make", {"count": 2 * MIB}) for _ in range(24)]
    assert {answer.err for answer in answers} == {"OK"}
    assert shared_rss(here) - before[0] >= 384 * MIB
    assert shared_rss(worker) - before[1] >= 384 * MIB
    for answer in answers:
        answer.free()
    for tensor in tensors:
        tensor.free()
    pit.call("make", {"count": 1})
    assert shared_rss(here) - before[0] <= RETAINED + MIB
    assert shared_rss(worker) - before[1] <= RETAINED + MIB
    assert shared_bytes(pit) < MIB
    # What was retained goes too, once nobody has needed it for a while.
    eventually(lambda: requests_bytes() - blocks < MIB, "arguments", NO_PATIENCE)
    eventually(lambda: shared_rss(worker) - before[1] < MIB, "results", NO_PATIENCE)
    assert shared_rss(here) - before[0] < MIB


def test_lesson_38_an_idle_worker_takes_back_what_the_host_has_freed(
    open_pit, kind, alone
):
    pit = open_pit(pool(kind, shared_memory_size="128MiB", **TIDY_SOON))
    (worker,) = pit.processes()
    before = shared_rss(worker)
    answer = pit.answer("make", {"count": 8 * MIB})
    assert shared_rss(worker) - before >= 64 * MIB
    answer.free()
    eventually(lambda: shared_rss(worker) - before < MIB, within=NO_PATIENCE)
    assert pit.call("ping") == "pong"


# ---- 39: no names --------------------------------------------------------------------


@pytest.mark.quiet
def test_lesson_39_nothing_is_left_in_dev_shm_after_kill_9(
    start_host, profile, tmp_path
):
    before = shared_names()
    host = start_host(pool(profile, stop_grace_ms=60_000))
    host.open()
    host.call("big", length=1 << 20)
    assert host.call("shared_names")["value"] == []
    host.begin("sleep", path=str(tmp_path / "began"))
    wait_for_file(tmp_path / "began")
    workers = host.workers()
    assert shared_names() == before
    host.kill(signal.SIGKILL)
    host.reap()
    eventually(lambda: not [worker for worker in workers if worker.alive])
    assert shared_names() == before


def test_lesson_39_neither_host_nor_worker_map_a_name(shared_pit, kind):
    pit = shared_pit(pool(kind))
    pit.call("total", {"array": numpy.ones(MIB)}, timeout_ms=120_000)
    for process in (*pit.processes(), Process.of(os.getpid())):
        maps = pathlib.Path(f"/proc/{process.pid}/maps").read_text()
        assert "/dev/shm/" not in maps
        assert "/memfd:snakepit" in maps


@pytest.mark.parametrize("dumped", (True, False))
def test_core_dumps_hold_payloads_only_if_they_may(open_pit, kind, dumped, alone):
    pit = open_pit(pool(kind, payloads_in_core_dump=dumped))
    for process in (*(row.process for row in pit.workers()), Process.of(os.getpid())):
        smaps = pathlib.Path(f"/proc/{process.pid}/smaps").read_text()
        flags = payload_flags(smaps)
        assert set(flags) == {"requests", "results"}
        assert all(("dd" in words) != dumped for words in flags.values())


def payload_flags(smaps: str) -> dict[str, list[str]]:
    """The kernel's flags of the mappings of requests and results."""
    found, name = {}, ""
    for line in smaps.splitlines():
        if "/memfd:snakepit-" in line:
            name = line.split("/memfd:snakepit-")[1].split()[0]
        elif line.startswith("VmFlags:") and name in ("requests", "results"):
            found[name] = line.split()[1:]
            name = ""
    return found


def may_unshare():
    done = subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/dev/shm"],
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def test_lesson_39_a_small_dev_shm_does_not_matter(start_host, profile):
    if not may_unshare():
        pytest.skip("needs the right to mount a file system")
    small = 'mount -t tmpfs -o size=4m tmpfs /dev/shm && exec "$@"'
    host = start_host(
        pool(profile, shared_memory_size="256MiB"),
        prefix=("unshare", "-m", "sh", "-c", small, "sh"),
    )
    host.open()
    assert len(host.call("big", length=20 * MIB)["value"]) == 20 * MIB
    assert host.call("size", text="x" * (20 * MIB))["value"] == 20 * MIB
    assert host.end() == 0
