# SPDX-License-Identifier: MIT
"""Values there and back, against the msgpack package, and what is refused."""

import collections
import enum
import math
import struct
import sys
import threading

import pytest

msgpack = pytest.importorskip("msgpack")
hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

settings.register_profile("codec", deadline=None, max_examples=300)
settings.load_profile("codec")

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=300)
    | st.binary(max_size=300)
)
keys = st.text(max_size=70) | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=5)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=20) | st.dictionaries(keys, inner, max_size=20)
    ),
    max_leaves=40,
)


def unpack(data):
    return msgpack.unpackb(data, strict_map_key=False)


def typed(value):
    """A form that tells True from 1 and 1 from 1.0."""
    if isinstance(value, dict):
        return [(typed(key), typed(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [typed(item) for item in value]
    return (type(value), value)


@given(value=values)
def test_bytes_are_those_of_msgpack(codec, value):
    assert codec.Executor().encode(value)[0] == msgpack.packb(value)


@given(value=values)
def test_values_of_msgpack_come_back(codec, value):
    assert typed(codec.Executor().decode(msgpack.packb(value))) == typed(value)


@given(value=values, inline=st.integers(0, 200))
def test_inline_size_does_not_show(codec, value, inline):
    data, is_inline, _ = codec.Executor().encode(value, inline)
    assert data == msgpack.packb(value)
    assert is_inline == (len(data) <= inline)


@pytest.mark.parametrize("bits", [5, 7, 8, 15, 16, 31, 32, 63])
def test_integers_at_their_limits(executor, bits):
    for number in range(2**bits - 2, 2**bits + 3):
        for signed in (number, -number):
            if signed >= -(2**63):
                data = executor.encode(signed)[0]
                assert data == msgpack.packb(signed)
                assert executor.decode(data) == signed


@pytest.mark.parametrize("number", [2**64 - 1, 2**64 - 2, -(2**63)])
def test_largest_integers(executor, number):
    assert executor.decode(executor.encode(number)[0]) == number


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**40])
def test_larger_integers_are_refused(executor, number):
    with pytest.raises(OverflowError, match=r"64 bits at result\['n'\]\[0\]"):
        executor.encode({"n": [number]})


def test_floats_that_are_no_numbers(executor):
    assert math.isnan(executor.decode(executor.encode(math.nan)[0]))
    assert executor.decode(executor.encode(-math.inf)[0]) == -math.inf
    assert str(executor.decode(executor.encode(-0.0)[0])) == "-0.0"
    assert executor.decode(b"\xca" + struct.pack(">f", 1.5)) == 1.5


@pytest.mark.parametrize("size", [31, 32, 255, 256, 65535, 65536, 3 << 20])
def test_sizes_of_text_and_bytes(executor, size):
    for value in ("x" * size, "ä" * size, b"y" * size):
        data = executor.encode(value)[0]
        assert data == msgpack.packb(value)
        assert executor.decode(data) == value


@pytest.mark.parametrize("size", [15, 16, 65535, 65536])
def test_sizes_of_containers(executor, size):
    for value in (list(range(size)), dict.fromkeys(range(size))):
        data = executor.encode(value)[0]
        assert data == msgpack.packb(value)
        assert executor.decode(data) == value


class Colour(enum.IntEnum):
    RED = 3


class Name(str):
    pass


class Ratio(float):
    pass


class Data(bytes):
    pass


Point = collections.namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Colour.RED, 3),
        (Name("é"), "é"),
        (Name("e"), "e"),
        (Ratio(1.5), 1.5),
        (Data(b"x"), b"x"),
        (Point(1, [2]), [1, [2]]),
        ((1, (2,)), [1, [2]]),
        (collections.defaultdict(list, a=[1]), {"a": [1]}),
        (bytearray(b"abc"), b"abc"),
        (memoryview(b"abc"), b"abc"),
        (memoryview(b"abcdef")[::-2], b"fdb"),
        (memoryview(b"").cast("c"), b""),
    ],
)
def test_kinds_go_by_their_base(executor, value, plain):
    assert executor.encode(value)[0] == msgpack.packb(plain)


def test_ordered_dict_keeps_its_order(executor):
    ordered = collections.OrderedDict(a=1, b=2)
    ordered.move_to_end("a")
    assert list(executor.decode(executor.encode(ordered)[0])) == ["b", "a"]


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (1j, "complex at result;"),
        ({"a": [0, 1, 2, 1j]}, r"complex at result\['a'\]\[3\];"),
        ({"a": (0, {"b": object()})}, r"object at result\['a'\]\[1\]\['b'\];"),
        ({object(): 1}, r"object at result\.keys\(\);"),
        (collections.OrderedDict(a=1j), r"complex at result\['a'\];"),
        ([lambda: None], r"function at result\[0\];"),
        ({"k" * 1000: 1j}, r"complex at result\['k{79}\];"),
        ([threading.Event()], r"threading\.Event at result\[0\];"),
        (iter([1]), "list_iterator at result;"),
    ],
)
def test_refusals_name_the_place(executor, value, place):
    with pytest.raises(TypeError, match="cannot encode " + place):
        executor.encode(value)


PAIR = (1, 2)
KEYS = [PAIR, frozenset(), range(2), collections.namedtuple("Pair", "a b")(1, 2)]


