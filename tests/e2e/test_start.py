# SPDX-License-Identifier: MIT
"""Lessons 8 to 13: what it takes to be ready, and what is said of one that never is."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys

import pytest
from support import (
    THREADS,
    Deadline,
    Pit,
    Refused,
    default_python,
    eventually,
    open_gate,
    pool,
    seconds,
)
from support.places import ADAPTERS

REPORTED_WITHIN = 60.0  # seconds from the start to the report of a failed one


@pytest.fixture
def gate(tmp_path):
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"


# ---- 8: an adapter may print anything ------------------------------------------------


def test_lesson_08_noise_on_every_stream_disturbs_no_start_and_no_call(open_pit, kind):
    pit = open_pit(pool(kind, adapter="noisy"))
    for _ in range(20):
        assert pit.call("ping") == "pong"
    assert pit.stats().failures == 0
    pit.close()
    for event in ("worker.stdout", "worker.stderr"):
        imported = pit.logged(event.replace("worker", "template"))
        text = "\n".join(imported + pit.logged(event))
        for where in ("import", "init", "initialize", "call", "cleanup"):
            assert f"{where} READY" in text, f"{where} is missing in {event}"
        assert "GRPC_READY:50051" in text
        assert "worker=1" in text
        assert not [char for char in text if ord(char) < 0x20 and char not in "\n\t"]


def test_lesson_08_what_looks_like_the_protocol_is_only_text(open_pit, kind):
    pit = open_pit(pool(kind))
    frames = [
        b"\x00\x00\x00\x10" + b"\x81\xa6result\xa6forged",
        b'{"id":1,"success":true,"result":"forged"}\n',
        os.urandom(4096),
        b"\n" * 1000,
        b"x" * 100_000,
    ]
    for frame in frames:
        for descriptor in (1, 2):
            sent = {"data": frame, "descriptor": descriptor}
            assert pit.call("noise", sent) == len(frame)
            assert pit.call("echo", {"value": "still true"}) == "still true"


def test_lesson_08_a_long_line_is_logged_whole_in_several(open_pit, profile):
    pit = open_pit(pool(profile))
    text = "".join(f"{number:06d}" for number in range(5000))
    pit.call("noise", {"data": text.encode(), "descriptor": 1})
    pit.close()
    parts = [line.partition('line="')[2][:-1] for line in pit.logged("worker.stdout")]
    assert len(parts) > 1
    assert "".join(parts) == text


def test_lesson_08_a_flood_of_output_blocks_nobody_for_ever(open_pit, profile):
    pit = open_pit(pool(profile, adapter="noisy"))
    assert pit.call("flood", {"mebibytes": 4}) == 4
    assert pit.call("ping") == "pong"


# ---- 9: ready means ready ------------------------------------------------------------


def test_lesson_09_nobody_is_called_before_the_adapter_is_initialized(
    open_pit, kind, gate
):
    config = {"gate": str(gate)}
    pit = open_pit(
        pool(kind, adapter="starts.Gated", adapter_config=config), ready=False
    )
    call = pit.submit("ping")
    eventually(lambda: [row.state for row in pit.workers()] == ["STARTING"])
    with pytest.raises(Refused) as refused:
        pit.await_ready(timeout_ms=400)
    assert refused.value.err == "DEADLINE_EXCEEDED"
    stats = pit.stats()
    assert (stats.state, stats.workers_ready, stats.waiting) == (b"starting", 0, 1)
    assert not call.ended.is_set()
    open_gate(gate, lambda: call.ended.is_set())
    assert call.wait().value == "pong"
    pit.await_ready()
    assert [row.state for row in pit.workers()] == ["READY"]
    assert pit.stats().workers_ready == 1


@pytest.mark.errors_logged("pool.failed")
def test_lesson_09_a_worker_that_takes_no_call_is_not_ready(open_pit, kind):
    options = {"start_timeout_ms": 1500, "restart_limit": 1, "template": "off"}
    if kind == "thread":
        del options["template"]
    pit = open_pit(pool(kind, adapter="starts.Mute", **options), ready=False)
    with pytest.raises(Refused, match="not ready within start_timeout_ms"):
        pit.await_ready()
    assert not pit.logged("worker.started")


def test_lesson_09_a_pool_is_ready_when_all_its_workers_are(open_pit, gate):
    config = {"gate": str(gate)}
    pit = open_pit(
        pool(pool_size=3, adapter="starts.Gated", adapter_config=config), ready=False
    )
    open_gate(gate, lambda: pit.stats().workers_ready == 3)
    assert pit.await_ready(timeout_ms=1000).state() == "ready"


# ---- 10: failed starts ---------------------------------------------------------------

TRACEBACKS = [
    (
        "broken_import",
        "ModuleNotFoundError",
        "-m pip install a_module_that_does_not_exist",
    ),
    ("broken_syntax", "SyntaxError", "broken"),
    ("starts.Constructor", "ValueError", "the constructor says no"),
    ("starts.Initialize", "ValueError", "initialize says no"),
    ("no_such_module.Adapter", "AdapterError", "no_such_module"),
    ("guinea_pig.GuineaPog", "AdapterError", "did you mean 'GuineaPig'"),
]


@pytest.mark.errors_logged("pool.failed")
@pytest.mark.parametrize(("adapter", "exception", "message"), TRACEBACKS)
def test_lesson_10_a_failed_start_reports_its_traceback(
    open_pit, kind, adapter, exception, message
):
    with seconds() as taken:
        pit = open_pit(pool(kind, adapter=adapter), ready=False)
        with pytest.raises(Refused) as refused:
            pit.await_ready()
    assert taken.seconds < REPORTED_WITHIN
    assert refused.value.err == "POOL_FAILED"
    assert exception in refused.value.why
    assert message in refused.value.why
    if "Adapter" not in exception:
        assert f"{adapter.partition('.')[0]}.py" in refused.value.why
    eventually(lambda: pit.logged("worker.exit"))
    assert "code=1" in pit.logged("worker.exit")[0]
    assert pit.fails("ping").err == "POOL_FAILED"
    assert message in pit.fails("ping").message
    assert pit.state() == "failed"


@pytest.mark.errors_logged("pool.failed")
@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"status": 3}, "exited with status 3"),
        ({"signal": int(signal.SIGSEGV)}, "signal 11 (SIGSEGV)"),
        ({"signal": int(signal.SIGKILL)}, "signal 9 (SIGKILL)"),
    ],
)
def test_lesson_10_a_start_that_ends_without_a_word_reports_its_exit_status(
    open_pit, profile, config, said
):
    with seconds() as taken:
        pit = open_pit(
            pool(profile, adapter="starts.Leaves", adapter_config=config), ready=False
        )
        with pytest.raises(Refused) as refused:
            pit.await_ready()
    assert refused.value.err == "POOL_FAILED"
    assert said in refused.value.why
    assert "these are my last words" in refused.value.why
    assert taken.seconds < REPORTED_WITHIN


@pytest.mark.errors_logged("pool.failed")
def test_the_line_of_a_failed_start_has_the_last_of_what_was_written(open_pit, profile):
    words = ["Traceback (most recent call last):", "  File"]
    config = {"status": 3, "words": words}
    pit = open_pit(
        pool(profile, adapter="starts.Leaves", adapter_config=config), ready=False
    )
    with pytest.raises(Refused) as refused:
        pit.await_ready()
    told = pit.logged("worker.start_failed")[0]
    assert "it wrote: these are my last words" in told
    assert "Traceback (most recent call last):\n  File" in refused.value.why


@pytest.mark.errors_logged("pool.failed")
def test_lesson_10_a_start_that_calls_sys_exit_says_so(open_pit, profile):
    with seconds() as taken:
        pit = open_pit(
            pool(profile, adapter="starts.Leaves", adapter_config={"exit": 4}),
            ready=False,
        )
        with pytest.raises(Refused, match="SystemExit: 4"):
            pit.await_ready()
    assert taken.seconds < REPORTED_WITHIN


@pytest.mark.errors_logged("pool.failed")
def test_lesson_10_an_interpreter_without_the_bridge_says_so(open_pit):
    with seconds() as taken, pytest.raises(Refused, match="snakepit_bridge"):
        open_pit(pool(python=os.path.realpath("/usr/bin/python3"), restart_limit=2))
    assert taken.seconds < REPORTED_WITHIN


@pytest.mark.errors_logged("pool.failed")
@pytest.mark.parametrize("deaf", [False, True])
def test_lesson_10_a_start_that_hangs_is_ended_and_reported(open_pit, profile, deaf):
    pit = open_pit(
        pool(
            profile,
            adapter="starts.Hung",
            adapter_config={"deaf": deaf},
            start_timeout_ms=500,
            restart_limit=1,
        ),
        ready=False,
    )
    with pytest.raises(Refused, match="start_timeout_ms"):
        pit.await_ready(timeout_ms=5000)


@pytest.mark.errors_logged("pool.failed")
def test_lesson_10_waiting_calls_fail_with_the_reason(open_pit):
    pit = open_pit(pool(adapter="starts.Initialize"), ready=False)
    call = pit.submit("ping").wait()
    assert call.err == "POOL_FAILED"
    assert "initialize says no" in call.fault.message


# ---- 11: what is wrong in the configuration ------------------------------------------


@pytest.mark.parametrize(
    ("options", "key", "said"),
    [
        ({"python": "/no/such/python"}, "python", "/no/such/python"),
        ({"python": "no-such-command-anywhere"}, "python", "no-such-command-anywhere"),
        ({"python": "/etc/passwd"}, "python", "/etc/passwd"),
        ({"python": "/tmp"}, "python", "/tmp"),
        ({"adapter": "not a module"}, "adapter", "not a module"),
        ({"adapter": ""}, "adapter", ""),
        ({"adapter": "a:b:c"}, "adapter", "a:b:c"),
        ({"adapter_args": ["--mode", "both"]}, "adapter_args", "both"),
        ({"adapter_args": ["--adapter", "other.Adapter"]}, "adapter", "other"),
        ({"adapter_env": {"A=B": "x"}}, "adapter_env", "A=B"),
        ({"worker_profile": "fibre"}, "worker_profile", "fibre"),
        ({"threads_per_worker": 2}, "threads_per_worker", "process"),
        ({"pool_size": "many"}, "pool_size", "many"),
    ],
)
def test_lesson_11_bad_paths_and_options_fail_when_the_configuration_is_read(
    options, key, said
):
    with seconds() as taken, pytest.raises(Refused) as refused:
        Pit.open(pool(**options))
    assert refused.value.err == "INVALID_CONFIG"
    assert f"pools[0].{key}" in refused.value.why
    assert said in refused.value.why
    assert taken.seconds < 10


def test_lesson_11_the_error_names_file_line_and_key(tmp_path):
    path = tmp_path / "pit.yaml"
    path.write_text(
        "pools:\n"
        "  - name: text\n"
        f"    adapter: guinea_pig.GuineaPig\n"
        f"    python: {sys.executable}\n"
        "  - name: other\n"
        "    python: ./missing/python\n"
    )
    with pytest.raises(Refused) as refused:
        Pit.open_file(path)
    assert refused.value.err == "INVALID_CONFIG"
    assert f"{path}:6" in refused.value.why
    assert "pools[1].python" in refused.value.why
    with pytest.raises(Refused) as refused:
        Pit.open_file(tmp_path / "missing.yaml")
    assert "missing.yaml" in refused.value.why


# ---- 12: a worker that dies at once --------------------------------------------------


@pytest.mark.errors_logged("pool.failed")
def test_lesson_12_a_pool_that_dies_at_once_fails_and_the_others_live(
    open_pit, profile
):
    dying = pool(
        profile,
        name="dying",
        adapter="starts.Leaves",
        adapter_config={"status": 7},
        restart_limit=4,
        restart_backoff_ms=50,
    )
    pit = open_pit(dying, pool(profile, name="living"), ready=False)
    pit.await_ready("living")
    with seconds() as taken, pytest.raises(Refused) as refused:
        pit.await_ready("dying")
    assert refused.value.err == "POOL_FAILED"
    assert "status 7" in refused.value.why
    assert pit.stats("dying").worker_starts == 4
    tally = [line for line in pit.logged("worker.start_failed") if "pool=dying" in line]
    assert [f"failures={i}" in line for i, line in enumerate(tally, 1)] == [True] * 4
    assert taken.seconds < 20
    assert pit.state("dying") == "failed"
    assert pit.state("living") == "ready"
    assert pit.call("ping", pool="living") == "pong"
    with pytest.raises(Refused, match="POOL_FAILED"):
        pit.await_ready()
    with pytest.raises(Refused, match="POOL_FAILED"):
        pit.submit("ping", pool="dying")
    eventually(lambda: not pit.workers("dying"))


@pytest.mark.errors_logged("pool.failed")
def test_lesson_12_the_pause_between_failed_starts_doubles(open_pit):
    leaves = pool(
        adapter="starts.Leaves",
        adapter_config={"status": 7},
        restart_limit=4,
        restart_backoff_ms=100,
    )
    with seconds() as taken:
        pit = open_pit(leaves, ready=False)
        with pytest.raises(Refused, match="POOL_FAILED"):
            pit.await_ready()
    # A busy machine only makes it longer.
    assert taken.seconds >= 0.1 + 0.2 + 0.4


def _kill_what_is_ready(pit):
    for row in pit.workers():
        if row.state == "READY":
            with contextlib.suppress(ProcessLookupError):
                os.kill(row.pid, signal.SIGKILL)


@pytest.mark.parametrize("start_takes", [0.0, 1.1])
def test_lesson_12_a_worker_that_dies_soon_after_it_was_ready_counts_too(
    open_pit, profile, start_takes
):
    """However long its start took."""
    pit = open_pit(
        pool(
            profile,
            adapter="starts.Slow",
            adapter_config={"seconds": start_takes},
            restart_limit=3,
            restart_backoff_ms=20,
            template="off",
        ),
        ready=False,
    )

    def is_down():
        _kill_what_is_ready(pit)
        return pit.state() == "down"

    eventually(is_down, "the pool is down", 30.0)
    assert pit.stats().worker_starts >= 3
    fault = pit.fails("ping")
    assert fault.err == "POOL_DOWN"
    assert "as soon as they are ready" in fault.message
    assert "killed by signal 9" in fault.message


def test_lesson_12_an_idle_worker_that_is_killed_now_and_then_is_no_storm(open_pit):
    """Each of them lived longer than any storm; nobody happened to call it."""
    pit = open_pit(pool(restart_limit=2, restart_backoff_ms=10))
    for _ in range(3):
        _stays_ready(pit, 1.0)
        pit.kill_workers()
    assert pit.state() == "ready"


def _stays_ready(pit, span):
    """Watches for so long that its workers live on."""
    deadline = Deadline(span)
    while not deadline.over:
        assert pit.state() == "ready"


# ---- 13: replacements ----------------------------------------------------------------


def _surroundings(pit, kind):
    """What a worker finds around it, once all of its executors run."""
    executors = THREADS if kind == "thread" else 0

    def look():
        found = pit.call("surroundings", pool="special")
        return found if found["executors"] == executors else None

    return eventually(look, f"{executors} executors run")


def test_lesson_13_a_replacement_is_made_like_the_one_before(open_pit, kind):
    wanted = pool(
        kind,
        name="special",
        adapter_args=["--verbose", "two words", ""],
        adapter_env={"SPECIAL": "yes = it is", "OMP_NUM_THREADS": "3"},
        adapter_config={"nested": {"list": [1, True, None, 0.5, ""]}},
    )
    pit = open_pit(wanted)
    before = _surroundings(pit, kind)
    first = pit.workers("special")[0]
    assert before["arguments"] == ["--verbose", "two words", ""]
    assert before["config"] == {"nested": {"list": [1, True, None, 0.5, ""]}}
    assert before["environment"]["SPECIAL"] == "yes = it is"
    assert os.path.realpath(before["python"]) == os.path.realpath(default_python(kind))
    for number in (signal.SIGKILL, signal.SIGSEGV):
        (second,) = pit.kill_workers(number, pool="special")
        assert second.id > first.id
        assert second.capacity == first.capacity
        assert _surroundings(pit, kind) == before
        stats = pit.stats("special")
        assert stats.profile.decode() == ("thread" if kind == "thread" else "process")


def test_lesson_13_a_replacement_after_a_fallback_is_a_process_too(open_pit):
    pit = open_pit(
        pool("thread", python=default_python("process"), threads_per_worker=2)
    )
    assert len(pit.processes()) == 2
    rows = pit.kill_workers()
    assert [row.capacity for row in rows] == [1, 1]
    assert pit.stats().profile == b"process"


def test_lesson_13_the_adapters_folder_is_that_of_the_configuration(
    open_pit, opened, tmp_path
):
    source = (ADAPTERS / "guinea_pig.py").read_text()
    (tmp_path / "local_pig.py").write_text(source)
    path = tmp_path / "pit.yaml"
    path.write_text(
        "adapter: local_pig.GuineaPig\n"
        "pool_size: 1\n"
        f"python: {default_python('process')}\n"
    )
    pit = Pit.open_file(path)
    opened.append(pit)
    pit.await_ready()
    pit.kill_workers()
    assert pit.call("ping") == "pong"


# ---- On a machine that is busy -------------------------------------------------------


def test_a_start_has_a_short_time_slice_and_a_call_the_usual_one(
    open_pit, kind, monkeypatch
):
    monkeypatch.syspath_prepend(ADAPTERS)
    usual = importlib.import_module("timeslices").timeslice_of_this_thread()
    pit = open_pit(pool(kind, adapter="timeslices"))
    at_import, at_init, in_call = pit.call("slices")
    # The usual one is never shorter than the shortest there is.
    assert at_import == at_init == min(100_000, usual)
    assert in_call == usual
    # What the bridge imports in a call is imported as at the start.
    assert pit.call("slice_of_imports") == at_import
    assert pit.call("slices")[2] == usual


def test_a_start_that_can_wait_has_a_long_time_slice(open_pit, kind, monkeypatch):
    monkeypatch.syspath_prepend(ADAPTERS)
    usual = importlib.import_module("timeslices").timeslice_of_this_thread()
    pit = open_pit(pool(kind, adapter="timeslices"))
    (before,) = pit.workers()
    pit.recycle()
    eventually(lambda: pit.stats().worker_recycles == 1, "it is replaced", 60)
    eventually(lambda: [row.id for row in pit.workers()] != [before.id], "it left", 60)
    _, at_init, in_call = pit.call("slices")
    # A fresh interpreter without the GIL would take minutes on a busy machine.
    expected = 100_000 if kind == "thread" else 10_000_000
    assert at_init == min(expected, expected * usual)
    assert in_call == usual
    # One that is missing comes as soon as it can.
    pit.kill_workers()
    assert pit.call("slices")[1] == min(100_000, usual)
