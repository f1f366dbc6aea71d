# SPDX-License-Identifier: MIT
"""Events of the library's own: as values, and in the formats of the log."""

from __future__ import annotations

import json
import os
import re
import signal
import time

from support import Pit, eventually, pool
from support.configs import default_python
from support.daemon import Daemon


def named(pit, name):
    pit.flush_log()
    return [notice for notice in list(pit.notices) if notice.name == name]


# ---- To a program --------------------------------------------------------------------


def test_a_program_gets_events_as_values(open_pit, profile):
    before = time.time_ns()
    pit = open_pit(pool(profile), hears="info")
    (started,) = named(pit, "worker.started")
    assert started.pool == "default" and started.level == "info"
    assert started.fields["pool"] == "default"
    assert started.fields["adapter"] == "guinea_pig.GuineaPig"
    assert started.fields["pid"] == pit.workers()[0].pid
    assert isinstance(started.fields["start_ms"], int)
    assert before < started.time_ns < time.time_ns()
    (whole,) = named(pit, "pool.initialized")
    assert whole.fields["workers"] == 1
    os.kill(started.fields["pid"], signal.SIGKILL)
    (ended,) = eventually(lambda: named(pit, "worker.exit"))
    assert ended.level == "warning"
    assert ended.fields["signal"] == signal.SIGKILL
    assert ended.fields["expected"] is False
    assert ended.fields["worker"] == started.fields["worker"]
    assert not named(pit, "worker.state"), "it is below the level"


def test_the_last_events_come_before_a_pit_is_closed(profile):
    with Pit.open(pool(profile), hears="debug") as pit:
        pit.await_ready()
    assert [notice.name for notice in pit.notices].count("worker.exit") == 1
    (ended,) = [notice for notice in pit.notices if notice.name == "worker.exit"]
    assert ended.fields["expected"] is True
    times = [notice.time_ns for notice in pit.notices]
    assert len(times) > 3 and times == sorted(times)


def test_events_are_heard_whatever_the_log_takes(profile, monkeypatch):
    monkeypatch.setenv("SNAKEPIT_LOG", "off")
    with Pit.open(pool(profile), hears="info", logs=False) as pit:
        pit.await_ready()
        assert named(pit, "worker.started")


def test_a_full_line_is_told_once(open_pit):
    pit = open_pit(pool(max_queue=1), hears="info")
    calls = [pit.submit("sleep", {"seconds": 1})]
    eventually(lambda: pit.stats().running == 1)
    calls.append(pit.submit("ping"))
    for _ in range(5):
        assert pit.fails("ping").err == "SATURATED"
    (full,) = named(pit, "pool.saturated")
    assert full.level == "warning"
    assert full.fields == {
        "pool": "default",
        "refused": 1,
        "waiting": 1,
        "capacity": pit.stats().capacity,
    }
    (busy,) = named(pit, "worker.capacity_saturated")
    assert busy.fields["running"] == 1
    for call in calls:
        call.wait()


# ---- The log -------------------------------------------------------------------------


def serve(tmp_path, log_format):
    made = {
        "name": "text",
        "python": default_python("process"),
        "pool_size": 1,
        "adapter": "served.Served",
        "shared_memory_size": "64MiB",
    }
    path = tmp_path / "daemon.yaml"
    keys = {"log_format": log_format, "serve": {"listen": ["127.0.0.1:0"]}}
    path.write_text(json.dumps({**keys, "pools": [made]}))
    return Daemon(path, env={"SNAKEPIT_LOG": "info"})


def test_a_daemons_log_may_be_json(tmp_path):
    daemon = serve(tmp_path, "json")
    try:
        eventually(lambda: '"event":"worker.started"' in daemon.said())
        eventually(lambda: '"event":"serve.listening"' in daemon.said())
        daemon.stop()
        events = [json.loads(line) for line in daemon.said().splitlines()]
    finally:
        daemon.end()
    by_name = {event["event"]: event for event in events}
    started = by_name["worker.started"]
    assert started["level"] == "info" and started["pool"] == "text"
    assert isinstance(started["pid"], int)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", started["time"])
    assert by_name["serve.listening"]["address"].startswith("http://127.0.0.1:")
    assert "serve.stopped" in by_name


def test_a_log_for_a_journal_that_is_not_there_goes_to_stderr(tmp_path):
    if os.path.exists("/run/systemd/journal/socket"):
        return
    daemon = serve(tmp_path, "journald")
    try:
        reason = daemon.logged("log.no_journal")
        assert 'because="No such file or directory"' in reason
        assert daemon.logged("worker.started")
    finally:
        daemon.end()
