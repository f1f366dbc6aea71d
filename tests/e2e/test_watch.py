# SPDX-License-Identifier: MIT
"""`GET /v1/watch` with workers that live and die."""

from __future__ import annotations

import json
import os
import signal
import socket
import time

import pytest
from support.connecting import to
from support.raw_http import Raw
from support.served import Client, Events, config, end, serve_whole


@pytest.fixture
def daemon(tmp_path):
    started = serve_whole(config(tmp_path, pool_size=2))
    yield started
    end([started])


class Watch:
    """A client that keeps what it is sent, as a dashboard does."""

    def __init__(self, daemon, query=""):
        self.events = Events(Client(daemon).open("GET", "/v1/watch" + query))
        self.every = iter(self.events)
        self.pools, self.workers, self.names = {}, {}, []
        self.calls, self.deaths = [], []
        self.take()

    def take(self):
        """Takes the next event over, and gives it."""
        name, value = next(self.every)
        self.names.append(name)
        if name == "snapshot":
            self.pools, self.workers = {}, {}
        self.calls += value.get("calls", [])
        self.deaths += value.get("deaths", [])
        self.pools.update({row["name"]: row for row in value.get("pools", [])})
        self.workers.update({row["id"]: row for row in value.get("workers", [])})
        for worker in value.get("gone", {}).get("workers", []):
            self.workers.pop(worker, None)
        return value

    def until(self, condition, seconds=20):
        """The first event after which the condition holds."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            value = self.take()
            if condition(value):
                return value
        raise AssertionError(f"not within {seconds} s: {self.pools} {self.workers}")

    def close(self):
        self.events.close()


@pytest.fixture
def watch(daemon):
    watching = Watch(daemon)
    yield watching
    watching.close()


def test_the_first_event_has_all_there_is_and_the_others_what_changes(daemon, watch):
    assert watch.names == ["snapshot"]
    assert list(watch.pools) == ["text"]
    watch.until(lambda _: watch.pools["text"]["workers_ready"] == 2)
    assert len(watch.workers) == 2
    assert {row["state"] for row in watch.workers.values()} == {"READY"}
    watch.until(lambda event: "pools" not in event and "workers" not in event)
    assert Client(daemon).call("add", {"a": 1, "b": 2}) == (200, 3)
    event = watch.until(lambda event: "pools" in event)
    assert event["pools"][0]["calls"] == 1
    assert "snapshot" not in watch.names[1:]


@pytest.mark.quiet
def test_a_worker_that_is_killed_is_gone_within_a_second(watch):
    victim = next(iter(watch.workers.values()))
    killed = time.monotonic()
    os.kill(victim["pid"], signal.SIGKILL)
    watch.until(lambda _: victim["id"] not in watch.workers)
    assert time.monotonic() - killed < 1
    watch.until(lambda _: watch.pools["text"]["worker_deaths"] == 1)
    (death,) = watch.deaths
    assert (death["pool"], death["worker"]) == ("text", victim["id"])
    assert death["cause"] == "killed by signal 9 (SIGKILL)"
    assert not death["expected"]
    watch.until(lambda _: watch.pools["text"]["workers_ready"] == 2)


def test_a_worker_that_makes_room_says_why(daemon, watch):
    (old, *_) = sorted(watch.workers)
    assert Client(daemon).ask("POST", f"/v1/workers/{old}:recycle")[0] == 202
    watch.until(lambda _: watch.deaths)
    (death,) = watch.deaths
    assert (death["worker"], death["expected"]) == (old, True)
    assert death["cause"].startswith("made room: ")
    _, pool = Client(daemon).ask("GET", "/v1/pools/text")
    assert pool["deaths"] == watch.deaths


def test_what_a_worker_runs_is_told_and_can_be_cancelled(daemon, watch, tmp_path):
    client = Client(daemon)
    stream = client.events("pour", {"path": str(tmp_path / "poured"), "size": 1})

    def running():
        rows = [row["executors"][0] for row in watch.workers.values()]
        return [row for row in rows if row["tool"] == "pour"]

    watch.until(lambda _: running())
    (row,) = running()
    assert row["state"] in ("running", "asking")
    assert abs(row["since_ms"] - time.time() * 1000) < 60000
    (call,) = client.ask("GET", "/v1/calls?state=running")[1]["calls"]
    assert (call["call"], call["tool"], call["streams"]) == (row["call"], "pour", True)
    assert client.ask("DELETE", f"/v1/calls/{call['call']}")[0] == 202
    watch.until(lambda _: watch.calls and not running())
    (ended,) = watch.calls
    assert (ended["call"], ended["outcome"]) == (call["call"], "CANCELLED")
    assert ended["ran_us"] > 0
    stream.close()


def test_a_failure_is_kept_though_nobody_watches(daemon):
    client = Client(daemon)
    assert client.call("fail", {"message": "not today"})[0] == 500
    (row,) = client.ask("GET", "/v1/calls/recent?failed=true")[1]["calls"]
    assert (row["tool"], row["outcome"]) == ("fail", "TOOL_FAILED")
    assert row["error"].endswith("not today")
    assert "in fail" in row["traceback"]
    # From now on all of them are there.
    assert client.call("add", {"a": 1})[0] == 200
    rows = client.ask("GET", "/v1/calls/recent")[1]["calls"]
    assert [row["tool"] for row in rows] == ["add", "fail"]
    assert client.ask("GET", "/v1/calls/recent?limit=1")[1]["calls"] == rows[:1]


def test_the_command_lists_calls(daemon, tmp_path):
    client = Client(daemon)
    assert client.call("fail", {"message": "not today"})[0] == 500
    stream = client.events("pour", {"path": str(tmp_path / "poured"), "size": 1})
    next(iter(stream))
    done = to(daemon, "calls", "text")
    (_, line) = done.stdout.splitlines()
    assert line.split()[1:3] == ["text", "pour"]
    assert "running" in line
    done = to(daemon, "calls", "--failed")
    (_, line) = done.stdout.splitlines()
    assert line.split()[1:3] == ["text", "fail"]
    assert line.endswith("not today")
    done = to(daemon, "calls", "--json")
    assert [call["tool"] for call in json.loads(done.stdout)["calls"]] == ["pour"]
    assert to(daemon, "calls", "nowhere").returncode != 0
    stream.close()


def test_a_drain_does_not_wait_for_those_who_watch(daemon, watch):
    begun = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - begun < 10
    with pytest.raises(StopIteration):
        while True:
            watch.take()


MANY = 6000


@pytest.fixture
def reached_by_path(tmp_path):
    door = tmp_path / "door.sock"
    listen = {"listen": ["127.0.0.1:0", f"unix:{door}"]}
    started = serve_whole(config(tmp_path, listen, pool_size=2))
    yield started, door
    end([started])


def count_calls(lines):
    """Events, calls that are told and calls that are left out, to the last one."""
    events, told, left_out = 0, 0, 0
    for line in lines:
        if line.startswith(b"data: "):
            value = json.loads(line[6:])
            events += 1
            told += len(value.get("calls", []))
            left_out += value.get("calls_left_out", 0)
            if told + left_out >= MANY:
                break
    return events, told, left_out


def test_a_client_that_does_not_read_is_sent_what_it_missed_in_one(reached_by_path):
    daemon, door = reached_by_path
    stalled = socket.socket(socket.AF_UNIX)
    stalled.connect(str(door))
    head = "GET /v1/watch?interval_ms=100 HTTP/1.0\r\nHost: localhost\r\n\r\n"
    body = "POST /v1/pools/text/tools/add HTTP/1.1\r\nHost: localhost\r\n"
    body += 'Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}'
    with stalled, Raw(daemon.connect()) as raw, stalled.makefile("rb") as lines:
        stalled.sendall(head.encode())
        while b"data: " not in lines.readline():
            pass
        for _ in range(MANY // 50):
            raw.send(body * 50)
            for _ in range(50):
                assert raw.answer().status == 200
        events, told, left_out = count_calls(lines)
        assert told + left_out == MANY
        assert left_out > 0  # so it was sent nothing for a while
        assert events > 1
