# SPDX-License-Identifier: MIT
"""Tensors of arguments that are copies, and that arrive as NumPy's arrays."""

import gc

import pytest

np = pytest.importorskip("numpy", "2.1")

from test_tensors import DTYPES, sample, tensor  # noqa: E402

VIEW, COPY, NUMPY, NUMPY_COPY = range(4)


@pytest.fixture
def arrive(codec, executor):
    """Decodes a tensor as the choice says."""

    def decode(choice, dtype, shape, lease=1):
        codec.tensors(choice, np.asarray if choice >= NUMPY else None)
        codec.write_requests(4096, sample(dtype, shape).tobytes())
        return executor.decode(tensor(dtype, shape, 4096), lease)

    yield decode
    codec.tensors()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (0, 3), (1,) * 8, (300, 1000)])
@pytest.mark.parametrize("choice", [VIEW, COPY, NUMPY, NUMPY_COPY])
def test_what_arrives_is_equal_and_writable_where_it_is_a_copy(
    codec, arrive, choice, dtype, shape
):
    if shape == (300, 1000) and dtype not in ("uint8", "bool"):
        shape = (30, 1000)
    found = arrive(choice, dtype, shape)
    seen = np.asarray(found)
    assert (type(found) is np.ndarray) == (choice >= NUMPY)
    assert seen.dtype == np.dtype(dtype) and seen.shape == shape
    assert np.array_equal(seen, sample(dtype, shape))
    assert seen.flags.writeable == (choice in (COPY, NUMPY_COPY))
    inside = codec.addresses()[0] <= seen.ctypes.data < codec.addresses()[0] + (1 << 20)
    if seen.size:
        assert inside == (choice in (VIEW, NUMPY))
        assert seen.ctypes.data % 64 == 0


@pytest.mark.parametrize("choice", [COPY, NUMPY_COPY])
def test_a_copy_holds_no_lease_and_harms_nobody(codec, arrive, choice):
    found = arrive(choice, "float64", (4,))
    assert codec.usage() == (0, 0, 0)
    np.asarray(found)[...] = 7
    assert np.array_equal(arrive(VIEW, "float64", (4,)), sample("float64", (4,)))
    assert np.array_equal(found, [7, 7, 7, 7])


def test_a_copy_goes_by_dlpack_to_who_writes(arrive):
    found = arrive(COPY, "float32", (3,))
    seen = np.from_dlpack(found)
    seen += 1
    assert np.array_equal(np.asarray(found), sample("float32", (3,)) + 1)
    old = found.__dlpack__()  # of a consumer from before 1.0
    assert "dltensor" in repr(old)
    del found
    gc.collect()
    assert seen[0] == 1


@pytest.mark.parametrize("choice", [NUMPY, NUMPY_COPY])
def test_an_array_that_is_returned_comes_back(executor, arrive, choice):
    found = arrive(choice, "int32", (2, 3))
    assert executor.encode({"a": found, "b": found[1]})[2]


@pytest.mark.parametrize("choice", [VIEW, COPY, NUMPY, NUMPY_COPY])
def test_no_memory_leaves_nothing(codec, arrive, choice):
    for at in range(1, 4):
        codec.fail_at(at)
        try:
            arrive(choice, "float64", (100,))
        except MemoryError:
            pass
        finally:
            codec.fail_at(0)
        gc.collect()
        assert codec.usage() == (0, 0, 0)


def test_what_makes_arrays_may_fail(codec, executor):
    def broken(tensor):
        raise RuntimeError("mine")

    codec.tensors(NUMPY, broken)
    with pytest.raises(RuntimeError, match="mine"):
        executor.decode(tensor("int8", (3,)))
    codec.tensors()
