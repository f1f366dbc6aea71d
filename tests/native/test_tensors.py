# SPDX-License-Identifier: MIT
"""Tensors: views of arguments, arrays of results, empty(), and who keeps the memory."""

import array
import ctypes
import gc
import pickle
import struct
import threading

import pytest

np = pytest.importorskip("numpy")

DTYPES = {
    "bool": 1, "int8": 2, "int16": 3, "int32": 4, "int64": 5, "uint8": 6, "uint16": 7,
    "uint32": 8, "uint64": 9, "float16": 10, "float32": 11, "float64": 12,
    "complex64": 13, "complex128": 14,
}  # fmt: skip
NAMES = {number: name for name, number in DTYPES.items()}
REQUESTS_SIZE = 1 << 20


def tensor(dtype, shape, offset=0, rank=None, reserved=0, window=0, size=None):
    """The ext of a tensor, with fields that may lie."""
    rank = len(shape) if rank is None else rank
    body = struct.pack(
        "<BBHIQ",
        DTYPES.get(dtype, dtype),
        rank,
        reserved,
        window,
        offset,
    )
    body += b"".join(struct.pack("<Q", extent) for extent in shape)
    return b"\xc7" + bytes([len(body) if size is None else size, 1]) + body


def read_back(codec, data):
    """The array that a host sees: `data` is one encoded tensor."""
    start = 2 if data[0] == 0xD8 else 3
    number, rank, two, four, offset = struct.unpack_from("<BBHIQ", data, start)
    assert two == four == 0
    assert offset % 64 == 0
    assert len(data) == start + 16 + 8 * rank
    shape = struct.unpack_from(f"<{rank}Q", data, start + 16)
    dtype = np.dtype(NAMES[number])
    size = int(np.prod(shape, dtype=object)) * dtype.itemsize
    return np.frombuffer(codec.results(offset, size), dtype).reshape(shape), offset


def sample(dtype, shape):
    count = int(np.prod(shape))
    return (np.arange(count) % 100).astype(dtype).reshape(shape)


# ---- Arguments -----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (2, 1, 3), (1,) * 8, (0, 3)])
def test_arguments_are_views(codec, executor, dtype, shape):
    expected = sample(dtype, shape)
    codec.write_requests(4096, expected.tobytes())
    view = executor.decode(tensor(dtype, shape, 4096))
    seen = np.asarray(view)
    assert seen.dtype == expected.dtype
    assert seen.shape == view.shape == shape
    assert np.array_equal(seen, expected)
    assert view.dtype == dtype
    assert view.ndim == len(shape)
    assert view.nbytes == expected.nbytes
    assert view.tobytes() == expected.tobytes()
    if expected.size:
        assert seen.ctypes.data == codec.addresses()[0] + 4096
    assert not seen.flags.writeable


def test_a_short_form_of_rank_0(codec, executor):
    codec.write_requests(64, struct.pack("<d", 2.5))
    view = executor.decode(b"\xd8\x01" + tensor("float64", (), 64)[3:])
    assert np.asarray(view) == 2.5


def test_views_keep_the_lease(codec, executor):
    data = b"\x92" + tensor("int8", (3,)) + tensor("int8", (4,))
    first, second = executor.decode(data)
    assert codec.usage()[2] == 1
    seen = np.asarray(first)[1:]
    del first, second
    gc.collect()
    assert codec.usage()[2] == 1
    del seen
    gc.collect()
    assert codec.usage()[2] == 0


def test_arguments_cannot_be_written(codec, executor):
    view = executor.decode(tensor("float32", (3,)))
    assert memoryview(view).readonly
    with pytest.raises(TypeError):
        memoryview(view)[0] = 1
    with pytest.raises((BufferError, TypeError)):
        ctypes.c_char.from_buffer(view)
    with pytest.raises(ValueError, match=r"cannot set WRITEABLE|read-only"):
        np.asarray(view).flags.writeable = True


def test_a_tensor_in_python(codec, executor):
    view = executor.decode(tensor("float32", (3, 2)))
    assert repr(view) == "Tensor(shape=(3, 2), dtype='float32')"
    assert len(view) == 3
    assert memoryview(view).format == "f"
    assert memoryview(view).strides == (8, 4)
    with pytest.raises(TypeError, match="rank 0"):
        len(executor.decode(tensor("float32", ())))
    with pytest.raises(TypeError):
        type(view)()
    with pytest.raises(TypeError):
        pickle.dumps(view)


