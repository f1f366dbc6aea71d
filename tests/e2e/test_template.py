# SPDX-License-Identifier: MIT
"""Lessons 1 and 40 for pools whose workers are forked, and what a template is for."""

from __future__ import annotations

import os
import pathlib
import random
import re
import signal
import statistics
import threading

import pytest
from support import (
    Pit,
    Process,
    alive_of,
    children_of,
    eventually,
    marked,
    pool,
    seconds,
    template_of,
)

FORKING = ("process", "process-ft")
GONE_WITHIN = 20.0  # seconds from the death of a host, on a busy machine


@pytest.fixture(params=FORKING)
def forking(request):
    """Each kind of pool that forks its workers."""
    return request.param


def forks(kind="process", adapter="forks.Forks", environment=None, **options):
    return pool(kind, adapter=adapter, adapter_env=environment or {}, **options)


def unused(pit):
    """Why the template is not used, by the log; None if it is."""
    lines = pit.logged("template.unused")
    assert len(lines) <= 1, "it is said once"
    return lines[0] if lines else None


def await_template(pit, within=60.0):
    return eventually(lambda: template_of(pit), "a template", within)


# ---- What a forked worker is ---------------------------------------------------------


def test_workers_are_forked_and_belong_to_the_host(open_pit, forking):
    pit = open_pit(forks(forking, pool_size=2))
    template = template_of(pit)
    importer, pid, parent, group = pit.call("born")
    assert importer == template.pid
    assert parent == os.getpid()
    assert pid == group != importer
    assert children_of(os.getpid()) == pit.processes() | {template}
    assert unused(pit) is None


def test_a_forked_worker_has_the_descriptors_of_any_other(open_pit, forking):
    forked = open_pit(forks(forking)).call("open_descriptors")
    fresh = open_pit(forks(forking, template="off")).call("open_descriptors")
    assert forked == fresh


def test_a_forked_worker_runs_on_its_main_thread_with_its_words(open_pit, forking):
    pit = open_pit(forks(forking, adapter_args=["--verbose", "two words"]))
    assert pit.call("main_thread") is True
    assert pit.call("words") == ["--verbose", "two words"]
    assert pit.call("threads") == 2  # itself and the service


def test_each_forked_worker_has_random_numbers_of_its_own(open_pit, forking):
    pit = open_pit(forks(forking, environment={"NUMPY": "1"}))
    assert unused(pit) is None
    seen = []
    for _ in range(4):
        seen.append(pit.call("numbers"))
        pit.kill_workers()
    for column in zip(*seen):
        assert len(set(column)) == len(seen), seen


def test_the_environment_of_a_pool_is_that_of_its_forked_workers(open_pit, forking):
    environment = {"OMP_NUM_THREADS": "3", "SPECIAL": "yes"}
    pit = open_pit(pool(forking, adapter_env=environment))
    found = pit.call("surroundings")["environment"]
    assert found["OMP_NUM_THREADS"] == "3"
    assert found["OPENBLAS_NUM_THREADS"] == "1"
    assert found["SPECIAL"] == "yes"


def test_without_a_template_there_is_none(open_pit, forking):
    pit = open_pit(forks(forking, template="off", pool_size=2))
    importer, pid, *_ = pit.call("born")
    assert importer == pid
    assert not pit.logged("template.ready")
    assert children_of(os.getpid()) == pit.processes()


def test_a_pool_that_fell_back_to_processes_forks_them(open_pit):
    wanted = forks("thread", threads_per_worker=2, python=pool("process")["python"])
    pit = open_pit(wanted)
    importer, pid, *_ = pit.call("born")
    assert importer == template_of(pit).pid != pid


def test_resources_are_loaded_once_for_all_forked_workers(open_pit, forking):
    pit = open_pit(forks(forking, preload_resources={"model.bin": "model"}))
    template = template_of(pit)
    first = pit.call("loaded_by")
    pit.kill_workers()
    second = pit.call("loaded_by")
    assert first[0] == second[0] == template.pid
    assert len({template.pid, first[1], second[1]}) == 3


# ---- What it saves -------------------------------------------------------------------


def _private_memory(process):
    """Bytes that are the process's alone, or its share of what it has in common."""
    text = pathlib.Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1]) * 1024


def test_forked_workers_share_what_the_import_took(open_pit, forking):
    weights = {"WEIGHTS": "1000000"}  # some 32 MB of floats
    means = {}
    for use in ("auto", "off"):
        pit = open_pit(forks(forking, environment=weights, template=use, pool_size=4))
        sizes = [_private_memory(process) for process in pit.processes()]
        means[use] = statistics.mean(sizes)
        pit.close()
    assert means["auto"] < means["off"] / 3, means


def _replacement_seconds(pit):
    """Seconds that each of some replacements took to be ready."""
    for _ in range(5):
        pit.call("ping")
        pit.kill_workers()
    return pit.start_seconds()[1:]


