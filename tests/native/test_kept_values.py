# SPDX-License-Identifier: MIT
"""What tests of adapters get for a value of a session, or of an event, is what a worker
gets.
"""

import pytest

pytest.importorskip("hypothesis")
import numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from snakepit_bridge import standalone_values
from test_kinds import CROSSINGS, Slotted

settings.register_profile("kept", deadline=None, max_examples=300)


def outcome(function, value):
    """What comes back, or what it is refused with."""
    try:
        return function(value)
    except (TypeError, ValueError, OverflowError) as error:
        return type(error), str(error)


def kept_by_worker(codec, value):
    """What a worker encodes for a session and a tool reads: below a list and a dict."""
    executor = codec.Executor()
    data = executor.encode(["put", {"value": value}], 2048, "session")[0]
    return executor.decode(data, 1, 2)[1]["value"]


def told_by_worker(codec, value):
    """What a worker encodes in an event."""
    executor = codec.Executor()
    event = ["name", 0, "", "", 0, {}, value]
    return executor.decode(executor.encode(event, 2048, "event")[0])[6]


def same(codec, value):
    alike(lambda value: kept_by_worker(codec, value), standalone_values.kept, value)
    alike(
        lambda value: told_by_worker(codec, value),
        lambda value: standalone_values.told(value, "metadata"),
        value,
    )


def alike(in_a_worker, standalone, value):
    found = outcome(standalone, value)
    expected = outcome(in_a_worker, value)
    assert repr(found) == repr(expected)  # NaN, True and 1 tell apart


class Text(str):
    pass


class Number(int):
    pass


OTHERS = [
    *(None, True, False, 1.5, float("nan")),
    *(0, -(2**63), 2**64 - 1, 2**64, -(2**63) - 1),
    *("é\0", "\ud800", b"\xff", bytearray(b"x"), memoryview(b"abc")[::2]),
    *(Text("a"), Number(5), [Text("a")], {Text("k"): Number(5)}),
    *(numpy.float64(1.5), numpy.float32(0.1), numpy.int8(-3), numpy.uint64(2**64 - 1)),
    *(numpy.ones(3), [numpy.complex64(1)], {"a": [numpy.zeros(0)]}),
    *(numpy.bool_(True), numpy.str_("s"), numpy.bytes_(b"b"), numpy.longdouble(1)),
    *(1j, object(), int, len, iter([1]), {"a": [0, (1, {"b": 1j})]}, {"k" * 99: 1j}),
    *({(1, 2): 3}, {frozenset(): 1}, {range(2): 1}, {Slotted(1): 2}, {"a": {(): 1}}),
    *({object(): 1}, {1: {2: [object()]}}, {(object(),): 1}),
]


@pytest.mark.parametrize("value", [pair[0] for pair in CROSSINGS] + OTHERS, ids=repr)
def test_each_kind_is_kept_alike(codec, value):
    same(codec, value)
    same(codec, [{"in": value}])


@pytest.mark.parametrize("depth", [11, 12, 13, 126, 127, 128, 129])
@pytest.mark.parametrize("end", [1, object(), [], {}])
def test_each_depth_is_kept_alike(codec, depth, end):
    value = end
    for _ in range(depth):
        value = [value]
    same(codec, value)


keys = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=4)
    | st.binary(max_size=4)
    | st.tuples(st.integers())
    | st.dates()
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=5)
    | st.decimals()
    | st.uuids()
    | st.timedeltas()
    | st.builds(object),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(keys, inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(settings.get_profile("kept"))
@given(value=values)
def test_any_value_is_kept_alike(codec, value):
    same(codec, value)