HOSTILE = {
    "no dtype": tensor(0, (3,)),
    "unknown dtype": tensor(16, (3,)),
    "rank 9": tensor("int8", (1,) * 9),
    "rank over shape": tensor("int8", (1,), rank=2),
    "rank under shape": tensor("int8", (1, 1), rank=1),
    "reserved": tensor("int8", (3,), reserved=1),
    "misaligned in a window": tensor("int8", (3,), 8, window=1),
    "behind the end of a window": tensor("int8", (65,), 64, window=1),
    "far behind that": tensor("int8", (1,), REQUESTS_SIZE - 64, window=1),
    "a lot of a window": tensor("int8", (2**62,), window=1),
    "a window past the last": tensor("int8", (3,), window=65),
    "a window that cannot be": tensor("int8", (3,), window=2**32 - 1),
    "misaligned": tensor("int8", (3,), 8),
    "at the end": tensor("int8", (65,), REQUESTS_SIZE - 64),
    "behind the end": tensor("int8", (1,), REQUESTS_SIZE),
    "empty behind the end": tensor("int8", (0,), REQUESTS_SIZE + 64),
    "offset overflows": tensor("int8", (64,), 2**64 - 64),
    "negative extent": tensor("int8", (2**63,)),
    "product overflows": tensor("float64", (2**31, 2**31)),
    "bytes overflow": tensor("float64", (2**61,)),
    "empty overflows": tensor("int8", (2**62, 4, 0)),
    "head only": b"\xc7\x08\x01" + bytes(8),
    "nothing": b"\xc7\x00\x01",
    "fixext": b"\xd7\x01" + bytes(8),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_tensors_that_are_none(codec, executor, data):
    with pytest.raises(ValueError, match="tensor"):
        executor.decode(data)


def test_every_truncation_of_a_tensor(executor):
    data = tensor("int8", (3, 4))
    for size in range(len(data)):
        with pytest.raises(ValueError):
            executor.decode(data[:size])


def test_the_last_bytes_of_the_segment(executor):
    assert executor.decode(tensor("int8", (64,), REQUESTS_SIZE - 64)).nbytes == 64
    assert executor.decode(tensor("int8", (0,), REQUESTS_SIZE)).nbytes == 0


def test_a_tensor_in_a_window_is_read_there(codec, executor):
    view = executor.decode(tensor("uint8", (64,), 64, window=1))
    assert bytes(view) == codec.results(64, 64)
    assert memoryview(view).readonly


@pytest.mark.parametrize("window", [2, 64])
def test_a_window_that_is_not_there_is_a_lack_of_memory(executor, window):
    with pytest.raises(MemoryError, match="could not map"):
        executor.decode(tensor("int8", (3,), window=window))


def test_tensors_need_a_lease(executor):
    with pytest.raises(ValueError, match="lease"):
        executor.decode(tensor("int8", (3,)), -1)
    assert executor.decode(tensor("int8", (0,)), -1).nbytes == 0
    with pytest.raises(ValueError, match="none can be"):
        executor.decode(tensor("int8", (3,)), -2)


# ---- Results -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (1,) * 8, (0, 3)])
def test_arrays_become_tensors(codec, executor, dtype, shape):
    expected = sample(dtype, shape)
    data, _, blocks = executor.encode(expected)
    seen, _ = read_back(codec, data)
    assert seen.dtype == expected.dtype
    assert seen.shape == shape
    assert np.array_equal(seen, expected)
    assert len(blocks) == (1 if expected.size else 0)


@pytest.mark.parametrize("count", [1, 40_000])
@pytest.mark.parametrize("dtype", ["int8", "int16", "float32", "float64", "complex128"])
def test_strides_are_packed(codec, executor, dtype, count):
    base = sample(dtype, (4, 6, count))
    views = [
        base[::2],
        base[:, ::-1],
        base[..., ::-1],
        base.T,
        base[1:3, 2:5],
        base[::-2, ::3],
        base[:, 1],
        np.asfortranarray(base),
        np.broadcast_to(base[0, 0], (3, count)),
        np.broadcast_to(base[0, 0, 0], (3, count)),  # no stride but 0
        np.broadcast_to(base[:, :1, :1], (4, 6, count)),
    ]
    for view in views:
        seen, _ = read_back(codec, executor.encode(view)[0])
        assert np.array_equal(seen, view)
        executor.release()


@pytest.mark.parametrize(
    "value",
    [
        array.array("d", [1, 2]),
        array.array("l", [1, 2]),
        array.array("H", [1, 2]),
        memoryview(array.array("i", [1, 2])),
        memoryview(bytes(12)).cast("B", (3, 4)),
        (ctypes.c_int32 * 3)(1, 2, 3),
        np.float32(1) * np.ones((2, 2), "<f4"),
    ],
)
def test_whatever_exports_numbers(codec, executor, value):
    seen, _ = read_back(codec, executor.encode(value)[0])
    assert np.array_equal(seen, np.asarray(value))


@pytest.mark.parametrize(
    "value",
    [
        np.ones(2, object),
        np.ones(2, ">U3"),
        np.array(["x"]),
        np.array(["2020-01-01"], "M8[D]"),
        np.zeros(2, [("a", "i4")]),
        np.ones(2, np.longdouble),
        np.datetime64("2020-01-01"),
        np.timedelta64(3, "s"),
        np.zeros(1, [("a", "i4")])[0],
        array.array("u", "x"),
    ],
)
def test_arrays_of_no_numbers_are_refused(executor, value):
    with pytest.raises(TypeError, match=r"cannot encode .* at result\['a'\]"):
        executor.encode({"a": value})


def test_more_than_eight_dimensions(executor):
    with pytest.raises(ValueError, match=r"8 dimensions at result\[0\]"):
        executor.encode([np.zeros((1,) * 9)])


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.int8(-3), -3),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.float16(1.5), 1.5),
        (np.float32(1.5), 1.5),
        (np.float64(1.5), 1.5),
        (np.longdouble(1.5), 1.5),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.bytes_(b"x"), b"x"),
    ],
)
def test_numpy_scalars_are_scalars(executor, value, plain):
    seen = executor.decode(executor.encode(value)[0])
    assert seen == plain
    assert type(seen) is type(plain)


