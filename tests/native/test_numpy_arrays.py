# SPDX-License-Identifier: MIT
"""NumPy's arrays as empty() makes them in a worker, and how they are read again."""

import gc
import sys

import pytest
from test_tensors import DTYPES, read_back, sample

np = pytest.importorskip("numpy")

SHAPES = [(5,), (2, 3), (2, 1, 3), (1,) * 8, ()]


@pytest.fixture(params=["by the interface", "by calling ndarray"])
def made(codec, request, monkeypatch):
    """What makes arrays, in both ways."""
    known = request.param == "by the interface"
    if not known:
        for name in ("numpy._core._multiarray_umath", "numpy.core._multiarray_umath"):
            monkeypatch.delitem(sys.modules, name, raising=False)
    assert codec.know_numpy(np.ndarray, np.dtype) == known
    yield codec.make_array
    codec.know_numpy()


def offset_of(codec, array):
    return array.ctypes.data - codec.addresses()[1]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_an_array_is_like_one_of_numpys(codec, executor, made, dtype, shape):
    array = made(shape, dtype)
    like = np.empty(shape, dtype)
    assert type(array) is np.ndarray
    assert (array.dtype, array.shape, array.strides) == (
        like.dtype,
        like.shape,
        like.strides,
    )
    assert array.flags.c_contiguous
    assert array.flags.aligned
    assert array.flags.writeable
    assert not array.flags.owndata
    assert type(array.base).__name__ == "Tensor"
    array[...] = sample(dtype, shape)
    data, _, blocks = executor.encode(array)
    seen, at = read_back(codec, data)
    assert at == blocks[0][0] == offset_of(codec, array)
    assert seen.dtype == like.dtype
    assert np.array_equal(seen, sample(dtype, shape))


def test_what_has_no_array_is_left_to_others(made):
    assert made((0, 3), "int8") is None
    assert made((3,), "bfloat16") is None


@pytest.mark.parametrize("shape", [7, [7], (7,)])
def test_shapes_are_those_of_empty(made, executor, shape):
    assert made(shape, "int16").shape == (7,)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of NumPy, for just that
def test_an_array_that_was_changed_in_place_is_read_as_it_is(codec, executor, made):
    array = made((4, 16), "float32")
    array[...] = np.arange(64).reshape(4, 16)
    array.shape = (8, 8)
    array.dtype = "int64"
    data, _, blocks = executor.encode(array)
    seen, at = read_back(codec, data)
    assert at == blocks[0][0] == offset_of(codec, array)
    assert seen.shape == (8, 4)
    assert seen.dtype == np.int64
    assert seen.tobytes() == array.tobytes()


def test_aligned_parts_are_not_copied(codec, executor, made):
    whole = made((4, 16), "float32")
    whole[...] = np.arange(64).reshape(4, 16)
    for part, rows in ((whole[1:3], 1), (whole[2], 2), (whole[0:1, :5], 0)):
        data, _, blocks = executor.encode(part)
        seen, at = read_back(codec, data)
        assert at == offset_of(codec, whole) + 64 * rows
        assert blocks[0][0] == offset_of(codec, whole)
        assert np.array_equal(seen, part)


def test_other_parts_are_copied(codec, executor, made):
    whole = made((4, 16), "float32")
    whole[...] = np.arange(64).reshape(4, 16)
    swapped = whole.view(np.dtype("float32").newbyteorder())
    for part in (whole.T, whole[:, 1:3], whole[0, 1:], whole[::2], swapped):
        data, _, _ = executor.encode(part)
        seen, at = read_back(codec, data)
        assert at != offset_of(codec, whole)
        assert np.array_equal(seen, part)


def test_other_arrays_are_copied(codec, executor, made):
    del made
    for other in (np.arange(6.0), np.arange(6)[::2], np.ma.arange(3)):
        seen, _ = read_back(codec, executor.encode(other)[0])
        assert np.array_equal(seen, other)


def test_a_block_lives_as_long_as_its_array_or_the_answer(codec, executor, made):
    array = made(100, "int32")
    array[...] = 7
    part = array[:10]
    executor.encode([array, array])
    del array
    gc.collect()
    executor.release()
    assert codec.usage()[0] == 1
    assert part[9] == 7
    del part
    gc.collect()
    assert codec.usage()[0] == 0


@pytest.mark.skipif(hasattr(sys, "_is_gil_enabled"), reason="counts with the GIL only")
def test_memory_that_runs_out_leaves_nothing(codec, executor, made):
    del made
    for at in range(1, 100):
        codec.fail_python_at(at)
        try:
            codec.make_array((4,), "float32")
        except MemoryError:
            pass
        if not codec.fail_python_at(0):
            break
    else:
        raise AssertionError("it never came to its end")
    gc.collect()
    assert codec.usage()[0] == 0


def test_what_is_no_numpy_has_no_interface(codec):
    assert not codec.know_numpy(object(), lambda name: name)
    codec.know_numpy()
    with pytest.raises(RuntimeError):
        codec.know_numpy(np.ndarray, failing)


def failing(name):
    raise RuntimeError(name)
