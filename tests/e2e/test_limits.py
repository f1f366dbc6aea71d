# SPDX-License-Identifier: MIT
"""Hosts that may open, map or write little: an error that says which limit to raise."""

from __future__ import annotations

import json
import os
import pathlib
import resource
import shlex
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.answers import Refused
from support.children import in_child
from support.command import run_without_proc
from support.configs import default_python, pool
from support.pit import Pit
from support.waiting import Deadline

MIB = 1 << 20
# Whether a pool tries again is another matter.
NOT_STARTED = ("POOL_FAILED", "DEADLINE_EXCEEDED")


@pytest.fixture(autouse=True)
def forks_are_meant() -> Iterator[None]:
    """Python warns of a fork beside threads, which the library has none of here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def lower(name: str, value: int) -> None:
    limit = getattr(resource, name)
    resource.setrlimit(limit, (value, resource.getrlimit(limit)[1]))


def await_verdict(pit: Pit) -> None:
    """Until the pool is ready, or a start has failed; that is raised."""
    deadline = Deadline(30)
    while True:
        try:
            pit.await_ready(timeout_ms=50)
            return
        except Refused as refused:
            if refused.err != "DEADLINE_EXCEEDED" or "start failed" in refused.why:
                raise
            assert deadline.passed < 30, refused.why


def use(detection: str = "auto", **options: Any) -> list[str]:
    """What a program is told that opens a pit and calls it."""
    try:
        with Pit.open(pool(**options), python_version_detection=detection) as pit:
            await_verdict(pit)
            return ["OK", pit.call("echo", {"value": "answer"})]
    except Refused as refused:
        return [refused.err, refused.why]


def addresses_here() -> int:
    return int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * 4096


# ---- Sizes ---------------------------------------------------------------------------


def test_a_limit_of_file_sizes_is_an_error_and_no_signal() -> None:
    def limited() -> list[str]:
        lower("RLIMIT_FSIZE", MIB)
        return use(shared_memory_size="64MiB")

    err, why = in_child(limited)
    assert err == "SYSTEM"
    assert "ulimit -f" in why
    assert f"which is {MIB} bytes, or lower shared_memory_size" in why
    assert f"to {64 * MIB} bytes" in why


def test_a_limit_of_file_sizes_that_is_kept_changes_nothing() -> None:
    def limited() -> list[str]:
        lower("RLIMIT_FSIZE", 65 * MIB)
        return use(shared_memory_size="64MiB")

    assert in_child(limited) == ["OK", "answer"]


@pytest.mark.parametrize("share", [0.5, 1.5])
def test_a_limit_of_address_space_is_named(share: float) -> None:
    """Too little for the memory of arguments, and for that of results."""
    size = 1 << 33

    def limited() -> list[str]:
        lower("RLIMIT_AS", addresses_here() + 256 * MIB + int(size * share))
        return use(shared_memory_size="8GiB", restart_limit=1, template="off")

    err, why = in_child(limited)
    assert err == "SYSTEM" if share < 1 else err in NOT_STARTED
    assert "mmap of" in why
    assert f"{size} bytes: Cannot allocate memory (ENOMEM)" in why
    assert "ulimit -v" in why
    assert "or lower shared_memory_size" in why


@pytest.mark.errors_logged("pool.failed")
def test_a_limit_of_address_space_that_a_worker_meets_is_named(
    tmp_path: pathlib.Path,
) -> None:
    """Only the worker has it: what it says comes through."""
    python = tmp_path / "python"
    found = default_python("process")
    python.write_text(f'#!/bin/sh\nulimit -v 4000000\nexec {shlex.quote(found)} "$@"\n')
    python.chmod(0o755)
    err, why = use(
        detection="off",
        shared_memory_size="8GiB",
        restart_limit=1,
        template="off",
        python=str(python),
    )
    assert err in NOT_STARTED
    assert "mmap of shared memory, 8589934592 bytes: Cannot allocate memory" in why
    assert "ulimit -v" in why
    assert "which is 4096000000 bytes, or lower shared_memory_size" in why


# ---- Descriptors ---------------------------------------------------------------------


def test_each_lack_of_descriptors_is_an_error(tmp_path: pathlib.Path) -> None:
    """Whatever is reached with so many: never an abort, and then it works."""

    def limited(left: int) -> list[str]:
        most = 128
        lower("RLIMIT_NOFILE", most)
        fillers = []
        while True:
            try:
                fillers.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                break
        for filler in fillers[len(fillers) - left :]:
            os.close(filler)
        return use(restart_limit=1, restart_backoff_ms=1)

    for left in range(1, 64):
        err, why = in_child(lambda left=left: limited(left))
        if err == "OK":
            break
        assert err in ("SYSTEM", *NOT_STARTED), why
        assert "ulimit -n" in why, why
        assert "which is 128" in why, why
    assert err == "OK"
    assert left > 10


def test_a_pool_finds_descriptors_again_once_there_are_some(
    open_pit: Callable[..., Pit],
) -> None:
    def starve_and_recover() -> list[Any]:
        fillers = []
        with Pit.open(pool(pool_size=2, restart_backoff_ms=1)) as pit:
            pit.await_ready()
            gone = pit.workers()
            lower("RLIMIT_NOFILE", 256)
            while True:
                try:
                    fillers.append(os.open("/dev/null", os.O_RDONLY))
                except OSError:
                    break
            os.kill(gone[0].pid, 9)
            pit.await_line("worker.start_failed")
            for filler in fillers:
                os.close(filler)
            pit.await_replacement(gone[0])
            return [pit.call("echo", {"value": 1})]

    assert in_child(starve_and_recover) == [1]


def test_without_standard_streams(tmp_path: pathlib.Path) -> None:
    """As textbooks have it for daemons: 0, 1 and 2 are closed, and stay free."""

    def closed() -> list[Any]:
        for fd in range(3):
            os.close(fd)
        with Pit.open(pool(pool_size=2)) as pit:
            pit.await_ready()
            value = pit.call("echo", {"value": "answer"})
            gone = pit.workers()[0]
            os.kill(gone.pid, 9)
            pit.await_replacement(gone)
            taken = [fd for fd in range(3) if os.path.lexists(f"/proc/self/fd/{fd}")]
            streams = [
                os.readlink(f"/proc/{worker.pid}/fd/{fd}").split(":")[0]
                for worker in pit.workers()
                for fd in range(3)
            ]
        return [value, taken, streams]

    value, taken, streams = in_child(closed)
    assert value == "answer"
    assert taken == []
    assert streams == ["/dev/null", "pipe", "pipe"] * 2


# ---- What is not there ---------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may unmount /proc")
def test_without_proc_the_error_says_so(tmp_path: pathlib.Path) -> None:
    config = tmp_path / "pools.yaml"
    config.write_text(json.dumps({"pools": [pool()]}))
    done = run_without_proc("call", "default", "echo", "--config", config)
    assert done.returncode == 6
    assert "open /proc/self/fd/" in done.stderr
    assert "No such file or directory (ENOENT); mount /proc here" in done.stderr
