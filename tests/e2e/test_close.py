# SPDX-License-Identifier: MIT
"""What becomes of tools that still run when their pit closes."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest
from support import Pit, eventually, pool
from support.command import SNAKEPIT

CLEANS_UP = pytest.mark.parametrize("name", ["loops", "waits"])


@pytest.fixture
def notes(tmp_path):
    return tmp_path / "notes"


def closing(profile, notes, **options):
    # Graces that a busy machine does not use up.
    options = {"cancel_grace_ms": 100_000, "stop_grace_ms": 100_000, **options}
    return pool(
        profile,
        adapter="closing:Closing",
        adapter_config={"notes": str(notes)},
        **options,
    )


def words(notes):
    return notes.read_text().split() if notes.exists() else []


@CLEANS_UP
def test_a_tool_that_is_out_of_time_cleans_up_before_the_pit_is_closed(
    profile, notes, name
):
    with Pit.open(closing(profile, notes)) as pit:
        pit.await_ready()
        # Long enough for it to begin, also on a busy machine.
        assert pit.fails(name, timeout_ms=2000).err == "DEADLINE_EXCEEDED"
        pit.close(0)
        assert words(notes) == ["begun", "finally", "cleanup"]
        assert not pit.logged("worker.kill")


@CLEANS_UP
def test_a_tool_that_runs_when_the_grace_is_over_cleans_up(profile, notes, name):
    with Pit.open(closing(profile, notes)) as pit:
        pit.await_ready()
        call = pit.submit(name)
        eventually(lambda: "begun" in words(notes))
        pit.close(50)
        assert call.wait().err == "SHUTTING_DOWN"
        assert words(notes) == ["begun", "finally", "cleanup"]
        assert not pit.logged("worker.kill")


def test_one_that_cannot_be_cancelled_is_killed_and_nobody_takes_its_place(
    profile, notes
):
    with Pit.open(closing(profile, notes, cancel_grace_ms=200)) as pit:
        pit.await_ready()
        starts = pit.stats().worker_starts
        call = pit.submit("is_deaf")
        eventually(lambda: "begun" in words(notes))
        pit.close(0)
        assert call.wait().err == "SHUTTING_DOWN"
        assert words(notes) == ["begun"]
        (line,) = pit.logged("worker.kill")
        assert "could not be cancelled" in line
        assert len(pit.logged("worker.started")) == starts
        assert "expected=yes" in pit.logged("worker.exit")[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_interrupted_lets_its_tool_clean_up(tmp_path, notes, number):
    config = tmp_path / "pit.yaml"
    config.write_text(json.dumps({"pools": [closing("process", notes)]}))
    command = subprocess.Popen(
        [SNAKEPIT, "call", "default", "waits", "--config", str(config)],
        stderr=subprocess.PIPE,
    )
    try:
        eventually(lambda: "begun" in words(notes))
        os.kill(command.pid, number)
        command.communicate(timeout=20)
    finally:
        command.kill()
    assert command.returncode == 128 + number
    assert words(notes) == ["begun", "finally", "cleanup"]


@pytest.mark.parametrize("name", ["loops", "waits"])
def test_as_many_tools_as_a_worker_has_threads_clean_up(notes, name):
    many = 200
    # On a busy machine it takes long until all have begun.
    options = {"threads_per_worker": many, "call_timeout_ms": 0}
    with Pit.open(closing("thread", notes, **options)) as pit:
        pit.await_ready()
        calls = [pit.submit(name) for _ in range(many)]
        eventually(lambda: words(notes).count("begun") == many, within=200)
        pit.close(0)
        assert {call.wait().err for call in calls} == {"SHUTTING_DOWN"}
        assert words(notes).count("finally") == many
        assert words(notes)[-1] == "cleanup"
        assert not pit.logged("worker.kill")
