# SPDX-License-Identifier: MIT
"""A pool that was ready once works again when what kept it from working has passed."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest
from support import (
    Process,
    Refused,
    alive_of,
    default_python,
    eventually,
    pool,
    seconds,
)
from support.command import SNAKEPIT

HASTE = {"restart_backoff_ms": 5, "restart_backoff_max_ms": 40}


@pytest.fixture
def down(tmp_path):
    """As long as this file is there, nothing starts."""
    return tmp_path / "down"


@pytest.fixture
def open_dependent(open_pit, kind, down):
    def open_one(ready=True, most=0, **options):
        config = {"down": str(down), "most": most}
        wanted = {"pool_size": 2, **HASTE, **options}
        return open_pit(
            pool(kind, adapter="starts.Depends", adapter_config=config, **wanted),
            ready=ready,
        )

    return open_one


def take_down(pit, down):
    """Kills all workers while nothing starts, and waits until the pool is down."""
    down.touch()
    for row in pit.workers():
        os.kill(row.pid, signal.SIGKILL)
    eventually(lambda: pit.state() == "down", "the pool is down", 20.0)


# ---- Down and up again ---------------------------------------------------------------


def test_a_pool_that_was_ready_never_gives_up(open_dependent, down):
    pit = open_dependent()
    take_down(pit, down)
    starts = pit.stats().worker_starts
    eventually(lambda: pit.stats().worker_starts >= starts + 5, "it tries on", 30.0)
    assert pit.state() == "down"
    down.unlink()
    eventually(lambda: pit.state() == "ready", "it recovers by itself", 30.0)
    assert pit.call("ping") == "pong"
    take_down(pit, down)
    down.unlink()
    eventually(lambda: pit.state() == "ready", "it recovers again", 30.0)


def test_a_pool_that_is_down_refuses_calls_at_once_with_the_reason(
    open_dependent, down
):
    pit = open_dependent(pool_size=1)
    pit.call("ping")
    down.touch()
    assert pit.fails("crash").err == "WORKER_DIED"
    call = pit.submit("ping")  # waits as long as there is hope
    assert call.wait().err == "POOL_DOWN"
    assert pit.stats().worker_starts >= 4
    assert pit.state() == "down"
    with seconds() as taken:
        fault = pit.fails("ping", timeout_ms=60_000)
    assert taken.seconds < 30
    assert fault.err == "POOL_DOWN"
    assert "ConnectionRefusedError: the data base is down" in fault.message
    with pytest.raises(Refused, match="the data base is down") as refused:
        pit.await_ready(timeout_ms=50)
    assert refused.value.err == "DEADLINE_EXCEEDED"


def test_a_close_finishes_with_a_worker_that_was_given_all_its_calls(
    open_dependent, down
):
    """It has no successor, and gets none any more."""
    pit = open_dependent(pool_size=1, worker_max_requests=1, restart_limit=1000)
    down.touch()
    assert pit.call("ping") == "pong"
    eventually(lambda: pit.logged("worker.start_failed"), "nothing starts")
    calls = [pit.submit("ping") for _ in range(3)]
    with seconds() as taken:
        pit.close(60_000)
    assert [call.wait().err for call in calls] == ["OK", "OK", "OK"]
    assert taken.seconds < 30


def test_each_failed_start_logs_its_exception(open_dependent, down):
    pit = open_dependent()
    take_down(pit, down)
    eventually(lambda: len(pit.logged("worker.start_failed")) >= 6)
    for line in pit.logged("worker.start_failed"):
        # The workers that were killed had hardly begun.
        assert (
            "ConnectionRefusedError: the data base is down" in line
            or "killed by signal 9" in line
        )
    assert "the data base is down" in pit.logged("worker.start_failed")[-1]


# ---- A call to try again -------------------------------------------------------------


@pytest.mark.errors_logged("pool.failed")
def test_a_pool_that_failed_at_its_first_start_can_be_tried_again(open_dependent, down):
    down.touch()
    pit = open_dependent(ready=False)
    with pytest.raises(Refused, match="the data base is down") as refused:
        pit.await_ready()
    assert refused.value.err == "POOL_FAILED"
    assert "the data base is down" in pit.logged("pool.failed")[0]
    with pytest.raises(Refused, match="the data base is down"):
        pit.retry().await_ready()
    down.unlink()
    assert pit.fails("ping").err == "POOL_FAILED"
    pit.retry()
    assert pit.call("ping") == "pong"
    pit.await_ready()
    assert pit.state() == "ready"


def test_a_retry_does_not_wait_for_the_pause(open_dependent, down):
    pit = open_dependent(restart_backoff_ms=600_000, restart_backoff_max_ms=600_000)
    down.touch()
    for row in pit.workers():
        os.kill(row.pid, signal.SIGKILL)
    eventually(lambda: pit.logged("worker.start_failed"))
    down.unlink()
    pit.retry().await_ready()
    assert pit.call("ping") == "pong"


def test_a_retry_of_a_pool_that_works_changes_nothing(open_dependent):
    pit = open_dependent()
    before = {row.pid for row in pit.workers()}
    for _ in range(20):
        pit.retry()
        assert pit.call("ping") == "pong"
    assert {row.pid for row in pit.workers()} == before
    assert pit.state() == "ready"
    with pytest.raises(Refused, match="nobody"):
        pit.retry("nobody")


# ---- A pool that can only start in part ----------------------------------------------


def test_a_pool_that_starts_in_part_serves_and_says_why(open_dependent):
    pit = open_dependent(ready=False, most=1)
    assert pit.await_serving().call("ping") == "pong"
    eventually(lambda: pit.logged("worker.start_failed"))
    assert "RuntimeError: no licence is left" in pit.logged("worker.start_failed")[0]
    with pytest.raises(Refused, match="no licence is left") as refused:
        pit.await_ready(timeout_ms=50)
    assert refused.value.err == "DEADLINE_EXCEEDED"
    assert pit.state() == "degraded"
    assert pit.call("ping") == "pong"


def test_one_that_cannot_start_gives_up_nothing_while_another_starts(
    open_pit, kind, down
):
    config = {"down": str(down), "most": 1, "last": True}
    made = pool(kind, adapter="starts.Depends", adapter_config=config, pool_size=2)
    pit = open_pit({**made, **HASTE}, ready=False)
    assert pit.await_serving().call("ping") == "pong"
    # The other one has failed by now, which its process may still be about to say.
    eventually(lambda: pit.state() != "starting")
    assert pit.state() == "degraded"


def test_the_command_calls_once_one_worker_is_ready(tmp_path, kind):
    wanted = pool(
        kind,
        adapter="starts.Depends",
        adapter_config={"down": str(tmp_path / "down"), "most": 1},
        pool_size=3,
        restart_backoff_ms=60_000,
        restart_backoff_max_ms=60_000,
    )
    config = tmp_path / "pit.yaml"
    config.write_text(json.dumps({"pools": [wanted]}))
    done = subprocess.run(
        [SNAKEPIT, "call", "default", "ping", "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, '"pong"\n'), done.stderr


# ---- Want of resources ---------------------------------------------------------------


def test_a_pool_without_descriptors_works_once_there_are_some(start_host):
    host = start_host(
        pool("process", pool_size=2, template="off", **HASTE),
        setup={"limits": {"RLIMIT_NOFILE": 256}},
    )
    host.open()
    held = host.ask("take_descriptors")["count"]
    assert held > 0
    for process in host.workers():
        process.kill(signal.SIGKILL)
    eventually(lambda: host.ask("stats")["state"] == "down", "it is down", 20.0)
    answer = host.call("ping")
    assert answer["err"] == "POOL_DOWN"
    assert "Too many open files" in answer["message"]
    host.ask("give_descriptors")
    eventually(lambda: host.ask("stats")["state"] == "ready", "it recovers", 20.0)
    assert host.call("ping")["value"] == "pong"
    assert host.end() == 0


# ---- A program that changes its user -------------------------------------------------

AS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="needs root, to lose its rights")
NOBODY = 65534


@AS_ROOT
@pytest.mark.parametrize("template", ["auto", "off"])
def test_a_pool_of_a_program_that_changed_its_user_fails_and_says_so(
    start_host, template
):
    host = start_host(pool("process", template=template, stop_grace_ms=300))
    host.open()
    started = host.ask("stats")["worker_starts"]
    host.ask("become", user=NOBODY)
    assert host.call("leave", status=1)["err"] == "WORKER_DIED"
    answer = host.call("ping")
    assert answer["err"] == "POOL_FAILED"
    assert "has changed its user from 0 to 65534" in answer["message"]
    eventually(lambda: not host.workers(), "the dead one is waited for")
    assert host.ask("stats")["worker_starts"] == started, "a replacement was started"
    assert host.end() == 0


@AS_ROOT
@pytest.mark.parametrize("tool", ["stubborn", "hold_gil"])
def test_a_worker_that_may_not_be_signalled_does_not_hang_a_close(
    start_host, profile, tool, tmp_path
):
    host = start_host(pool(profile, stop_grace_ms=100, cancel_grace_ms=100))
    host.open()
    workers = host.workers()
    host.begin(tool, path=str(tmp_path / "began"))
    eventually((tmp_path / "began").exists)
    host.ask("become", user=NOBODY)
    assert host.end(within=20) == 0
    eventually(lambda: not alive_of(workers), "its channel has ended it", 20.0)


@AS_ROOT
def test_a_worker_that_nothing_can_stop_is_given_up(start_host):
    host = start_host(pool("process", stop_grace_ms=50, template="off"))
    host.open()
    (worker,) = host.workers()
    worker.stop()
    host.ask("become", user=NOBODY)
    assert host.end(within=60) == 0
    # The kernel wakes what is stopped and has lost its parent.
    eventually(lambda: not worker.alive, "it finds its host gone", 20.0)


def can_run_as_nobody(python):
    words = [python, "-c", "import snakepit_bridge"]
    try:
        return subprocess.run(words, user=NOBODY, check=False).returncode == 0
    except PermissionError:
        return False


@AS_ROOT
def test_a_retry_starts_workers_as_the_new_user(start_host):
    if not can_run_as_nobody(default_python("process")):
        pytest.skip("the interpreter is in a folder that only root can read")
    host = start_host(pool("process", **HASTE))
    host.open()
    before = host.workers()
    host.ask("become", user=NOBODY)
    host.call("leave", status=1)
    eventually(lambda: host.ask("stats")["state"] == "failed")
    eventually(lambda: not alive_of(before))
    host.ask("retry")
    assert host.call("ping")["value"] == "pong"
    assert {os.stat(f"/proc/{worker.pid}").st_uid for worker in host.workers()} == {
        NOBODY
    }
    assert host.end() == 0


# ---- Numbers that were given away ----------------------------------------------------


def test_a_host_that_ignores_sigchld_is_told_how_its_worker_died(start_host):
    host = start_host(pool("process"), setup={"ignore_sigchld": True})
    host.open()
    (worker,) = host.workers()
    worker.kill(signal.SIGKILL)
    eventually(lambda: host.workers() - {worker}, "a replacement")
    (line,) = [line for line in host.ask("log")["lines"] if "worker.exit" in line]
    # Whether it can be known depends on the kernel; a 0 is never made up.
    assert "code=" not in line and "signal=0" not in line
    assert host.end() == 0


def test_children_of_a_worker_die_where_the_host_ignores_sigchld(start_host):
    host = start_host(
        pool("process", stop_grace_ms=200), setup={"ignore_sigchld": True}
    )
    host.open()
    children = {
        Process.of(pid) for pid in host.call("spawn", ignore_term=True)["value"]
    }
    for worker in host.workers():
        worker.kill(signal.SIGKILL)
    eventually(lambda: not alive_of(children), "the children die", 20.0)
    assert host.end() == 0
