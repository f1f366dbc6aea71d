# SPDX-License-Identifier: MIT
"""Arguments: their names, the caches behind these, and what is not a map of names."""

import sys

import pytest

msgpack = pytest.importorskip("msgpack")


def test_arguments_arrive_by_name(executor):
    names, values = executor.arguments(
        msgpack.packb({"x": 1, "name": "snake", "n": [2]})
    )
    assert names == ("x", "name", "n")
    assert values == {"x": 1, "name": "snake", "n": [2]}


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"\xde\x00\x00", b"\xdf\x00\x00\x00\x00"]
)
def test_no_arguments(executor, data):
    assert executor.arguments(data)[1] == {}


@pytest.mark.parametrize("count", [1, 15, 16, 17, 200])
def test_any_number_of_arguments(executor, count):
    arguments = {f"name{i}": i for i in range(count)}
    for _ in range(4):
        names, values = executor.arguments(msgpack.packb(arguments))
        assert names == tuple(arguments)
        assert values == arguments


@pytest.mark.parametrize("name", ["", "é", "日本", "x" * 64, "x" * 65, "x" * 300])
def test_any_name(executor, name):
    for _ in range(4):
        assert executor.arguments(msgpack.packb({"a": 1, name: 2}))[1] == {
            "a": 1,
            name: 2,
        }
        assert executor.arguments(msgpack.packb({name: 2, "a": 1}))[1] == {
            "a": 1,
            name: 2,
        }


def test_same_names_are_the_same_tuple_and_interned(executor):
    data = msgpack.packb({"argument_one": 1, "argument_two": 2})
    for _ in range(3):
        executor.arguments(data)
    names = executor.arguments(data)[0]
    assert names is executor.arguments(data)[0]
    assert names[0] is sys.intern("argument_" + "one")
    assert names[1] is sys.intern("argument_" + "two")


def test_calls_in_turn_keep_their_names(executor):
    calls = [
        {"x": 1, "y": 2},
        {"x": 1, "z": 2},
        {"x": 1},
        {"y": 1, "x": 2},
        {"x": 3, "y": 4},
    ]
    for _ in range(5):
        for call in calls:
            names, values = executor.arguments(msgpack.packb(call))
            assert names == tuple(call)
            assert values == call


@pytest.mark.parametrize("count", [2, 17])
def test_equal_names_are_refused(executor, count):
    pair = b"\xa1a\x01"
    for _ in range(3):
        with pytest.raises(ValueError, match="same name"):
            executor.arguments(b"\xde\x00" + bytes([count]) + pair * count)
        executor.arguments(b"\x82\xa1a\x01\xa1b\x01")
        with pytest.raises(ValueError, match="same name"):
            executor.arguments(b"\x82" + pair * 2)


@pytest.mark.parametrize("data", [b"\x90", b"\xc0", b"\x01", b"\xa1x"])
def test_what_is_no_map(executor, data):
    with pytest.raises(ValueError, match="not a map"):
        executor.arguments(data)


@pytest.mark.parametrize("key", [1, None, b"x", 1.5])
def test_names_that_are_no_text(executor, key):
    with pytest.raises(ValueError, match="not text"):
        executor.arguments(msgpack.packb({"a": 1, key: 1}))


def test_failures_leave_nothing_behind(executor):
    value = b"\xa9" + b"not small"
    data = b"\x83\xa1a" + value + b"\xa1b" + value + b"\xa1c\xc1"
    for _ in range(100):
        with pytest.raises(ValueError):
            executor.arguments(data)


def test_a_stream_of_new_names_leaves_memory_flat(executor):
    for i in range(60_000):
        data = msgpack.packb({f"name{i}": {f"key{i}": 1}})
        for _ in range(4 if i < 8000 else 1):
            executor.arguments(data)
    keys, tuples, interned, _ = executor.caches()
    assert keys <= 256
    assert tuples <= 16
    assert interned <= 4096 + 16


def test_memory_that_fails_is_an_error(codec, executor):
    data = msgpack.packb({f"n{i}": i for i in range(20)})
    codec.fail_at(1)
    with pytest.raises(MemoryError):
        executor.arguments(data)
    codec.fail_at(0)
    assert len(executor.arguments(data)[0]) == 20
