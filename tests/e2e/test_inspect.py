# SPDX-License-Identifier: MIT
"""snakepit inspect: figures of pools, and what is to be said of them."""

from __future__ import annotations

import json
import os
import threading

import pytest
from support.connecting import to
from support.gates import open_gate
from support.served import Client, config, end, serve
from support.waiting import eventually


@pytest.fixture
def start(tmp_path):
    started = []

    def begin(**options):
        started.append(serve(config(tmp_path, adapter="stands.Stands", **options)))
        return started[-1]

    yield begin
    end(started)


def inspected(daemon):
    status, value = Client(daemon).ask("GET", "/v1/pools/text/inspection")
    assert status == 200
    return value


def codes(daemon):
    return [verdict["code"] for verdict in inspected(daemon)["verdicts"]]


def test_a_pool_tells_its_figures(start):
    daemon = start(pool_size=2)
    eventually(lambda: inspected(daemon)["state"] == "ready", "all workers serve")
    value = inspected(daemon)
    assert (value["pool"], value["profile"], value["state"]) == (
        "text",
        "process",
        "ready",
    )
    assert (value["processes"], value["total_capacity"]) == (2, 2)
    assert (value["active_requests"], value["available_capacity"]) == (0, 2)
    assert value["memory_per_process"] > 1 << 20
    assert value["cores"] >= 1
    assert 0 <= value["over_seconds"] < 360


def test_the_command_prints_a_verdict_with_the_key_to_change(start):
    daemon = start(pool_size=2, template="off")
    eventually(lambda: inspected(daemon)["state"] == "ready", "all workers serve")
    done = to(daemon, "inspect")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "text: process, ready"
    (line,) = [line for line in done.stdout.splitlines() if "template.unused" in line]
    assert "try template: auto" in line
    (verdict,) = json.loads(to(daemon, "inspect", "text", "--json").stdout)["verdicts"]
    assert (verdict["key"], verdict["value"]) == ("template", "auto")


def test_a_full_line_is_an_error_and_comes_first(start, tmp_path):
    daemon = start(pool_size=1, max_queue=1)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    answers = []

    def call():
        answers.append(Client(daemon).call("lock", {"gate": str(gate)})[0])

    def fills(count):
        figures = inspected(daemon)
        return figures["active_requests"] + figures["waiting"] == count

    callers = []
    for count in (1, 2):
        callers.append(threading.Thread(target=call))
        callers[-1].start()
        eventually(lambda count=count: fills(count), "the call is there")
    call()
    assert answers == [429]
    (verdict,) = [v for v in inspected(daemon)["verdicts"] if v["severity"] == "error"]
    assert verdict["code"] == "line.full"
    # By how busy it was, which a call that still runs counts for.
    assert verdict["value"] == {"pool_size": "2", "max_queue": "3"}[verdict["key"]]
    open_gate(gate, lambda: len(answers) == 3)
    for caller in callers:
        caller.join()
    assert sorted(answers) == [200, 200, 429]


def test_a_call_that_does_not_end_is_named_before_its_time_is_up(start, tmp_path):
    daemon = start(pool_size=1, call_timeout_ms=0)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    answers = []

    def call():
        answers.append(Client(daemon).call("lock", {"gate": str(gate)})[0])

    callers = [threading.Thread(target=call) for _ in range(2)]
    for caller in callers:
        caller.start()
    told = eventually(
        lambda: verdicts(daemon)[0].get("calls.long"), "it is told", within=60.0
    )
    (pool,) = json.loads(to(daemon, "workers", "--json").stdout)["pools"]
    worker = pool["workers"][0]["id"]
    assert (
        told["severity"] == "error"
    )  # it holds the only worker, and another one waits
    assert told["what"].startswith("lock has run for 1")
    assert f" in worker {worker}; " in told["what"]
    assert told["what"].endswith(", and 1 wait")
    assert (told["key"], told["value"]) == ("call_timeout_ms", "30000")
    assert f"`snakepit stacks {worker}`" in told["remedy"]
    assert to(daemon, "stacks", str(worker)).returncode == 0
    open_gate(gate, lambda: len(answers) == 2)
    for caller in callers:
        caller.join()