@pytest.mark.quiet
def test_a_forked_worker_is_ready_much_sooner(open_pit):
    heavy = {"NUMPY": "1"}
    forked = _replacement_seconds(open_pit(forks(environment=heavy)))
    fresh = _replacement_seconds(open_pit(forks(environment=heavy, template="off")))
    assert statistics.median(forked) < statistics.median(fresh) / 3, (forked, fresh)


# ---- 40: what cannot be forked -------------------------------------------------------


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        ("thread", "2 threads"),
        ("lasting_thread", "2 threads"),
        ("socket", "socket:"),
        ("process", "started a process"),
        ("file", "kept.txt"),
    ],
)
def test_lesson_40_what_cannot_be_forked_is_found_out_and_execed(
    open_pit, forking, tmp_path, deed, said
):
    environment = {"DEED": deed, "FILE": str(tmp_path / "kept.txt")}
    pit = open_pit(forks(forking, environment=environment, pool_size=2))
    importer, pid, *_ = pit.call("born")
    assert importer == pid
    assert said in unused(pit)
    assert not pit.logged("template.ready")
    pit.kill_workers()
    assert pit.call("ping") == "pong"
    assert unused(pit), "it is said once"
    pit.close()


def test_lesson_40_numpy_is_forked_for_it_starts_no_threads(open_pit, forking):
    pit = open_pit(forks(forking, environment={"NUMPY": "1"}))
    assert unused(pit) is None
    importer, pid, *_ = pit.call("born")
    assert importer != pid


def test_lesson_40_numpy_with_threads_of_its_own_is_execed(open_pit):
    environment = {"NUMPY": "1", "OPENBLAS_NUM_THREADS": "2"}
    pit = open_pit(forks(environment=environment))
    assert "threads running" in unused(pit)
    assert pit.call("ping") == "pong"


def test_lesson_40_an_author_can_say_no(open_pit, forking):
    pit = open_pit(forks(forking, adapter="forks.Unwilling"))
    assert "Unwilling sets __forkable__ = False" in unused(pit)
    importer, pid, *_ = pit.call("born")
    assert importer == pid


@pytest.mark.parametrize("limit", [1, 3])
@pytest.mark.parametrize("how", ["raise", "crash"])
def test_lesson_40_what_fails_only_when_forked_is_execed(open_pit, forking, how, limit):
    pit = open_pit(
        forks(
            forking,
            environment={"ONLY_WHERE_IMPORTED": how},
            pool_size=2,
            restart_limit=limit,
        )
    )
    assert "could not start" in unused(pit)
    importer, pid, *_ = pit.call("born")
    assert importer == pid
    eventually(lambda: template_of(pit) is None, "the template leaves")


# ---- 1: all die with their host ------------------------------------------------------


def _all_of(host):
    return children_of(host.popen.pid)


def _die_with_host(host, processes):
    host.kill(signal.SIGKILL)
    eventually(
        lambda: not alive_of(processes),
        f"{len(processes)} processes die with their host",
        GONE_WITHIN,
    )
    host.reap()


def test_lesson_01_the_template_and_its_workers_die_with_the_host(start_host, forking):
    host = start_host(forks(forking, pool_size=3))
    host.open()
    processes = _all_of(host)
    assert len(processes - host.workers()) == 1
    _die_with_host(host, processes)


def test_lesson_01_a_stopped_template_dies_with_the_host(start_host):
    host = start_host(forks(pool_size=2))
    host.open()
    (template,) = _all_of(host) - host.workers()
    template.stop()
    _die_with_host(host, _all_of(host))


def test_lesson_01_an_importing_template_dies_with_the_host(start_host):
    for turn in range(10):
        host = start_host(forks(pool_size=2))
        host.open(ready=False)
        found = eventually(lambda host=host: _all_of(host), "the template")
        _die_with_host(host, found | _all_of(host))
        eventually(
            lambda: not alive_of(marked()), f"turn {turn} leaves nobody", GONE_WITHIN
        )


# ---- Its end -------------------------------------------------------------------------


def test_a_killed_template_is_replaced_when_it_is_needed(open_pit, forking):
    pit = open_pit(forks(forking, restart_backoff_ms=0))
    first = template_of(pit)
    before = pit.processes()
    first.kill(signal.SIGKILL)
    eventually(lambda: not first.state, "it is waited for")
    assert pit.processes() == before == alive_of(before)
    assert pit.call("ping") == "pong"
    eventually(lambda: pit.logged("template.lost"))
    pit.kill_workers()
    second = await_template(pit)
    assert second != first
    pit.kill_workers()
    assert pit.call("born")[0] == second.pid


def test_a_template_that_keeps_dying_is_given_up(open_pit):
    pit = open_pit(forks(restart_backoff_ms=0, template="auto"))
    row = pit.workers()[0]
    for turn in range(3):
        template = await_template(pit)
        template.kill(signal.SIGKILL)
        eventually(lambda template=template: not template.state)
        if turn < 2:
            # The replacement is exec'ed while the next template imports.
            pit.call("ping")
            (row,) = pit.kill_workers()
    assert row.id > 1
    assert "ended by itself" in eventually(lambda: unused(pit), "it is given up")
    pit.kill_workers()
    assert pit.call("ping") == "pong"
    assert template_of(pit) is None


