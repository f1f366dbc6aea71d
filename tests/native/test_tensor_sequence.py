# SPDX-License-Identifier: MIT
"""A Tensor as a sequence and as an array: what NumPy and pandas see in it, and what it
is without them.
"""

import collections.abc
import gc
import math
import sys

import pytest

np = pytest.importorskip("numpy", "2.1")

from snakepit_bridge import arrays  # noqa: E402
from test_tensors import DTYPES, sample, tensor  # noqa: E402

SHAPES = [(), (5,), (2, 3), (0,), (2, 0, 3), (2, 3, 4), (1,) * 8]


@pytest.fixture
def arrive(codec, executor):
    """A tensor of an argument with the sample's numbers."""

    def decode(dtype, shape):
        codec.write_requests(4096, sample(dtype, shape).tobytes())
        return executor.decode(tensor(dtype, shape, 4096))

    return decode


@pytest.fixture
def no_numpy(monkeypatch):
    """As where NumPy is not installed."""
    monkeypatch.setattr(arrays, "_found", [(None, None)])
    monkeypatch.setitem(sys.modules, "numpy", None)


# ---- A sequence ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_it_has_the_items_that_numpy_has(arrive, dtype, shape):
    seen, expected = arrive(dtype, shape), sample(dtype, shape)
    assert seen.tolist() == expected.tolist()
    if shape == ():
        assert seen.item() == expected.item()
        return
    assert len(seen) == len(expected)
    for index, item in enumerate(seen):
        assert np.array_equal(np.asarray(item), expected[index])
        assert np.array_equal(np.asarray(seen[index - len(seen)]), expected[index])
        assert type(item) is (
            type(expected[index].item()) if len(shape) == 1 else type(seen)
        )
    for key in (slice(None), slice(1, None), slice(-1, None), slice(3, 1), slice(9)):
        part = seen[key]
        assert type(part) is type(seen)
        assert np.array_equal(np.asarray(part), expected[key])
        assert part.shape == expected[key].shape


@pytest.mark.usefixtures("no_numpy")
@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_need_no_numpy(arrive, dtype):
    seen = arrive(dtype, (2, 3))
    expected = [complex(number) for number in range(6)]
    if dtype == "bool":
        expected = [False] + [True] * 5
    assert [number for row in seen for number in row] == expected
    assert seen.tolist() == [expected[:3], expected[3:]]
    assert expected[5] in seen
    assert 77 not in seen
    assert seen[1][2] == expected[5]


def test_halves_are_read_as_they_are(codec, executor):
    every = np.arange(1 << 16, dtype="uint16")
    codec.write_requests(0, every.tobytes())
    seen = executor.decode(tensor("float16", (1 << 16,))).tolist()
    expected = every.view("float16").tolist()
    assert all(
        a == b and math.copysign(1, a) == math.copysign(1, b)
        if b == b
        else math.isnan(a)
        for a, b in zip(seen, expected)
    )


def test_it_is_what_the_abstract_classes_say(arrive):
    seen = arrive("int8", (3,))
    assert isinstance(seen, collections.abc.Collection)
    assert not isinstance(seen, collections.abc.Hashable)
    with pytest.raises(TypeError, match="unhashable"):
        hash(seen)
    assert list(reversed(seen)) == [2, 1, 0]
    with pytest.raises(IndexError, match="the tensor has 3 items"):
        seen[3]
    with pytest.raises(IndexError):
        seen[-4]
    with pytest.raises(IndexError):
        seen[2**70]
    with pytest.raises(TypeError, match="rank 0"):
        iter(arrive("int8", ()))
    with pytest.raises(IndexError, match="rank 0"):
        arrive("int8", ())[0]


def test_a_part_keeps_the_memory_and_the_lease(codec, executor, arrive):
    part = arrive("float64", (4, 5))[2][1:]
    gc.collect()
    assert codec.usage()[2] == 1
    assert np.array_equal(np.asarray(part), sample("float64", (4, 5))[2][1:])
    assert memoryview(part).readonly
    made = codec.empty((64, 16), "uint8")
    np.asarray(made)[...] = np.arange(1024).reshape(64, 16) % 251
    row, aligned = made[1], made[4:]
    whole = np.asarray(made).copy()
    del made
    data = executor.encode([row, aligned])
    assert [block[2] for block in data[2]][-1] >= 2  # the second lies there already
    assert np.array_equal(np.asarray(row), whole[1])
    assert np.array_equal(np.asarray(aligned), whole[4:])
    del part, row, aligned


