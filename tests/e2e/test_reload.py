# SPDX-License-Identifier: MIT
"""A pit goes on as another configuration says, and no call notices."""

from __future__ import annotations

import json
import os
import threading

import pytest
from support import Callers, Pit, Refused, eventually, open_gate, pool, wait_for_file
from support.templates import template_of

WITHIN = 60.0  # seconds that a busy machine may take for a few starts

ADAPTER = """
from snakepit_bridge import ThreadSafeAdapter, tool
from shop_parts import PART


class Shop(ThreadSafeAdapter):
    @tool
    def echo(self, value=None):
        return value

    @tool
    def edition(self):
        return [{edition}, PART]
"""


class Shop:
    """A pit.yaml, and the code of its adapter beside it."""

    def __init__(self, folder, kind):
        self.folder = folder
        self.kind = kind
        self.file = folder / "pit.yaml"
        self.write_code(1)
        self.write_part(1)
        self.write_pools()

    def write_code(self, edition):
        (self.folder / "shop_now.py").write_text(ADAPTER.format(edition=edition))

    def write_part(self, part):
        (self.folder / "shop_parts.py").write_text(f"PART = {part!r}\n")

    def write_pools(self, *more, **options):
        made = pool(self.kind, adapter="shop_now.Shop", pool_size=2)
        made.update(options)
        self.file.write_text(json.dumps({"pools": [made, *more]}))


@pytest.fixture
def shop(tmp_path, kind):
    return Shop(tmp_path, kind)


@pytest.fixture
def open_shop(opened, shop):
    pit = Pit.open_file(shop.file)
    opened.append(pit)
    return pit.await_ready()


def ids(pit):
    return {row.id for row in pit.workers()}


def await_new_workers(pit):
    eventually(lambda: pit.stats().workers_outdated == 0, "all are new", WITHIN)


# ---- Code ----------------------------------------------------------------------------


def test_new_code_is_run_after_a_reload_of_the_same_file(shop, open_shop):
    pit = open_shop
    assert pit.call("edition") == [1, 1]
    before = ids(pit)
    pit.reload_file(shop.file)
    assert ids(pit) == before  # nothing has changed
    with Callers(pit) as callers:
        shop.write_code(22)
        pit.reload_file(shop.file)
        await_new_workers(pit)
        assert {tuple(pit.call("edition")) for _ in range(8)} == {(22, 1)}
        shop.write_part("other")  # what the adapter imports counts as well
        pit.reload_file(shop.file)
        await_new_workers(pit)
        assert {tuple(pit.call("edition")) for _ in range(8)} == {(22, "other")}
    assert callers.wrong == []
    assert not before & ids(pit)
    stats = pit.stats()
    assert (stats.failures, stats.worker_deaths) == (0, 0)
    assert stats.worker_recycles == 4
    before = ids(pit)
    pit.reload_file(shop.file)
    assert ids(pit) == before


@pytest.mark.parametrize("kind", ["process"])
def test_a_template_with_the_old_code_forks_nobody_any_more(shop, open_shop):
    pit = open_shop
    old = eventually(lambda: template_of(pit), "a template")
    shop.write_code(2)
    pit.reload_file(shop.file)
    await_new_workers(pit)
    new = eventually(lambda: template_of(pit), "a template")
    assert new != old
    assert pit.call("edition") == [2, 1]
    assert pit.stats().worker_starts == 4


@pytest.mark.errors_logged("worker.start_failed", "template.unused")
@pytest.mark.parametrize("kind", ["process"])
def test_code_that_cannot_start_costs_nobody_and_can_be_mended(shop, open_shop):
    pit = open_shop
    before = ids(pit)
    (shop.folder / "shop_now.py").write_text("raise RuntimeError('not today')\n")
    with Callers(pit) as callers:
        pit.reload_file(shop.file)
        eventually(lambda: pit.logged("worker.start_failed"), "it fails", WITHIN)
        assert before <= ids(pit)
        shop.write_code(3)
        pit.reload_file(shop.file)
        await_new_workers(pit)
    assert callers.wrong == []
    assert pit.call("edition") == [3, 1]
    assert pit.stats().failures == 0


# ---- Keys ----------------------------------------------------------------------------


def test_workers_that_are_told_something_else_are_new(open_pit, kind):
    pit = open_pit(pool(kind, pool_size=2, adapter_env={"EDITION": "old"}))
    before = ids(pit)
    with Callers(pit) as callers:
        pit.reload(pool(kind, pool_size=2, adapter_env={"EDITION": "new"}))
        await_new_workers(pit)
        eventually(lambda: callers.calls > 100, "enough calls", WITHIN)
    assert callers.wrong == []
    assert not before & ids(pit)
    assert pit.stats().worker_recycles == 2
    (line,) = pit.logged("pool.reloaded")
    assert 'change=workers keys="adapter_env"' in line


def test_rules_hold_at_once_and_leave_workers_alone(open_pit, profile):
    pit = open_pit(pool(profile, adapter="asks.Asks"))
    before = ids(pit)
    pit.reload(pool(profile, adapter="asks.Asks", call_timeout_ms=50))
    assert pit.fails("sleep", {"seconds": 60}).err == "DEADLINE_EXCEEDED"
    assert ids(pit) == before