def test_a_stopped_template_is_killed_and_workers_come_all_the_same(open_pit, forking):
    pit = open_pit(forks(forking, pool_size=2))
    template = template_of(pit)
    template.stop()
    with seconds() as taken:
        pit.kill_workers()
    assert pit.call("ping") == "pong"
    assert taken.seconds < 20
    assert not template.state
    assert "did not fork in time" in pit.logged("template.lost")[0]


def test_closing_does_not_wait_for_a_stopped_template(open_pit):
    pit = open_pit(forks(stop_grace_ms=100))
    template = template_of(pit)
    template.stop()
    with seconds() as taken:
        pit.close()
    assert taken.seconds < 10
    assert not template.state


def test_closing_while_forks_are_waited_for_leaves_nobody(opened):
    pit = Pit.open(forks(pool_size=2, stop_grace_ms=100))
    opened.append(pit)
    pit.await_ready()
    template = template_of(pit)
    template.stop()
    for process in pit.processes():
        process.kill(signal.SIGKILL)
    eventually(lambda: not pit.workers(), "the workers are gone")
    pit.close()
    assert not children_of(os.getpid())


def test_a_template_that_dies_under_load_costs_no_call(open_pit):
    pit = open_pit(forks(pool_size=2, restart_backoff_ms=0, restart_limit=1000))
    answers = []
    over = threading.Event()
    errors = {"OK", "WORKER_DIED", "WORKER_LOST"}

    def load():
        while not over.is_set():
            with pit.answer("ping") as answer:
                answers.append(answer.err)

    callers = [threading.Thread(target=load) for _ in range(4)]
    for caller in callers:
        caller.start()
    chance = random.Random(40)
    submitted = []
    for _ in range(100):
        victims = eventually(lambda: pit.processes() | ({template_of(pit)} - {None}))
        victim = chance.choice(sorted(victims, key=lambda process: process.pid))
        victim.kill(signal.SIGKILL)
        submitted += [pit.submit("ping") for _ in range(10)]
        eventually(lambda victim=victim: not victim.state, "it is waited for")
    over.set()
    for caller in callers:
        caller.join()
    assert set(answers) <= errors
    assert {call.wait().err for call in submitted} <= errors
    assert {call.times for call in submitted} == {1}
    eventually(lambda: pit.state() == "ready")
    assert len(pit.processes()) == 2


# ---- 3: starts and stops -------------------------------------------------------------


def _kill_one(pit, chance):
    """Kills one of our children at once, whichever it is."""
    found = eventually(lambda: children_of(os.getpid()), "a child")
    chance.choice(sorted(found, key=lambda process: process.pid)).kill(signal.SIGKILL)


def test_lesson_03_five_hundred_starts_of_templates_leave_nobody(opened):
    wanted = forks(pool_size=2, restart_backoff_ms=0)
    before = marked()
    chance = random.Random(3)
    for turn in range(500):
        pit = Pit.open(wanted)
        if turn % 4 == 1:
            _kill_one(pit, chance)
        elif turn % 4 == 2:
            eventually(lambda pit=pit: template_of(pit), "the template")
        elif turn % 4 == 3:
            eventually(lambda pit=pit: template_of(pit), "the template")
            _kill_one(pit, chance)
        pit.close()
        assert not children_of(os.getpid()), f"turn {turn}"
    assert marked() == before


def test_the_output_of_an_import_is_in_the_log_once(open_pit, forking):
    pit = open_pit(pool(forking, adapter="noisy", pool_size=3))
    said = [line for line in pit.logged("template.stdout") if "import READY" in line]
    assert len(said) == 1
    for process in pit.processes():
        assert Process.of(process.pid) == process
    assert not [line for line in pit.logged("worker.stdout") if "import" in line]


# ---- What a template hands over ------------------------------------------------------


def answers_of(pit):
    """What the tools of `foreseen` answer, and the table of them."""
    with pit.tools() as answer:
        table = answer.value()
    return {
        "results": [pit.call(name, {"x": 5}) for name in ("times", "later", "many")],
        "another": pit.call("another", {"y": 1}),
        "not fitting": pit.fails("times", {"z": 1}).message,
        "table": table,
    }


@pytest.mark.parametrize("name", ["Foreseen", "Own", "Changes"])
def test_a_forked_worker_answers_as_one_that_is_execed(open_pit, forking, name):
    adapter = f"foreseen.{name}"
    forked = open_pit(forks(forking, adapter))
    fresh = open_pit(forks(forking, adapter, template="off"))
    assert template_of(forked) is not None
    assert answers_of(forked) == answers_of(fresh)


def test_a_forked_worker_knows_its_threads_and_so_do_its_forks(open_pit, forking):
    forked = open_pit(forks(forking, "foreseen.Foreseen"))
    assert forked.call("threads") == {
        "all": ["MainThread"],
        "main": True,
        "number": True,
        "in_child": 1,
    }
