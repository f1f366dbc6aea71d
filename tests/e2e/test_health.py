# SPDX-License-Identifier: MIT
"""The adapter's `health_check`: run between calls, and what follows when it fails."""

from __future__ import annotations

import os

import pytest
from support import Refused, eventually, open_gate, pool, wait_for_file

WITHIN = 60.0  # seconds that a busy machine may take for a few starts
BUSY_MS = 2000


def checked(kind, folder, **options):
    settings = {
        "adapter": "healthy.Checked",
        "adapter_config": {"folder": str(folder)},
        "health_check_interval_ms": 20,
        "health_check_timeout_ms": 60_000,
        "health_check_max_failed": 2,
        **options,
    }
    return pool(kind, **settings)


def await_status(pit, worker, status):
    eventually(lambda: pit.health(worker).status == status, status, WITHIN)
    return pit.health(worker)


def await_recycled(pit, count):
    eventually(
        lambda: pit.stats().worker_recycles >= count, f"{count} are replaced", WITHIN
    )


def test_a_sick_worker_is_replaced_and_no_call_notices(open_pit, kind, tmp_path):
    pit = open_pit(checked(kind, tmp_path, pool_size=2))
    sick, well = pit.workers()
    await_status(pit, sick.id, "healthy")
    (tmp_path / f"sick-{sick.pid}").write_text("the model is gone")
    calls = 0

    def replaced():
        nonlocal calls
        for value in range(20):
            calls += 1
            assert pit.call("echo", {"value": value}) == value
        return sick.id not in {row.id for row in pit.workers()}

    eventually(replaced, "the sick one has gone", WITHIN)
    assert well.id in {row.id for row in pit.workers()}
    (line,) = pit.logged("worker.recycled")
    assert f"worker={sick.id} " in line
    assert 'because="health_check_max_failed"' in line
    told = pit.logged("worker.unhealthy")
    assert f"worker={sick.id} failed=1 limit=2" in told[0]
    assert 'because="OSError: the model is gone"' in told[1]
    stats = pit.stats()
    assert stats.health_check_failures == len(told) >= 2
    assert (stats.failures, stats.worker_deaths) == (0, 0)
    assert stats.calls == calls  # checks are not among them
    assert stats.worker_recycles == 1
    for row in pit.workers():
        assert await_status(pit, row.id, "healthy").failures == 0


@pytest.mark.parametrize(
    ("adapter", "how", "message"),
    [
        ("Checked", "false", "Unhealthy: health_check returned False"),
        ("Checked", "slow", "it took longer than health_check_timeout_ms"),
        ("AsyncChecked", "the model is gone", "OSError: the model is gone"),
        ("AsyncChecked", "false", "Unhealthy: health_check returned False"),
        ("Once", "the model is gone", "OSError: the model is gone"),
    ],
)
def test_what_is_wrong_is_told_and_forgotten(
    open_pit, profile, tmp_path, adapter, how, message
):
    options = {"health_check_max_failed": 1000, "cancel_grace_ms": 60_000}
    if how == "slow":
        options["health_check_timeout_ms"] = 200
    pit = open_pit(checked(profile, tmp_path, adapter=f"healthy.{adapter}", **options))
    (row,) = pit.workers()
    (tmp_path / "sick").write_text(how)
    found = await_status(pit, row.id, "unhealthy")
    assert message in found.message
    assert found.consecutive_failures >= 1
    assert found.failures <= found.checks
    (tmp_path / "sick").unlink()
    found = await_status(pit, row.id, "healthy")
    assert (found.message, found.consecutive_failures) == ("", 0)
    assert pit.await_line("worker.healthy", f"worker={row.id}") is None
    assert [other.id for other in pit.workers()] == [row.id]


def test_where_a_fresh_worker_would_do_no_better_it_stays(open_pit, profile, tmp_path):
    (tmp_path / "sick").write_text("the data base is down")
    pit = open_pit(checked(profile, tmp_path))
    pit.await_line("worker.kept", "do no better")
    eventually(lambda: len(pit.workers()) == 1, "the one before has gone", WITHIN)
    (row,) = pit.workers()
    assert pit.stats().worker_recycles == 1
    checks = pit.health(row.id).checks
    eventually(lambda: pit.health(row.id).checks > checks + 5, "it is still checked")
    assert pit.stats().worker_recycles == 1
    assert pit.call("pid") == row.pid


@pytest.mark.parametrize("how", ["hang", "crash"])
def test_checks_that_end_their_workers_come_less_and_less_often(
    open_pit, tmp_path, how
):
    options = {"health_check_timeout_ms": 50, "cancel_grace_ms": 20}
    options.update(restart_limit=1000, restart_backoff_ms=0)
    pit = open_pit(checked("process", tmp_path, pool_size=2, **options))
    (tmp_path / "sick").write_text(how)
    for pause in (40, 80, 160):
        pit.await_line("worker.check_fatal", f"pause_ms={pause} ")
    (tmp_path / "sick").unlink()
    for _ in range(10):
        assert pit.call("echo", {"value": 1}, timeout_ms=60_000) == 1

    def all_pass():
        try:
            return {pit.health(row.id).status for row in pit.workers()} == {"healthy"}
        except Refused:  # it has gone meanwhile
            return False

    eventually(all_pass, "all pass", WITHIN)
    deaths = pit.stats().worker_deaths
    assert pit.stats().health_check_failures >= deaths >= 3


def test_lesson_24_a_worker_that_is_busy_is_not_sick(open_pit, tmp_path):
    os.mkfifo(tmp_path / "gate")
    options = {"health_check_timeout_ms": BUSY_MS, "health_check_max_failed": 1}
    pit = open_pit(checked("process", tmp_path, **options))
    (row,) = pit.workers()
    await_status(pit, row.id, "healthy")
    asked = {"path": str(tmp_path / "gate"), "ready": str(tmp_path / "began")}
    call = pit.submit("wait_for", asked)
    wait_for_file(tmp_path / "began")
    eventually(lambda: pit.health(row.id).checked_ms > BUSY_MS + 500, "time passes")
    open_gate(tmp_path / "gate", call.ended.is_set)
    assert call.wait().value == "over"
    checks = pit.health(row.id).checks
    eventually(lambda: pit.health(row.id).checks > checks, "it is checked again")
    assert pit.health(row.id).failures == 0
    assert [other.id for other in pit.workers()] == [row.id]


def test_who_is_not_checked_is_unknown(open_pit, tmp_path):
    unchecked = pool(
        name="unchecked", adapter="healthy.Unchecked", health_check_interval_ms=10
    )
    never = checked("process", tmp_path, name="never", health_check_interval_ms=None)
    pit = open_pit(unchecked, never)
    for name in ("unchecked", "never"):
        (row,) = pit.workers(name)
        found = pit.health(row.id, name)
        assert (found.status, found.checks, found.checked_ms) == ("unknown", 0, 0)
        with pytest.raises(Refused, match="NOT_FOUND"):
            pit.health(row.id + 10, name)
    with pytest.raises(Refused, match="UNKNOWN_POOL"):
        pit.health(1, "other")


@pytest.mark.errors_logged("pool.failed")
def test_a_check_gives_one_value(open_pit):
    pit = open_pit(pool(adapter="healthy.Streams"), ready=False)
    with pytest.raises(Refused, match="health_check of Streams is a generator"):
        pit.await_ready()
