# SPDX-License-Identifier: MIT
"""Lessons 28 to 32 and 34: what the other side sends is checked, never believed."""

from __future__ import annotations

import json
import math
import os
import pathlib
import threading

import numpy
import pytest
from support import CallFailed, Process, Refused, eventually, pool
from support.answers import RawText, Writer
from support.places import ROOT

DEPTH = 128  # containers inside each other


# ---- 28: no pickle -------------------------------------------------------------------


def test_lesson_28_an_object_is_refused_and_never_reduced(shared_pit, kind):
    pit = shared_pit(pool(kind))
    fault = pit.fails("odd", {"kind": "trap"})
    assert (fault.err, fault.type) == ("UNSERIALISABLE", "TypeError")
    assert pit.call("caught") == 0
    assert not os.path.exists("/tmp/snakepit-was-here")


def test_lesson_28_workers_and_bridge_do_without_pickle(open_pit, kind):
    pit = open_pit(pool(kind))
    assert pit.call("echo", {"value": [1, {"a": b"b"}]}) == [1, {"a": b"b"}]
    for module in ("pickle", "_pickle", "marshal.loads", "dill", "cloudpickle"):
        assert pit.call("has_module", {"name": module}) is False, module
    sources = [
        path
        for folder in ("python/snakepit_bridge", "python/native", "src")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".c", ".h")
    ]
    assert len(sources) > 50
    for path in sources:
        assert "import pickle" not in path.read_text(), path
        # Older hosts may ask for it by this name, and are refused.
        if path.name != "bridge_call.c":
            assert '"pickle"' not in path.read_text(), path


def test_lesson_28_bytes_that_are_a_pickle_stay_bytes(shared_pit, kind):
    pit = shared_pit(pool(kind))
    data = b"cos\nsystem\n(S'touch /tmp/snakepit-was-here'\ntR."
    assert pit.call("echo", {"value": data}) == data
    assert pit.call("type_of", {"value": data}) == "bytes"
    assert not os.path.exists("/tmp/snakepit-was-here")


# ---- 29: only registered tools -------------------------------------------------------

NO_TOOLS = [
    "__init__",
    "__class__",
    "__dict__",
    "__reduce__",
    "_lock",
    "_private",
    "_odd_object",
    "_snakepit_tracker",
    "get_tools",
    "get_stats",
    "acquire_lock",
    "set_thread_local",
    "undecorated",
    "secret",
    "count",
    "kept",
    "config",
    "initialize",
    "cleanup",
    "execute_tool",
    "handle_request",
    "session_id",
    "ping ",
    " ping",
    "Ping",
    "ping\n",
    "p\u0131ng",
    "guinea_pig.GuineaPig.ping",
    "x" * 255,
    "é" * 127,
]


def test_lesson_29_what_is_no_tool_cannot_be_called(shared_pit, kind):
    pit = shared_pit(pool(kind))
    before = pit.stats().failures
    for name in NO_TOOLS:
        fault = pit.fails(name)
        assert fault.err == "UNKNOWN_TOOL", name
        assert name[:40] in fault.message
    assert pit.call("ping") == "pong"
    assert pit.stats().failures == before + len(NO_TOOLS)


def test_lesson_29_what_is_marked_can_be_called(shared_pit, kind):
    pit = shared_pit(pool(kind))
    assert pit.call("only_marked") == "marked"
    assert pit.call("ping") == "pong"


# ---- 30: malformed, oversized, truncated ---------------------------------------------


def test_lesson_30_impossible_names_and_sessions_are_refused(shared_pit, kind):
    pit = shared_pit(pool(kind))
    assert pit.fails("").err == "INVALID_ARGUMENT"
    assert pit.fails("x" * 256).err == "INVALID_ARGUMENT"
    assert pit.fails("ping", session="s" * 256).err == "INVALID_ARGUMENT"
    assert pit.call("ping", session="s" * 255) == "pong"
    with pytest.raises(Refused, match="INVALID_ARGUMENT"):
        pit.submit("x" * 256)
    assert pit.call("ping") == "pong"


