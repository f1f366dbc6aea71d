# SPDX-License-Identifier: MIT
"""What the library takes of its callers' threads: thread-local memory and stack."""

from __future__ import annotations

import pathlib
import subprocess

import pytest
from support.command import environment
from support.configs import pool
from support.places import BUILD, LIBRARY
from support.programs import build, skip_if_sanitized, write_pools

MOST_TLS = 1 << 10
MOST_STACK = 16 << 10
BINARY = BUILD / "bin/snakepit"


@pytest.fixture
def config(tmp_path: pathlib.Path) -> pathlib.Path:
    """A pool whose adapter has a tool of each kind."""
    skip_if_sanitized()
    return write_pools(tmp_path, pool(adapter="small:Small"))


def thread_local_bytes(binary: pathlib.Path) -> int:
    """The size of the segment PT_TLS, which each thread of a process has."""
    headers = subprocess.run(
        ["readelf", "-lW", binary], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    rows = [line.split() for line in headers if line.split()[:1] == ["TLS"]]
    return sum(int(row[5], 16) for row in rows)


@pytest.mark.parametrize("binary", [LIBRARY, BINARY], ids=["library", "command"])
def test_a_thread_costs_hardly_any_thread_local_memory(binary: pathlib.Path) -> None:
    skip_if_sanitized()
    assert 0 < thread_local_bytes(binary) <= MOST_TLS


def test_no_function_needs_more_stack_than_a_small_thread_has(
    tmp_path: pathlib.Path, config: pathlib.Path
) -> None:
    program = build("small_stack", tmp_path, "-O1")
    done = subprocess.run(
        [program, config], capture_output=True, text=True, timeout=100
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    taken = {name: int(size) for name, size in map(str.split, done.stdout.splitlines())}
    assert len(taken) == 12
    assert {n: size for n, size in taken.items() if size > MOST_STACK} == {}


def test_the_command_runs_with_a_small_limit_of_stacks(config: pathlib.Path) -> None:
    words = [BINARY, "call", "default", "add", '{"a": 1, "b": 2}', "--config", config]
    done = subprocess.run(
        ["sh", "-c", 'ulimit -s 256 && exec "$@"', "sh", *words],
        capture_output=True,
        text=True,
        timeout=100,
        env=environment(),
    )
    assert (done.stdout, done.returncode) == ("3\n", 0), done.stderr
