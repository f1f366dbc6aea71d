# SPDX-License-Identifier: MIT
"""What the guides show around adapters: commands, configuration, libraries."""

from __future__ import annotations

import pathlib
import subprocess

import pytest
from conftest import guide_pool
from harness.calls import CALLS, hammer
from harness.examples import text_of
from support import Pit, default_python
from support.places import BUILD

SHOWCASE = "snakepit_bridge.adapters.threaded_showcase.ThreadedShowcaseAdapter"


def example(*names, result):
    return pytest.mark.example(*names, result=result)


@example(
    "adapters-02",
    result="prints what the text says; for `mix deps`: `snakepit --version`. What it "
    "asks is true of every Python 3.13; `snakepit python` asks whether the GIL is off",
)
def test_the_required_software_is_there():
    python = default_python("thread")
    code = text_of("adapters-02").split('-c "')[1].split('"\n')[0]
    assert output(python, "-c", code) == "True"
    assert output(python, "--version").startswith("Python 3.1")
    assert output(str(BUILD / "bin/snakepit"), "--version")
    table = output(str(BUILD / "bin/snakepit"), "python")
    row = next(line for line in table.splitlines() if line.endswith(python))
    assert "free-threaded" in row


def output(*words: str) -> str:
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def quick_start():
    """The pool of the quick start, as our configuration spells it."""
    pool = guide_pool(
        "thread",
        SHOWCASE,
        name="hpc_pool",
        pool_size=4,
        threads_per_worker=16,
        adapter_args=["--mode", "threaded", "--max-workers", "16"],
        adapter_env=[["OPENBLAS_NUM_THREADS", "16"], ["OMP_NUM_THREADS", "16"]],
    )
    with Pit.open(pool) as pit:
        yield pit.await_ready("hpc_pool", 120_000)


@example(
    "workers-02", result="the same keys in YAML: 64 calls at once, 16 BLAS threads"
)
def test_the_quick_starts_pool_has_its_capacity(quick_start):
    stats = quick_start.stats("hpc_pool")
    assert (stats.profile, stats.workers, stats.capacity) == (b"thread", 4, 64)
    for row in quick_start.workers("hpc_pool"):
        found = pathlib.Path(f"/proc/{row.pid}/environ").read_bytes().split(b"\0")
        assert {b"OPENBLAS_NUM_THREADS=16", b"OMP_NUM_THREADS=16"} <= set(found)


@example("workers-03", result="the same call through the C API")
def test_the_quick_starts_call_is_answered(quick_start):
    asked = {"data": [1, 2, 3]}
    found = quick_start.call("compute_intensive", asked, pool="hpc_pool")
    assert found["iterations"] == 1000
    assert isinstance(found["result"], float)
    again = hammer(quick_start, "hpc_pool", "compute_intensive", lambda _: asked)
    assert {answer["result"] for answer in again} == {found["result"]}


@example(
    "workers-01",
    "workers-15",
    result="the server's options as `adapter_args`: 16 calls at once",
)
def test_the_servers_options_are_options_of_a_pool():
    words = ["--adapter", SHOWCASE, "--mode", "threaded", "--max-workers", "16"]
    pool = guide_pool("thread", SHOWCASE, name="default", adapter_args=words)
    for key in ("adapter", "worker_profile", "threads_per_worker"):
        del pool[key]
    with Pit.open(pool) as pit:
        pit.await_ready(timeout_ms=120_000)
        assert (pit.stats().profile, pit.stats().capacity) == (b"thread", 16)
        assert pit.call("ping")["status"] == "ok"


def test_settings_of_recycling_are_taken_as_the_guide_writes_them():
    made = guide_pool(
        "thread",
        "counter.CounterAdapter",
        worker_ttl=[3600, "seconds"],
        worker_max_requests=1000,
    )
    with Pit.open(made) as pit:
        pit.await_ready(timeout_ms=120_000)


# ---- The tables of libraries ---------------------------------------------------------


@pytest.fixture
def libraries(pit_of, profile):
    return pit_of(profile, ("libraries.Adapter",))


def test_scipy_solves(libraries):
    asked = {"matrix": [[2.0, 0.0], [0.0, 4.0]]}
    answers = hammer(
        libraries, "libraries", "solve", lambda i: {**asked, "vector": [i, i]}
    )
    assert answers == [[i / 2, i / 4] for i in range(CALLS)]


def test_scikit_learn_predicts_with_one_job(libraries):
    answers = hammer(libraries, "libraries", "predict", lambda i: {"value": i})
    assert [answer[0] for answer in answers] == pytest.approx(
        [2 * i + 1 for i in range(CALLS)]
    )


@pytest.mark.parametrize("tool", ["fetch_with_requests", "fetch_with_httpx"])
def test_pages_are_fetched_on_all_threads(libraries, server, tool):
    url = server.url("hello")
    answers = hammer(libraries, "libraries", tool, lambda _: {"url": url})
    assert answers == ["hello"] * CALLS
    url = server.url("pair")
    if libraries.stats().capacity > 1:
        hammer(libraries, "libraries", tool, lambda _: {"url": url}, 2, 2)
        assert server.met == [True, True]


def test_sqlite_has_a_connection_for_each_thread(libraries):
    answers = hammer(libraries, "libraries", "store", lambda i: {"value": i})
    totals: dict[int, int] = {}
    for answer in answers:
        totals[answer["thread"]] = max(totals.get(answer["thread"], 0), answer["count"])
    assert sum(totals.values()) == CALLS
    assert max(answer["largest"] for answer in answers) == CALLS - 1
