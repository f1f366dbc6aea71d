# SPDX-License-Identifier: MIT
"""Kernels and sandboxes that refuse, and locked memory: calls work all the same."""

from __future__ import annotations

import errno
import pathlib
import platform
import resource
import subprocess

import pytest
from support.command import environment
from support.places import BUILD, SYSTEM
from support.programs import build, skip_if_sanitized

BINARY = BUILD / "bin/snakepit"
CONFIG = """
pools:
  - {{name: default, python: {python}, pool_size: 1, shared_memory_size: 512MiB,
      adapter: snakepit_bridge.adapters.showcase}}
"""

# What is not older than the oldest kernel that is supported, or is often refused.
CALLS = {
    "x86_64": {"preadv2": 327, "futex_waitv": 449, "mlock2": 325, "getrandom": 318},
    "aarch64": {"preadv2": 286, "futex_waitv": 449, "mlock2": 284, "getrandom": 278},
}.get(platform.machine(), {})


@pytest.fixture
def config(tmp_path: pathlib.Path) -> pathlib.Path:
    """A pool of the size that pools have by default."""
    skip_if_sanitized()
    made = tmp_path / "pit.yaml"
    made.write_text(CONFIG.format(python=SYSTEM))
    return made


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM], ids=["ENOSYS", "EPERM"])
@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_system_call_that_is_refused_is_done_without(
    tmp_path: pathlib.Path, config: pathlib.Path, name: str, number: int
) -> None:
    program = build("refuses", tmp_path)
    refused = [program, str(CALLS[name]), str(number)]
    words = [BINARY, "call", "default", "add", '{"a": 2, "b": 40}']
    done = subprocess.run(
        [*refused, *words, "--config", config],
        capture_output=True,
        text=True,
        timeout=100,
        env=environment(),
    )
    if done.returncode == 77:
        pytest.skip("there are no seccomp filters here")
    assert (done.stdout, done.returncode) == ("42\n", 0), done.stderr


def may_lock() -> bool:
    """Whether the process has CAP_IPC_LOCK."""
    status = pathlib.Path("/proc/self/status").read_text()
    effective = int(status.split("CapEff:")[1].split()[0], 16)
    return bool(effective >> 14 & 1)


def test_a_program_that_locks_its_memory_does_not_fill_the_segments(
    tmp_path: pathlib.Path, config: pathlib.Path
) -> None:
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if limit != resource.RLIM_INFINITY and not may_lock():
        pytest.skip("this user may not lock so much memory")
    program = build("locks_memory", tmp_path)
    # Stacks of threads are locked as well, and whole.
    done = subprocess.run(
        ["sh", "-c", 'ulimit -s 512 && exec "$@"', "sh", program, config],
        capture_output=True,
        text=True,
        timeout=100,
    )
    if done.returncode == 77:
        pytest.skip("this user may not lock memory")
    assert done.returncode == 0, done.stderr
    answer, locked = done.stdout.split()
    assert answer == "42"
    # Of one segment for the pool and two for the worker, 512 MiB each but for one.
    assert int(locked) < 64 << 10
