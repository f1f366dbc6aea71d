# SPDX-License-Identifier: MIT
"""What crosses, in a real pool: kinds, markers, faults, and arrays without a copy."""

from __future__ import annotations

import base64
import json

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import CallFailed, Refused, eventually, pool, seconds
from support.pit import Pit

MIB = 1 << 20

KINDS_AS_DOCUMENTED = {
    "datetime": "2026-01-02T03:04:05",
    "date": "2026-01-02",
    "time": "03:04:05",
    "timedelta": 90.0,
    "decimal": "1.10",
    "uuid": "00000000-0000-0000-0000-000000000001",
    "enum": 15,
    "dataclass": {"x": 1, "y": [2, 3]},
    "path": "/a",
    "set": [1],
    "frozenset": [b"x"],
    "range": [0, 1, 2],
    "bytearray": b"ab",
    "memoryview": b"cd",
}


# ---- Kinds ---------------------------------------------------------------------------


def test_kinds_cross_as_documented(shared_pit, kind):
    pit = shared_pit(pool(kind))
    assert pit.call("odd", {"kind": "kinds"}) == KINDS_AS_DOCUMENTED


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=50)
    | st.binary(max_size=50)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=8)
        | st.dictionaries(st.text(max_size=20) | st.integers(0, 99), inner, max_size=8)
    ),
    max_leaves=20,
)


