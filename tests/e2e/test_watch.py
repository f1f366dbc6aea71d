# SPDX-License-Identifier: MIT
"""`GET /v1/watch` with workers that live and die."""

from __future__ import annotations

import os
import signal
import time

import pytest
from support.served import Client, Events, config, end, serve


@pytest.fixture
def daemon(tmp_path):
    started = serve(config(tmp_path, pool_size=2))
    yield started
    end([started])


class Watch:
    """A client that keeps what it is sent, as a dashboard does."""

    def __init__(self, daemon, query=""):
        self.events = Events(Client(daemon).open("GET", "/v1/watch" + query))
        self.every = iter(self.events)
        self.pools, self.workers, self.names = {}, {}, []
        self.take()

    def take(self):
        """Takes the next event over, and gives it."""
        name, value = next(self.every)
        self.names.append(name)
        if name == "snapshot":
            self.pools, self.workers = {}, {}
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
    assert len(watch.workers) == 2
    watch.until(lambda _: watch.pools["text"]["workers_ready"] == 2)
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
    watch.until(lambda _: watch.pools["text"]["workers_ready"] == 2)


def test_a_drain_does_not_wait_for_those_who_watch(daemon, watch):
    begun = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - begun < 10
    with pytest.raises(StopIteration):
        while True:
            watch.take()