@pytest.mark.parametrize("key", KEYS)
def test_what_is_read_again_has_no_lists_or_maps_as_keys(executor, key):
    value = {"rows": [{None: 1, True: 2, 1.5: 3, b"x": 4, "y": 5, key: 6}]}
    data = executor.encode(value)[0]
    with pytest.raises(ValueError, match="a list, a map or a tensor as a key"):
        executor.decode(data)
    for inline in (0, 2048):
        with pytest.raises(
            TypeError, match=r"at arguments\['rows'\]\[0\]\.keys\(\); keys are"
        ):
            executor.encode(value, inline, "session")
    value["rows"][0].pop(key)
    assert executor.decode(executor.encode(value, 0, "session")[0]) == value
    assert executor.encode({key: 1})[0]  # that was for one value


def test_surrogates_are_refused(executor):
    with pytest.raises(ValueError, match=r"surrogates at result\[0\]"):
        executor.encode(["\ud800"])
    for data in (b"\xa3\xed\xa0\x80", b"\xa1\xff", b"\x81\xa1\xff\x01"):
        with pytest.raises(ValueError, match="not UTF-8"):
            executor.decode(data)


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


def test_depth_has_a_limit_both_ways(executor):
    assert executor.decode(executor.encode(nested(128))[0]) == nested(128)
    with pytest.raises(ValueError, match=r"nesting too deep.* at result\[0\]\[0\]"):
        executor.encode(nested(129))
    with pytest.raises(ValueError, match="nested too deep"):
        executor.decode(b"\x91" * 129 + b"\x01")


@pytest.mark.parametrize("empty", [[], {}, (), collections.OrderedDict()])
def test_siblings_are_not_depth(executor, empty):
    data = executor.encode([[empty] * 200, dict.fromkeys(range(200), empty)])[0]
    plain = executor.decode(msgpack.packb(empty))
    assert executor.decode(data) == [[plain] * 200, dict.fromkeys(range(200), plain)]


def test_cycles_end(executor):
    cycle = {}
    cycle["self"] = [cycle]
    with pytest.raises(ValueError, match="cycle"):
        executor.encode(cycle)
    assert executor.encode(1)[0] == b"\x01"


def test_changes_meanwhile_are_noticed(executor):
    for victim, change in (
        ({"a": None, "b": 1}, lambda victim: victim.pop("b")),
        ({"a": None, "b": 1}, lambda victim: victim.update(c=1)),
        ([None, 1], lambda victim: victim.pop()),
        ([None, 1], lambda victim: victim.append(1)),
    ):

        class Evil(dict):
            def items(self, victim=victim, change=change):
                change(victim)
                return []

        victim["a" if isinstance(victim, dict) else 0] = Evil()
        with pytest.raises(
            RuntimeError, match="changed while it was encoded at result"
        ):
            executor.encode(victim)


def test_exceptions_of_user_code_pass(executor):
    class Broken(dict):
        def items(self):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        executor.encode([Broken()])


def test_private_buffer_is_kept_only_when_small(executor):
    executor.encode("x" * 5000, 16)
    assert 5000 < executor.caches()[3] <= 65536
    executor.encode("x" * 100_000, 16)
    assert executor.caches()[3] == 0


@pytest.mark.parametrize("shared", [False, True])
def test_threads_do_not_meet(codec, shared):
    value = {"list": list(range(50)), "text": "é" * 10, "map": {"k": [1.5, None]}}
    expected = msgpack.packb(value)
    failures = []

    def work():
        executor = codec.Executor()
        for _ in range(300):
            mine = value if shared else executor.decode(expected)
            if executor.encode(mine)[0] != expected:
                failures.append(1)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_containers_that_threads_change_never_corrupt(codec):
    shared = {"list": [], "map": {}}
    stop = threading.Event()

    def change():
        i = 0
        while not stop.is_set():
            i += 1
            shared["list"].append([i])
            shared["map"][f"k{i % 50}"] = [i]
            if i % 7 == 0:
                shared["list"].clear()
                shared["map"].pop(f"k{i % 31}", None)
                shared[f"extra{i % 5}"] = i
                shared.pop(f"extra{(i + 2) % 5}", None)

    writers = [threading.Thread(target=change) for _ in range(2)]
    for writer in writers:
        writer.start()
    executor = codec.Executor()
    try:
        for _ in range(3000):
            try:
                unpack(executor.encode(shared)[0])
            except RuntimeError as error:
                assert "changed while" in str(error)
    finally:
        stop.set()
        for writer in writers:
            writer.join()


def test_memory_that_fails_is_an_error(codec):
    value = {"text": "x" * 10_000, "more": ["y" * 10_000] * 3}
    executor = codec.Executor()
    for n in range(1, 8):
        codec.fail_at(n)
        try:
            data = executor.encode(value, 10)[0]
        except MemoryError:
            continue
        finally:
            codec.fail_at(0)
        assert unpack(data) == value
    assert unpack(executor.encode(value, 10)[0]) == value


def test_references_balance(executor):
    class Thing:
        pass

    key, item = "a key of some length", Thing()
    before = sys.getrefcount(key), sys.getrefcount(item)
    for _ in range(10):
        executor.encode({key: [key, (key,)]})
        with pytest.raises(TypeError):
            executor.encode({key: [item]})
    assert (sys.getrefcount(key), sys.getrefcount(item)) == before