def verdicts(daemon):
    value = inspected(daemon)
    return {verdict["code"]: verdict for verdict in value["verdicts"]}, value


def test_a_pool_whose_calls_all_run_out_of_time_is_busy_and_its_tool_is_named(
    start, tmp_path
):
    daemon = start(pool_size=1, cancel_grace_ms=100, on_stuck="kill")
    eventually(lambda: inspected(daemon)["state"] == "ready", "the worker serves")
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    ends = threading.Event()

    # Who is first has the worker, and it dies with the call. The others wait in vain.
    def call():
        while not ends.is_set():
            Client(daemon).call(
                "hold_gil", {"gate": str(gate)}, Snakepit_Timeout_Ms="300"
            )

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        wanted = {"calls.stuck", "calls.time_out", "line.long", "workers.die"}
        eventually(lambda: wanted <= set(verdicts(daemon)[0]), "it is told")
    finally:
        ends.set()
        for caller in callers:
            caller.join()
    told, value = verdicts(daemon)
    # It has run nothing that has an answer.
    assert value["run_p50_us"] > 100_000
    assert value["line_p99_us"] > 100_000
    assert value["busy_percent"] > 0
    assert "in hold_gil" in told["calls.time_out"]["what"]
    assert "a call did not end in time" in told["workers.die"]["what"]
    assert told["line.long"]["value"] == ""
    assert "utilisation.low" not in told


def test_a_tool_that_fails_is_named_with_its_error(start):
    daemon = start(pool_size=1)
    for _ in range(8):
        status, _ = Client(daemon).call("work", {"n": "one"})
        assert status == 500
    told, _ = verdicts(daemon)
    assert "8 of 8 calls failed, most of them in work" in told["calls.fail"]["what"]
    assert "TypeError" in told["calls.fail"]["what"]
    assert "calls --failed" in told["calls.fail"]["remedy"]


def test_what_workers_die_of_is_told_with_the_tool_they_ran(tmp_path):
    daemon = serve(config(tmp_path))
    try:
        for _ in range(3):
            status, _ = Client(daemon).call("die", {})
            assert status == 503
        eventually(lambda: "workers.die" in verdicts(daemon)[0], "it is told")
        what = verdicts(daemon)[0]["workers.die"]["what"]
        assert "3 calls; most of them ran die; the last one: " in what
        assert "3" in what.rpartition("the last one: ")[2]
    finally:
        end([daemon])


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="BLAS takes one thread")
def test_threads_of_blas_that_compute_beside_each_other_are_named(tmp_path):
    daemon = serve(
        config(
            tmp_path,
            adapter="multiplies.Multiplies",
            pool_size=4,
            adapter_env={"OPENBLAS_NUM_THREADS": "64"},
        )
    )
    try:
        ends = threading.Event()

        def multiply():
            client = Client(daemon)
            while not ends.is_set():
                assert client.call("multiply", {"size": 400})[1] == 400.0

        callers = [threading.Thread(target=multiply) for _ in range(4)]
        for caller in callers:
            caller.start()
        (verdict,) = eventually(
            lambda: [
                v
                for v in inspected(daemon)["verdicts"]
                if v["code"] == "threads.oversubscribed"
            ],
            "it is named",
        )
        ends.set()
        for caller in callers:
            caller.join()
    finally:
        ends.set()
        end([daemon])
    assert verdict["key"] == "adapter_env"
    share = max(len(os.sched_getaffinity(0)) // 4, 1)
    assert f'OPENBLAS_NUM_THREADS: "{share}"' in verdict["value"]


def test_a_pool_that_is_not_there_is_said_to_be_so(start):
    daemon = start(pool_size=1)
    done = to(daemon, "inspect", "nowhere")
    assert done.returncode == 1
    assert "nowhere" in done.stderr