def test_complex_scalars_are_tensors(codec, executor):
    seen, _ = read_back(codec, executor.encode(np.complex64(1 + 2j))[0])
    assert seen.shape == ()
    assert seen == 1 + 2j


def test_returned_arguments_are_copied(codec, executor):
    codec.write_requests(0, bytes(range(10)))
    view = executor.decode(tensor("uint8", (10,)))
    for value in (view, np.asarray(view)):
        seen, _ = read_back(codec, executor.encode(value)[0])
        assert seen.tobytes() == bytes(range(10))


def test_an_exhausted_arena_is_a_memory_error(codec, executor):
    codec.limit_results(1 << 16)
    try:
        with pytest.raises(MemoryError, match=r"80000 bytes at result\[1\]"):
            executor.encode([np.zeros(10), np.zeros(10_000)])
        with pytest.raises(MemoryError, match="80000 bytes"):
            codec.empty(10_000, "float64")
    finally:
        codec.limit_results()
    assert codec.usage()[0] == 0


def test_a_block_for_the_body(codec, executor):
    offset, size, refs = executor.add_block(5000)
    assert (offset % 64, size, refs) == (0, 5000, 1)
    assert codec.usage()[0] == 1
    codec.limit_results(5000)
    try:
        with pytest.raises(MemoryError):
            executor.add_block(5000)
    finally:
        codec.limit_results()
    for n in (1, 2):
        other = codec.Executor()
        codec.fail_at(n)
        with pytest.raises(MemoryError):
            other.add_block(1)
        codec.fail_at(0)


def test_failures_hold_no_block(codec, executor):
    for _ in range(3):
        with pytest.raises(TypeError):
            executor.encode([np.zeros(10), object()])
        assert codec.usage()[0] == 0


def test_the_nth_allocation_fails(codec, executor):
    value = [np.zeros(10) for _ in range(20)]
    for n in range(1, 40):
        codec.fail_at(n)
        try:
            executor.encode(value, 64)
        except MemoryError:
            assert codec.usage()[0] == 0
        finally:
            codec.fail_at(0)
            executor.release()
    assert len(executor.encode(value, 64)[2]) == 20


@pytest.mark.parametrize("dtype", [*DTYPES][1:])
def test_the_other_byte_order_is_turned_around(codec, executor, dtype):
    swapped = np.dtype(dtype).newbyteorder(">")
    expected = sample(dtype, (3, 5))
    for value in (expected.astype(swapped), expected.astype(swapped).T[::2]):
        seen, _ = read_back(codec, executor.encode(value)[0])
        assert seen.dtype == np.dtype(dtype)
        assert np.array_equal(seen, value)


# ---- empty() -------------------------------------------------------------------------


def test_empty_is_not_copied(codec, executor):
    made = codec.empty((3, 4), "float64")
    seen = np.asarray(made)
    assert seen.flags.writeable
    assert np.shares_memory(seen, np.asarray(made))
    seen[:] = np.arange(12).reshape(3, 4)
    offset = seen.ctypes.data - codec.addresses()[1]
    for value in (made, seen, memoryview(made), seen.reshape(12), seen.view("int64")):
        data, _, blocks = executor.encode(value)
        array_, at = read_back(codec, data)
        assert at == offset
        assert blocks[0][:2] == (offset, 96)
        assert array_.tobytes() == seen.tobytes()
    assert codec.usage()[0] == 1