NO_JSON = [
    "",
    "{",
    '{"value": }',
    '{"value": 1,}',
    '{"value": tru}',
    '{"value": 01}',
    '{"value": "\\ud800"}',
    '{"value": "\x01"}',
    '{"value": 1} {}',
    "{value: 1}",
    "{'value': 1}",
    '{"value": ' + "[" * 1000 + "]" * 1000 + "}",
    '{"value": 1e}',
    '{"value": NaN}',
    b'{"value": "\xff\xfe"}',
]


def test_lesson_30_json_that_is_none_is_a_typed_error(shared_pit, profile):
    pit = shared_pit(pool(profile))
    for text in NO_JSON:
        with pytest.raises(CallFailed) as failed:
            pit.call_json("echo", text)
        assert failed.value.err == "MALFORMED", text
        assert failed.value.fault.message
    assert json.loads(pit.call_json("echo", '{"value": [1]}')) == [1]


def test_lesson_30_arguments_that_are_no_map_are_refused(shared_pit):
    pit = shared_pit(pool())
    for value in ([1, 2], "text", 7, True, b"bytes", 1.5):
        assert pit.fails("echo", value).err == "INVALID_ARGUMENT"


def test_lesson_30_a_writer_that_is_not_finished_is_refused():
    with Writer() as writer:
        assert writer.error == "MALFORMED"
        writer.put({"a": 1})
        assert writer.error == "OK"
        writer.put(1)
        assert writer.error == "MALFORMED"


NO_ARGUMENTS = [
    {1: 2},
    {None: 2},
    {b"value": 2},
    {RawText(b"\xff\xfe"): 1},
    {"value": RawText(b"\xff\xfe\x80")},
    {"value": RawText(b"\xed\xa0\x80")},
]


def test_lesson_30_arguments_that_python_cannot_take_are_a_typed_error(
    shared_pit, kind
):
    pit = shared_pit(pool(kind))
    for arguments in NO_ARGUMENTS:
        fault = pit.fails("echo", arguments)
        assert fault.err in ("MALFORMED", "TOOL_FAILED", "INVALID_ARGUMENT"), arguments
        assert fault.message
    assert pit.call("echo", {"value": 1}) == 1
    assert pit.stats().worker_deaths == 0


def test_lesson_30_names_given_twice_are_a_typed_error(shared_pit, kind):
    pit = shared_pit(pool(kind))
    with pytest.raises(CallFailed) as failed:
        pit.call_json("echo_all", '{"a": 1, "a": 2}')
    assert failed.value.err in ("MALFORMED", "TOOL_FAILED", "INVALID_ARGUMENT")
    assert pit.call("ping") == "pong"


def nested(depth):
    value = 7
    for _ in range(depth):
        value = [value]
    return value


def test_lesson_30_nesting_has_a_limit_on_both_sides(shared_pit, kind):
    pit = shared_pit(pool(kind))
    fine = nested(DEPTH - 1)
    assert pit.call("echo", {"value": fine}) == fine
    assert pit.fails("echo", {"value": nested(DEPTH + 1)}).err == "INVALID_ARGUMENT"
    assert pit.fails("odd", {"kind": "deep"}).err == "UNSERIALISABLE"
    assert pit.call("ping") == "pong"


def test_lesson_30_what_is_larger_than_the_memory_is_a_typed_error(open_pit, kind):
    # NumPy takes its time to be imported on a busy machine.
    pit = open_pit(pool(kind, shared_memory_size="8MiB", call_timeout_ms=120_000))
    assert pit.fails("size", {"text": "x" * (9 << 20)}).err == "NO_MEMORY"
    assert pit.fails("big", {"length": 9 << 20}).err == "NO_MEMORY"
    assert pit.fails("big", {"length": 9 << 20, "kind": "bytes"}).err == "NO_MEMORY"
    for shared in (False, True):
        fault = pit.fails("make", {"count": 9 << 17, "shared": shared})
        assert fault.err in ("NO_MEMORY", "TOOL_FAILED")
        assert "memory" in fault.message.lower()
    assert pit.call("size", {"text": "x" * (4 << 20)}) == 4 << 20
    assert len(pit.call("big", {"length": 4 << 20})) == 4 << 20
    assert pit.call("make", {"count": 1 << 19}).sum() == 1 << 19
    assert pit.stats().worker_deaths == 0


