# SPDX-License-Identifier: MIT
"""Events of the library's own: as values, and in the formats of the log."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time

import pytest
from support import Pit, eventually, pool
from support.command import SNAKEPIT, environment
from support.configs import default_python
from support.daemon import Daemon
from support.served import Client, Events, config, end
from support.served import serve as serve_ready


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
    calls = [pit.submit("sleep", {"seconds": 3})]
    eventually(lambda: pit.stats().running == 1)
    calls.append(pit.submit("ping"))
    for _ in range(5):
        assert pit.fails("ping").err == "SATURATED"
    (full,) = eventually(lambda: named(pit, "pool.saturated"), "it is told")
    assert full.level == "warning"
    assert full.fields == {
        "pool": "default",
        "refused": 5,
        "waiting": full.fields["waiting"],
        "capacity": pit.stats().capacity,
    }
    (busy,) = named(pit, "worker.capacity_saturated")
    assert busy.level == "info"
    assert busy.fields["running"] == 1
    for call in calls:
        call.wait()


def test_a_pool_that_was_full_is_told_to_be_free_again(open_pit):
    pit = open_pit(pool(), hears="info")
    for call in [pit.submit("sleep", {"seconds": 0.1}) for _ in range(40)]:
        call.wait()
    assert len(named(pit, "worker.capacity_saturated")) == 1
    (free,) = eventually(lambda: named(pit, "worker.capacity_free"), "it is told")
    assert free.level == "info"
    assert free.fields["saturated_ms"] > 0
    assert len(named(pit, "worker.capacity_saturated")) == 1


# ---- To those who follow a daemon ----------------------------------------------------


@pytest.fixture
def client(tmp_path):
    daemon = serve_ready(config(tmp_path, pool_size=2))
    yield Client(daemon)
    end([daemon])


class Following:
    """A client that follows events, each with its id."""

    def __init__(self, client, query="", **headers):
        self.answer = client.open("GET", "/v1/events" + query, **headers)
        self.events = Events(self.answer)
        self.every = iter(self.events)

    def until(self, name):
        """The next event of that name."""
        return next(value for _, value in self.every if value.get("event") == name)

    def close(self):
        self.events.close()


def worker_pids(client):
    workers = client.ask("GET", "/v1/pools/text")[1]["workers_now"]
    return [worker["pid"] for worker in workers]


def test_who_follows_hears_of_a_death_at_once(client):
    following = Following(client, "?pool=text&level=warning")
    (pid, _) = worker_pids(client)
    os.kill(pid, signal.SIGKILL)
    ended = following.until("worker.exit")
    assert ended["pid"] == pid and ended["signal"] == signal.SIGKILL
    assert ended["level"] == "warning" and ended["pool"] == "text"
    following.close()


def test_who_comes_again_goes_on_behind_what_it_has_seen(client):
    following = Following(client, "?last=1024&name=worker.started")
    lines = iter(following.answer)
    ids = [next(line for line in lines if line.startswith(b"id: ")) for _ in range(2)]
    following.close()
    again = Following(
        client, "?name=worker.started", last_event_id=ids[0].decode().split()[1]
    )
    lines = iter(again.answer)
    assert next(line for line in lines if line.startswith(b"id: ")) == ids[1]
    again.close()
    stranger = Following(client, "?name=worker.started", last_event_id="1f.7")
    lines = iter(stranger.answer)
    assert next(line for line in lines if line.startswith(b"id: ")) == ids[0]
    stranger.close()


def test_what_the_daemon_does_is_followed_as_well(client):
    following = Following(client)
    assert client.ask("POST", "/v1/pools/text:recycle")[0] == 202
    asked = following.until("serve.recycle")
    assert asked["pool"] == "text" and asked["client"].startswith("127.0.0.1:")
    assert following.until("worker.recycled")["pool"] == "text"
    following.close()


def test_a_follower_of_a_daemon_that_drains_comes_to_its_end(tmp_path):
    daemon = serve_ready(config(tmp_path))
    following = Following(Client(daemon))
    assert daemon.stop() == 0
    assert all(name == "message" for name, _ in following.every)
    following.close()
    end([daemon])


@pytest.mark.parametrize("query", ["?level=loud", "?last=-1", "?last=1025", "?pool=%"])
def test_what_cannot_be_followed_is_refused(client, query):
    status, problem = client.ask("GET", "/v1/events" + query)
    assert status == 400 and problem["detail"]


# ---- The command ---------------------------------------------------------------------


def follow(client, *words):
    """`snakepit events` of that daemon, with its lines as they come."""
    return subprocess.Popen(
        [SNAKEPIT, "events", "--connect", client.daemon.urls()[0], *words],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def interrupted(command):
    command.send_signal(signal.SIGINT)
    rest, errors = command.communicate(timeout=60)
    assert command.returncode == 0, errors
    return rest


def test_the_command_prints_events_until_it_is_interrupted(client):
    command = follow(client, "text", "--level", "warning", "--last", "1024")
    (pid, _) = worker_pids(client)
    os.kill(pid, signal.SIGKILL)
    line = command.stdout.readline()
    assert re.match(r"\S+Z warning worker.exit pool=text worker=\d+ pid=\d+ ", line)
    assert line.endswith("signal=9 expected=no\n")
    interrupted(command)


def test_the_command_prints_json_and_what_was_before(client):
    command = follow(client, "--json", "--name", "worker.started", "--last", "1024")
    events = [json.loads(command.stdout.readline()) for _ in range(2)]
    assert {event["pid"] for event in events} == set(worker_pids(client))
    interrupted(command)


def test_the_command_says_why_it_ended(tmp_path):
    daemon = serve_ready(config(tmp_path))
    command = follow(Client(daemon), "--last", "1024")
    assert command.stdout.readline()
    assert daemon.stop() == 0
    _, errors = command.communicate(timeout=60)
    assert command.returncode not in (0, None)
    assert "has ended the stream of its events" in errors
    end([daemon])


def test_the_command_refuses_a_level_that_is_none(client):
    command = follow(client, "--level", "loud")
    _, errors = command.communicate(timeout=60)
    assert command.returncode not in (0, None)
    assert "level is debug, info, warning or error" in errors


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