def test_aligned_parts_of_empty_are_not_copied(codec, executor):
    seen = np.asarray(codec.empty((4, 16), "float32"))
    seen[:] = np.arange(64).reshape(4, 16)
    offset = seen.ctypes.data - codec.addresses()[1]
    for part, rows in ((seen[1:3], 1), (seen[2], 2), (seen[0:1, :5], 0)):
        data, _, blocks = executor.encode(part)
        array_, at = read_back(codec, data)
        assert at == offset + 64 * rows
        assert blocks[0][0] == offset
        assert np.array_equal(array_, part)


def test_other_parts_of_empty_are_copied(codec, executor):
    seen = np.asarray(codec.empty((4, 16), "float32"))
    seen[:] = np.arange(64).reshape(4, 16)
    for part in (seen.T, seen[:, 1:3], seen[0, 1:], seen[::2]):
        data, _, blocks = executor.encode(part)
        array_, _ = read_back(codec, data)
        assert np.array_equal(array_, part)
        assert blocks[0][1] == part.nbytes


@pytest.mark.parametrize("wrong_first", [False, True])
def test_an_owner_that_is_none_is_not_believed(codec, executor, wrong_first):
    class Liar(np.ndarray):
        base = None

    blocks = [codec.empty(16, "float32"), codec.empty(16, "float32")]
    Liar.base = blocks.pop(0 if wrong_first else 1)
    seen = np.asarray(blocks.pop()).view(Liar)
    seen[:] = 3
    data, _, held = executor.encode(seen)
    assert codec.usage()[0] == 3
    array_, at = read_back(codec, data)
    assert at == held[0][0]
    assert array_.tolist() == [3] * 16
    Liar.base = None


def test_a_block_lives_as_long_as_either_side_needs_it(codec, executor):
    made = np.asarray(codec.empty(100, "int32"))
    made[:] = 7
    executor.encode([made, made])
    executor.encode(made)
    assert codec.usage()[0] == 1
    executor.release()
    assert codec.usage()[0] == 1
    assert made[99] == 7
    executor.encode(made)
    del made
    gc.collect()
    assert codec.usage()[0] == 1
    executor.release()
    assert codec.usage()[0] == 0


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (3, (3,)),
        ((), ()),
        ([2, 3], (2, 3)),
        ((0,), (0,)),
        (np.int64(4), (4,)),
        ((1,) * 8, (1,) * 8),
    ],
)
def test_shapes_of_empty(codec, shape, expected):
    made = codec.empty(shape)
    assert made.shape == expected
    assert made.dtype == "float32"


class FakeTorchDtype:
    def __str__(self):
        return "torch.float16"


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        *((name, name) for name in DTYPES),
        (np.float64, "float64"),
        (np.dtype("uint8"), "uint8"),
        (float, "float64"),
        (int, "int64"),
        (bool, "bool"),
        (complex, "complex128"),
        (FakeTorchDtype(), "float16"),
        *((np.dtype(name).str[1:], name) for name in DTYPES),
        *((np.dtype(name).str, name) for name in DTYPES),
        *(("=" + np.dtype(name).str[1:], name) for name in DTYPES),
        ("?", "bool"),
    ],
)
def test_dtypes_of_empty(codec, dtype, name):
    made = codec.empty(2, dtype=dtype)
    assert made.dtype == name
    assert np.asarray(made).dtype == np.dtype(name)


@pytest.mark.parametrize(
    ("shape", "dtype", "error"),
    [
        (-1, "int8", ValueError),
        ((2, -1), "int8", ValueError),
        ((1,) * 9, "int8", ValueError),
        (2**63, "int8", ValueError),
        ((2**40, 2**40), "int8", ValueError),
        ("x", "int8", TypeError),
        (1.5, "int8", TypeError),
        (None, "int8", TypeError),
        (2, "float8", ValueError),
        (2, object(), ValueError),
        (2, str, ValueError),
        (2, ">f4", ValueError),
        (2, "f3", ValueError),
        (2, "f44", ValueError),
        (2, "<", ValueError),
        (2, "", ValueError),
    ],
)
def test_what_empty_refuses(codec, shape, dtype, error):
    before = codec.usage()
    with pytest.raises(error):
        codec.empty(shape, dtype)
    assert codec.usage() == before


def test_an_unknown_dtype_is_told_with_those_there_are(codec):
    with pytest.raises(ValueError) as error:
        codec.empty(2, "f3")
    assert f"'f3'; it can have {', '.join(DTYPES)}, bfloat16, or the short" in str(
        error.value
    )


def test_threads_share_blocks(codec):
    def work(shared):
        executor = codec.Executor()
        for _ in range(200):
            executor.encode([shared, np.zeros(10), codec.empty(5)])
            executor.release()

    made = np.asarray(codec.empty(1000, "float64"))
    made[:] = 1
    threads = [threading.Thread(target=work, args=(made,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made.sum() == 1000
    assert codec.usage()[0] == 1
    del made, threads
    gc.collect()
    assert codec.usage() == (0, 0, 0)
