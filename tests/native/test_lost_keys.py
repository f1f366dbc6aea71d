# SPDX-License-Identifier: MIT
"""Keys that differ on the wire and are equal in Python, in arguments."""

import pytest

msgpack = pytest.importorskip("msgpack")


def packed(value):
    """MessagePack of a value in which a list of pairs, a `Pairs`, is a map."""
    if isinstance(value, Pairs):
        return bytes([0x80 | len(value)]) + b"".join(
            packed(part) for pair in value for part in pair
        )
    if isinstance(value, list):
        return bytes([0x90 | len(value)]) + b"".join(map(packed, value))
    return msgpack.packb(value)


class Pairs(list):
    """The pairs of a map, whose keys may be anything."""


LOST = [
    (Pairs([(1, "a"), (True, "b")]), "the keys 1 and True are equal in Python"),
    (Pairs([(True, "a"), (1, "b")]), "the keys True and 1 are equal in Python"),
    (Pairs([(1, "a"), (1.0, "b")]), "the keys 1 and 1.0 are equal in Python"),
    (Pairs([(0, "a"), (-0.0, "b")]), "the keys 0 and -0.0 are equal in Python"),
    (
        Pairs([(2**63, "a"), (2.0**63, "b")]),
        f"the keys {2**63} and {2.0**63} are equal",
    ),
    (Pairs([("k", 1), ("k", 2)]), "two keys arrive as 'k'"),
    (Pairs([(b"k", 1), ("k", 2), (b"k", 3)]), "two keys arrive as b'k'"),
    (Pairs([(None, 1), (None, 2)]), "two keys arrive as None"),
    (Pairs([("x" * 70, 1), ("x" * 70, 2)]), "two keys arrive as 'xxx"),
    (Pairs([(0, [Pairs([("a", 0)])]), (1, 1), (2, 2), (False, 3)]), "0 and False"),
]


@pytest.mark.parametrize(("value", "what"), LOST)
def test_keys_that_are_equal_in_python_are_refused_with_their_place(
    executor, value, what
):
    with pytest.raises(ValueError) as error:
        executor.arguments(packed(Pairs([("n", 1), ("m", value)])))
    assert what in str(error.value)
    assert str(error.value).endswith(" at arguments['m']; make them differ")
    with pytest.raises(ValueError) as error:
        executor.decode(packed([0, Pairs([("a", [value])])]))
    assert what in str(error.value)
    assert str(error.value).endswith(" at result[1]['a'][0]; make them differ")


@pytest.mark.parametrize(
    "value",
    [
        Pairs([(1, "a"), ("1", "b"), (b"1", "c"), (1.5, "d")]),
        Pairs([("a", "x"), (b"a", "y"), (None, "z"), (False, 0)]),
        Pairs([(float("nan"), 1), (float("nan"), 2)]),
        Pairs([("é", 1), ("e\u0301", 2)]),
    ],
)
def test_keys_that_python_tells_apart_arrive(executor, value):
    found = executor.decode(packed(value))
    assert list(found.values()) == [item for _, item in value]
    for _ in range(3):  # by the cache of names as well
        assert len(executor.arguments(packed(Pairs([("m", value)])))[1]["m"]) == len(
            value
        )


def test_a_name_twice_is_told(executor):
    with pytest.raises(ValueError, match="the same name, 'b'; make them differ"):
        executor.arguments(packed(Pairs([("a", 1), ("b", 2), ("b", 3)])))


def test_a_large_map_with_one_key_twice_is_refused(executor):
    pairs = 70_000
    data = b"\xdf" + pairs.to_bytes(4, "big")
    data += b"".join(msgpack.packb(key) + b"\x01" for key in range(pairs - 1))
    with pytest.raises(ValueError, match=r"the keys 69998 and 69998\.0 are equal"):
        executor.decode(data + msgpack.packb(69998.0) + b"\x02")


def test_refusing_leaves_nothing_when_memory_ends(codec, executor):
    data = packed([Pairs([("a", Pairs([(1, 2), (True, 3)]))])])
    for at in range(1, 20):
        codec.fail_at(at)
        try:
            with pytest.raises((ValueError, MemoryError)):
                executor.decode(data)
        finally:
            codec.fail_at(0)


def test_a_tensor_is_no_key(executor):
    tensor = b"\xc7\x18\x01\x0b\x01" + bytes(14) + b"\x01" + bytes(7)
    with pytest.raises(ValueError, match="a list, a map or a tensor as a key"):
        executor.decode(b"\x81" + tensor + b"\x01")
