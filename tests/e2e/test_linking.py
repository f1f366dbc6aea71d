# SPDX-License-Identifier: MIT
"""The library in the processes of others: what it shows and what it takes."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess

import pytest
from support.configs import pool
from support.places import BUILD, LIBRARY
from support.programs import build, skip_if_sanitized, write_pools
from support.waiting import eventually

NODE_HEADERS = pathlib.Path("/usr/include/node")


@pytest.fixture
def config(tmp_path: pathlib.Path) -> pathlib.Path:
    """One worker, and a loop that has something to do."""
    heartbeats = {"heartbeat_interval_ms": 100, "heartbeat_max_missed": 100}
    return write_pools(tmp_path, pool(adapter="small:Small", **heartbeats))


@pytest.fixture(autouse=True)
def unsanitized() -> None:
    skip_if_sanitized()


def tool_output(*command: str | os.PathLike[str]) -> str:
    """What a command of binutils says."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_library_exports_nothing_but_its_own_names() -> None:
    lines = tool_output("nm", "-D", "--defined-only", LIBRARY).splitlines()
    names = {line.split()[-1].split("@")[0] for line in lines}
    assert {"snakepit_open_file", "snakepit_call"} <= names
    # The second is the name of the version that the first ones have.
    strange = {n for n in names if not n.startswith("snakepit_")} - {"SNAKEPIT_0"}
    assert not strange


def test_the_library_stands_on_the_c_library_alone() -> None:
    lines = tool_output("readelf", "-d", LIBRARY).splitlines()
    needed = [line.split("[")[1].rstrip("]") for line in lines if "(NEEDED)" in line]
    if (
        "NOTFOUND"
        in (BUILD / "CMakeCache.txt")
        .read_text()
        .split("SNAKEPIT_YAML_ARCHIVE:FILEPATH=")[1]
        .split("\n")[0]
    ):
        pytest.skip("there is no libyaml.a here")
    assert all(
        n.startswith(("libc.", "libm.", "libgcc_s.", "ld-linux")) for n in needed
    ), needed


def test_a_program_that_exports_such_libraries_does_not_disturb_it(
    tmp_path: pathlib.Path, config: pathlib.Path
) -> None:
    program = build("own_libraries", tmp_path, "-rdynamic")
    done = subprocess.run(
        [program, config], capture_output=True, text=True, timeout=100
    )
    assert (done.stdout, done.stderr, done.returncode) == ("42\n", "", 0)


@pytest.mark.parametrize("how", ["open", "close"])
def test_unloading_the_library_leaves_its_threads_their_code(
    tmp_path: pathlib.Path, config: pathlib.Path, how: str
) -> None:
    program = build("unloads", tmp_path)
    host = subprocess.Popen(
        [program, LIBRARY, config, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert host.stdin and host.stdout
    assert host.stdout.readline() == b"unloaded\n"
    if how == "open":
        # Several heartbeats pass: the loop's thread runs on.
        before = ticks(host.pid)
        eventually(lambda: host.poll() is not None or ticks(host.pid) > before + 20)
    host.stdin.close()
    assert host.wait(30) == 0


def ticks(pid: int) -> int:
    """How often the threads of a process have waited."""
    count = 0
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        status = (thread / "status").read_text()
        count += int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])
    return count


def test_node_runs_it_beside_its_own_libuv(
    tmp_path: pathlib.Path, config: pathlib.Path
) -> None:
    node = shutil.which("node")
    if node is None or not (NODE_HEADERS / "node_api.h").exists():
        pytest.skip("there is no Node here, or not its headers")
    module = build("node_host", tmp_path, "-shared", "-fPIC", f"-I{NODE_HEADERS}")
    module = module.rename(module.with_suffix(".node"))
    script = f"console.log(require({str(module)!r}).call({str(config)!r}))"
    done = subprocess.run(
        [node, "-e", script], capture_output=True, text=True, timeout=100
    )
    assert (done.stdout, done.returncode) == ("42\n", 0), done.stderr


@pytest.mark.parametrize("standard", ["c++11", "c++14", "c++17", "c++20"])
def test_callbacks_that_may_throw_are_refused_where_cpp_can(
    tmp_path: pathlib.Path, standard: str
) -> None:
    build("callbacks", tmp_path, f"-std={standard}")
    if standard in ("c++11", "c++14"):
        build("callbacks", tmp_path, f"-std={standard}", "-DTHROWS")
        return
    with pytest.raises(subprocess.CalledProcessError):
        build("callbacks", tmp_path, f"-std={standard}", "-DTHROWS")


@pytest.mark.parametrize("how", ["throw", "exit"])
@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("tool", "a tool of the host"),
        ("done", "the callback `done`"),
        ("each", "the callback `each`"),
        ("session", "the callback `session_ended`"),
    ],
)
def test_a_callback_that_is_left_ends_the_program_and_says_so(
    tmp_path: pathlib.Path, config: pathlib.Path, what: str, name: str, how: str
) -> None:
    program = build("leaves", tmp_path, "-std=c++14")
    done = subprocess.run(
        [program, config, what, how], capture_output=True, text=True, timeout=30
    )
    assert f"snakepit: {name} was left by an exception" in done.stderr
    assert (done.stdout, done.returncode) == ("", -signal.SIGABRT)