def test_a_pool_gets_larger_and_smaller(open_pit, profile):
    pit = open_pit(pool(profile, pool_size=1))
    (first,) = ids(pit)
    with Callers(pit) as callers:
        pit.reload(pool(profile, pool_size=3)).await_ready()
        assert first in ids(pit) and len(ids(pit)) == 3
        pit.reload(pool(profile, pool_size={"min": 1, "max": 2}))
        eventually(lambda: len(ids(pit)) == 2, "one leaves", WITHIN)
    assert callers.wrong == []
    assert pit.stats().failures == 0


def test_processes_become_threads_and_back(open_pit):
    threads = pool("thread", pool_size=1, name="default")
    processes = pool("process-ft", pool_size=4)
    pit = open_pit(processes)
    with Callers(pit) as callers:
        for wanted in (threads, processes):
            pit.reload(wanted)
            await_new_workers(pit)
            eventually(
                lambda: sum(row.capacity for row in pit.workers()) == 4,
                "just those",
                WITHIN,
            )
            assert pit.stats().profile.decode() == wanted["worker_profile"]
    assert callers.wrong == []
    stats = pit.stats()
    assert (stats.failures, stats.worker_deaths) == (0, 0)


# ---- Pools ---------------------------------------------------------------------------


def test_pools_come_and_go_under_load(open_pit, profile, tmp_path):
    os.mkfifo(tmp_path / "gate")
    first = pool(profile, name="first")
    second = pool(profile, name="second")
    pit = open_pit(first, second)
    asked = {
        "path": str(tmp_path / "gate"),
        "ready": str(tmp_path / "began"),
        "value": 5,
    }
    running = pit.submit("wait_for", asked, pool="second")
    wait_for_file(tmp_path / "began")
    waiting = [pit.submit("echo", {"value": n}, pool="second") for n in range(20)]
    with Callers(pit, pool="first") as callers:
        pit.reload(first, pool(profile, name="third"))
        assert pit.call("echo", {"value": 1}, pool="third") == 1
        fault = pit.fails("echo", pool="second")
        assert fault.err == "POOL_REMOVED"
        assert fault.message.startswith('pool "second" was removed')
        open_gate(tmp_path / "gate", running.ended.is_set)
        assert running.wait().value == 5
        assert [call.wait().value for call in waiting] == list(range(20))
        eventually(lambda: not pit.workers("second"), "they leave", WITHIN)
    assert callers.wrong == []
    assert pit.pool_names() == ["first", "third"]
    with pytest.raises(Refused, match='no pool "fourth"; the pools are "first"'):
        pit.recycle("fourth")
    pit.reload(second)
    assert pit.call("echo", {"value": 2}) == 2  # it is the default now
    assert pit.call("echo", {"value": 3}, pool="second") == 3


def test_after_the_grace_calls_of_a_removed_pool_end(open_pit, profile):
    pit = open_pit(pool(profile, name="first"), pool(profile, name="second"))
    running = pit.submit("sleep", {"seconds": 600}, pool="second", timeout_ms=0)
    eventually(lambda: pit.stats("second").running == 1, "it runs", WITHIN)
    pit.reload(pool(profile, name="first"), grace_ms=1)
    assert running.wait().err == "POOL_REMOVED"
    eventually(lambda: not pit.workers("second"), "they leave", WITHIN)
    assert pit.stats("second").state == b"removed"


# ---- What is refused -----------------------------------------------------------------


def test_a_bad_file_changes_nothing(shop, open_shop):
    pit = open_shop
    before = ids(pit)
    shop.file.write_text("pools:\n  - name: default\n    pool_sise: 3\n")
    with pytest.raises(Refused, match=r"pit\.yaml:3: pools\[0\]\.pool_sise: unknown"):
        pit.reload_file(shop.file)
    shop.write_pools(pool(shop.kind, name="new"), shared_memory_size="65MiB")
    with pytest.raises(Refused, match="pool default: shared_memory_size: it cannot"):
        pit.reload_file(shop.file)
    assert (ids(pit), pit.pool_names()) == (before, ["default"])
    assert pit.call("edition") == [1, 1]


@pytest.mark.parametrize("kind", ["process"])
def test_reloads_from_many_threads_take_turns(open_pit, kind):
    sizes = [pool(kind, pool_size=n) for n in (1, 2, 3)]
    pit = open_pit(sizes[0])
    over = threading.Event()
    refused = []

    def resize():
        for turn in range(20):
            try:
                pit.reload(sizes[turn % 3], pool(kind, name=f"more{turn % 2}"))
            except Refused as error:
                refused.append(error)
        over.set()

    threads = [threading.Thread(target=resize) for _ in range(3)]
    with Callers(pit) as callers:
        for thread in threads:
            thread.start()
        while not over.is_set():
            pit.recycle()
            pit.stats()
            pit.pool_names()
        for thread in threads:
            thread.join()
    assert (callers.wrong, refused) == ([], [])
    pit.reload(sizes[1]).await_ready()
    eventually(lambda: len(pit.workers()) == 2, "just those", WITHIN)
    assert pit.stats().failures == 0