def test_a_part_that_is_returned_is_that_part(codec, executor):
    from test_tensors import read_back

    made = codec.empty((64, 16), "uint8")
    np.asarray(made)[...] = np.arange(1024).reshape(64, 16) % 251
    for key in (slice(0, 4), slice(4, 9), slice(1, 3), 7, slice(2, 2)):
        data = executor.encode(made[key])[0]
        found, _ = read_back(codec, data)
        assert np.array_equal(found, np.asarray(made)[key])


# ---- One value -----------------------------------------------------------------------


def test_one_element_is_a_value_and_more_are_none(arrive):
    one = arrive("float32", (1, 1))
    assert float(one) == 0.0 and int(one) == 0 and not one and one.item() == 0.0
    for shape in ((2,), (0,)):
        several = arrive("float32", shape)
        with pytest.raises(ValueError, match="neither true nor false"):
            bool(several)
        with pytest.raises(TypeError, match="single number"):
            float(several)
        with pytest.raises(TypeError, match="single number"):
            int(several)
        with pytest.raises(ValueError, match="single item"):
            several.item()


# ---- NumPy ---------------------------------------------------------------------------


def test_comparisons_are_by_element(arrive):
    seen = arrive("float32", (3,))
    assert (seen == 2.0).tolist() == [False, False, True]
    assert (seen != 2.0).tolist() == [True, True, False]
    assert (seen < np.array([1, 1, 1])).tolist() == [True, False, False]
    assert (np.array([0, 9, 2]) == seen).tolist() == [True, False, True]
    assert (seen == arrive("float32", (3,))).all()
    assert int(np.count_nonzero(seen == 2.0)) == 1


@pytest.mark.parametrize("key", [slice(None, None, 2), (1, 2), (..., 0), None, [1, 0]])
def test_other_keys_are_numpys(arrive, key):
    seen, expected = arrive("int32", (2, 3)), sample("int32", (2, 3))
    assert np.array_equal(seen[key], expected[key])
    assert np.array_equal(seen[seen == 4], [4])
    assert np.array_equal(seen[True], expected[True])
    assert np.array_equal(seen[np.array([1])], expected[[1]])
    assert np.array_equal(np.asarray(seen[np.int64(1)]), expected[1])


@pytest.mark.usefixtures("no_numpy")
def test_without_numpy_nothing_is_guessed(arrive):
    seen = arrive("int32", (2, 3))
    for wrong in (
        lambda: seen == 1,
        lambda: seen != seen,
        lambda: seen < 1,
        lambda: seen[::2],
        lambda: seen[0, 1],
        lambda: seen.__array__(),
    ):
        with pytest.raises(TypeError, match="this needs NumPy, which is not installed"):
            wrong()


def test_array_has_the_copy_semantics_of_numpy(arrive):
    seen, expected = arrive("float64", (2, 3)), sample("float64", (2, 3))
    for array in (
        seen.__array__(),
        seen.__array__(None),
        seen.__array__("f8", copy=False),
    ):
        assert np.shares_memory(array, np.asarray(seen))
        assert not array.flags.writeable
    copied = seen.__array__(copy=True)
    assert copied.flags.writeable and not np.shares_memory(copied, np.asarray(seen))
    other = seen.__array__("int8")
    assert other.dtype == np.int8 and np.array_equal(other, expected)
    with pytest.raises(ValueError, match="without a copy; leave copy=False out"):
        seen.__array__("int8", copy=False)
    with pytest.raises(ValueError):
        np.array(seen, dtype="int8", copy=False)
    assert np.shares_memory(np.array(seen, copy=False), np.asarray(seen))
    assert np.array_equal(np.stack([seen, seen]), [expected, expected])
    assert np.array_equal(np.array([seen[0], seen[1]]), expected)
    assert np.ndim(seen) == 2 and np.shape(seen) == (2, 3) and np.size(seen) == 6


def test_pandas_takes_it_for_a_column(arrive):
    pd = pytest.importorskip("pandas")
    seen = arrive("float32", (3,))
    series = pd.Series(seen)
    assert series.count() == 3 and series.dtype == np.float32
    frame = pd.DataFrame({"day": range(3), "x": seen})
    assert frame.shape == (3, 2) and frame.x.nunique() == 3
    frame["y"] = seen
    assert frame.y.tolist() == [0.0, 1.0, 2.0]
    assert pd.Series([1.0, 5.0]).isin(seen).tolist() == [True, False]
    assert pd.DataFrame(arrive("int64", (2, 3))).shape == (2, 3)
