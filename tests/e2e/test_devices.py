# SPDX-License-Identifier: MIT
"""Each worker has one of a list of names."""

from __future__ import annotations

import collections

from support import eventually, pool

WITHIN = 60.0  # seconds that a busy machine may take for a few starts


def devices(kind, **options):
    wanted = {"variable": "PORT", "values": ["8001", "8002"], "workers_per_device": 2}
    return pool(kind, devices=wanted, **options)


def held(pit):
    """How many workers there are with each name."""
    return collections.Counter(row.device for row in pit.workers())


def test_a_worker_finds_its_device_in_its_environment(open_pit, kind):
    pit = open_pit(devices(kind, pool_size=1))
    (row,) = pit.workers()
    assert row.device == "8001"
    assert pit.call("environment", {"names": ["PORT"]}) == {"PORT": "8001"}


def test_devices_are_spread_and_kept_by_successors(open_pit, profile):
    pit = open_pit(devices(profile, pool_size=4, recycle_at_once=2))
    assert held(pit) == {"8001": 2, "8002": 2}
    pit.recycle()
    eventually(lambda: pit.stats().worker_recycles == 4, "all are replaced", WITHIN)
    eventually(lambda: len(pit.workers()) == 4, "they left", WITHIN)
    assert held(pit) == {"8001": 2, "8002": 2}


def test_a_pool_that_grows_has_them_too(open_pit):
    pit = open_pit(devices("process", pool_size={"min": 1, "max": 4}))
    assert held(pit) == {"8001": 1}
    pit.resize(4)
    eventually(lambda: pit.stats().workers_ready == 4, "it has grown", WITHIN)
    assert held(pit) == {"8001": 2, "8002": 2}


def test_without_devices_there_is_none(open_pit):
    (row,) = open_pit(pool("process")).workers()
    assert row.device is None