def test_lesson_30_many_large_answers_at_once_run_out_and_recover(open_pit, kind):
    pit = open_pit(pool(kind, shared_memory_size="16MiB", call_timeout_ms=120_000))
    held = []
    while len(held) < 40:
        answer = pit.answer("make", {"count": 1 << 17})
        held.append(answer)
        if answer.err != "OK":
            break
    assert 10 <= len(held) < 20
    assert held[-1].err in ("NO_MEMORY", "TOOL_FAILED")
    for answer in held:
        answer.free()
    for _ in range(40):
        pit.answer("make", {"count": 1 << 17}).free()
    assert pit.call("make", {"count": 4}).tolist() == [1.0] * 4


# ---- 31: values ----------------------------------------------------------------------

ROUND_TRIPS = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2**31,
    -(2**31) - 1,
    2**53 + 1,
    2**63 - 1,
    -(2**63),
    2**63,
    2**64 - 1,
    0.0,
    -0.0,
    1e308,
    5e-324,
    1.0,
    "",
    "ünï€😀\x00\x7f",
    "x" * 100_000,
    b"",
    bytes(range(256)),
    b"\x00" * 100_000,
    [],
    {},
    [[], {}, [{}]],
    {"": 0, "a": {"b": [None, True, 1.5, b"x"]}},
    {1: "one", -1: "minus one", None: 0},
    list(range(1000)),
    {str(i): i for i in range(1000)},
]


def same(left, right):
    """Equal in type too: True is not 1, and 1 is not 1.0."""
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(
            same(left[key], right[key]) for key in left
        )
    if isinstance(left, float):
        return (
            type(right) is float
            and math.copysign(1, left) == math.copysign(1, right)
            and left == right
        )
    return type(left) is type(right) and left == right


def test_lesson_31_values_come_back_as_they_went(shared_pit, kind):
    pit = shared_pit(pool(kind))
    for value in ROUND_TRIPS:
        found = pit.call("echo", {"value": value})
        assert same(value, found), f"{value!r} came back as {found!r}"
        assert pit.call("type_of", {"value": value}) == type(value).__name__


def test_lesson_31_true_stays_true(shared_pit, kind):
    pit = shared_pit(pool(kind))
    assert pit.call("repr_of", {"value": True}) == "True"
    assert pit.call("repr_of", {"value": [1, True, 1.0, "1"]}) == "[1, True, 1.0, '1']"
    assert pit.call_json("echo", '{"value": [true, 1, 1.0]}') == "[true,1,1.0]"


def test_lesson_31_nan_and_infinity_are_kept_and_are_null_in_json(shared_pit, kind):
    pit = shared_pit(pool(kind))
    for value in (math.inf, -math.inf):
        assert pit.call("echo", {"value": value}) == value
    assert math.isnan(pit.call("echo", {"value": math.nan}))
    assert pit.call_json("odd", '{"kind": "nan"}') == "[null,null,null]"


def test_lesson_31_bytes_are_marked_in_json(shared_pit):
    pit = shared_pit(pool())
    assert json.loads(pit.call_json("big", '{"length": 3, "kind": "bytes"}')) == {
        "$bytes": "eHh4"
    }


UNSERIALISABLE = [
    ("object", "TypeError", "object"),
    ("complex", "TypeError", "complex"),
    ("function", "TypeError", "function"),
    ("cycle", "ValueError", "cycle"),
    ("cyclic_dict", "ValueError", "cycle"),
    ("deep", "ValueError", "nesting too deep"),
    ("surrogate", "ValueError", "surrogates"),
    ("huge_int", "OverflowError", "64 bits"),
    ("nested_object", "TypeError", "cell"),
    ("mapping_that_lies", "TypeError", "pairs"),
    ("mock", "TypeError", "unittest.mock.MagicMock at result; return plain values"),
    ("async_mock", "TypeError", "unittest.mock.AsyncMock at result; return plain"),
    ("mock_inside", "TypeError", "unittest.mock.MagicMock at result[0]; return"),
    ("mock_of_a_dict", "TypeError", "unittest.mock.MagicMock at result['rows'][0]"),
]