def typed(value):
    """A form that tells True from 1 and 1 from 1.0."""
    if isinstance(value, dict):
        return [(typed(key), typed(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [typed(item) for item in value]
    return (type(value), value)


def test_any_value_comes_back_as_it_went(shared_pit, profile):
    pit = shared_pit(pool(profile))

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(value=values)
    def comes_back(value):
        assert typed(pit.call("echo", {"value": value})) == typed(value)

    comes_back()


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999", "1" * 30])
def test_numbers_that_json_has_not_are_refused_at_its_door(shared_pit, text):
    pit = shared_pit(pool())
    with pytest.raises(CallFailed, match="MALFORMED"):
        pit.call_json("echo", f'{{"value": {text}}}')
    assert pit.call_json("echo", '{"value": 18446744073709551615}') == str(2**64 - 1)


# ---- Markers -------------------------------------------------------------------------


def marker(name, **more):
    return {"$unserialisable": {"type": name, **more}}


def test_a_marker_stands_where_a_value_cannot(shared_pit, kind):
    pit = shared_pit(pool(kind, on_unserialisable="marker"))
    expected = {
        "a": [1, marker("object"), marker("guinea_pig.Unprintable")],
        "b": marker("int"),
        "c": "kept",
    }
    assert pit.call("odd", {"kind": "mixed"}) == expected
    assert json.loads(pit.call_json("odd", '{"kind": "mixed"}')) == expected
    fault = pit.fails("odd", {"kind": "cycle"})
    assert (fault.err, fault.type) == ("UNSERIALISABLE", "ValueError")


def test_a_repr_is_given_when_asked_for(shared_pit, profile):
    pit = shared_pit(pool(profile, on_unserialisable="marker_with_repr"))
    found = pit.call("odd", {"kind": "mixed"})
    assert found["b"] == marker("int", repr=str(2**64))
    assert found["a"][2]["$unserialisable"]["type"] == "guinea_pig.Unprintable"


def test_an_error_names_the_place_the_type_and_the_remedy(shared_pit):
    pit = shared_pit(pool())
    fault = pit.fails("odd", {"kind": "mixed"})
    assert (fault.err, fault.type) == ("UNSERIALISABLE", "TypeError")
    assert fault.message == (
        "cannot encode object at result['a'][1]; return plain values, or set "
        "on_unserialisable: marker"
    )


def test_another_choice_is_refused_when_the_configuration_is_read():
    with pytest.raises(Refused, match="on_unserialisable"):
        Pit.open(pool(on_unserialisable="pickle"))


# ---- Faults --------------------------------------------------------------------------


def test_a_fault_tells_shapes_and_never_values(shared_pit, kind):
    pit = shared_pit(pool(kind))
    fault = pit.fails(
        "type_of",
        {
            "data": numpy.zeros((3, 4), "float32"),
            "n": 12345,
            "secret": "hunter2",
            "more": [1, {"a": None}],
            "nothing": None,
        },
    )
    assert fault.type == "TypeError"
    assert fault.arguments == (
        "data: float32[3,4], n: int, secret: str[7], more: list[2], nothing: None"
    )
    assert pit.fails("fail").arguments == ""
    assert pit.fails("no_such_tool", {"a": 1}).arguments == ""


def test_many_arguments_are_counted(shared_pit):
    pit = shared_pit(pool())
    fault = pit.fails("fail", {f"n{i}": i for i in range(20)})
    assert fault.arguments.startswith("n0: int, n1: int")
    assert fault.arguments.endswith("n15: int, and 4 more")


def test_classes_of_the_adapter_are_named_with_their_module(shared_pit, kind):
    pit = shared_pit(pool(kind))
    fault = pit.fails("fail", {"kind": "SoldOut", "message": "milk"})
    assert (fault.err, fault.type) == ("TOOL_FAILED", "guinea_pig.SoldOut")
    assert fault.message == "no milk left"
    assert fault.arguments == "kind: str[7], message: str[4]"


@pytest.mark.parametrize("exception", ["SystemExit", "KeyboardInterrupt"])
def test_a_tool_cannot_end_its_worker_by_an_exception(shared_pit, kind, exception):
    pit = shared_pit(pool(kind))
    before = pit.call("pid")
    for _ in range(3):
        fault = pit.fails("fail", {"kind": exception, "message": "bye"})
        assert fault.type == exception
        said = f"{exception}: bye (raised by the tool; its worker goes on)"
        assert fault.message == said
    assert pit.call("pid") == before
    assert pit.stats().worker_deaths == 0


# ---- Arrays --------------------------------------------------------------------------


def offset_in_file(address):
    with open("/proc/self/maps") as maps:
        for line in maps:
            span, _, offset = line.split()[:3]
            low, high = (int(part, 16) for part in span.split("-"))
            if low <= address < high and "/memfd:" in line:
                return address - low + int(offset, 16)
    return None


@pytest.mark.own_pit("what a daemon hands on lies where it has put it")
def test_what_empty_made_is_read_at_its_place(shared_pit, kind):
    pit = shared_pit(pool(kind))
    with pit.answer("where_made", {"count": MIB}) as answer:
        found = answer.value(copy=False)
        assert found["array"][MIB - 1] == 7
        assert found["offset"] == offset_in_file(found["array"].ctypes.data)
        del found


@pytest.mark.quiet
def test_a_large_result_takes_no_time_to_cross(open_pit, profile):
    pit = open_pit(pool(profile, shared_memory_size="256MiB"))
    pit.call("keep_made", {"count": 64 * MIB})

    def best(tool):
        taken = []
        for _ in range(50):
            with seconds() as one:
                pit.answer(tool).free()
            taken.append(one.seconds)
        return min(taken)

    assert best("give_made") - best("ping") < 0.0005
    with pit.answer("give_made") as answer:
        assert answer.value(copy=False).nbytes == 64 * MIB


@pytest.mark.own_pit("what a daemon hands on lies where it has put it")
def test_parts_of_an_array_are_right_whether_copied_or_not(shared_pit, kind):
    pit = shared_pit(pool(kind))
    whole = numpy.arange(256 * 128, dtype="float64").reshape(256, 128)
    expected = {
        "rows": whole[16:32],
        "reshaped": whole.reshape(-1),
        "transposed": whole.T,
        "columns": whole[:, 3:7],
    }
    for part, array in expected.items():
        found = pit.call("part", {"kind": part})
        assert found.shape == array.shape
        assert numpy.array_equal(found, array), part
    with pit.answer("part", {"kind": "twice"}) as answer:
        first, second = answer.value(copy=False)
        assert first.ctypes.data == second.ctypes.data
        assert numpy.array_equal(second, whole)
        del first, second


def test_a_full_arena_says_so_and_recovers(open_pit, kind):
    pit = open_pit(pool(kind, shared_memory_size="16MiB"))
    for _ in range(3):
        found = pit.call("fill_up", {"count": MIB})
        assert 10 <= found["number"] <= 16
        assert "raise the pool's shared_memory_size" in found["said"]
        assert found["after"] == MIB


def test_dlpack_gives_the_same_memory_and_no_writing(shared_pit, kind):
    pit = shared_pit(pool(kind))
    found = pit.call("from_dlpack", {"array": numpy.full(1000, 2.5)})
    assert (found["sum"], found["same"]) == (2500.0, True)
    assert "read-only" in found["said"]


def test_what_dlpack_keeps_stays_valid_and_is_given_back_later(shared_pit, kind):
    pit = shared_pit(pool(kind))
    empty = pit.stats().shared_bytes
    for i in range(4):
        pit.call("keep_dlpack", {"array": numpy.full(MIB // 8, float(i))})
    for i in range(20):
        pit.call("total", {"array": numpy.full(MIB // 8, float(i))})
    assert pit.call("kept_sum") == 6 * (MIB // 8)
    pit.call("drop")

    def given_back():
        pit.call("ping")
        return pit.stats().shared_bytes - empty < MIB

    eventually(given_back, "the memory is given back")


def test_views_have_a_cap_with_a_clear_error(open_pit, kind):
    pit = open_pit(pool(kind))
    kept = 0
    fault = None
    while fault is None and kept < 5000:
        with pit.answer("keep", {"array": numpy.zeros(4)}) as answer:
            if answer.err == "OK":
                kept += 1
            else:
                fault = answer.fault
    assert fault is not None
    assert (fault.err, kept >= 256) == ("NO_MEMORY", True)
    assert fault.message == (
        "Python still holds the tensors of too many earlier calls; drop them"
    )
    assert pit.call("ping") == "pong"
    assert pit.call("kept_sum") == 0
    pit.call("drop")
    assert pit.call("total", {"array": numpy.ones(4)}) == 4


@pytest.mark.parametrize("tensors", ["view", "copy", "numpy", "numpy_copy"])
def test_bfloat16_comes_back_as_it_was(open_pit, kind, tensors):
    pit = open_pit(pool(kind, tensors=tensors))
    data = base64.b64encode(b"\xc0\x3f\x00\xc0").decode()  # 1.5, -2
    value = {"$tensor": {"dtype": "bfloat16", "shape": [2], "data": data}}
    answer = pit.call_json("echo", json.dumps({"value": value}))
    assert json.loads(answer) == value
