# SPDX-License-Identifier: MIT
"""Bytes that nobody should have sent: a ValueError or a value, in little memory."""

import random
import tracemalloc

import pytest

msgpack = pytest.importorskip("msgpack")

SAMPLE = {
    "i": [0, -1, 200, -200, 70000, -70000, 2**40, -(2**40), 2**64 - 1],
    "f": [1.5, True, None],
    "text": ["", "short", "x" * 40, "é" * 200],
    "bytes": [b"", b"x" * 300],
    "deep": {"a": {"b": {1: [[]]}}},
    "long": list(range(20)),
}
DATA = msgpack.packb(SAMPLE)
TENSOR = b"\xc7\x18\x01\x0b\x01" + bytes(14) + b"\x04" + bytes(7)
WINDOW = slice(len(DATA) + 7, len(DATA) + 11)  # in which the tensor lies
WINDOWS = 64


def test_every_truncation_is_an_error(executor):
    for size in range(len(DATA)):
        with pytest.raises(ValueError, match="at byte"):
            executor.decode(DATA[:size])
        if size > 0:
            with pytest.raises(ValueError, match="at byte"):
                executor.arguments(DATA[:size])


def test_trailing_bytes_are_an_error(executor):
    with pytest.raises(ValueError, match=f"at byte {len(DATA)}: more bytes follow"):
        executor.decode(DATA + b"\x00")
    with pytest.raises(ValueError, match="more bytes follow"):
        executor.arguments(DATA + b"\x00")


@pytest.mark.parametrize("seed", range(8))
def test_random_mutations_are_values_or_errors(codec, seed):
    chance = random.Random(seed)
    executor = codec.Executor()
    before = codec.usage()
    for _ in range(4000):
        data = bytearray(DATA + TENSOR * chance.randrange(2))
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if 0 < int.from_bytes(data[WINDOW], "little") <= WINDOWS:
            data[WINDOW] = bytes(4)  # one that is to come is waited for, for seconds
        for read in (executor.decode, executor.arguments):
            try:
                read(bytes(data))
            except ValueError:
                pass
    assert codec.usage() == before


def test_random_bytes_are_values_or_errors(executor):
    chance = random.Random(9)
    for _ in range(20_000):
        data = chance.randbytes(chance.randrange(40))
        try:
            executor.decode(data)
        except ValueError:
            pass


@pytest.mark.parametrize(
    "data",
    [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff" + bytes(100),
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x01",
        b"".join(b"\xdd" + (60_000).to_bytes(4, "big") for _ in range(120))
        + bytes(61_000),
    ],
    ids=["list", "map", "text", "bytes", "ext", "lists in lists"],
)
def test_announced_sizes_are_not_believed(executor, data):
    tracemalloc.start()
    try:
        with pytest.raises(ValueError):
            executor.decode(data)
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "data", [b"\x81\x90\x01", b"\x81\x80\x01", b"\x82\x01\x02\x91\x01\x01"]
)
def test_keys_that_cannot_be_hashed(executor, data):
    with pytest.raises(ValueError, match="as a key"):
        executor.decode(data)


@pytest.mark.parametrize(
    "data", [b"\xc1", b"\xd4\x05\x00", b"\xd8\x05" + bytes(16), b"\xc7\x00\xff"]
)
def test_unknown_kinds(executor, data):
    with pytest.raises(ValueError, match="at byte"):
        executor.decode(data)