def test_lesson_31_what_cannot_be_encoded_is_refused_by_name(shared_pit, kind):
    pit = shared_pit(pool(kind))
    for what, exception, said in UNSERIALISABLE:
        fault = pit.fails("odd", {"kind": what})
        assert (fault.err, fault.type) == ("UNSERIALISABLE", exception), what
        assert said in fault.message
    assert pit.call("ping") == "pong"
    assert pit.stats().worker_deaths == 0


# ---- 32: names do not pile up --------------------------------------------------------


def test_lesson_32_a_million_distinct_names_leave_memory_flat(open_pit, profile):
    """Names of arguments, tools, sessions and keys, none of them used twice."""
    pit = open_pit(pool(profile))
    here = Process.of(os.getpid())
    (worker,) = pit.processes()

    def use_names(first, count):
        """About 1040 names a turn."""
        for turn in range(first, first + count):
            names = {f"name_{turn}_{i}": i for i in range(1000)}
            if turn % 2:
                assert len(pit.call("echo_all", names)) == 1000
            else:
                text = json.dumps({"value": names})
                assert json.loads(pit.call_json("echo", text)) == names
            for i in range(20):
                name = f"tool_{turn}_{i}"
                assert pit.fails(name, session=name).err == "UNKNOWN_TOOL"
                pit.call("echo_all", {name: 1}, session=name)

    use_names(0, 150)
    before = (here.rss, worker.rss)
    use_names(1000, 1000)
    after = (here.rss, worker.rss)
    for who, old, new in zip(("host", "worker"), before, after):
        assert new - old < 4 << 20, f"the {who} grew by {(new - old) >> 10} KiB"


# ---- 34: a worker that scribbles -----------------------------------------------------


def test_lesson_34_a_worker_that_scribbles_over_shared_memory_is_survived(
    open_pit, profile
):
    """A light version; tests/stress has the one in C."""
    pit = open_pit(
        pool(profile, restart_backoff_ms=10, restart_limit=1000, cancel_grace_ms=100),
        pool(profile, name="bystander"),
    )
    bystander = pit.workers("bystander")
    allowed = {"OK", "WORKER_DIED", "WORKER_LOST", "PROTOCOL", "DEADLINE_EXCEEDED"}
    for seed in range(15):
        outcomes = []

        def caller(outcomes=outcomes):
            for turn in range(5):
                with pit.answer("echo", {"value": turn}, timeout_ms=100) as answer:
                    outcomes.append(answer.err)

        caller_thread = threading.Thread(target=caller)
        caller_thread.start()
        with pit.answer(
            "scribble", {"seed": seed, "rounds": 300}, timeout_ms=300
        ) as answer:
            outcomes.append(answer.err)
        caller_thread.join()
        assert set(outcomes) <= allowed, outcomes
        for row in pit.workers():
            if row.process:
                row.process.kill(9)
            eventually(lambda row=row: row.id not in {r.id for r in pit.workers()})
        pit.await_replacement()
        assert pit.call("echo", {"value": seed}) == seed
        assert pit.call("ping", pool="bystander") == "pong"
    assert pit.workers("bystander")[0].id == bystander[0].id


def test_lesson_34_a_worker_cannot_write_to_arguments(open_pit, kind):
    pit = open_pit(pool(kind))
    array = numpy.zeros(1 << 16)
    assert pit.call("write_to", {"array": array}) == [
        "TypeError",
        "ValueError",
        "ValueError",
    ]
    (row,) = pit.workers()
    fault = pit.fails("poke", {"array": array})
    assert "it wrote to a read-only tensor argument" in fault.cause
    assert not array.any()
    pit.await_replacement(row)
    assert pit.call("total", {"array": array}) == 0.0


def test_lesson_34_the_host_has_results_mapped_read_only(shared_pit):
    pit = shared_pit(pool())
    assert pit.call("ping") == "pong"
    lines = [
        line.split()
        for line in pathlib.Path("/proc/self/maps").read_text().splitlines()
        if "/memfd:" in line
    ]
    results = [line for line in lines if "results" in line[5]]
    assert results
    assert {line[1] for line in results} == {"r--s"}
