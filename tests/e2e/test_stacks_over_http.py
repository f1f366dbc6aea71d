# SPDX-License-Identifier: MIT
"""Where the workers of a daemon are: `GET .../stacks` and `snakepit stacks`."""

from __future__ import annotations

import json
import os
import threading

import pytest
from support.connecting import to
from support.gates import open_gate
from support.served import Client, config, end, serve
from support.stacks import line_of
from support.waiting import eventually


@pytest.fixture
def gate(tmp_path):
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"


@pytest.fixture
def daemon(tmp_path):
    started = serve(config(tmp_path, adapter="stands.Stands", pool_size=2))
    yield started
    end([started])


class Standing:
    """A call that stands somewhere until its gate is opened."""

    def __init__(self, daemon, gate, tool):
        self.gate = gate
        self.answers = []
        ask = Client(daemon)
        self.thread = threading.Thread(
            target=lambda: self.answers.append(ask.call(tool, {"gate": str(gate)}))
        )
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        open_gate(self.gate, lambda: bool(self.answers))
        self.thread.join()


def found(daemon, tool):
    """The worker that runs the tool, and the stack of the thread that does."""
    status, value = Client(daemon).ask("GET", "/v1/pools/text/stacks")
    assert status == 200
    for worker in value["workers"]:
        for stack in worker["stacks"]:
            if stack["tool"] == tool and stack["frames"]:
                top = stack["frames"][0]
                if top["line"] == line_of("stands.py", tool):
                    return worker, stack
    return None


@pytest.mark.parametrize("tool", ["loop", "hold_gil", "lock"])
def test_door_and_command_say_where_a_worker_stands(daemon, gate, tool):
    with Standing(daemon, gate, tool) as call:
        worker, stack = eventually(lambda: found(daemon, tool), "the call stands")
        assert stack["frames"][0]["function"] == f"Stands.{tool}"
        number = worker["worker"]
        assert (worker["pool"], worker["error"]) == ("text", None)
        status, alone = Client(daemon).ask("GET", f"/v1/workers/{number}/stacks")
        assert status == 200
        assert (alone["worker"], alone["pid"]) == (number, worker["pid"])
        assert [s["call"] for s in alone["stacks"] if s["tool"]] == [stack["call"]]
        done = to(daemon, "stacks", str(number))
        assert done.returncode == 0, done.stderr
        first = f"worker {number} of pool text, process {worker['pid']}\n"
        assert done.stdout.startswith(first)
        assert f": {tool}, call {stack['call']}, for " in done.stdout
        assert f"      Stands.{tool}  " in done.stdout
        line = line_of("stands.py", tool)
        lines = (line - 1, line) if tool == "loop" else (line,)
        assert any(f"stands.py:{line}\n" in done.stdout for line in lines)
    assert call.answers == [(200, "went on")]


def test_the_command_shows_all_workers_and_waiting_ones_in_a_line(daemon):
    done = to(daemon, "stacks")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("worker ") == 2
    assert done.stdout.count("  executor 0, thread ") == 2
    assert done.stdout.count(": waits for a call\n") == 2
    told = json.loads(to(daemon, "stacks", "text", "--json").stdout)
    assert [worker["pool"] for worker in told["workers"]] == ["text", "text"]
    whole = json.loads(to(daemon, "stacks", "--json").stdout)
    assert [w["worker"] for w in whole["workers"]] == [
        w["worker"] for w in told["workers"]
    ]


def test_what_is_not_there_is_told(daemon):
    done = to(daemon, "stacks", "999999")
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        "there is no worker 999999; the ids are listed by snakepit work" in done.stderr
    )
    done = to(daemon, "stacks", "999999", "--pool")
    assert done.returncode == 1 and 'pool "999999"' in done.stderr
    done = to(daemon, "stacks", "nowhere", "--json")
    assert json.loads(done.stdout)["error"]["name"] == "UNKNOWN_POOL"
